"""Pyomo models as arrays, and solutions back under the names of the model."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import INTEGRALITY, Arrays, Mask, Vector, solve_arrays
from .conflict import find_conflict
from .monitor import OnBound, OnIncumbent, ShouldStop

SNAP = 10 * INTEGRALITY


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A Pyomo model as arrays, with the way back.

    The arrays are a snapshot: what is changed in the model later (a bound, a parameter, a fixed
    variable) needs a new compilation.

    Attributes
    ----------
    model
        The Pyomo model.
    arrays
        The linear program, in the model's own sense.
    columns
        The Pyomo variable of each column. Fixed variables have none: they are constants. Those
        that appear in no row and not in the objective come last, held at their value nearest 0.
    rows
        The Pyomo constraint of each row. Constraints that are always true have none.
    seconds
        Time of the compilation.
    """

    model: Any
    arrays: Arrays
    columns: tuple[Any, ...]
    rows: tuple[Any, ...]
    seconds: float
    n_idle: int = 0

    def load(self, x: npt.ArrayLike) -> None:
        """Write column values into the Pyomo variables.

        Parameters
        ----------
        x
            Values, shape ``(n_columns,)``. Those of integer variables are rounded if they are
            within 1e-5 of an integer, as HiGHS' are, and written as they are otherwise.

        Raises
        ------
        ValueError
            If `x` has the wrong shape.
        """
        values = np.array(x, dtype=np.float64)
        if values.shape != (len(self.columns),):
            raise ValueError(f"x must have shape ({len(self.columns)},), got {values.shape}.")
        nearest = np.rint(values)
        snap = self.arrays.integer & (np.abs(values - nearest) <= SNAP)
        for variable, value in zip(
            self.columns, (np.where(snap, nearest, values) + 0.0).tolist(), strict=True
        ):
            variable.set_value(value, skip_validation=True)

    def start(self) -> Vector:
        """Return the values now in the variables, NaN where there is none: a MIP start."""
        values = np.array([v.value for v in self.columns], dtype=np.float64)  # None becomes NaN
        held = len(self.columns) - self.n_idle
        values[held:] = self.arrays.lower[held:]
        return values


@dataclass(frozen=True, eq=False)
class ModelSolution:
    """The solution of a Pyomo model, by component name.

    Attributes
    ----------
    objective
        Value of the solution; without one ``inf`` (``-inf`` if maximised).
    bound
        Proved dual bound; without one ``-inf`` (``inf`` if maximised).
    status, stop_reason
        As in `ArraySolution`.
    seconds
        Wall time of HiGHS, without the compilation.
    nodes
        Nodes of the branch-and-bound tree.
    values
        Name of a variable -> its value, or dict of index -> value if it is indexed; empty if
        there is no solution. Names in a block carry the block's, as in ``"b.x"``.
    duals
        Name of a constraint -> derivative of the optimal value by its right-hand side (the
        active bound), in the model's own sense, indexed as `values`. Pyomo keeps ``a >= b`` with
        variables on both sides as ``b - a <= 0``, and then that 0 is the right-hand side.
        Constraints that are always true have 0. Empty unless an LP was solved.
    reduced_costs
        Name of a variable -> derivative of the optimal value by its active bound, indexed as
        `values`; fixed variables have none. Empty unless an LP was solved.
    conflict
        If the model is infeasible: constraints and variable bounds that contradict each other and
        would not without any one of them, as in ``["assign[3]", "x[3,0] <= 0"]``. Empty if
        feasible, if the LP relaxation of a MIP is feasible (no such set exists then), or if
        finding one took more than 5 s.
    """

    objective: float
    bound: float
    status: str
    stop_reason: str
    seconds: float
    nodes: int
    values: dict[str, Any]
    duals: dict[str, Any]
    reduced_costs: dict[str, Any]
    conflict: list[str]


