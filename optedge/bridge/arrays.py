"""Linear and mixed-integer programs as arrays, solved by HiGHS."""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from .monitor import Monitor, OnBound, OnIncumbent, ShouldStop, interruptible

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_HIGHS: Any = highspy.Highs  # its type stubs lack some of its methods
_STOP_REASONS = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnbounded: "unbounded",
    highspy.HighsModelStatus.kTimeLimit: "time_limit",
    highspy.HighsModelStatus.kInterrupt: "interrupted",
}
INTEGRALITY = 1e-6  # HiGHS' own tolerance: closer to an integer than this counts as integer
OPTIMAL_GAP = 1e-6  # "optimal" means a relative gap of at most this, whatever target was set
CROSSING = 1e-9  # bounds that cross by less than this are rounding noise of equal numbers
QUICK = 5000  # entries of a linear program that is solved without presolve and without callbacks


@dataclass(frozen=True, eq=False)
class Arrays:
    r"""A linear or mixed-integer program.

    .. math:: \min c^T x + c_0 \ \text{s.t.}\ r^l \le A x \le r^u,\ l \le x \le u,
        \ x_j \in \mathbb{Z}\ \forall j \in I

    A scalar given for a vector is repeated. Vectors are copied and made read-only.

    Parameters
    ----------
    cost
        Objective coefficients c, shape ``(n,)``.
    matrix
        Row coefficients A, shape ``(m, n)``: anything that `scipy.sparse.csc_array` takes.
    row_lower, row_upper
        Bounds of the rows, shape ``(m,)``; ``-inf`` and ``inf`` where there is none.
    lower, upper
        Bounds of the variables, shape ``(n,)``; ``-inf`` and ``inf`` where there is none.
    integer
        True where the variable must be integer, shape ``(n,)``; all False is an LP.
    offset
        Constant of the objective.
    maximise
        Whether the objective is maximised.

    Raises
    ------
    ValueError
        If shapes disagree, an entry is NaN, a coefficient is infinite, or a bound excludes every
        number (a lower bound of ``inf``). Crossing bounds are no error: the program is infeasible.
    """

    cost: Vector
    matrix: Any
    row_lower: Vector
    row_upper: Vector
    lower: Vector
    upper: Vector
    integer: Mask
    offset: float = 0.0
    maximise: bool = False

    def __post_init__(self) -> None:
        """Copy, cast and check the fields."""
        matrix: Any = sparse.csc_array(self.matrix, dtype=np.float64)
        if not matrix.has_canonical_format:  # HiGHS refuses repeated entries
            matrix = matrix.copy()
            matrix.sum_duplicates()
        rows, columns = matrix.shape
        object.__setattr__(self, "matrix", matrix)
        for name, size in (("row_lower", rows), ("row_upper", rows), ("cost", columns)):
            self._set_vector(name, size)
        for name in ("lower", "upper"):
            self._set_vector(name, columns)
        self._set_vector("integer", columns, np.bool_)
        if not (np.isfinite(self.cost).all() and np.isfinite(matrix.data).all()):
            raise ValueError("cost and matrix must be finite.")
        if not math.isfinite(self.offset):
            raise ValueError(f"offset must be finite, got {self.offset}.")
        for name, never in (("lower", math.inf), ("upper", -math.inf)):
            for prefix in ("", "row_"):
                bad = np.flatnonzero(getattr(self, prefix + name) == never)
                if bad.size:
                    raise ValueError(f"{prefix}{name}[{bad[0]}] must not be {never}.")

    def _set_vector(self, name: str, size: int, dtype: type = np.float64) -> None:
        vector: npt.NDArray[Any] = np.array(getattr(self, name), dtype=dtype)
        if vector.ndim == 0:
            vector = np.full(size, vector, dtype=dtype)
        if vector.shape != (size,):
            raise ValueError(f"{name} must have shape ({size},), got {vector.shape}.")
        if np.isnan(vector).any():
            raise ValueError(f"{name}[{np.flatnonzero(np.isnan(vector))[0]}] is NaN.")
        vector.setflags(write=False)
        object.__setattr__(self, name, vector)


