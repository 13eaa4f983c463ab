"""Profile, platform, instances: one frame on one device, and the frames of many devices.

The paper gives neither layer times nor input sizes: a profile (overhead, work, streaming of
weights, one factor a network) is fitted to its Table 1, see ``data/migration/README.md``.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from optedge import networks
from optedge.formulations.cut import BandwidthCurve, CutProblem, bandwidth_curve
from optedge.formulations.pipeline import PipelineProblem
from optedge.networks.tables import csv_rows
from optedge.platforms import Platform, Server, mbit

DATA = Path(__file__).parents[2] / "data" / "migration"

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
    rows = csv_rows(DATA / "profile.csv")
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
