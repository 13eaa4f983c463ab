r"""From costs to rewards that a network learns well, with the best plans kept.

A reward is minus the cost, less the least cost of its step, over the standard deviation of costs.
Each step's constant is the same for all plans, and a scale moves no optimum.

*Incumbent clipping.* Let :math:`\ell_k` be the least cost of pairs of step k, and U the value of a
known plan. Balance and waiting add up to nothing negative, so a plan with a cost :math:`c_k > U +
\mu - \sum_{i \ne k} \ell_i` is worse than :math:`U + \mu`; with that cost lowered to the limit it
is still at least that. So every plan below :math:`U + \mu` keeps its value, and no other one comes
there: the best plans are the same, with or without clipping. The margin :math:`\mu > 0` is needed:
without it plans that are clipped tie with the best one as soon as U is the optimum, and a rollout
may follow them. What clipping spares the network are costs a hundred times those that matter. U is
the best plan so far, and limits fall with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.episodes.base import Episodes
from optedge.formulations.offloading.episodes.pairs import PairEpisodes
from optedge.solvers.deep_q.options import DeepQOptions

FOLLOWING = 0.9  # share of steps that follow the least known cost
TINY = 1e-12  # a spread of rewards below this is none
MARGIN = 0.25  # above known plans, as a share of how far the first is above the least costs


class Rewards:
    """How costs of steps become rewards.

    Parameters
    ----------
    least
        The least cost of pairs of each step, of each instance, ``(n_instances, n_steps)``.
    clip
        Whether costs are clipped; then :meth:`know` is to be told of plans.

    Attributes
    ----------
    limits
        The largest cost of pairs that a better plan may have, ``(n_instances, n_steps)``.
    scale
        What costs are divided by, of each instance, ``(n_instances,)``; 1 until it is set.
    """

    def __init__(self, least: FloatArray, clip: bool) -> None:
        self.least, self.clip = least, clip
        self.scale: FloatArray = np.ones(len(least))
        self.limits: FloatArray = np.full(least.shape, np.inf)
        self._margin: FloatArray | None = None

    def know(self, values: FloatArray) -> None:
        """Take note of the values of known plans, one of each instance, ``(n_instances,)``."""
        if not self.clip:
            return
        total, values = self.least.sum(axis=1), np.asarray(values)
        if self._margin is None:
            self._margin = MARGIN * (values - total)
        # Of a first plan of least costs alone nothing need be better: costs are left as they are.
        limits = (values + self._margin - total)[:, None] + self.least
        limits = np.where(self._margin[:, None] > TINY, limits, np.inf)
        self.limits = np.minimum(self.limits, limits)

    def of(
        self, steps: IntArray, states: npt.NDArray[Any], costs: FloatArray, rest: FloatArray
    ) -> FloatArray:
        """Return the reward of costs of pairs and of the rest at these steps, ``(n,)``."""
        which = states[:, 0].astype(np.int64) if len(self.scale) > 1 else np.zeros(1, np.int64)
        cost = np.minimum(costs, self.limits[which, steps]) - self.least[which, steps]
        return np.asarray(-(cost + rest) / self.scale[which])

    def of_all(
        self, steps: IntArray, states: npt.NDArray[Any], costs: FloatArray, rest: FloatArray
    ) -> FloatArray:
        """Return the rewards of all servers, costs and rest ``(n, n_servers)``."""
        which = states[:, 0].astype(np.int64) if len(self.scale) > 1 else np.zeros(1, np.int64)
        limits, least = self.limits[which, steps, None], self.least[which, steps, None]
        return np.asarray(-(np.minimum(costs, limits) - least + rest) / self.scale[which, None])


def make_rewards(
    episodes: Episodes, values: FloatArray, options: DeepQOptions, rng: np.random.Generator
) -> Rewards:
    """Return the rewards of episodes of whose instances a plan is known, of these ``values``."""
    rewards = Rewards(episodes.least_costs, bool(options.of_preset("clip")))
    rewards.know(values)
    gaps, rows = bool(options.of_preset("prior")), int(options.of_preset("rows"))
    rewards.scale = scales(episodes, rewards, rows, gaps, rng)
    return rewards


def scales(
    episodes: Episodes, rewards: Rewards, rows: int, gaps: bool, rng: np.random.Generator
) -> FloatArray:
    """Return the standard deviation of the costs that rewards are made of, of each instance.

    Over all states and actions where costs are tables, else over ``rows`` random episodes. With
    ``gaps`` the median over states of how far the median action is from the best: what tells
    actions apart.
    """
    if isinstance(episodes, PairEpisodes):
        spread = []
        for i, index in enumerate(episodes.table_index):
            costs = np.minimum(episodes.tables[index], rewards.limits[i][:, None, None])
            above = costs - rewards.least[i][:, None, None]
            found = 0.0
            if gaps:
                states = above[np.isfinite(above.min(axis=2))]
                of_state = np.median(states, axis=1) - states.min(axis=1)
                found = float(np.median(of_state[np.isfinite(of_state)]))
            if found <= TINY:  # of many equal servers the median is the best
                found = float(above[np.isfinite(above)].std())
            spread.append(found)
        return _not_none(spread)
    batch, costs, of_states = episodes.begin(rows), [], []
    for k in range(episodes.n_steps):
        masks = episodes.masks(k, batch.states)
        actions = np.where(masks, rng.random(masks.shape), -1.0).argmax(axis=1)
        if gaps:  # mostly along what costs least at once: there the learner will be
            pairs, rest, _ = episodes.known(np.full(rows, k), batch.states)
            cost = np.where(masks, np.minimum(pairs, rewards.limits[:1, [k]]) + rest, np.nan)
            of_states.append(np.nanmedian(cost, axis=1) - np.nanmin(cost, axis=1))
            follow = rng.random(rows) < FOLLOWING
            actions = np.where(follow, np.nanargmin(cost, axis=1), actions)
        spent = episodes.advance(batch, actions) - batch.rest
        costs.append(np.minimum(spent, rewards.limits[0, k]) - rewards.least[0, k] + batch.rest)
    found = float(np.median(of_states)) if gaps else 0.0
    return _not_none([found if found > TINY else float(np.std(costs))])


def _not_none(spread: list[float]) -> FloatArray:
    """Return 1 in place of no spread: what does not vary need not be scaled."""
    return np.where(np.array(spread) > TINY, spread, 1.0)
