r"""Which count vector for how many tasks: the integer master of plans with a final balance Z.

With :math:`c_v` the cheapest plan of vector v and :math:`y_v` how many tasks use it,

.. math::

   \min \sum_v c_v y_v + x \sum_{s < s'} D_{ss'}, \qquad
   \sum_{v \in k} y_v = n_k, \quad B_s = \sum_v v_s y_v, \quad D_{ss'} \ge |B_s - B_{s'}| .

Each group has two rows more that cut nothing but fractions off: its total is :math:`g q + \sum_r r
\lambda_r` with q whole and at most one of the binary :math:`\lambda_r`, r = 1, ..., g - 1, and its
differences are at least :math:`\sum_r r (g - r) \lambda_r`. The objective is counted in units of Z
above the price bound, which keeps the tolerances of the search meaningful.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.balance.counts import Counts

if TYPE_CHECKING:
    from optedge.bridge import Arrays


def master(
    data: Counts, counts: IntArray, cost: FloatArray, of_class: IntArray, bound: float
) -> Arrays:
    """Return the master over the vectors ``counts`` (V, S); its first V columns are theirs.

    Parameters
    ----------
    data
        The classes.
    counts, cost, of_class
        Count vectors, the cost of the cheapest plan of each, ``(V,)``, and its class, ``(V,)``.
    bound
        What the objective is counted from; a unit is ``data.unit``.
    """
    from scipy import sparse

    from optedge.bridge import Arrays

    n, counted = len(cost), np.flatnonzero(data.group >= 0).tolist()
    pairs = [p for p in itertools.combinations(counted, 2) if len(set(data.group[list(p)])) == 1]
    at_count = {s: n + k for k, s in enumerate(counted)}
    at_pair = {pair: n + len(counted) + k for k, pair in enumerate(pairs)}
    at_rest = n + len(counted) + len(pairs)
    width = at_rest + int(data.sizes.sum())  # of each group q and the lambdas

    rows: list[dict[int, float]] = []
    lower, upper = [], []

    def add(row: dict[int, float], low: float, high: float) -> None:
        rows.append(row)
        lower.append(low)
        upper.append(high)

    for s in counted:
        add({at_count[s]: -1.0}, 0.0, 0.0)  # the vectors' part comes below
    for (s, t), at in at_pair.items():
        add({at: 1.0, at_count[s]: -1.0, at_count[t]: 1.0}, 0.0, np.inf)
        add({at: 1.0, at_count[s]: 1.0, at_count[t]: -1.0}, 0.0, np.inf)
    lowest, highest = np.zeros(width), np.full(width, float(data.total))
    whole = np.ones(width, dtype=bool)
    highest[:n] = data.tasks[of_class]
    whole[list(at_pair.values())] = False
    for g, size in enumerate(data.sizes.tolist()):
        mine = [s for s in counted if data.group[s] == g]
        rests = {r: at_rest + r for r in range(1, size)}
        add(
            {at_rest: float(size)}
            | {at: float(r) for r, at in rests.items()}
            | {at_count[s]: -1.0 for s in mine},
            0.0,
            0.0,
        )
        add(dict.fromkeys(rests.values(), 1.0), -np.inf, 1.0)
        uneven = {at: -float(r * (size - r)) for r, at in rests.items()}
        apart = {at: 1.0 for (s, _), at in at_pair.items() if data.group[s] == g}
        add(uneven | apart, 0.0, np.inf)
        highest[list(rests.values())] = 1.0
        at_rest += size

    used = sparse.csr_array(counts[:, counted].T.astype(np.float64))
    which = sparse.csr_array((np.ones(n), (of_class, np.arange(n))), shape=(data.tasks.size, n))
    vectors = sparse.vstack([used, sparse.csr_array((len(rows) - len(counted), n)), which])
    entries = [(i, j - n, x) for i, row in enumerate(rows) for j, x in row.items()]
    i, j, x = (np.array(column) for column in zip(*entries, strict=True))
    others = sparse.csr_array((x, (i, j)), shape=(len(rows) + data.tasks.size, width - n))
    objective = np.zeros(width)
    objective[:n] = cost / data.unit
    objective[list(at_pair.values())] = 1.0
    return Arrays(
        cost=objective,
        matrix=sparse.hstack([vectors, others]),
        row_lower=np.array([*lower, *data.tasks], dtype=np.float64),
        row_upper=np.array([*upper, *data.tasks], dtype=np.float64),
        lower=lowest,
        upper=highest,
        integer=whole,
        offset=-bound / data.unit,
    )
