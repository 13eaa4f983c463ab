r"""Dual ascent on prices of server time: which steps are taken, and on which grids.

With the supergradient g, scaled by :math:`w_s = 1 / K_s`, steps follow the average direction

.. math::

   d \leftarrow w g + \frac{|w g|}{|d|} d, \qquad
   \pi \leftarrow \max\Big(0,\ \pi + \theta \frac{U - \ell(\pi)}{|d|^2}\, w d\Big),

where g and d are set to 0 where they push a price of 0 further down, U is the value of the best
schedule and :math:`\ell` the bound. After 40 values without a relative gain of 1e-5 the length
:math:`\theta` is shortened by 0.6, and the steps start again from the best prices; so they do every
200 values. Then the grid is made finer.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.prices import pricing
from optedge.formulations.offloading.prices.classes import Classes
from optedge.formulations.offloading.prices.lattice import Lattice, Store
from optedge.kernels import kernel

STALL, RETURN = 40, 200  # values without a gain; values between two returns to the best prices
SHORTER, SHORTEST = 0.6, 2e-3  # factor of theta, and where a round ends
GAIN = 1e-5  # relative: smaller gains do not count
SEEN = 600  # paths of priced tasks that are kept for each class
FIRST_THETA, THETA = 1.0, 0.3  # of the first round and of the others

FIRST_BUCKETS, MOST_BUCKETS = 48, 1500
FIRST_CELLS, MANY_CELLS, MOST_CELLS = 384, 12000, 48000  # the last once buckets are most
LEAST_IN_BUCKET = 4  # cells
FINE_CELLS = 16384  # of a re-valuation
MOST_NUMBERS = 60_000_000  # in the tables of a pricing, 0.5 GB: fewer cells for very long chains
BEYOND = 1.2  # first horizon in units of the makespan
FULL, LONGER = 0.98, 1.15  # price in units of the horizon that makes it longer, and how much
NEAR, SHRINK = 1.06, 0.95  # horizon in units of the price, if that makes it so much shorter


class Climb(NamedTuple):
    """The state of an ascent on one lattice."""

    duals: FloatArray  # (S, B)
    best_duals: FloatArray  # (S, B)
    direction: FloatArray  # (S, B)
    slope: FloatArray  # (S, B)
    scale: FloatArray  # (S,), w
    numbers: FloatArray  # (2,), theta and the best value
    counts: IntArray  # (2,), values in all and at the last gain
    seen: IntArray  # (K, SEEN, J), server paths of priced tasks
    n_seen: IntArray  # (K,), written so far


def begin(c: Classes, duals: FloatArray, theta: float, before: Climb | None = None) -> Climb:
    """Return the state of an ascent that starts at ``duals``; paths seen before are kept."""
    n_classes, layers, _ = c.seconds.shape
    seen = np.zeros((n_classes, SEEN, layers), np.int64) if before is None else before.seen
    n_seen = np.zeros(n_classes, np.int64) if before is None else before.n_seen
    return Climb(
        duals=duals.copy(),
        best_duals=duals.copy(),
        direction=np.zeros(duals.shape),
        slope=np.zeros(duals.shape),
        scale=np.where(c.pools > 0, 1 / np.maximum(c.pools, 1), 0.0),
        numbers=np.array([theta, -np.inf]),
        counts=np.zeros(2, np.int64),
        seen=seen,
        n_seen=n_seen,
    )


@kernel
def climb(
    c: Classes, g: Lattice, w: Store, state: Climb, target: float, values: int
) -> tuple[bool, int, int]:
    """Take ``values`` steps towards ``target``.

    Returns
    -------
    tuple
        Whether the round has ended, how many values were computed, and how many cells looked at.
    """
    n_servers, buckets = state.duals.shape
    pi, d, slope = state.duals, state.direction, state.slope
    work = 0
    for step in range(values):
        value, looked = pricing.evaluate(c, g, pi, w, slope, False)
        work += looked
        count = state.counts[0] + 1
        state.counts[0] = count
        for k in range(c.counts.size):
            if w.servers[k, 0] >= 0:
                state.seen[k, state.n_seen[k] % SEEN] = w.servers[k]
                state.n_seen[k] += 1
        best = state.numbers[1]
        if value > best:
            if value > best + GAIN * abs(best) or best == -np.inf:
                state.counts[1] = count
            state.numbers[1] = value
            state.best_duals[:] = pi
        if count - state.counts[1] > STALL:
            state.numbers[0] *= SHORTER
            if state.numbers[0] < SHORTEST:
                return True, step + 1, work
            state.counts[1] = count
            pi[:] = state.best_duals
            d[:] = 0.0
            continue
        if count % RETURN == 0:
            pi[:] = state.best_duals
            d[:] = 0.0
            continue
        length, last = 0.0, 0.0
        for s in range(n_servers):
            for b in range(buckets):
                x = slope[s, b] * state.scale[s]
                if x < 0.0 and pi[s, b] <= 0.0:
                    x = 0.0
                slope[s, b] = x
                length += x * x
                last += d[s, b] * d[s, b]
        if length == 0.0:  # the prices are optimal on this lattice
            return True, step + 1, work
        turn = np.sqrt(length / last) if last > 0.0 else 0.0
        norm = 0.0
        for s in range(n_servers):
            for b in range(buckets):
                x = slope[s, b] + turn * d[s, b]
                if x < 0.0 and pi[s, b] <= 0.0:
                    x = 0.0
                d[s, b] = x
                norm += x * x
        if norm == 0.0:
            continue
        move = state.numbers[0] * max(target - value, 0.0) / norm
        for s in range(n_servers):
            for b in range(buckets):
                pi[s, b] = max(0.0, pi[s, b] + move * state.scale[s] * d[s, b])
    return False, values, work


@dataclasses.dataclass(frozen=True)
class Grid:
    """Buckets, cells in a bucket and horizon of a round; the first round if made by :meth:`first`.

    Parameters
    ----------
    horizon
        Seconds.
    buckets, total
        Buckets, and cells that are aimed at in all.
    number
        Of the round.
    most
        Cells in all that the memory allows.
    """

    horizon: float
    buckets: int
    total: int
    number: int
    most: int

    @classmethod
    def first(cls, makespan: float, c: Classes) -> Grid:
        """Return the grid of the first round."""
        most = MOST_NUMBERS // (2 * int(np.prod(c.seconds.shape[1:])))
        return cls(BEYOND * makespan, FIRST_BUCKETS, min(FIRST_CELLS, most), 0, most)

    @property
    def cells(self) -> int:
        """Cells in a bucket."""
        return max(LEAST_IN_BUCKET, round(self.total / self.buckets))

    @property
    def fine_cells(self) -> int:
        """Cells in a bucket where prices are valued again."""
        return max(self.cells, min(FINE_CELLS, self.most) // self.buckets)

    @property
    def theta(self) -> float:
        """The first length of steps."""
        return THETA if self.number else FIRST_THETA

    def finer(self, needed: float) -> Grid:
        """Return the grid of the next round; ``needed`` as for :meth:`reach`."""
        number = self.number + 1
        buckets = int(1.5 * self.buckets) if number % 2 else self.buckets
        return self._with(buckets, number, self.reach(needed), 2.0 if number < 3 else 1.5)

    def reach(self, needed: float) -> float:
        """Return a horizon for the next round, in seconds.

        Parameters
        ----------
        needed
            The largest price of a class at the best prices so far, or the last completion of the
            best schedule if that is later. Prices are cut off at the horizon, so that it should be
            behind them; but not far, since all that lies there is empty buckets.
        """
        if needed > FULL * self.horizon:
            return LONGER * self.horizon
        shorter = NEAR * needed
        return shorter if shorter < SHRINK * self.horizon else self.horizon

    def nested(self, number: int, horizon: float) -> Grid:
        """Return a grid for round ``number``, two or more ahead, with buckets that nest in these.

        Twice as many, and twice again for each further round, up to another ``horizon``; if that is
        the horizon of this grid, its prices lose nothing there.
        """
        ahead = number - self.number
        return self._with(self.buckets * 2 ** (ahead - 1), number, horizon, 1.5**ahead)

    def _with(self, buckets: int, number: int, horizon: float, more: float) -> Grid:
        buckets = min(buckets, MOST_BUCKETS, max(FIRST_BUCKETS, self.most // LEAST_IN_BUCKET))
        most = MOST_CELLS if self.buckets == MOST_BUCKETS else MANY_CELLS
        return Grid(
            horizon, buckets, min(most, self.most, int(more * self.total)), number, self.most
        )

    def resample(self, duals: FloatArray, horizon: float) -> FloatArray:
        """Return the means over these buckets of ``duals``, prices up to another ``horizon``."""
        n = duals.shape[1]
        borders = np.linspace(0.0, self.horizon, self.buckets + 1)
        old = np.linspace(0.0, horizon, n + 1)
        paid = np.zeros((len(duals), n + 1))
        paid[:, 1:] = np.cumsum(duals, axis=1) * (horizon / n)
        means = [np.diff(np.interp(borders, old, row)) for row in paid]
        return np.maximum(0.0, np.array(means) * (self.buckets / self.horizon))
