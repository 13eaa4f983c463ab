r"""The memory of episodes, and drawing from it evenly or by priority.

Transition i is drawn with probability :math:`p_i^\omega / \sum_k p_k^\omega`, its priority
:math:`p_i = |\delta_i| + 10^{-6}` the error when it was last learnt from, and the largest priority
so far when it is new. The loss weighs it by :math:`(n P_i)^{-\beta}` over the largest such weight
of the sample: drawing by priority would bias the mean else.

Source: Schaul et al., ICLR 2016; the DDPQN paper, section 4.3, where neither the sum to one, the
small number nor the weights are given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray

LEAST = 1e-6  # added to an error, so that no transition is lost for ever
MOST_FOR_SUMS = 2**16  # entries up to which cumulative sums are quicker than a tree


class Sample(NamedTuple):
    """Transitions drawn from a memory."""

    at: IntArray  # (n,), their place in it
    slots: IntArray  # (n,), episode and step of each
    steps: IntArray
    weights: FloatArray | float  # in the loss


class CumulativeSums:
    """Draws by weight from an array: one pass of additions, then bisection."""

    def __init__(self, size: int) -> None:
        self.weights: FloatArray = np.zeros(size)

    def set(self, at: IntArray, weights: FloatArray | float) -> None:
        """Give entries their weights."""
        self.weights[at] = weights

    def find(self, shares: FloatArray) -> tuple[IntArray, float]:
        """Return where the running sum passes each share of the total, and the total."""
        sums = self.weights.cumsum()
        total = float(sums[-1])
        at = np.searchsorted(sums, shares * total, side="right")
        return np.minimum(at, _last(self.weights)), total


class SumTree:
    """Draws by weight from a binary tree of sums, many at a time; for large memories."""

    def __init__(self, size: int) -> None:
        self._leaves = 1 << max(0, size - 1).bit_length()
        self._size = size
        self._sums: FloatArray = np.zeros(2 * self._leaves)

    @property
    def weights(self) -> FloatArray:
        """Those of the entries, ``(size,)``."""
        return self._sums[self._leaves : self._leaves + self._size]

    def set(self, at: IntArray, weights: FloatArray | float) -> None:
        """Give entries their weights."""
        nodes = np.unique(np.asarray(at)) + self._leaves
        self._sums[np.asarray(at) + self._leaves] = weights
        while nodes.size and nodes[0] > 1:
            nodes = np.unique(nodes >> 1)
            self._sums[nodes] = self._sums[2 * nodes] + self._sums[2 * nodes + 1]

    def find(self, shares: FloatArray) -> tuple[IntArray, float]:
        """Return where the running sum passes each share of the total, and the total."""
        total = float(self._sums[1])
        left, nodes = shares * total, np.ones(shares.size, dtype=np.int64)
        while nodes[0] < self._leaves:
            nodes = 2 * nodes
            below = self._sums[nodes]
            right = (left >= below) & (self._sums[nodes + 1] > 0)
            left = np.where(right, left - below, left)
            nodes = nodes + right
        return np.minimum(nodes - self._leaves, _last(self.weights)), total


def _last(weights: FloatArray) -> int:
    """Return the last entry that can be drawn."""
    return int(np.flatnonzero(weights)[-1]) if weights[-1] == 0 else weights.size - 1


class Memory:
    """A ring of whole episodes of equal length.

    Parameters
    ----------
    slots
        How many episodes it holds.
    n_steps
        Their length.
    width, dtype
        Of the states that are kept.
    exponent
        Of priorities; 0 draws evenly, and then no sums are kept.

    Attributes
    ----------
    states
        ``(slots, n_steps + 1, width)``.
    actions, costs, rest
        ``(slots, n_steps)``: what was chosen, and what it cost: costs of pairs, and the rest.
    size
        Episodes held.
    """

    def __init__(
        self, slots: int, n_steps: int, width: int, dtype: npt.DTypeLike, exponent: float
    ) -> None:
        self.n_steps, self.exponent = n_steps, exponent
        self.states: npt.NDArray[Any] = np.zeros((slots, n_steps + 1, width), dtype=dtype)
        self.actions: IntArray = np.zeros((slots, n_steps), dtype=np.int64)
        self.costs: FloatArray = np.zeros((slots, n_steps))
        self.rest: FloatArray = np.zeros((slots, n_steps))
        self.size = self.head = 0
        self.largest = 1.0  # priority so far, to the power of the exponent
        n = slots * n_steps
        kind = CumulativeSums if n <= MOST_FOR_SUMS else SumTree
        self.sums = kind(n) if exponent > 0 else None

    def add(
        self,
        states: npt.NDArray[Any],
        actions: IntArray,
        costs: FloatArray,
        rest: FloatArray,
    ) -> None:
        """Keep episodes, a row each; the oldest give way."""
        slots = (self.head + np.arange(len(actions))) % len(self.actions)
        self.states[slots], self.actions[slots] = states, actions
        self.costs[slots], self.rest[slots] = costs, rest
        self.head = (self.head + len(actions)) % len(self.actions)
        self.size = min(self.size + len(actions), len(self.actions))
        if self.sums is not None:
            at = slots[:, None] * self.n_steps + np.arange(self.n_steps)
            self.sums.set(at.ravel(), self.largest)

    def draw(self, n: int, importance: float, rng: np.random.Generator) -> Sample:
        """Return ``n`` transitions, each from its own n-th of the total priority.

        Parameters
        ----------
        n
            How many.
        importance
            Beta: 0 for equal weights in the loss, 1 for those without bias.
        rng
            The source of chance.
        """
        held = self.size * self.n_steps
        if self.sums is None:
            at = rng.integers(0, held, n)
            return Sample(at, at // self.n_steps, at % self.n_steps, 1.0)
        at, total = self.sums.find((np.arange(n) + rng.random(n)) / n)
        weights = (self.sums.weights[at] * (held / total)) ** -importance
        return Sample(at, at // self.n_steps, at % self.n_steps, weights / weights.max())

    def update(self, sample: Sample, errors: npt.NDArray[Any]) -> None:
        """Set the priorities of what was learnt from."""
        if self.sums is None:
            return
        weights = (np.abs(errors) + LEAST) ** self.exponent
        self.sums.set(sample.at, weights)
        self.largest = max(self.largest, float(weights.max()))
