"""What every step of a training begins with: how many tasks, which of them dormant, how slow."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.learning.data import IntArray
from optedge.learning.dormancy import Dormancy, Watch
from optedge.learning.links import Link
from optedge.learning.options import LearningOptions

FloatArray = npt.NDArray[np.float64]
REPLACED = ("steps", "batch", "poisson")  # options that say how many tasks there are


def check_counts(counts: npt.ArrayLike, nodes: int, options: Collection[str]) -> IntArray:
    """Return the tasks of each step and node, or raise ValueError with a sentence."""
    for name in REPLACED:
        if name in options:
            raise ValueError(f"counts tell how many tasks there are: {name} cannot be given too.")
    found = np.array(counts)
    if found.ndim != 2 or found.shape[1] != nodes or not len(found):
        raise ValueError(
            f"counts must have shape (steps, {nodes}), a column a node, got {found.shape}."
        )
    if not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"counts must be whole numbers, got {found.dtype}.")
    if (wrong := np.argwhere(found < 0)).size:
        k, u = wrong[0].tolist()
        raise ValueError(f"counts must be at least 0; step {k}, node {u} has {found[k, u]}.")
    return found.astype(np.int64)


def batch_sizes(options: LearningOptions, nodes: int, rng: np.random.Generator) -> IntArray:
    """Return the tasks of every step and node, ``(steps, nodes)``."""
    shape = (options.steps, nodes)
    if options.poisson is None:
        least, most = options.batch
        return rng.integers(least, most, size=shape, endpoint=True)
    if np.size(options.poisson) not in (1, nodes):
        raise ValueError(f"poisson must be one, or one a node: {options.poisson}, {nodes} nodes.")
    return rng.poisson(options.poisson, size=shape)


class Gate:
    """Who is dormant in a step, and how long the uploads of the others take."""

    def __init__(
        self,
        dormancy: Dormancy | FloatArray,
        links: list[Link] | None,
        nodes: int,
        sleeping: np.random.Generator,
        sending: np.random.Generator,
    ) -> None:
        self._share = None if isinstance(dormancy, Dormancy) else dormancy
        rule = dormancy if isinstance(dormancy, Dormancy) else None
        self._watches = [Watch(rule) for _ in range(nodes)] if rule else []
        self._links, self._sleeping, self._sending = links or [], sleeping, sending
        self._nodes = nodes
        self.seconds = 0.0
        self._delays: list[FloatArray] = []
        self._asleep: list[npt.NDArray[np.bool_]] = []

    def dormant(self, bits: npt.NDArray[Any], start: float) -> npt.NDArray[np.bool_]:
        """Tell which nodes are dormant in a step that begins at ``start``; idle nodes are not."""
        delays = np.zeros(self._nodes)
        for u, link in enumerate(self._links):
            if bits[u]:
                delays[u] = link.seconds(float(bits[u]), start, self._sending)
        if self._share is not None:
            asleep = (self._sleeping.random(self._nodes) < self._share) & (bits > 0)
        else:
            asleep = np.zeros(self._nodes, dtype=bool)
            for u, watch in enumerate(self._watches):
                if bits[u]:
                    asleep[u] = watch.dormant(float(delays[u]))
        self.seconds += float(delays[~asleep].sum())
        self._delays.append(delays)
        self._asleep.append(asleep)
        return asleep

    def told(self) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return the delays and who was dormant so far, ``(steps, nodes)`` each."""
        shape = (-1, self._nodes)
        return np.reshape(self._delays, shape), np.array(self._asleep, dtype=bool).reshape(shape)
