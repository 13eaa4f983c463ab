"""What a solver talks to: random numbers, clock, budgets, incumbent, bound, history."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge import kernels
from optedge.formulations.base import Bound, Certificate, Problem
from optedge.formulations.base.contract import value_of
from optedge.solvers.result import HISTORY, OPTIMAL_GAP, SolverError, relative_gap


class Run:
    """One run of a solver; made by :func:`optedge.solve`.

    Attributes
    ----------
    problem
        The instance.
    rng : numpy.random.Generator
        The only source of chance.
    start
        A solution to start from, or None.
    threads : int
        How many threads a solver may use.
    objective, solution
        The incumbent: the best value offered (``inf`` before) and its solution.
    code : ndarray or None
        The code that the incumbent was decoded from, if its solver searches codes.
    bound : float
        The largest proved bound; ``-inf`` before one is known.
    evaluations : int
        Candidates priced.
    info : dict
        Further facts for the result.
    stop_reason : str
        Why the run should end; empty while it may go on.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        time_limit: float = math.inf,
        max_evaluations: int | None = None,
        target_gap: float = OPTIMAL_GAP,
        threads: int = 1,
        callback: Callable[[Run], Any] | None = None,
        start: Any = None,
        attached: Bound | None = None,
        progress: Callable[[Run], None] | None = None,
    ) -> None:
        self.problem = problem
        self.rng = np.random.default_rng(seed)
        self.start = start
        self.threads = threads
        self.max_evaluations = max_evaluations
        self.objective = math.inf
        self.solution: Any = None
        self.code: npt.NDArray[np.int64] | None = None
        self.bound = -math.inf
        self.certificate: Certificate | None = None
        self.proof = "none"
        self.evaluations = 0
        self.info: dict[str, Any] = {}
        self.stop_reason = ""
        self.infeasible = False
        self._certified = -math.inf
        self._charged = 0.0
        self._limit, self._target = time_limit, target_gap
        self._callback, self._progress = callback, progress
        self._rows: list[tuple[float, int, float, float]] = []
        self._began, self._compiled = time.perf_counter(), kernels.compile_seconds()
        if attached is not None:
            self.raise_bound(attached.value, attached.certificate)

    # ---- clock and budgets

    @property
    def seconds(self) -> float:
        """Seconds since the start, those of compiling kernels left out."""
        passed = time.perf_counter() - self._began - self.compile_seconds
        return max(0.0, passed) + self._charged

    def charge(self, seconds: float) -> None:
        """Add seconds of this solver's own work that was done before, such as a kept bound."""
        self._charged += seconds

    @property
    def compile_seconds(self) -> float:
        """Seconds since the start that went into compiling kernels."""
        return kernels.compile_seconds() - self._compiled

    @property
    def time_left(self) -> float:
        """Seconds until the time limit; 0 when it has passed, ``inf`` without one."""
        return max(0.0, self._limit - self.seconds)

    @property
    def evaluations_left(self) -> int:
        """Candidates that may still be priced; a very large number without a budget."""
        if self.max_evaluations is None:
            return int(np.iinfo(np.int64).max)
        return max(0, self.max_evaluations - self.evaluations)

    @property
    def target_gap(self) -> float:
        """The gap at which the run may stop."""
        return self._target

    @property
    def gap(self) -> float:
        """The relative gap between incumbent and bound."""
        return relative_gap(self.objective, self.bound)

    def done(self) -> bool:
        """Tell whether the solver should return: a gap, a budget, the callback said so.

        Asking is cheap; a solver asks at every step, compiled loops between their chunks.
        """
        if self._progress is not None:
            self._progress(self)
        if not self.stop_reason:
            if self.gap <= self._target:
                self.stop("optimal" if self.gap <= OPTIMAL_GAP else "target_gap")
            elif self.evaluations_left == 0:
                self.stop("evaluations")
            elif self.time_left == 0:
                self.stop("time_limit")
            elif self._callback is not None and self._callback(self):
                self.stop("callback")
        return bool(self.stop_reason)

    def stop(self, reason: str) -> None:
        """End the run with ``reason``, unless another one stands already."""
        self.stop_reason = self.stop_reason or reason

    def declare_infeasible(self, reason: str) -> None:
        """State that the instance is proved to have no solution, and why."""
        self.infeasible = True
        self.info["reason"] = reason
        self.raise_bound(math.inf)
        self.stop("infeasible")

    # ---- solutions and bounds

    def evaluate(self, x: Any) -> float:
        """Return the objective of ``x`` as the problem computes it; counted, and offered."""
        value = value_of(self.problem, x)
        self.offer(x, value)
        return value

    def offer(
        self,
        x: Any,
        value: float,
        evaluations: int = 1,
        *,
        code: npt.NDArray[np.int64] | None = None,
    ) -> bool:
        """Take ``x`` as the incumbent if it is the best so far.

        Parameters
        ----------
        x
            A solution; an array is copied.
        value
            Its objective (``inf`` if infeasible). The final one is recomputed by the problem.
        evaluations
            How many candidates were priced since the last offer.
        code
            The code that ``x`` was decoded from, if it was.

        Returns
        -------
        bool
            Whether it is the new incumbent.

        Raises
        ------
        SolverError
            If the value is NaN.
        """
        self.evaluations += int(evaluations)
        if math.isnan(value):
            raise SolverError(f"the value of a solution must be a number, got NaN for {x!r}.")
        if not value < self.objective:
            return False
        self.solution = np.array(x) if isinstance(x, np.ndarray | list | tuple) else x
        self.code = None if code is None else code.copy()
        self.objective = float(value)
        self._record()
        return True

    def refuse(self, x: Any) -> None:
        """Say in ``info`` why ``x``, which the solver gave as a solution, is none."""
        faults = " ".join(self.problem.violations(x)) or "it has no finite objective."
        self.info["refused"] = f"a solution that is infeasible: {faults}"

    def count(self, evaluations: int) -> None:
        """Count candidates that were priced without an offer."""
        self.evaluations += int(evaluations)

    def raise_bound(self, value: float, certificate: Certificate | None = None) -> None:
        """State a proved lower bound; without a certificate it counts as found by search.

        A certificate may follow: given with the value of the bound it replaces the word "search".

        Raises
        ------
        SolverError
            If the value is NaN.
        """
        if math.isnan(value):
            raise SolverError("a bound must be a number, got NaN.")
        if certificate is not None and value > self._certified:
            self._certified, self.certificate = value, certificate
        if value > self.bound:
            self.bound = float(value)
            self.proof = "search" if certificate is None else "certificate"
            self._record()
        elif certificate is not None and value == self.bound:
            self.proof = "certificate"

    def _record(self) -> None:
        self._rows.append((self.seconds, self.evaluations, self.objective, self.bound))

    @property
    def history(self) -> npt.NDArray[np.void]:
        """A row (seconds, evaluations, objective, bound) at each improvement."""
        return np.array(self._rows, dtype=HISTORY)
