"""What metaheuristics search: a key for each layer that takes time to upload.

Layers are sent one by one, by rising key, ties by number; all of size 0 are sent before, together.
Under best use some such plan is optimal: splitting a partition never hurts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge import kernels
from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.upload import evaluation, moves
from optedge.formulations.upload.plans import UploadPlan

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem


def plan_of_order(problem: UploadProblem, order: npt.ArrayLike) -> UploadPlan:
    """Return the plan that sends the layers of ``order`` one by one, those of size 0 first."""
    return plan_of_parts(problem, [[j] for j in np.asarray(order, dtype=np.int64).tolist()])


def plan_of_parts(problem: UploadProblem, parts: Sequence[Sequence[int]]) -> UploadPlan:
    """Return the plan that sends ``parts`` in turn, all layers of size 0 first and together.

    Parameters
    ----------
    problem
        The instance.
    parts
        Layers that take time to upload, each in one part. Under forced use a layer is switched on
        when it helps.
    """
    free = np.flatnonzero(problem.is_free).tolist()
    sent = ([free] if free else []) + [list(part) for part in parts]
    on = evaluation.switching(problem.values, problem.savings, sent, problem.n_layers)
    return UploadPlan(tuple(map(tuple, sent)), np.where(problem.stays, -1, on))


def data_of(problem: UploadProblem) -> Any:
    """Return what moves are priced by: differences of benefits, or where they do not fit, codes.

    That is: under forced use with a negative saving, for one layer, and for very many.
    """
    fits = problem.use == "best" or problem.is_supermodular
    if fits and 2 <= problem.layers.size <= moves.MOST_LAYERS:
        return moves.data_of(problem)
    return kernels.Plain(problem.costs)


def costs(problem: UploadProblem, codes: npt.ArrayLike) -> FloatArray:
    """Return the objective of each row of ``codes`` (k, m)."""
    rows, m = np.ascontiguousarray(codes, dtype=np.int64), problem.layers.size
    if rows.ndim != 2 or rows.shape[1] != m:
        raise ValueError(f"codes must have shape (k, {m}), got {rows.shape}.")
    # Read without a sign, numbers below 0 are large: one comparison for both ends.
    if rows.size and rows.view(np.uint64).max() >= m:
        raise ValueError(f"codes: keys are 0 to {m - 1}.")
    if problem.use == "forced" and not problem.is_supermodular:
        return np.array([problem.objective(problem.decode(row)) for row in rows])
    return np.asarray(
        evaluation.order_costs(
            problem.values,
            problem.savings,
            problem.seconds,
            problem.base_delay,
            problem.is_free,
            problem.layers,
            rows,
        )
    )


def encode(problem: UploadProblem, plan: UploadPlan) -> IntArray:
    """Return the keys of a plan, ``(m,)``: the places of its layers in the order of upload."""
    place = np.empty(problem.n_layers, dtype=np.int64)
    sent = [j for part in plan.partitions for j in sorted(part) if problem.seconds[j] > 0]
    place[sent] = np.arange(len(sent))
    return place[problem.layers]
