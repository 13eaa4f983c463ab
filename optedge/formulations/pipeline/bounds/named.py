r"""Bounds that need no search, weakest first, and what certificates prove.

``task``: no task is done before :math:`r_j + \min_i (a_i + \tau_i + c_i)`, whatever the others do;
the makespan is at least the largest of these times, the mean delay the mean of these delays. The
data are the proof: the certificate holds no arrays. ``ceiling`` and ``assignment`` (``counts``)
bound the makespan by how many tasks take each cut, ``grid`` (``ends``) both goals by counts
over time. All hold for every link, service and hold. The solver ``time-grid`` raises ``grid``
further: with more steps, and with ``openers``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate
from optedge.formulations.pipeline.bounds import counts, ends, refuting

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelineProblem

NAMES = {"makespan": ("task", "ceiling", "assignment", "grid"), "mean delay": ("task", "grid")}
CHEAP_UP_TO = 50_000  # variables of all programs of ``assignment``


def cheap(problem: PipelineProblem) -> tuple[str, ...]:
    """Return the bounds that take some tenths of a second at most: the grid only as one program."""
    if problem.goal != "makespan":
        return NAMES[problem.goal]
    return ("task", "ceiling", "assignment")[: 3 if counts.size(problem) <= CHEAP_UP_TO else 2]


def compute(problem: PipelineProblem, name: str) -> Bound:
    """Return one of the bounds ``NAMES``."""
    return _COMPUTE[name](problem)


def of_tasks(problem: PipelineProblem) -> Bound:
    """Return the bound ``task``."""
    value = _alone(problem)
    return Bound("task", value, Certificate("task", value, {}))


def certify(problem: PipelineProblem, certificate: Certificate) -> float:
    """Return the bound that a certificate proves, in seconds.

    Parameters
    ----------
    problem
        The instance.
    certificate
        Of kind ``"task"`` or ``"ceiling"``, without arrays, ``"assignment"`` or ``"grid"``.

    Raises
    ------
    ValueError
        If the kind is another one or bounds another goal, or arrays are not as the kind wants.
    """
    if certificate.kind not in NAMES[problem.goal]:
        raise ValueError(f"PipelineProblem knows no certificate {certificate.kind!r}.")
    if certificate.kind == "grid":
        return refuting.certify(problem, certificate)
    if certificate.kind == "assignment":
        return counts.certify(problem, certificate)
    if certificate.arrays:
        raise ValueError(f"a certificate {certificate.kind!r} holds no arrays.")
    return counts.ceiling(problem).value if certificate.kind == "ceiling" else _alone(problem)


def _alone(problem: PipelineProblem) -> float:
    # Added in the order in which the simulator adds: rounding is monotone, no slack is needed.
    seconds = problem.chains[problem.kind]
    done = problem.release[:, None] + seconds[:, :, 0]
    done = ((done + seconds[:, :, 1]) + seconds[:, :, 2]).min(axis=1)
    if problem.goal == "makespan":
        return float(done.max())
    return float(np.mean(done - problem.release))


def _grid(problem: PipelineProblem) -> Bound:
    weaker = [problem.bound(name).value for name in problem.bound_names if name != "grid"]
    return ends.bound(problem, max(weaker))


_COMPUTE: dict[str, Callable[[PipelineProblem], Bound]] = {
    "task": of_tasks,
    "ceiling": counts.ceiling,
    "assignment": counts.bound,
    "grid": _grid,
}
