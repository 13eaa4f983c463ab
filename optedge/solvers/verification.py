"""Recompute what a result claims, without any solver."""

from __future__ import annotations

import dataclasses
import math

from optedge.solvers.result import Result


@dataclasses.dataclass(frozen=True)
class Verification:
    """What :func:`verify` found; true if nothing contradicts the result.

    Parameters
    ----------
    ok
        Whether the solution is feasible, has the value stated, and no claim is refuted.
    objective
        The objective, recomputed.
    violations
        Sentences; empty if the solution is feasible.
    bound
        The bound that the result claims.
    certified_bound
        The bound that the certificate proves, recomputed in NumPy; ``-inf`` without one.
    verdict
        ``"certified"``, ``"search, not certified"``, ``"does not prove it"`` or ``"no bound"``.
    message
        All of it in a sentence.
    """

    ok: bool
    objective: float
    violations: tuple[str, ...]
    bound: float
    certified_bound: float
    verdict: str
    message: str

    def __bool__(self) -> bool:
        return self.ok


def verify(result: Result) -> Verification:
    """Recompute objective, violations and bound of a result from its solution and certificate.

    Parameters
    ----------
    result
        What :func:`optedge.solve` returned or :func:`optedge.load` read.

    Returns
    -------
    Verification
        A bound from branch and bound has no certificate: it is reported as
        ``"search, not certified"``, with the best certified bound beside it.

    Raises
    ------
    ValueError
        If the certificate is malformed: an array is missing, of the wrong shape, negative, or
        weights do not sum to 1.
    """
    problem, x = result.problem, result.solution
    violations = () if x is None else tuple(problem.violations(x))
    objective = math.inf if x is None else problem.objective(x)
    right = not violations and (
        objective == result.objective or abs(objective - result.objective) <= 1e-9 * abs(objective)
    )
    certified = -math.inf
    if result.certificate is not None:
        certified = problem.certify(result.certificate)

    if result.bound == -math.inf:
        verdict = "no bound"
    elif _reaches(certified, result.bound):
        verdict = "certified"
    elif result.proof == "search":
        verdict = "search, not certified"
    else:
        verdict = "does not prove it"
    claimed = result.certificate is None or _reaches(certified, result.certificate.value)
    if not claimed:
        verdict = "does not prove it"
    consistent = result.bound <= objective or _reaches(objective, result.bound)

    parts = [f"objective {objective:.9g}"]
    if not right:
        parts.append(f"stated as {result.objective:.9g}")
    parts.extend(violations)
    if result.bound > -math.inf:
        parts.append(f"bound {result.bound:.9g}: {verdict}")
    if certified > -math.inf and verdict != "certified":
        parts.append(f"certified is {certified:.9g}")
    return Verification(
        ok=right and consistent and verdict != "does not prove it",
        objective=objective,
        violations=violations,
        bound=result.bound,
        certified_bound=certified,
        verdict=verdict,
        message="; ".join(parts) + ".",
    )


def _reaches(value: float, claim: float) -> bool:
    """Tell whether ``value`` is at least ``claim``, but for the last digits."""
    return value >= claim or (math.isfinite(value) and value >= claim - 1e-12 * abs(claim))
