r"""Chains as decisions one after the other: the Markov decision process of the DDPQN paper.

Decision k = 0, ..., N - 1 places one layer, task after task as they are numbered, each from its
first layer to its last. If the layer before is on server a, to place this one on b costs

.. math:: c_k(a, b) = \alpha (T_2 + T_1) + q_k(a, b),

:math:`\alpha` the weight of a second and q what pairs of servers cost beside it (of the sum of flow
times: 1 and 0). The first layer of a task reads from the client, wherever the task before ended.
Waiting is left out, the balance Z stands apart. So (k, a) is a state, and with discount
:math:`\gamma`

.. math:: Q_k(a, b) = c_k(a, b) + \gamma \min_{b'} Q_{k+1}(b, b').

Source: the DDPQN paper, section 4; with :math:`\gamma = 1` the least value is the optimum of the
problem (no pools, no Z). A discount below 1 belongs to the learner alone: what it makes of the
objective is told by :func:`discount_bias`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.costs import block_costs, blocks

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


@dataclasses.dataclass(frozen=True, eq=False)
class Decisions:
    """What each decision costs, without waiting; equal tasks share their tables.

    Parameters
    ----------
    tables
        Cost of a layer on b after a, ``(n_tables, n_servers, n_servers)``; ``inf`` where it may not
        run; of a first layer in the row of its client only. The task's share of the constant and
        the way back of its result are included.
    table_of
        The table of each decision, ``(n_subtasks,)``.
    home
        The client of its task, ``(n_subtasks,)``.
    first
        Whether it is the first layer of a task, ``(n_subtasks,)``.
    tiers
        Of the servers, ``(n_servers,)``.
    balance
        What a unit of Z costs.
    running
        Whether Z is added after each decision, or once at the end.
    """

    tables: FloatArray
    table_of: IntArray
    home: IntArray
    first: BoolArray
    tiers: IntArray
    balance: float
    running: bool

    @property
    def n_servers(self) -> int:
        """Number of servers."""
        return int(self.tables.shape[1])

    @property
    def n_decisions(self) -> int:
        """Number of decisions, N."""
        return int(self.table_of.size)

    def cost(self, servers: IntArray) -> float:
        """Return what a plan costs, Z and waiting aside."""
        source = np.where(self.first, self.home, np.roll(servers, 1))
        return math.fsum(self.tables[self.table_of, source, servers])

    def q_values(self, discount: float = 1.0) -> FloatArray:
        """Return the exact Q of every state and action, ``(n_subtasks, n_servers, n_servers)``.

        By backward dynamic programming; ``inf`` where a state or an action is impossible.
        """
        found = self.tables[self.table_of]
        for k in range(self.n_decisions - 2, -1, -1):
            least = found[k + 1].min(axis=1)  # by the server that the next layer reads from
            if self.first[k + 1]:
                least = np.full(self.n_servers, least[self.home[k + 1]])
            possible = np.isfinite(least)
            found[k] += np.where(possible, discount * np.where(possible, least, 0.0), np.inf)
        return found

    def follow(self, q: FloatArray) -> IntArray:
        """Return the servers of the rollout that is greedy for ``q``; ties to the lowest."""
        servers = np.zeros(self.n_decisions, dtype=np.int64)
        for k in range(self.n_decisions):
            a = self.home[k] if self.first[k] else servers[k - 1]
            servers[k] = np.argmin(q[k, a])
        return servers


def make(problem: OffloadingProblem) -> Decisions:
    """Return the decisions of a problem whose tasks are chains.

    Raises
    ------
    ValueError
        If some task branches, or if waiting counts in H.
    """
    if reason := why_not(problem):
        raise ValueError(reason)
    tables: list[FloatArray] = []
    table_of = np.zeros(problem.n_subtasks, dtype=np.int64)
    for group in blocks.groups(problem):
        home = int(problem.clients[group.members[0]])
        entry = np.full((problem.n_servers, problem.n_servers), np.inf)
        entry[home] = block_costs.entering(problem, group.members[0])
        steps = [block_costs.stepping(problem, block) for block in group.blocks]
        mine = [entry, *steps[:-1]]
        mine[-1] = mine[-1] + steps[-1][:, 0]  # on the way back from b
        for i in group.members:
            at = int(problem.first[i]) + np.arange(len(mine))
            table_of[at] = len(tables) + np.arange(len(mine))
        tables += mine
    first = np.zeros(problem.n_subtasks, dtype=bool)
    first[problem.first] = True
    weights = problem.data.weights
    return Decisions(
        tables=np.array(tables),
        table_of=table_of,
        home=problem.clients[problem.tasks],
        first=first,
        tiers=problem.tiers,
        balance=weights.balance,
        running=weights.running,
    )


def why_not(problem: OffloadingProblem) -> str | None:
    """Say why the costs of a problem are no sum over decisions; None if they are."""
    if not problem.is_chains:
        return "decisions one after the other need tasks that are chains, some task branches."
    if not problem.is_pairwise:
        return "waiting counts in the coordination (h_wait): costs are no sum over pairs."
    return None


def leads_on(made: Sequence[Decisions], tables: FloatArray, table_of: IntArray) -> BoolArray:
    """Return which servers may be chosen: those from which the task can be ended."""
    may = np.isfinite(tables)
    for d, index in zip(made, table_of, strict=True):
        for k in range(d.n_decisions - 2, -1, -1):
            if not d.first[k + 1]:
                may[index[k]] &= may[index[k + 1]].any(axis=1)
    return may


def some_left_out(made: Sequence[Decisions], may: BoolArray, table_of: IntArray) -> bool:
    """Tell whether a state that can be reached has a server that may not be chosen."""
    for d, index in zip(made, table_of, strict=True):
        for k in range(d.n_decisions):
            reached = [d.home[k]] if d.first[k] else np.flatnonzero(may[index[k - 1]].any(axis=0))
            if not may[index[k]][reached].all():
                return True
    return False


class DiscountBias(NamedTuple):
    """What the best policy for a discounted sum loses on the sum itself."""

    bias: float  # value - optimum, at least 0 but for rounding
    value: float  # undiscounted, of the plan
    optimum: float
    plan: IntArray  # (n_subtasks,), servers


def discount_bias(problem: OffloadingProblem, discount: float) -> DiscountBias:
    """Return how far the best discounted policy is from the optimum of the undiscounted sum.

    No learner that discounts can be expected below ``value``. Waiting for pools is left out.

    Parameters
    ----------
    problem
        Its tasks are chains, and Z has no weight.
    discount
        Factor from one decision to the next, 0 (myopic) to 1.

    Returns
    -------
    DiscountBias
        Of several best actions the lowest server is taken.

    Raises
    ------
    ValueError
        If the discount is out of its range, tasks branch or Z has a weight.

    References
    ----------
    DDPQN, section 5.2: discount 0.8. The objective there is not discounted.
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"discount must be from 0 to 1, got {discount!r}.")
    decisions = make(problem)
    if decisions.balance > 0:
        raise ValueError("Z has a weight (xi): states without counts tell nothing of it.")
    plan = decisions.follow(decisions.q_values(discount))
    best = decisions.follow(decisions.q_values())
    value, optimum = decisions.cost(plan), decisions.cost(best)
    return DiscountBias(value - optimum, value, optimum, plan)
