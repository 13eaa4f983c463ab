"""Check that the parts of a problem class say the same: the tests that every new class needs.

The evaluator, the codes, the explicit model, the bounds and the compiled moves describe one
problem. Here they are held against each other on one small instance: ``codes`` looks at solutions
and codes, ``models`` at models and bounds, ``copies`` at what files and other processes get.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optedge.checking import codes, copies, models
from optedge.formulations.base import Problem

CHECKS = {
    "codes": codes.check_codes,
    "rules": codes.check_rules,
    "moves": codes.check_moves,
    "enumeration": models.check_enumeration,
    "model": models.check_model,
    "bounds": models.check_bounds,
    "copies": copies.check_copies,
}


def check_problem(problem: Problem, *, seed: int = 0) -> list[str]:
    """Hold the parts of a problem against each other, on one instance.

    Parameters
    ----------
    problem
        A small instance (up to about ten decisions), so that enumeration and model can be solved.
    seed
        Of the random codes.

    Returns
    -------
    list of str
        A sentence for each contradiction; empty if there is none. Checked are: costs of codes
        against the objective of what they decode to, violations against the objective, ``encode``,
        the rules that guide searches, moves priced by difference, the explicit models (linear,
        ``extract``, ``fill``, the optimum against enumeration, ``relax``), every bound and its
        certificate, files and copies. What a method raises is told with its name.

    Raises
    ------
    TypeError
        If ``problem`` is no instance of a problem class.

    Examples
    --------
    >>> import optedge as oe
    >>> oe.check_problem(oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]]))
    []
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"a problem is expected, such as oe.MakespanProblem, got {problem!r}.")
    told: list[str] = []
    known: list[Any] = []  # solutions that are feasible
    for name, check in CHECKS.items():
        try:
            told.extend(check(problem, known, np.random.default_rng(seed)))
        except Exception as error:  # what a user's method raises is the finding
            told.append(f"{name}: {type(error).__name__}: {error}")
    return list(dict.fromkeys(told))
