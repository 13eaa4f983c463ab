"""What an offloading problem refuses: wrong words, entries out of range, tasks without a graph."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.offloading.costs.weighting import Weighting
from optedge.formulations.offloading.derived import CLIENT, CLOUD
from optedge.formulations.offloading.simulation.arrays import ORDERS
from optedge.networks import dag

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def settle(problem: OffloadingProblem) -> None:
    """Check a problem whose arrays have their shapes, and fill in what was left out.

    Raises
    ------
    ValueError
        With a sentence that names the first entry that is wrong.
    """
    if getattr(problem, "release", None) is None:
        release = np.zeros(problem.n_tasks)
        release.setflags(write=False)
        object.__setattr__(problem, "release", release)
    for field, choices in (("order", ORDERS), ("first_layer", ("free", "client"))):
        if (value := getattr(problem, field)) not in choices:
            raise ValueError(f"{field} must be one of {choices}, got {value!r}.")
    if not (problem.weights is None or isinstance(problem.weights, Weighting)):
        raise ValueError(f"weights must be a Weighting or None, got {problem.weights!r}.")
    _check_tasks(problem)
    _check_servers(problem)
    for field in ("foreign_clients", "return_result"):
        if not isinstance(getattr(problem, field), bool):
            raise ValueError(f"{field} must be True or False, got {getattr(problem, field)!r}.")


def _check_tasks(problem: OffloadingProblem) -> None:
    """Check that layers stand task by task, and that each task is a graph with one source."""
    wrong = np.flatnonzero(np.diff(problem.tasks, prepend=0) > 1)
    falls = np.flatnonzero(np.diff(problem.tasks) < 0)
    last = problem.n_tasks - 1
    if wrong.size or falls.size or problem.tasks[0] != 0 or problem.tasks[-1] != last:
        raise ValueError(f"tasks must be 0, ..., 0, 1, ..., 1, ... up to {last}, without a gap.")
    rows = checked_tasks(problem.successors, problem.first.tolist(), problem.sizes.tolist())
    object.__setattr__(problem, "successors", rows)
    wrong = np.flatnonzero(~(problem.work_gcycles > 0))
    if wrong.size:
        raise ValueError(f"work_gcycles[{wrong[0]}] must be positive.")


def _check_servers(problem: OffloadingProblem) -> None:
    """Check what servers are, and that tasks are born at clients."""
    for field in ("speeds_ghz", "pools"):
        wrong = np.flatnonzero(~(getattr(problem, field) > 0))
        if wrong.size:
            raise ValueError(f"{field}[{wrong[0]}] must be positive.")
    finite = np.isfinite(problem.pools)
    wrong = np.flatnonzero(finite & (problem.pools != np.floor(problem.pools)))
    if wrong.size:
        raise ValueError(f"pools[{wrong[0]}] must be a whole number or inf.")
    wrong = np.flatnonzero((problem.tiers < CLIENT) | (problem.tiers > CLOUD))
    if wrong.size:
        raise ValueError(f"tiers[{wrong[0]}] must be 0, 1 or 2, got {problem.tiers[wrong[0]]}.")
    for i, c in enumerate(problem.clients.tolist()):
        if not 0 <= c < problem.n_servers or problem.tiers[c] != CLIENT:
            raise ValueError(f"clients[{i}]: server {c} is no client.")


def checked_tasks(
    successors: Iterable[Iterable[int]], first: Sequence[int], sizes: Sequence[int]
) -> dag.Successors:
    """Return the graph of all tasks, if that of each task is one that we take.

    Parameters
    ----------
    successors
        For each layer the numbers of the layers that read it.
    first, sizes
        First layer and number of layers of each task.

    Raises
    ------
    ValueError
        If a row is missing, or a task has a cycle, two sources or an unknown successor.
    """
    try:
        given = [list(row) for row in successors]
    except TypeError:
        raise ValueError("successors must be a list of lists of layer numbers.") from None
    if len(given) != sum(sizes):
        raise ValueError(f"successors must hold {sum(sizes)} rows, got {len(given)}.")
    rows: list[tuple[int, ...]] = []
    for i, (a, size) in enumerate(zip(first, sizes, strict=True)):
        try:
            checked = dag.checked_successors(
                [[_minus(w, a) for w in row] for row in given[a : a + size]]
            )
        except ValueError as error:
            raise ValueError(f"task {i}: {error}") from None
        rows += [tuple(w + a for w in row) for row in checked]
    return tuple(rows)


def _minus(number: Any, less: int) -> Any:
    """Return a layer number counted within its task; what is no integer stays, to be refused."""
    try:
        return operator.index(number) - less
    except TypeError:
        return number
