"""What a solution is: partitions in the order of their upload, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import IntArray

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem


@dataclasses.dataclass(frozen=True, eq=False)
class UploadPlan:
    """A solution: what is uploaded together, in which order, and when it is switched on.

    Parameters
    ----------
    partitions
        The layers of each partition, in the order of upload. A partition can be used once all of
        it has been sent. Every layer that has a server stands in exactly one of them.
    active_after
        For each layer the number of the partition after whose upload it is executed, ``(n,)``; not
        before its own. None (default): after its own. Counts under forced use only, and not for
        layers that stay at the client.

    Raises
    ------
    ValueError
        If the partitions are no rows of whole numbers, or ``active_after`` is no vector of them.
    """

    partitions: tuple[tuple[int, ...], ...]
    active_after: IntArray | None = None

    def __post_init__(self) -> None:
        try:
            rows = tuple(tuple(operator.index(j) for j in part) for part in self.partitions)
        except TypeError:
            raise ValueError("partitions must hold a row of layers (numbers) each.") from None
        object.__setattr__(self, "partitions", rows)
        if self.active_after is not None:
            held = np.array(self.active_after)
            if held.ndim != 1 or held.dtype.kind not in "iu":
                raise ValueError("active_after must hold the number of a partition for each layer.")
            held = held.astype(np.int64)
            held.setflags(write=False)
            object.__setattr__(self, "active_after", held)


def violations(problem: UploadProblem, plan: Any) -> list[str]:
    """Return a sentence for each rule that ``plan`` breaks; empty if it is feasible."""
    if not isinstance(plan, UploadPlan):
        return [f"a solution is an UploadPlan, got {type(plan).__name__}."]
    found, own = [], np.full(problem.n_layers, -1)
    for k, part in enumerate(plan.partitions):
        if not part:
            found.append(f"partition {k} is empty.")
        for j in part:
            if not 0 <= j < problem.n_layers:
                found.append(f"partition {k} holds layer {j}, there are {problem.n_layers}.")
            elif problem.stays[j]:
                found.append(f"partition {k} holds layer {j}, which stays at the client.")
            elif own[j] >= 0:
                found.append(f"layer {j} is uploaded twice, in partitions {own[j]} and {k}.")
            else:
                own[j] = k
    missing = np.flatnonzero((own < 0) & ~problem.stays)
    found += [f"layer {j} is never uploaded." for j in missing]
    return found or _wrong_switches(problem, plan, own)


def _wrong_switches(problem: UploadProblem, plan: UploadPlan, own: IntArray) -> list[str]:
    if plan.active_after is None:
        return []
    held, last = plan.active_after, len(plan.partitions) - 1
    if held.shape != own.shape:
        return [f"active_after must have shape ({own.size},), got {held.shape}."]
    return [
        f"layer {j} of partition {own[j]} is switched on after partition {held[j]}; it must be one "
        f"of {own[j]} to {last}."
        for j in np.flatnonzero(~problem.stays & ((held < own) | (held > last)))
    ]


def switched_on(problem: UploadProblem, plan: UploadPlan) -> IntArray:
    """Return after which partition each layer of a feasible plan is executed, ``(n,)``.

    For layers that stay it is the number of partitions: never.
    """
    on = np.full(problem.n_layers, len(plan.partitions), dtype=np.int64)
    for k, part in enumerate(plan.partitions):
        on[list(part)] = k
    if problem.use == "forced" and plan.active_after is not None:
        on = np.where(problem.stays, on, plan.active_after)
    return on
