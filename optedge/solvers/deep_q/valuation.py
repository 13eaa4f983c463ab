"""Q of states: what the network says, and with ``prior`` what is known at once added to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.episodes.base import Episodes
from optedge.solvers.deep_q.rewards import Rewards
from optedge.solvers.deep_q.values import QNetwork, best_actions


class Valuation:
    """How states of some episodes are valued by a network.

    Parameters
    ----------
    episodes, rewards
        What is played, and what its costs are turned into.
    prior
        Whether the network adds to the reward that is known before a server is chosen.
    foresight
        Steps for which the balance that a step leaves is charged at once. The sum over an episode
        is the same for every number: the last steps give it back.
    """

    def __init__(
        self, episodes: Episodes, rewards: Rewards, *, prior: bool, foresight: int
    ) -> None:
        self.episodes, self.rewards, self.prior = episodes, rewards, prior
        n = episodes.n_steps
        self._ahead = np.minimum(foresight, n - np.arange(n + 1))

    def q(
        self, network: QNetwork, steps: int | IntArray, states: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Return Q of states before step k, ``(rows, n_servers)``."""
        q = network.values(self.episodes.features(steps, states))
        if not self.prior:
            return q
        return q + self.known(np.broadcast_to(steps, len(states)), states)

    def best(self, network: QNetwork, steps: int | IntArray, states: npt.NDArray[Any]) -> IntArray:
        """Return the allowed server of largest Q in each state."""
        masks = self.episodes.masks(steps, states) if self.episodes.is_masked else None
        return best_actions(self.q(network, steps, states), masks)

    def known(self, steps: IntArray, states: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the reward of each server as far as it is known, 0 at the end."""
        n = self.episodes.n_steps
        at = np.minimum(steps, n - 1)
        pairs, rest, rise = self.episodes.known(at, states)
        now = (self._ahead[at + 1] - self._ahead[at]) * self.episodes.standing(states)
        shaped = rest + now[:, None] + self._ahead[at + 1][:, None] * rise
        reward = self.rewards.of_all(at, states, pairs, shaped)
        return np.where((steps < n)[:, None], reward, 0.0).astype(np.float32)

    def potentials(self, states: npt.NDArray[Any]) -> FloatArray:
        """Return what the balance of episodes ``(rows, n_steps + 1, width)`` is charged ahead."""
        found = np.zeros(states.shape[:2])
        if self._ahead.any():
            for k, ahead in enumerate(self._ahead):
                found[:, k] = ahead * self.episodes.standing(states[:, k])
        return found
