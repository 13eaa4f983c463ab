r"""Layers counted by server: chains whose balance Z is counted once, at the end.

With :math:`B_s` the layers on server s and x what a unit of Z costs, a plan costs its pairs plus

.. math:: x f(B), \qquad f(B) = \sum_{edges\ s < s'} |B_s - B_{s'}|
    + \sum_{clouds\ s < s'} |B_s - B_{s'}| .

Only servers of a tier with several of them count; a *group* is the edges or the clouds then. Level
by level, f(B) is the sum over k of :math:`|S_k| (g - |S_k|)` with :math:`S_k = \{s : B_s \ge k\}`
and g servers in the group; so a group whose total leaves the remainder r modulo g has
:math:`f \ge r (g - r)`. f is a seminorm: :math:`f(a + b) \le f(a) + f(b)`.

Source: Z is eq. (12) of the DDPQN paper; all that is proved with counts is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs import decisions

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


class Counts(NamedTuple):
    """Classes of equal tasks, as kernels read them; of S servers, in K classes and G groups."""

    tables: FloatArray  # (n_tables, S, S), cost of a layer on b after a
    begin: IntArray  # (K + 1,), the tables of each class
    tasks: IntArray  # (K,), how many tasks it has
    homes: IntArray  # (K,), client
    group: IntArray  # (S,), -1 where layers are not counted
    sizes: IntArray  # (G,), servers of a group
    unit: float  # what a unit of Z costs
    total: int  # layers of all tasks


def make(problem: OffloadingProblem) -> tuple[Counts, list[list[int]]]:
    """Return the classes of a problem, and the tasks of each of them.

    Raises
    ------
    ValueError
        If Z cannot be counted once at the end (:func:`why_not`).
    """
    if reason := why_not(problem):
        raise ValueError(reason)
    d = decisions.make(problem)
    members: dict[int, list[int]] = {}
    for i, at in enumerate(d.table_of[problem.first].tolist()):
        members.setdefault(at, []).append(i)
    begin = sorted(members)
    tasks = [members[at] for at in begin]
    group, sizes = groups(d.tiers)
    counts = Counts(
        tables=d.tables,
        begin=np.array([*begin, len(d.tables)]),
        tasks=np.array([len(row) for row in tasks]),
        homes=problem.clients[[row[0] for row in tasks]],
        group=group,
        sizes=sizes,
        unit=d.balance,
        total=problem.n_subtasks,
    )
    return counts, tasks


def groups(tiers: IntArray) -> tuple[IntArray, IntArray]:
    """Return the group of each server (-1: not counted) and the servers in each group."""
    group: IntArray = np.full(tiers.size, -1)
    sizes: list[int] = []
    for tier in (1, 2):
        mine = tiers == tier
        if mine.sum() > 1:
            group[mine] = len(sizes)
            sizes.append(int(mine.sum()))
    return group, np.array(sizes, dtype=np.int64)


def why_not(problem: OffloadingProblem) -> str | None:
    """Say why the objective is no cost of pairs plus Z of the final counts; None if it is."""
    if reason := decisions.why_not(problem):
        return reason
    weights = problem.data.weights
    if weights.balance == 0:
        return "Z has no weight, or there are no two edges or clouds: dp is exact."
    if weights.running:
        return "z_mode is running: Z after every decision depends on their order; try offset-dp."
    return None


def unevenness(counts: IntArray, group: IntArray) -> IntArray:
    """Return f of each row of ``counts`` (k, n_servers), in plain NumPy."""
    found = np.zeros(len(counts), dtype=np.int64)
    for g in range(int(group.max(initial=-1)) + 1):
        mine = np.sort(counts[:, group == g], axis=1)
        size = mine.shape[1]
        found += mine @ (2 * np.arange(size) - (size - 1))
    return found
