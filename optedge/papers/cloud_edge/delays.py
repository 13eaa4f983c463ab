"""Table 2: two speeds that give its delays, two laws for its energies, and its percentages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.formulations.split import split_table
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.cloud_edge.instances import (
    NODES,
    SPEED,
    best_position,
    environment,
    instance,
    setting,
)
from optedge.papers.cloud_edge.network import resnet34
from optedge.papers.cloud_edge.splits import SPLITS

if TYPE_CHECKING:
    import pandas as pd

#: Table 2: (system, nodes) to delay in ms and energy in J.
TABLE_2 = {
    ("ACEFLF", 30): (25.7, 42.5),
    ("ACEFLF", 20): (40.2, 46.7),
    ("ACEFLF", 10): (57.1, 49.6),
    ("B-Net", 10): (69.1, 62.9),
    ("MASM", 10): (60.7, 58.0),
}
#: What the text makes of table 2: ACEFLF at 10 nodes against (system, 0 = delay, 1 = energy).
SAVINGS = {("B-Net", 0): 17.4, ("B-Net", 1): 21.1, ("MASM", 0): 5.9, ("MASM", 1): 14.5}
#: Whole-task offloading (MASM has no split) to its position; the cloud without upload time.
WHOLE = {"whole task in the cloud": 0, "whole task on a node": 34}


def fit_delays() -> dict[str, float]:
    """Fit the delays of table 2: non-negative ms per GMAC before and behind the split, per MB, 1.

    Two of the four parameters vanish: there is no upload and no constant in the data.
    """
    from scipy.optimize import nnls

    before, behind = _work()
    sent = resnet34().output_bytes[list(SPLITS.values())] / 1e6
    delays = [TABLE_2["ACEFLF", n][0] for n in SPLITS]
    found, _ = nnls(np.column_stack([before, behind, sent, np.ones_like(sent)]), delays)
    return dict(zip(("node", "cloud", "upload", "constant"), found.tolist(), strict=True))


def fit_energies() -> dict[str, tuple[float, float]]:
    """Fit the energies of table 2: (constant, J per GMAC), ``"proportional"`` and ``"affine"``."""
    from scipy.optimize import nnls

    work, _ = _work()
    joule = np.array([TABLE_2["ACEFLF", n][1] for n in SPLITS])
    (constant, slope), _ = nnls(np.column_stack([np.ones_like(work), work]), joule)
    return {
        "proportional": (0.0, float(work @ joule / (work @ work))),
        "affine": (float(constant), float(slope)),
    }


def _work() -> tuple[FloatArray, FloatArray]:
    """Return the work in GMAC before and behind the splits of table 1."""
    work = resnet34().flops.cumsum() / 2e9
    before = work[list(SPLITS.values())]
    return before, work[-1] - before


def table_2() -> pd.DataFrame:
    """Return published delay and energy, and ours at the splits that our settings choose.

    The rows without a published number are whole-task offloading.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (system, nodes), (delay, joule) in TABLE_2.items():
        row = {"system": system, "nodes": nodes, "position": None}
        row |= {"published delay (ms)": delay, "published energy (J)": joule}
        if system == "ACEFLF":
            row |= _modelled(nodes, best_position(instance(nodes)))
        rows.append(row)
    rows += [{"system": system, "nodes": 10, **_modelled(10, j)} for system, j in WHOLE.items()]
    return pd.DataFrame(rows).astype({"position": "Int64"})


def _modelled(nodes: int, position: int) -> dict[str, Any]:
    """Return position, delay and the energies of both fits, eqs. (18) to (20) and a constant."""
    row: dict[str, Any] = {"position": position}
    graph, _, options = setting(nodes)
    for label, (constant, slope) in fit_energies().items():
        platform = environment(nodes, power=slope * SPEED / 1e9)
        table = split_table(graph, platform, **options)
        row["delay (ms)"] = 1e3 * table.latency[position]
        row[f"{label} energy (J)"] = constant + table.energy.sum(axis=0)[position]
    return row


# ------------------------------------------------------------------------- claims


def judge_table_2() -> Part:
    """Compare delays, energies and the savings that the text derives from them."""
    table = table_2()
    ours = table[table["system"] == "ACEFLF"]
    return Part([*_delays(ours), *_energies(ours), *_others(table), *_savings()], table)


