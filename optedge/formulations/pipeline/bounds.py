r"""Bounds that need no search.

``task``: no task is done before :math:`r_j + \min_i (a_i + \tau_i + c_i)`, whatever the others do;
the makespan is at least the largest of these times, the mean delay the mean of these delays. The
data are the proof: the certificate holds no arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelineProblem


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
        Of kind ``"task"``, without arrays.

    Raises
    ------
    ValueError
        If the kind is another one, or there are arrays.
    """
    if certificate.kind != "task":
        raise ValueError(f"PipelineProblem knows no certificate {certificate.kind!r}.")
    if certificate.arrays:
        raise ValueError("a certificate 'task' holds no arrays.")
    return _alone(problem)


def _alone(problem: PipelineProblem) -> float:
    # Added in the order in which the simulator adds: rounding is monotone, no slack is needed.
    seconds = problem.chains[problem.kind]
    done = problem.release[:, None] + seconds[:, :, 0]
    done = ((done + seconds[:, :, 1]) + seconds[:, :, 2]).min(axis=1)
    if problem.goal == "makespan":
        return float(done.max())
    return float(np.mean(done - problem.release))
