"""Adaptive task migration between edge and cloud: instances, fitted profile, claims.

B. Zhang et al., "An Adaptive Task Migration Scheduling Approach for Edge-Cloud Collaborative
Inference", Wireless Communications and Mobile Computing, 2022.

Five Raspberry Pi 3B and one server with a GPU; 30 frames a device; uplinks of 3G and 4G. The paper
gives neither layer times nor input sizes: a profile (overhead, work, streaming of weights, one
factor a network) is fitted to its Table 1, see ``data/migration/README.md``. What needs the queue
in the cloud cannot be checked by cuts alone and says so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optedge import networks
from optedge.formulations.cut import BandwidthCurve, CutProblem, bandwidth_curve
from optedge.formulations.pipeline import PipelineProblem
from optedge.networks.tables import csv_rows
from optedge.papers.claims import Claim, Part, gather, verdict
from optedge.platforms import Platform, Server, mbit
from optedge.solvers.front import solve

if TYPE_CHECKING:
    import pandas as pd

_DATA = Path(__file__).parents[1] / "data" / "migration"

NETWORKS = ("alexnet", "tiny_yolo", "darknet19", "alexnet_parallel", "resnet18", "googlenet")
CHAINS = NETWORKS[:3]
#: Theoretical maximum of the uplinks in bit/s (section 5 of the paper).
UPLINKS = {"3G": mbit(1.1), "4G": mbit(5.85)}
#: Share of that maximum that the fitted profile gets.
EFFICIENCY = 0.484
FRAMES = 30  # a device
#: The fitted profile; the server is slower than its GPU since it stands for decoding and framework.
RASPBERRY_PI = Server(speed=1.19e9, streaming=2.74e8, overhead=9.3e-3, tier=0, name="Raspberry Pi")
CLOUD = Server(speed=1.74e10, streaming=1.0e11, overhead=1.91e-3, tier=1, name="cloud server")


@functools.cache
def factors() -> dict[str, tuple[float, float]]:
    """Return the fitted factors (device, cloud) of each network."""
    rows = csv_rows(_DATA / "profile.csv")
    return {r["model"]: (float(r["edge_factor"]), float(r["cloud_factor"])) for r in rows}


def platform(network: str | None = None, uplink: str | float = "4G") -> Platform:
    """Return a Raspberry Pi and the server, one uplink between them.

    Parameters
    ----------
    network
        Whose factors are used; None for the profile without factors.
    uplink
        ``"3G"``, ``"4G"``, or another nominal rate in bit/s; ``EFFICIENCY`` of it arrives.
    """
    if isinstance(uplink, str):
        if uplink not in UPLINKS:
            raise ValueError(f"uplink must be a rate in bit/s, '3G' or '4G', got {uplink!r}.")
        uplink = UPLINKS[uplink]
    edge, cloud = (1.0, 1.0) if network is None else _factors_of(network)
    servers = [replace(RASPBERRY_PI, factor=edge), replace(CLOUD, factor=cloud)]
    return Platform.line(
        servers, [EFFICIENCY * uplink], name=f"Raspberry Pi and server, {network or 'any'}"
    )


def _factors_of(network: str) -> tuple[float, float]:
    if network not in factors():
        raise ValueError(f"network must be one of {', '.join(factors())}, got {network!r}.")
    return factors()[network]


def instance(network: str = "googlenet", uplink: str | float = "4G", **fields: Any) -> CutProblem:
    """Return the cut problem of one frame of a network on one device.

    Parameters
    ----------
    network
        One of ``NETWORKS``.
    uplink
        As in :func:`platform`.
    **fields
        Other fields of :class:`CutProblem`, such as ``goal``.
    """
    where = platform(network, uplink)
    label = uplink if isinstance(uplink, str) else f"{uplink / 1e6:g} Mbit/s"
    fields = {"name": f"{network}, {label}", **fields}
    return CutProblem.from_network(networks.load(network), where, **fields)


def pipeline(
    network: str = "alexnet",
    uplink: str | float = "4G",
    *,
    devices: int = 5,
    frames: int = FRAMES,
    rate: float = 10.0,
    **fields: Any,
) -> PipelineProblem:
    """Return the frames of equal devices, whose inferences share the cloud.

    Parameters
    ----------
    network
        One of ``NETWORKS``.
    uplink
        As in :func:`platform`.
    devices, frames
        Number of devices, and of frames of each.
    rate
        Frames that arrive each second on each device, the first at 0; the paper films at 5 to 15.
    **fields
        Other fields of :class:`PipelineProblem`, such as ``service`` or ``capacity``.

    Raises
    ------
    ValueError
        If the network or uplink is unknown, or the rate is not above 0.
    """
    if not rate > 0:
        raise ValueError(f"rate must be above 0, got {rate!r}.")
    label = uplink if isinstance(uplink, str) else f"{uplink / 1e6:g} Mbit/s"
    fields = {"name": f"{network}, {label}, {devices} x {frames}", **fields}
    arrivals = [[k / rate for k in range(frames)]] * devices
    where = platform(network, uplink)
    return PipelineProblem.from_network(networks.load(network), where, arrivals, **fields)


def curve(network: str, low: float = mbit(0.05), high: float = mbit(100.0)) -> BandwidthCurve:
    """Return least latency against nominal bandwidth of the uplink (bit/s).

    The effective rate is ``EFFICIENCY`` times the nominal one.
    """
    found = bandwidth_curve(
        networks.load(network), platform(network), EFFICIENCY * low, EFFICIENCY * high
    )
    return found.at_efficiency(EFFICIENCY)


def published_table() -> pd.DataFrame:
    """Return Table 1 as printed: total delay in seconds, a row a network and uplink."""
    import pandas as pd

    return pd.read_csv(_DATA / "table1.csv")


def reproduce(
    parts: Iterable[str] | None = None, *, seeds: int = 5, time_limit: float | None = None
) -> pd.DataFrame:
    """Return a row for every claim of the parts asked for, with a verdict.

    Parameters
    ----------
    parts
        Some of ``PARTS``; all by default.
    seeds, time_limit
        Without influence: everything here is solved exactly in milliseconds.
    """
    return gather(parts, PARTS)


# ----------------------------------------------------------------------------- table 1


def _table_1() -> Part:
    """Edge-only is what 30 frames take one after the other; the rest of the table has a queue."""
    table = published_table()
    problems = [
        instance(model, uplink) for model, uplink in zip(table.model, table.network, strict=True)
    ]
    results = [solve(problem, "min-cut") for problem in problems]
    table["edge_only_ours"] = [FRAMES * float(p.times[0].sum()) for p in problems]
    table["cut"] = [_cut_name(p, r.solution) for p, r in zip(problems, results, strict=True)]
    table["one_frame_s"] = [r.objective for r in results]
    table["gap"] = [r.gap for r in results]
    claims = [_edge_only(table[table.model == name], FRAMES) for name in NETWORKS]
    claims += [_needs_queue(table, uplink, column) for uplink in UPLINKS for column in _QUEUED]
    return Part([*claims, *_arithmetic(table)], table)


_QUEUED = {
    "cloud_only": "cloud-only",
    "single_cutting": "Single Cutting",
    "scheduling_queuing": "Scheduling with Queuing",
}


def _edge_only(rows: pd.DataFrame, frames: int) -> Claim:
    published, ours = float(rows.edge_only.iloc[0]), float(rows.edge_only_ours.iloc[0])
    close = abs(ours - published) <= 0.05
    return Claim(
        f"edge-only delay of {rows.model.iloc[0]}, {frames} frames",
        "table 1",
        f"{published:g} s",
        f"{ours:.2f} s",
        verdict(close),
        "" if close else "the factors of the profile were fitted to this column",
    )


def _needs_queue(table: pd.DataFrame, uplink: str, column: str) -> Claim:
    rows = table[table.network == uplink]
    printed = rows[column].dropna()
    return Claim(
        f"delay of {_QUEUED[column]} at {uplink}",
        "table 1",
        f"{printed.min():g} to {printed.max():g} s",
        "-",
        "cannot be checked",
        "five devices share a queue in the cloud, which a cut does not see",
    )


def _arithmetic(table: pd.DataFrame) -> list[Claim]:
    """Check what the text says about the table against the table itself."""
    best = table.scheduling_queuing.fillna(table.single_cutting)
    largest = float((table[["cloud_only", "edge_only"]].max(axis=1) / best).max())
    claims = [
        Claim(
            "speed-up of up to 6.48",
            "abstract",
            "6.48",
            f"{largest:.2f}",
            verdict(round(largest, 2) == 6.48),
            "the largest ratio of two entries of table 1 in one row",
        )
    ]
    for where, uplink, chains, column, against, low, high in _SPEED_UPS:
        rows = table[(table.network == uplink) & (table.model.isin(CHAINS) == chains)]
        method = rows.scheduling_queuing if column == "S-Q" else rows.single_cutting
        ratio = rows[against] / method
        ours = (round(float(ratio.min()), 2), round(float(ratio.max()), 2))
        claims.append(
            Claim(
                f"speed-up of {column} over {against.replace('_', '-')}, "
                f"{'chains' if chains else 'DAGs'}, {uplink}",
                where,
                f"{low:g} to {high:g}",
                f"{ours[0]:g} to {ours[1]:g}",
                verdict(ours == (low, high)),
                "ratios of the entries of table 1",
            )
        )
    return [
        *claims,
        _cloud_only_is_worst(table, "3G", True),
        _cloud_only_is_worst(table, "4G", False),
    ]


# where, uplink, chains?, method, against, published range
_SPEED_UPS = (
    ("figure 2(a)", "3G", True, "S-C", "edge_only", 2.03, 3.30),
    ("figure 2(a)", "3G", True, "S-C", "cloud_only", 2.22, 6.48),
    ("figure 2(b)", "4G", True, "S-Q", "edge_only", 1.9, 5.48),
    ("figure 2(b)", "4G", True, "S-Q", "cloud_only", 1.05, 1.57),
    ("figure 3(a)", "3G", False, "S-C", "edge_only", 1.11, 2.72),
    ("figure 3(a)", "3G", False, "S-C", "cloud_only", 2.07, 4.12),
    ("figure 3(b)", "4G", False, "S-C", "edge_only", 1.11, 2.72),
)


def _cloud_only_is_worst(table: pd.DataFrame, uplink: str, worst: bool) -> Claim:
    rows = table[(table.network == uplink) & ~table.model.isin(CHAINS)]
    slower = rows.cloud_only > rows.edge_only
    holds = bool(slower.all() if worst else (~slower).all())
    against = rows.model[~slower if worst else slower].tolist()
    return Claim(
        f"cloud-only is {'slower' if worst else 'faster'} than edge-only on all DAGs, {uplink}",
        "section 5",
        "all",
        "all" if holds else f"not {', '.join(against)}",
        verdict(holds),
        "entries of table 1",
    )


def _cut_name(problem: CutProblem, x: Any) -> str:
    """Return the layers whose output is sent, or edge-only."""
    sent = problem.crossing(x)
    return "{" + ", ".join(map(str, sent)) + "}" if sent else "edge-only"


PARTS: dict[str, Callable[[], Part]] = {"table 1": _table_1}