def _delays(ours: pd.DataFrame) -> list[Claim]:
    fit = fit_delays()
    error = float((ours["delay (ms)"] - ours["published delay (ms)"]).abs().max())
    return [
        Claim(
            f"delay with {', '.join(map(str, NODES))} nodes",
            "table 2",
            _listed(ours["published delay (ms)"], "ms", 1),
            _listed(ours["delay (ms)"], "ms"),
            verdict(error <= 0.1),
            f"two speeds fitted to three numbers: {1e3 / fit['node']:.4f} GMAC/s on a node, "
            f"{1e3 / fit['cloud']:.2f} in the cloud; the fit puts {fit['upload']:.3g} on the "
            f"upload and {fit['constant']:.3g} on a constant",
        ),
        Claim(
            "the delay falls with the number of nodes",
            "table 2",
            "falls",
            _listed(ours["delay (ms)"], f"ms at positions {ours['position'].tolist()}"),
            verdict(ours["delay (ms)"].is_monotonic_increasing),  # from 30 to 10 nodes
            "as the split of table 1 gets shallower, not as nodes share work",
        ),
    ]


def _energies(ours: pd.DataFrame) -> list[Claim]:
    published = ours["published energy (J)"]
    proportional, affine = ours["proportional energy (J)"], ours["affine energy (J)"]
    off, off_affine = (float((e - published).abs().max()) for e in (proportional, affine))
    constant, slope = fit_energies()["affine"]
    watt = published.iloc[0] / (1e-3 * ours["published delay (ms)"].iloc[0])
    return [
        Claim(
            "the energy falls with the number of nodes",
            "table 2",
            _listed(published, "J", 1),
            _listed(proportional, "J"),
            verdict(proportional.is_monotonic_increasing and published.is_monotonic_increasing),
            "eqs. (18) to (20) are proportional to the work of the front: the order only",
        ),
        Claim(
            "energy in joule, eqs. (18) to (20)",
            "table 2",
            _listed(published, "J", 1),
            _listed(proportional, "J"),
            verdict(off <= 1),
            f"off by up to {off:.1f} J; {published.iloc[0]} J within the published delay "
            f"would be {watt:.0f} W",
        ),
        Claim(
            "energy in joule, with a constant",
            "table 2",
            _listed(published, "J", 1),
            _listed(affine, "J"),
            verdict(off_affine <= 1),
            f"{constant:.3f} J + {slope:.3f} J/GMAC, two parameters for three numbers, "
            f"off by up to {off_affine:.2f} J; the paper has no constant",
        ),
    ]


def _others(table: pd.DataFrame) -> list[Claim]:
    cloud, node = table.set_index("system").loc[list(WHOLE), "delay (ms)"]
    b_net, masm = TABLE_2["B-Net", 10], TABLE_2["MASM", 10]
    raw = 8 * resnet34().output_bytes[0] / 4
    rate = raw / (1e-3 * (masm[0] - cloud)) / 1e6
    return [
        Claim(
            "delay and energy of B-Net with 10 nodes",
            "table 2",
            "{} ms, {} J".format(*b_net),
            "not computed",
            "cannot be checked",
            "its exits, threshold and network are not given",
        ),
        Claim(
            "delay and energy of MASM (no split) with 10 nodes",
            "table 2",
            "{} ms, {} J".format(*masm),
            f"{cloud:.2f} ms all in the cloud, {node:.2f} ms all on a node",
            "cannot be checked",
            f"no parameters are given; in the cloud with an uplink of {rate:.1f} Mbit/s it would "
            "take the published time, with a fast one it beats every split",
        ),
    ]


def _savings() -> list[Claim]:
    claims = []
    for (system, column), percent in SAVINGS.items():
        own, other = TABLE_2["ACEFLF", 10][column], TABLE_2[system, 10][column]
        change = 100 * (own / other - 1)
        claims.append(
            Claim(
                f"{('delay', 'energy')[column]} against {system}, 10 nodes",
                "section 4, text",
                f"-{percent} %",
                f"{change:.2f} %",
                verdict(abs(change + percent) <= 0.05),
                "arithmetic on the published table only",
            )
        )
    return claims


def _listed(values: Iterable[float], unit: str, digits: int = 2) -> str:
    return ", ".join(f"{v:.{digits}f}" for v in values) + f" {unit}"
