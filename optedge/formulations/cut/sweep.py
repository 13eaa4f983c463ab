"""The optimal cut as a function of the bandwidth, exactly: the lower envelope of all plans.

A plan that sends b bits over the first hop and takes c seconds otherwise has latency
:math:`c + b / B`. The minimum over all plans is concave and piecewise linear in :math:`1 / B`, with
the bits as slopes. Its pieces are found from the ends inwards: where the lines of two neighbours
meet, a minimum cut tells whether a third plan lies below (Eisner and Severance, JACM 23, 1976).
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.cut.flow import minimum_cut
from optedge.formulations.cut.problem import CutProblem
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

if TYPE_CHECKING:
    import pandas as pd

GAIN = 1e-9  # relative: a plan that is better by less makes no piece of its own


@dataclasses.dataclass(frozen=True, eq=False)
class BandwidthCurve:
    """Least latency against the bandwidth of the first hop, piece by piece.

    Parameters
    ----------
    problem
        The instance at 1 bit/s of the first hop.
    low, high
        The range in bit/s.
    tiers
        The optimal plan of each piece from the lowest bandwidth on, ``(n_pieces, n_layers)``.
    bits
        What it sends over the first hop, in bit, ``(n_pieces,)``.
    seconds
        Its latency without that, ``(n_pieces,)``.
    efficiency
        Share of the bandwidth that arrives; below 1 where bandwidths are nominal ones.
    """

    problem: CutProblem
    low: float
    high: float
    tiers: IntArray
    bits: FloatArray
    seconds: FloatArray
    efficiency: float = 1.0

    @property
    def switches(self) -> FloatArray:
        """Bandwidth in bit/s at which each piece but the first begins, ``(n_pieces - 1,)``."""
        return np.asarray(np.diff(self.bits) / -np.diff(self.seconds) / self.efficiency)

    def at_efficiency(self, share: float) -> BandwidthCurve:
        """Return the same curve over a nominal bandwidth of which only a share in (0, 1] arrives.

        Raises
        ------
        ValueError
            If the share is outside of that range.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {share!r}.")
        scale = share / self.efficiency
        return dataclasses.replace(
            self, low=self.low / scale, high=self.high / scale, efficiency=float(share)
        )

    def piece(self, bandwidth: npt.ArrayLike) -> IntArray:
        """Return the number of the piece at each bandwidth (bit/s); at a switch the later one.

        Raises
        ------
        ValueError
            If a bandwidth is outside of the range of the curve.
        """
        b = np.asarray(bandwidth, dtype=np.float64)
        if not ((b >= self.low) & (b <= self.high)).all():
            raise ValueError(f"the curve holds from {self.low:g} to {self.high:g} bit/s.")
        return np.asarray(np.searchsorted(self.switches, b, side="right"))

    def latency(self, bandwidth: npt.ArrayLike) -> FloatArray:
        """Return the least latency in seconds at each bandwidth (bit/s)."""
        k, b = self.piece(bandwidth), np.asarray(bandwidth, dtype=np.float64)
        return np.asarray(self.seconds[k] + self.bits[k] / (self.efficiency * b))

    def shadow_price(self, bandwidth: npt.ArrayLike) -> FloatArray:
        """Return what one more Mbit/s changes: ``-1e6 * bits / B**2``, in s per Mbit/s.

        At a switch this is the price of a little more bandwidth; of a little less it is another.
        """
        k, b = self.piece(bandwidth), np.asarray(bandwidth, dtype=np.float64)
        return np.asarray(-1e6 * self.bits[k] / (self.efficiency * b**2))

    def table(self) -> pd.DataFrame:
        """Return a row a piece: its first and last bandwidth (Mbit/s), cut, bytes and seconds."""
        import pandas as pd

        ends = np.concatenate([[self.low], self.switches, [self.high]]) / 1e6
        return pd.DataFrame(
            {
                "from_mbit_s": ends[:-1],
                "to_mbit_s": ends[1:],
                "crossing": [self.problem.crossing(x) for x in self.tiers],
                "sent_bytes": self.bits / 8,
                "seconds": self.seconds,
            }
        )


def bandwidth_curve(
    graph: LayerGraph, platform: Platform, low: float, high: float, **fields: Any
) -> BandwidthCurve:
    """Return the least latency of every bandwidth of the first hop in a range.

    Parameters
    ----------
    graph, platform, **fields
        As in :meth:`CutProblem.from_network`.
    low, high
        The range in bit/s, ``0 < low < high``.

    Raises
    ------
    ValueError
        If the range is empty, or the goal is not the latency.
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"low and high must be 0 < low < high in bit/s, got {low!r}, {high!r}.")
    problem = CutProblem.from_network(graph, platform, bandwidth=1.0, **fields)
    if problem.goal != "latency":
        raise ValueError("a bandwidth curve is one of the latency.")

    def best(x: float) -> tuple[IntArray, float, float]:
        sends = problem.sends.copy()
        sends[0] *= x
        return _line(problem, minimum_cut(problem.replace(sends=sends)).tiers)

    def between(left: tuple[Any, ...], right: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the lines strictly between two neighbours, in the order of falling slope."""
        if left[1] <= right[1]:
            return []
        x = (right[2] - left[2]) / (left[1] - right[1])
        middle = best(x)
        if middle[2] + middle[1] * x >= (left[2] + left[1] * x) * (1 - GAIN):
            return []
        return [*between(left, middle), middle, *between(middle, right)]

    fast, slow = best(1 / high), best(1 / low)
    lines = [fast, *between(fast, slow), *([slow] if slow[1] < fast[1] else [])]
    lines.reverse()
    return BandwidthCurve(
        problem=problem,
        low=float(low),
        high=float(high),
        tiers=np.array([line[0] for line in lines]),
        bits=np.array([line[1] for line in lines]),
        seconds=np.array([line[2] for line in lines]),
    )


def _line(problem: CutProblem, tiers: IntArray) -> tuple[IntArray, float, float]:
    """Return a plan, the bits that it sends over the first hop, and its other seconds."""
    stages = problem.stages(tiers)
    bits = float(stages[problem.n_tiers])
    return tiers, bits, float(stages[: problem.n_tiers].sum() + stages[problem.n_tiers + 1 :].sum())
