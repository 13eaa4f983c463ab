"""Servers and links: what the layers of a network run on.

Units: second, byte, bit/s, FLOP/s, watt, dollar. Published environments are made of these in
``optedge.papers``, one file a paper.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from optedge.networks.graph import LayerGraph

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Server:
    """A machine that runs layers.

    The time of layer v is ``factor * (overhead + max(flops / speed, 4 * parameters / streaming))``
    seconds: work or the streaming of float32 weights, whichever takes longer, and a fixed cost
    (the profile of ``papers.task_migration``). With ``clock_ghz`` in place of ``speed`` it is
    measured cycles divided by the clock (the profile of the offloading papers); with ``measured``
    it is ``factor`` times the measured seconds, as of a network that was profiled on this machine.

    Parameters
    ----------
    speed
        FLOP/s, positive; None if ``clock_ghz`` or ``measured`` is given.
    clock_ghz
        Clock in 1e9 cycles/s, positive, for networks with measured layers and their clock.
    measured
        Whether layers take their measured seconds.
    tier
        0 is the device, the last tier the cloud.
    streaming
        Bandwidth of the memory that holds the weights, byte/s.
    overhead
        Seconds that each layer costs whatever its size.
    factor
        Scales all times; calibration of one network.
    power
        Watt while it is busy.
    dynamic
        Dynamic energy in J s / FLOP^2: work Z at speed F takes ``dynamic * Z * F`` joule.
    energy
        Joule that it may spend; ``inf`` without a limit.
    price
        Dollar a second while it is busy.
    memory
        Byte; ``inf`` without a limit.
    pool
        Layers that run at a time; ``inf`` without a limit.
    name
        Label.

    Raises
    ------
    ValueError
        If a number is out of its range; the sentence names it.
    """

    speed: float | None = None
    clock_ghz: float | None = None
    measured: bool = False
    tier: int = 0
    streaming: float = math.inf
    overhead: float = 0.0
    factor: float = 1.0
    power: float = 0.0
    dynamic: float = 0.0
    energy: float = math.inf
    price: float = 0.0
    memory: float = math.inf
    pool: float = math.inf
    name: str = ""

    def __post_init__(self) -> None:
        if (self.speed is not None) + (self.clock_ghz is not None) + bool(self.measured) != 1:
            raise ValueError("a server has either speed (FLOP/s), clock_ghz or measured=True.")
        for field in ("speed", "clock_ghz", "streaming", "factor", "pool"):
            value = getattr(self, field)
            if value is not None and not value > 0:
                raise ValueError(
                    f"{field} of server {self.name!r} must be positive, got {value!r}."
                )
        for field in ("overhead", "power", "dynamic", "price", "memory", "energy"):
            value = getattr(self, field)
            if not value >= 0:
                raise ValueError(
                    f"{field} of server {self.name!r} must be at least 0, got {value!r}."
                )
        whole = isinstance(self.tier, int | np.integer) and not isinstance(self.tier, bool)
        if not whole or self.tier < 0:
            raise ValueError(f"tier of server {self.name!r} must be 0, 1, ..., got {self.tier!r}.")

    def layer_seconds(self, graph: LayerGraph) -> FloatArray:
        """Return the time of each layer in seconds, ``(n_layers,)``; an input tensor takes none.

        Raises
        ------
        ValueError
            If the server is given by its clock and the network has no measured layers, or by its
            speed and the network has no FLOPs.
        """
        if self.measured:
            if graph.seconds is None:
                raise ValueError(f"network {graph.name!r} has no measured seconds.")
            seconds = graph.seconds
        elif self.clock_ghz is not None:
            seconds = graph.work_gcycles / self.clock_ghz
        else:
            if not graph.flops.any():
                raise ValueError(f"network {graph.name!r} has no FLOPs; give servers by clock_ghz.")
            speed = self.speed or math.inf
            seconds = np.maximum(graph.flops / speed, 4 * graph.parameters / self.streaming)
        seconds = self.factor * (self.overhead + seconds)
        seconds[np.array(graph.types) == "input"] = 0.0
        return np.asarray(seconds)


def mbit(rate: float) -> float:
    """Return a rate given in Mbit/s in bit/s."""
    return 1e6 * rate


def mbyte(rate: float) -> float:
    """Return a rate given in MB/s (1e6 byte a second) in bit/s."""
    return 8e6 * rate


def shannon(
    bandwidth_hz: float, power_w: float, gain: float, noise_w: float, interference_w: float = 0.0
) -> float:
    r"""Return the rate of a radio channel in bit/s.

    :math:`W \log_2 (1 + p h / (N + I))`, Shannon's formula, eq. (2) of the DDPQN paper with a fixed
    allocation of channels. Interference that depends on what others decide would make a rate more
    than a number of a pair of servers; that is not modelled in this package.

    Parameters
    ----------
    bandwidth_hz
        W, of the channel.
    power_w
        p, of the sender; 0 gives rate 0: no link.
    gain
        h, the share of the power that arrives.
    noise_w
        N, positive.
    interference_w
        I, the power that others send into the channel, whoever they are.

    Raises
    ------
    ValueError
        If a number is negative or not finite, or the noise is 0.
    """
    given = {"bandwidth_hz": bandwidth_hz, "power_w": power_w, "gain": gain}
    given |= {"noise_w": noise_w, "interference_w": interference_w}
    for name, number in given.items():
        if not 0 <= number < math.inf:
            raise ValueError(f"{name} must be a number of at least 0, got {number!r}.")
    if noise_w == 0:
        raise ValueError("noise_w must be positive.")
    ratio = power_w * gain / (noise_w + interference_w)
    return bandwidth_hz * math.log1p(ratio) / math.log(2)


def _evaluated(
    rates: FloatArray | Callable[[Server, Server], float], servers: tuple[Server, ...]
) -> npt.ArrayLike:
    """Return the matrix of rates, made by a function if one is given."""
    if not callable(rates):
        return rates
    every = range(len(servers))
    return [[0.0 if a == b else rates(servers[a], servers[b]) for b in every] for a in every]


@dataclasses.dataclass(frozen=True, eq=False)
class Platform:
    """Servers and the rates between them.

    Parameters
    ----------
    servers
        At least one.
    rates
        Bit/s from each server to each other, shape ``(n_servers, n_servers)``; 0 where there is
        no link; what stands on the diagonal does not count. A function of sender and receiver is
        asked once for every ordered pair; here its numbers remain.
    name
        Label.

    Raises
    ------
    ValueError
        If a rate is negative or NaN, or the shape is wrong.
    """

    servers: tuple[Server, ...]
    rates: FloatArray
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "servers", tuple(self.servers))
        n = len(self.servers)
        if not all(isinstance(server, Server) for server in self.servers):
            raise ValueError("servers: each must be a Server.")
        if n == 0:
            raise ValueError("servers: a platform has at least one.")
        rates = np.array(_evaluated(self.rates, self.servers), dtype=np.float64)
        if rates.shape != (n, n):
            raise ValueError(f"rates must have shape ({n}, {n}), got {rates.shape}.")
        np.fill_diagonal(rates, np.inf)
        wrong = np.argwhere(~(rates >= 0))
        if wrong.size:
            a, b = wrong[0].tolist()
            raise ValueError(f"rates[{a}, {b}] must be at least 0 bit/s, got {rates[a, b]}.")
        rates.setflags(write=False)
        object.__setattr__(self, "rates", rates)

    @classmethod
    def line(cls, servers: Iterable[Server], uplinks: Iterable[float], name: str = "") -> Self:
        """Build a device, perhaps an edge server, and a cloud, each linked to the next.

        Parameters
        ----------
        servers
            From the device to the cloud; tiers are numbered anew.
        uplinks
            Bit/s from each server to the next, and back.
        name
            Label.
        """
        row = [dataclasses.replace(server, tier=k) for k, server in enumerate(servers)]
        ups = list(uplinks)
        if len(ups) != len(row) - 1:
            raise ValueError(f"uplinks must hold {len(row) - 1} rates, got {len(ups)}.")
        rates = np.zeros((len(row), len(row)))
        for k, rate in enumerate(ups):
            rates[k, k + 1] = rates[k + 1, k] = rate
        return cls(tuple(row), rates, name)

    @property
    def n_servers(self) -> int:
        """Number of servers."""
        return len(self.servers)

    @property
    def tiers(self) -> tuple[tuple[int, ...], ...]:
        """The servers of each tier, by number, from the device on; no tier is empty."""
        levels = sorted({server.tier for server in self.servers})
        return tuple(
            tuple(k for k, server in enumerate(self.servers) if server.tier == level)
            for level in levels
        )

    def replace(self, **changes: Any) -> Self:
        """Return a newly validated copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def send_seconds(self, sender: int, receiver: int, n_bytes: npt.ArrayLike) -> FloatArray:
        """Return the seconds that sizes in byte take over one link; ``inf`` where there is none."""
        size, rate = np.asarray(n_bytes, dtype=np.float64), self.rates[sender, receiver]
        return np.full(size.shape, np.inf) if rate == 0 else np.asarray(8 * size / rate)
