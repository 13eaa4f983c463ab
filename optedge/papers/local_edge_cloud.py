"""Clients, edges and clouds that stand in published ranges: what papers on offloading share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge import networks
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform, Server, mbyte

NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet101")
Environment = Literal["L-E-C", "L-E", "L-C"]
KINDS = ("L-E-C", "L-E", "L-C")


class Tier(NamedTuple):
    """Servers of one tier; their numbers stand evenly in the ranges, or are drawn there."""

    ghz: tuple[float, float]
    number: int
    pool: float = math.inf
    per_hour: tuple[float, float] = (0.0, 0.0)  # dollars


def platform(
    kind: Environment,
    tiers: Sequence[Tier],
    rates: npt.ArrayLike | Callable[[Server, Server], float],
    seed: int | None = None,
) -> Platform:
    """Return clients, edges and clouds, or two of the three.

    Parameters
    ----------
    kind
        ``"L-E-C"``; ``"L-E"`` has no clouds, ``"L-C"`` no edges.
    tiers
        Clients, edges and clouds.
    rates
        MB/s between two tiers, ``(3, 3)``, or a function of two servers that returns bit/s.
    seed
        Draws clocks and prices uniformly in their ranges; None spreads them evenly. Servers that
        ``kind`` leaves out are drawn too, so that the others are the same.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be 'L-E-C', 'L-E' or 'L-C', got {kind!r}.")
    for name, tier in zip(("n_clients", "n_edges", "n_clouds"), tiers, strict=True):
        least = 1 if name == "n_clients" else 0
        whole = isinstance(tier.number, int | np.integer) and not isinstance(tier.number, bool)
        if not whole or tier.number < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {tier.number!r}.")
    rng = None if seed is None else np.random.default_rng(seed)

    def values(low: float, high: float, number: int) -> list[float]:
        drawn = np.linspace(low, high, number) if rng is None else rng.uniform(low, high, number)
        return [float(x) for x in drawn]

    clocks = [values(*tier.ghz, tier.number) for tier in tiers]
    prices = [values(*tier.per_hour, tier.number) for tier in tiers]
    found = [
        Server(
            clock_ghz=clock,
            tier=t,
            pool=tier.pool,
            price=price / 3600,
            name=f"{'bec'[t]}{k}",
        )
        for t, tier in enumerate(tiers)
        for k, (clock, price) in enumerate(zip(clocks[t], prices[t], strict=True))
        if "LEC"[t] in kind
    ]
    at = [server.tier for server in found]
    matrix: Any = rates if callable(rates) else mbyte(1.0) * np.asarray(rates)[np.ix_(at, at)]
    return Platform(tuple(found), matrix, name=kind)


def measured(network: str, modules: str, data_unit: Any, input_size: float) -> LayerGraph:
    """Return one of ``NETWORKS`` with the measured times of ``linbin403``.

    Parameters
    ----------
    network
        Its name.
    modules
        ``"contracted"``, modules as single layers, or ``"dag"``, their branches as they are.
    data_unit, input_size
        Of the data set; what its column of sizes means.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}.")
    if modules not in ("contracted", "dag"):
        raise ValueError(f"modules must be 'contracted' or 'dag', got {modules!r}.")
    graph = networks.load(network, source="linbin403", data_unit=data_unit, input_size=input_size)
    return graph.contracted() if modules == "contracted" else graph
