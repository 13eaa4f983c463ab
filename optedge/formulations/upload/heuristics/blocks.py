r"""Sidney's decomposition: blocks of largest density, one after the other.

Let w(S) be the benefit of the usable set S under best use, t(S) its upload time. The first block is
the set of largest density w / t; each further one has the largest density of what it adds to those
before. A densest set can be a run of layers, for the benefit adds up over runs; only runs are
looked at.

Any order that sends block after block costs at most twice the optimum in its variable part, if no
saving is negative. Let :math:`A_k` be block k, :math:`B_k` the first k blocks, :math:`\rho_k` the
density of :math:`A_k`, and :math:`r_k` the benefit not yet earned before it. Then

* densities fall, for two blocks of which the second is denser would be denser together;
* a set S that is usable adds to :math:`S \cap B_{k-1}` by its layers in :math:`A_k` no more than
  they would add to :math:`B_{k-1}` (w is supermodular), hence :math:`w(S) \le \sum_k \rho_k\,
  t(S \cap A_k)`: after u seconds no order has earned more than blocks sent in turn, each earning
  evenly while it is sent. What these miss, :math:`B = \sum_k t_k (r_k - w_k / 2)`, is a bound;
* block after block, however each is split, misses at most :math:`\sum_k t_k r_k`, and that is at
  most 2 B because :math:`w_k \le r_k`.

Source: own, after Sidney 1975 and Fokkink, Lidbetter, Vegh, "On submodular search and machine
scheduling", 2019.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from optedge.formulations.upload.heuristics import runs

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem


def blocks(problem: UploadProblem) -> list[list[int]]:
    """Return the layers of each block, those of size 0 left out; of equal densities the longest."""
    usable, found = problem.is_free.copy(), []
    open_layers = set(problem.layers.tolist())
    while open_layers:
        picks = [
            runs.densest_at_best(problem, usable, left, False)
            for first, end in runs.stretches(problem)
            if (left := [j for j in range(first, end) if j in open_layers])
        ]
        best = picks[runs.first_of_largest([p.density for p in picks])]
        found.append(best.layers)
        usable[best.layers] = True
        open_layers -= set(best.layers)
    return found


def split_blocks(problem: UploadProblem) -> list[list[int]]:
    """Return the pieces of the blocks: the densest part of each first, and so on inside of it.

    Under best use that is never worse than whole blocks.
    """
    usable = problem.is_free.copy()
    pick = functools.partial(runs.densest_at_best, problem)
    return [piece for block in blocks(problem) for piece in runs.nested(pick, block, usable)]
