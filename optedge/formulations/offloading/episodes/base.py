"""Episodes: plans built layer by layer, many side by side.

An episode places all layers of all tasks, task after task; what its steps cost adds up to the
objective of the plan. Episodes run in lockstep: a batch of them is a few arrays, one row each.
Costs of pairs come from tables (``pairs``); where layers wait for each other, a step costs what it
adds to the simulated prefix (``prefixes``). What is seen of a state, ``observations`` tells.

Source: the DDPQN paper, section 4.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.episodes.observations import Features


@dataclasses.dataclass(eq=False)
class Batch:
    """Episodes in lockstep: ``step`` layers of each are placed.

    Attributes
    ----------
    step
        k, the same for all.
    states
        A row an episode, as its kind of episode keeps them.
    servers
        The plans so far, ``(rows, n_steps)``.
    rest
        What of the last step was no cost of pairs but balance or waiting, ``(rows,)``. Over a whole
        episode it is not negative, where tasks are chains.
    """

    step: int
    states: npt.NDArray[Any]
    servers: IntArray
    rest: FloatArray


class Episodes(abc.ABC):
    """What a learner knows of a problem: states, features, masks, and what a step costs.

    Attributes
    ----------
    n_steps, n_servers, n_features
        Steps of the longest episode, actions, and numbers seen.
    is_masked
        Whether some state has a server that may not be chosen.
    """

    n_steps: int
    n_servers: int
    n_features: int
    is_masked: bool

    @property
    @abc.abstractmethod
    def least_costs(self) -> FloatArray:
        """The least cost of pairs of each step, of each instance, ``(n_instances, n_steps)``."""

    @abc.abstractmethod
    def begin(self, rows: int, instances: IntArray | None = None) -> Batch:
        """Return so many new episodes, of the first instance if it is not told which."""

    @abc.abstractmethod
    def advance(self, batch: Batch, actions: IntArray) -> FloatArray:
        """Place the next layer of each episode, in place; return what it costs, ``(rows,)``."""

    @abc.abstractmethod
    def known(
        self, steps: IntArray, states: npt.NDArray[Any]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what each server costs at once, as far as it is known before it is chosen.

        Costs of pairs, what comes on top at this step (balance; with ``context``, and only then,
        simulated waiting), and by how much balance rises for those to come (``standing``), each
        ``(rows, n_servers)``; ``inf`` where a server may not be chosen.
        """

    def standing(self, states: npt.NDArray[Any]) -> FloatArray:
        """Return what the balance of states costs at every step that leaves it so, ``(rows,)``."""
        return np.zeros(len(states))

    @abc.abstractmethod
    def features(self, steps: int | IntArray, states: npt.NDArray[Any]) -> Features:
        """Return what is seen of states before step k, ``(rows, n_features)``."""

    @abc.abstractmethod
    def masks(self, steps: int | IntArray, states: npt.NDArray[Any]) -> BoolArray:
        """Return which servers may be chosen, ``(rows, n_servers)``; all at the end."""


def myopic(episodes: Episodes) -> tuple[float, IntArray]:
    """Return value and plan of the episode whose every layer goes where it costs least at once.

    What a step costs is what it adds, balance and waiting included; ties to the lowest server. This
    is the greedy baseline of the DDPQN paper, and the best policy for discount 0.
    """
    every = np.arange(episodes.n_servers)
    batch, total = episodes.begin(every.size), 0.0
    for k in range(episodes.n_steps):
        may = episodes.masks(k, batch.states)[0]
        batch.servers[:, k] = 0
        costs = np.full(every.size, np.inf)
        tried = episodes.begin(int(may.sum()))
        tried.step, tried.states = k, batch.states[may].copy()
        tried.servers = batch.servers[may].copy()
        costs[may] = episodes.advance(tried, every[may])
        best = int(np.argmin(costs))
        row = int(np.flatnonzero(every[may] == best)[0])
        total += float(costs[best])
        batch.step = k + 1
        batch.states[:], batch.servers[:] = tried.states[row], tried.servers[row]
    return total, batch.servers[0]