def compile_model(model: Any) -> CompiledModel:
    """Turn a linear Pyomo model into arrays.

    Parameters
    ----------
    model
        A ``ConcreteModel`` (or block) with at most one active objective; none means 0.

    Raises
    ------
    ValueError
        If an expression is not linear, there are several objectives, a variable's domain is
        neither continuous nor all integers of an interval, or a component is of a kind that has
        no linear form. The message names the component.
    TypeError
        If it is no Pyomo model.
    """
    from pyomo.core import Block, Var

    if getattr(model, "ctype", None) is not Block:
        raise TypeError(f"a Pyomo model is expected, got {type(model).__name__}.")
    began = time.perf_counter()
    info, false_rows = _standard_form(model)
    compiled = {id(v) for v in info.columns}
    variables = model.component_data_objects(Var, active=True, descend_into=True)
    idle = [v for v in variables if not v.fixed and id(v) not in compiled]
    columns = (*info.columns, *idle)
    lower, upper, integer = _domains(columns)
    _hold_at_zero(lower, upper, integer, len(info.columns))
    matrix, rows, row_lower, row_upper = _merged_rows(info)
    matrix.resize((len(rows) + len(false_rows), len(columns)))
    cost, offset, maximise = _objective(info, len(columns))
    arrays = Arrays(
        cost,
        matrix,
        np.append(row_lower, [low for _, low, _ in false_rows]),
        np.append(row_upper, [high for _, _, high in false_rows]),
        lower,
        upper,
        integer,
        offset,
        maximise,
    )
    rows.extend(constraint for constraint, _, _ in false_rows)
    seconds = time.perf_counter() - began
    return CompiledModel(model, arrays, columns, tuple(rows), seconds, len(idle))


def solve_model(
    model: Any,
    *,
    time_limit: float | None = None,
    target_gap: float = 1e-6,
    threads: int = 1,
    start: bool = False,
    on_incumbent: OnIncumbent | None = None,
    on_bound: OnBound | None = None,
    should_stop: ShouldStop | None = None,
) -> ModelSolution:
    """Solve a linear Pyomo model with HiGHS and load the solution into its variables.

    Parameters
    ----------
    model
        A Pyomo model, or the result of `compile_model`.
    time_limit, target_gap, threads, on_bound, should_stop
        As in `solve_arrays`; the limit does not include the compilation.
    start
        Whether the values now in the variables are the MIP start; some may be missing.
    on_incumbent
        ``on_incumbent(objective, x)`` with each better solution, `x` in the order of
        ``CompiledModel.columns``, whose ``load`` writes it into the variables.

    Returns
    -------
    ModelSolution
        Without a solution the variables keep their values.

    Raises
    ------
    ValueError
        If the model is not linear (see `compile_model`).
    """
    compiled = model if isinstance(model, CompiledModel) else compile_model(model)
    found = solve_arrays(
        compiled.arrays,
        time_limit=time_limit,
        target_gap=target_gap,
        threads=threads,
        start=compiled.start() if start else None,
        on_incumbent=on_incumbent,
        on_bound=on_bound,
        should_stop=should_stop,
    )
    if found.x is not None:
        compiled.load(found.x)
    return ModelSolution(
        objective=found.objective,
        bound=found.bound,
        status=found.status,
        stop_reason=found.stop_reason,
        seconds=found.seconds,
        nodes=found.nodes,
        values={} if found.x is None else _values(compiled),
        duals={} if found.row_duals is None else _duals(compiled, found.row_duals),
        reduced_costs=(
            {} if found.reduced_costs is None else _reduced_costs(compiled, found.reduced_costs)
        ),
        conflict=_conflict_names(compiled) if found.status == "infeasible" else [],
    )


def _standard_form(model: Any) -> tuple[Any, list[tuple[Any, float, float]]]:
    """Compile with Pyomo; constant constraints that are false come as (constraint, low, high)."""
    from pyomo.common.errors import InfeasibleConstraintException
    from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

    def write() -> Any:
        # set_sense=None keeps a maximisation a maximisation.
        return LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)

    try:
        return write(), []
    except InfeasibleConstraintException:
        # Pyomo refuses the model, we want a status and a reason: set those rows aside meanwhile.
        false_rows = list(_false_constants(model))
        for constraint, _, _ in false_rows:
            constraint.deactivate()
        try:
            return write(), false_rows
        finally:
            for constraint, _, _ in false_rows:
                constraint.activate()


def _false_constants(model: Any) -> Iterable[tuple[Any, float, float]]:
    from pyomo.core import Constraint, value
    from pyomo.repn import generate_standard_repn

    for constraint in model.component_data_objects(Constraint, active=True, descend_into=True):
        low, body, high = constraint.to_bounded_expression()
        repn = generate_standard_repn(body, compute_values=True)
        if repn.is_constant():
            low = -np.inf if low is None else value(low) - repn.constant
            high = np.inf if high is None else value(high) - repn.constant
            if low > 0 or high < 0:
                yield constraint, low, high


def _objective(info: Any, n_columns: int) -> tuple[Vector, float, bool]:
    from pyomo.core import maximize

    if len(info.objectives) > 1:
        names = ", ".join(objective.name for objective in info.objectives)
        raise ValueError(f"The model has {len(info.objectives)} active objectives: {names}.")
    cost = np.zeros(n_columns)
    if not info.objectives:
        return cost, 0.0, False
    cost[: len(info.columns)] = info.c.toarray().ravel()
    return cost, float(info.c_offset[0]), info.objectives[0].sense == maximize