@dataclass(frozen=True, eq=False)
class ArraySolution:
    """What HiGHS found.

    Attributes
    ----------
    status
        ``"optimal"`` (relative gap at most 1e-6), ``"feasible"``, ``"infeasible"`` (proved),
        ``"unbounded"`` or ``"unknown"``.
    stop_reason
        ``"optimal"``, ``"target_gap"``, ``"infeasible"``, ``"unbounded"``, ``"time_limit"``,
        ``"callback"`` (`should_stop` said so), ``"interrupted"`` (Ctrl-C, also if it came too
        late to matter) or ``"error"`` (HiGHS gave up, or its tolerances are too coarse for the
        numbers and it stopped above the target gap).
    objective
        Value of `x`; without one ``inf`` (``-inf`` if maximised).
    bound
        Proved dual bound; without one ``-inf`` (``inf`` if maximised).
    x
        Values of the variables, shape ``(n,)``, or None.
    row_duals
        Derivative of the optimal value by each row's right-hand side (its active bound), in the
        sense given, shape ``(m,)``; None unless an LP was solved to optimality.
    reduced_costs
        Derivative of the optimal value by each variable's active bound, shape ``(n,)``, or None.
    seconds
        Wall time.
    nodes
        Nodes of the branch-and-bound tree.
    iterations
        Simplex iterations.
    """

    status: str
    stop_reason: str
    objective: float
    bound: float
    x: Vector | None
    row_duals: Vector | None
    reduced_costs: Vector | None
    seconds: float
    nodes: int
    iterations: int


def solve_arrays(
    arrays: Arrays,
    *,
    time_limit: float | None = None,
    target_gap: float = 1e-6,
    threads: int = 1,
    start: npt.ArrayLike | None = None,
    on_incumbent: OnIncumbent | None = None,
    on_bound: OnBound | None = None,
    should_stop: ShouldStop | None = None,
    interior: bool = False,
) -> ArraySolution:
    """Solve a linear or mixed-integer program with HiGHS.

    An LP is solved by the simplex method, so `x` is a vertex, unless `interior` says otherwise.
    Nothing is printed. Ctrl-C in the main thread stops HiGHS at its next poll and returns what was
    found; during the root LP of a large MIP HiGHS does not poll, and that poll comes when the LP is
    solved.

    Parameters
    ----------
    arrays
        The program.
    time_limit
        Seconds; None for no limit.
    target_gap
        Relative gap at which a MIP counts as solved; the absolute gap of HiGHS is switched off.
    threads
        Threads of HiGHS; 0 lets it choose.
    start
        Values of the variables as MIP start, shape ``(n,)``, NaN where unknown. Missing
        continuous values are found by an LP; for missing integer ones a fifth of `time_limit`
        (at most 10 s) is spent. A start that cannot be completed is dropped; an LP needs none.
    on_incumbent
        ``on_incumbent(objective, x)`` is called with each better solution, the last one included.
    on_bound
        ``on_bound(bound)`` is called with each better dual bound, the last one included.
    should_stop
        Polled while HiGHS runs; True stops it.
    interior
        Whether an LP is solved by an interior point method without crossover: quicker where the
        LP is large, but `x` is no vertex, and duals are right to HiGHS' tolerances only.

    Returns
    -------
    ArraySolution
        Infeasible, unbounded and interrupted programs are statuses, not exceptions.

    Raises
    ------
    ValueError
        If `start` has the wrong shape or HiGHS refuses an option's value.
    Exception
        Whatever `on_incumbent`, `on_bound` or `should_stop` raise: HiGHS is stopped first.

    Notes
    -----
    HiGHS takes matrix entries below 1e-9 for 0 and rows for satisfied up to 1e-6, so choose units
    in which the objective is well above 1e-5. Without a time limit identical calls give identical
    results.
    """
    run = _Run(
        Monitor(-1 if arrays.maximise else 1, on_incumbent, on_bound, should_stop),
        math.inf if time_limit is None else float(time_limit),
        float(target_gap),
        threads,
        interior,
    )
    with interruptible(run.monitor):
        solution = run.solve(arrays, None if start is None else run.complete(arrays, start))
        if math.isfinite(solution.bound):
            run.monitor.raise_bound(solution.bound)
        if solution.x is not None:
            run.monitor.offer(solution.objective, solution.x)
    run.monitor.raise_error()
    # A Ctrl-C that came too late for HiGHS must still reach the caller.
    if "interrupted" in (solution.stop_reason, run.monitor.stop_reason):
        solution = replace(solution, stop_reason=run.monitor.stop_reason)
    return replace(solution, seconds=run.seconds)


