"""What a learner may see of the layers to come and of what servers cost.

What is seen of step k, before layer j of a task of L layers is placed, in numbers from 0 to 1:

* the server of the layer before (one-hot);
* of layers j, ..., L - 1 the work and what they read, each over its largest, then zeros;
* (L - j) / L;
* where Z counts, of each edge and cloud :math:`o / (o + 2)`, o its layers above the least of its
  tier: Z depends on nothing else, and these tell 1 from 2 however long the episode is; and how one
  more layer there would change Z;
* with several tasks, the share of steps left; with several networks, which one (one-hot);
* with pools, of each server the seconds of work in its backlog (``prefixes``);
* with ``context``, what each server costs now and if the rest of the task stays there: what a
  policy for instances that it has not seen must know of them.

Source: the DDPQN paper, section 4. Its state holds the server about to be chosen, and shrinks from
layer to layer: the first is left out, and zeros are put in. Counts over N, as one might write them,
differ by 0.002 in 444 steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs.decisions import Decisions

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

Features = npt.NDArray[np.float32]


def of_networks(problems: Sequence[OffloadingProblem]) -> Features:
    """Return what is seen of the layers to come, ``(n_instances, n_steps + 1, width)``.

    Work and inputs of the layers left, the share of layers left, the share of steps left if there
    are several tasks, and which network it is if there are several; zeros at the end.
    """
    longest = max(int(p.sizes.max()) for p in problems)
    steps = max(p.n_subtasks for p in problems)
    several = any(p.n_tasks > 1 for p in problems)
    networks: dict[tuple[bytes, ...], int] = {}
    for p in problems:
        for i in range(p.n_tasks):
            networks.setdefault(_network(p, i), len(networks))
    kinds = len(networks) if len(networks) > 1 else 0
    seen = np.zeros((len(problems), steps + 1, 2 * longest + 1 + several + kinds), np.float32)
    for row, p in zip(seen, problems, strict=True):
        for i in range(p.n_tasks):
            a, size = int(p.first[i]), int(p.sizes[i])
            work = p.work_gcycles[a : a + size] / p.work_gcycles[a : a + size].max()
            reads = _inputs(p, i)
            reads = reads / (reads.max() or 1.0)
            for j in range(size):
                left = size - j
                row[a + j, : 2 * left : 2], row[a + j, 1 : 2 * left : 2] = work[j:], reads[j:]
                row[a + j, 2 * longest] = left / size
                if kinds:
                    row[a + j, 2 * longest + 1 + several + networks[_network(p, i)]] = 1.0
        if several:
            n = p.n_subtasks
            row[:n, 2 * longest + 1] = 1.0 - np.arange(n) / n
    return seen


def _inputs(problem: OffloadingProblem, i: int) -> FloatArray:
    """Return what each layer of task ``i`` reads in MB, of several outputs the largest."""
    a, size = int(problem.first[i]), int(problem.sizes[i])
    reads = [max((problem.outputs_mb[u] for u in problem.predecessors[v]), default=0.0)
             for v in range(a, a + size)]  # fmt: skip
    reads[0] = float(problem.inputs_mb[i])
    return np.array(reads)


def _network(problem: OffloadingProblem, i: int) -> tuple[bytes, ...]:
    """Return what tells the network of a task from others."""
    a, size = int(problem.first[i]), int(problem.sizes[i])
    return problem.work_gcycles[a : a + size].tobytes(), _inputs(problem, i).tobytes()


def of_costs(
    made: Sequence[Decisions], tables: FloatArray, offsets: IntArray
) -> tuple[Features, Features]:
    """Return, from 0 to 1, what a layer costs on b after a, and the rest of its task on b.

    Both above the least cost of the layer, and measured in the standard deviation of the costs of
    the instance.
    """
    now, stay = np.zeros(tables.shape, np.float32), np.zeros(tables.shape[:2], np.float32)
    for d, at in zip(made, offsets, strict=False):
        mine = tables[at : at + len(d.tables)]
        finite = np.where(np.isfinite(mine), mine, np.nan)
        above = finite - np.nanmin(finite, axis=(1, 2))[:, None, None]
        spread = float(np.nanstd(finite)) or 1.0
        with np.errstate(invalid="ignore"):
            now[at : at + len(mine)] = np.nan_to_num(above / (above + spread), nan=1.0)
        rest = np.zeros(d.n_servers)
        for k in range(d.n_decisions - 1, -1, -1):
            if k + 1 == d.n_decisions or d.first[k + 1]:
                rest = np.zeros(d.n_servers)
            stay[at + d.table_of[k]] = rest / (rest + spread)
            rest = rest + np.nan_to_num(np.diagonal(above[d.table_of[k]]), nan=10 * spread)
    return now, stay