def _merged_rows(info: Any) -> tuple[Any, list[Any], Vector, Vector]:
    """Join the upper and the lower half into which the mixed form splits a ranged row."""
    kinds = np.array([row.bound_type for row in info.rows], dtype=np.int8)
    bounds = np.asarray(info.rhs, dtype=np.float64)
    lower = np.where(kinds == 1, -np.inf, bounds)
    upper = np.where(kinds == -1, np.inf, bounds)
    constraints = [row.constraint for row in info.rows]
    halves = [k for k in range(1, len(constraints)) if constraints[k] is constraints[k - 1]]
    if not halves:
        return info.A, constraints, lower, upper
    lower[np.array(halves) - 1] = lower[halves]
    kept = np.delete(np.arange(len(constraints)), halves)
    return info.A.tocsr()[kept], [constraints[k] for k in kept], lower[kept], upper[kept]


def _domains(variables: tuple[Any, ...]) -> tuple[Vector, Vector, Mask]:
    bounds = [v.bounds for v in variables]
    lower = np.array([-np.inf if low is None else low for low, _ in bounds], dtype=np.float64)
    upper = np.array([np.inf if high is None else high for _, high in bounds], dtype=np.float64)
    integer = np.array([v.is_integer() for v in variables], dtype=np.bool_)
    for k in np.flatnonzero(~integer):
        if not variables[k].is_continuous():
            raise ValueError(
                f"The domain of variable {variables[k].name} is neither continuous nor all "
                "integers of an interval."
            )
    return lower, upper, integer


def _hold_at_zero(lower: Vector, upper: Vector, integer: Mask, first: int) -> None:
    """Fix the idle columns, from `first` on, at their value nearest 0 if they have any value."""
    idle = slice(first, None)
    low = np.where(integer[idle], np.ceil(lower[idle]), lower[idle])
    high = np.where(integer[idle], np.floor(upper[idle]), upper[idle])
    value = np.clip(0.0, low, np.maximum(low, high))
    possible = low <= high
    lower[idle] = np.where(possible, value, lower[idle])
    upper[idle] = np.where(possible, value, upper[idle])


def _values(compiled: CompiledModel) -> dict[str, Any]:
    return _by_name(
        _variable_components(compiled),
        lambda v: True,
        lambda v: float("nan") if v.value is None else float(v.value),
    )


def _duals(compiled: CompiledModel, row_duals: Vector) -> dict[str, Any]:
    from pyomo.core import Constraint

    dual = dict(zip(map(id, compiled.rows), row_duals.tolist(), strict=True))
    components = compiled.model.component_objects(Constraint, active=True, descend_into=True)
    return _by_name(components, lambda c: c.active, lambda c: dual.get(id(c), 0.0))


def _reduced_costs(compiled: CompiledModel, reduced_costs: Vector) -> dict[str, Any]:
    cost = dict(zip(map(id, compiled.columns), reduced_costs.tolist(), strict=True))
    return _by_name(_variable_components(compiled), lambda v: id(v) in cost, lambda v: cost[id(v)])


def _variable_components(compiled: CompiledModel) -> Iterable[Any]:
    """Return the variables of the model, then those that it borrows from elsewhere."""
    from pyomo.core import Var

    own = compiled.model.component_objects(Var, active=True, descend_into=True)
    components = {id(component): component for component in own}
    for variable in compiled.columns:
        component = variable.parent_component()
        components.setdefault(id(component), component)
    return components.values()


def _by_name(
    components: Iterable[Any], wanted: Callable[[Any], bool], value: Callable[[Any], float]
) -> dict[str, Any]:
    """Collect a value of each component, a dict of index -> value if it is indexed."""
    named: dict[str, Any] = {}
    for component in components:
        if component.is_indexed():
            named[component.name] = {k: value(d) for k, d in component.items() if wanted(d)}
        elif len(component) and wanted(component):  # a skipped scalar constraint has no data
            named[component.name] = value(component)
    return named


def _conflict_names(compiled: CompiledModel) -> list[str]:
    conflict = find_conflict(compiled.arrays)
    names = [compiled.rows[row].name for row in conflict.rows]
    for indices, sign, bounds in (
        (conflict.lower, ">=", compiled.arrays.lower),
        (conflict.upper, "<=", compiled.arrays.upper),
    ):
        names += [f"{compiled.columns[j].name} {sign} {bounds[j] + 0.0:.12g}" for j in indices]
    return names