class _Run:
    """One call of `solve_arrays`, which may need several runs of HiGHS under one clock."""

    def __init__(
        self,
        monitor: Monitor,
        time_limit: float,
        target_gap: float,
        threads: int,
        interior: bool,
    ) -> None:
        self.monitor = monitor
        self._began = time.perf_counter()
        self._time_limit = time_limit
        self._target_gap = target_gap
        self._threads = threads
        self._interior = interior

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    @property
    def _seconds_left(self) -> float:
        return max(0.0, self._time_limit - self.seconds)

    def solve(
        self,
        arrays: Arrays,
        start: Vector | None = None,
        *,
        quiet: bool = False,
        seconds: float = math.inf,
        gap: float | None = None,
    ) -> ArraySolution:
        if _bounds_cross(arrays):
            return _without_solution(arrays, "infeasible")
        if arrays.cost.size == 0:
            return _solve_empty(arrays)
        options: dict[str, float | str] = {
            "time_limit": min(seconds, self._seconds_left),
            "mip_abs_gap": 0.0,  # its default of 1e-6 ends searches on small objectives too early
            "mip_rel_gap": self._target_gap if gap is None else gap,
            "threads": self._threads,
        }
        if self._interior and not arrays.integer.any():
            options |= {"solver": "ipm", "run_crossover": "off"}
        # A small linear program ends in milliseconds: preparing and interrupting it cost more.
        quick = arrays.matrix.nnz <= QUICK and not arrays.integer.any()
        highs = load_highs(arrays, {**options, **({"presolve": "off"} if quick else {})})
        if start is not None:
            known = np.flatnonzero(~np.isnan(start)).astype(np.int32)
            highs.setSolution(known.size, known, start[known])
        if not quick:
            self.monitor.watch(highs, quiet=quiet)
        elif self.monitor.ask():
            return _without_solution(arrays, "unknown", "interrupted")
        highs.run()
        imprecise = highs.getModelStatus() == highspy.HighsModelStatus.kUnknown
        if self._interior and imprecise and not self.monitor.stop_reason:
            # What presolve took out may come back with duals that are not precise enough.
            highs.clearSolver()
            highs.setOptionValue("presolve", "off")
            highs.setOptionValue("time_limit", min(seconds, self._seconds_left))
            highs.run()
        if highs.getModelStatus() == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            return self._infeasible_or_unbounded(arrays)
        return _read(highs, arrays)

    def complete(self, arrays: Arrays, start: npt.ArrayLike) -> Vector | None:
        """Fill in the integer values missing in a start; None if that fails.

        HiGHS would do so itself, but outside its time limit and with callbacks that report the
        bound of the restricted problem, which does not hold for the full one.
        """
        values = np.array(start, dtype=np.float64)
        if values.shape != arrays.cost.shape:
            raise ValueError(f"start must have shape {arrays.cost.shape}, got {values.shape}.")
        nearest = np.rint(values)
        fractional = arrays.integer & ~(np.abs(values - nearest) <= INTEGRALITY)
        values = np.where(fractional, np.nan, np.where(arrays.integer, nearest, values))
        known = arrays.integer & ~fractional
        if not known.any():
            return None
        if not fractional.any():
            return values
        restricted = replace(
            arrays,
            lower=np.where(known, values, arrays.lower),
            upper=np.where(known, values, arrays.upper),
        )
        seconds = min(10.0, 0.2 * self._time_limit)
        return self.solve(restricted, quiet=True, seconds=seconds, gap=0.01).x

    def _infeasible_or_unbounded(self, arrays: Arrays) -> ArraySolution:
        """Tell apart what HiGHS leaves open for MIPs: without costs only feasibility counts."""
        costless = replace(arrays, cost=np.zeros_like(arrays.cost))
        found = self.solve(costless, quiet=True)
        if found.x is not None:
            return _without_solution(arrays, "unbounded")
        return replace(found, bound=_without_solution(arrays, "unknown").bound)


def load_highs(arrays: Arrays, options: dict[str, Any]) -> Any:
    """Return a silent HiGHS that holds the program.

    Raises
    ------
    ValueError
        If HiGHS refuses the value of an option.
    """
    # HiGHS starts its threads once and refuses any other number later; the reset costs 0.1 ms.
    highspy.Highs.resetGlobalScheduler(True)
    highs: Any = _HIGHS()
    highs.silent()
    if not arrays.integer.any():
        options = {"solver": "simplex", **options}
    for name, value in options.items():
        if highs.setOptionValue(name, value) == highspy.HighsStatus.kError:
            raise ValueError(f"HiGHS refuses {name}={value!r}.")
    matrix = arrays.matrix
    highs.passModel(
        arrays.cost.size,
        arrays.row_lower.size,
        matrix.nnz,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMaximize if arrays.maximise else highspy.ObjSense.kMinimize),
        float(arrays.offset),
        arrays.cost,
        arrays.lower,
        np.maximum(arrays.lower, arrays.upper),
        arrays.row_lower,
        np.maximum(arrays.row_lower, arrays.row_upper),
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data,
        arrays.integer.astype(np.int32),
    )
    return highs


def _read(highs: Any, arrays: Arrays) -> ArraySolution:
    """Translate the state of HiGHS after a run."""
    info, mip = highs.getInfo(), bool(arrays.integer.any())
    stop_reason = _STOP_REASONS.get(highs.getModelStatus(), "error")
    proved = stop_reason in ("infeasible", "unbounded")
    solution = replace(
        _without_solution(arrays, stop_reason if proved else "unknown", stop_reason),
        nodes=max(0, info.mip_node_count),
        iterations=max(0, info.simplex_iteration_count),
    )
    if proved:  # HiGHS may hold a feasible point of an unbounded program, but it means little
        return solution
    # Without a search HiGHS leaves the node count at -1, and a bound of 0 that proves nothing.
    if mip and info.mip_node_count >= 0:
        solution = replace(solution, bound=float(info.mip_dual_bound))
    if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        return solution
    found, objective = highs.getSolution(), float(info.objective_function_value)
    solution = replace(solution, status="feasible", objective=objective, x=_vector(found.col_value))
    if stop_reason != "optimal":
        return solution
    if not mip:
        return replace(
            solution,
            status="optimal",
            bound=objective,
            row_duals=_vector(found.row_dual),
            reduced_costs=_vector(found.col_dual),
        )
    scale = max(abs(objective), abs(solution.bound), 1e-9)
    gap = abs(objective - solution.bound) / scale
    if gap <= OPTIMAL_GAP:
        return replace(solution, status="optimal")
    target = highs.getOptionValue("mip_rel_gap")[1]
    return replace(solution, stop_reason="target_gap" if gap <= target else "error")


def _vector(values: Any) -> Vector:
    return np.array(values, dtype=np.float64) + 0.0  # + 0.0 turns -0.0 into 0.0


def _without_solution(arrays: Arrays, status: str, stop_reason: str = "") -> ArraySolution:
    worst = -math.inf if arrays.maximise else math.inf
    return ArraySolution(status, stop_reason or status, worst, -worst, None, None, None, 0.0, 0, 0)


def _bounds_cross(arrays: Arrays) -> bool:
    """Tell whether some lower bound exceeds its upper one; HiGHS calls such rows an error."""
    columns = np.any(arrays.lower > arrays.upper + CROSSING)
    return bool(columns or np.any(arrays.row_lower > arrays.row_upper + CROSSING))


def _solve_empty(arrays: Arrays) -> ArraySolution:
    """Solve a program without variables, on which HiGHS has no opinion."""
    if np.any(arrays.row_lower > INTEGRALITY) or np.any(arrays.row_upper < -INTEGRALITY):
        return _without_solution(arrays, "infeasible")
    value, nothing, duals = float(arrays.offset), np.zeros(0), np.zeros(arrays.row_lower.size)
    return ArraySolution("optimal", "optimal", value, value, nothing, duals, nothing, 0.0, 0, 0)
