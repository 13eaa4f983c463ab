"""Problem classes as users write them, each wrong in one way: refused or told in one sentence.

``Parcels`` is right: each parcel goes into one of two vans, the later van counts. Every class below
it changes one method.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

import optedge as oe

own = dataclasses.dataclass(frozen=True, eq=False)
INF = math.inf


@own
class Parcels(oe.Problem):
    """Parcels into two vans; the time of the later van."""

    minutes: Any = oe.array_field("n_parcels")
    slow: float = 1.5  # the second van takes this much longer
    name: str = ""

    @property
    def choices(self):
        """Every parcel into any van."""
        return np.ones((self.minutes.size, 2), dtype=bool)

    def objective(self, x):
        """Return the time of the later van."""
        x = np.asarray(x)
        return float(max(self.minutes[x == 0].sum(), self.slow * self.minutes[x == 1].sum()))

    def model(self, kind=None, *, relax=False):
        """Return the model: one variable a parcel, 1 for the second van."""
        m = pyo.ConcreteModel()
        m.x = pyo.Var(range(self.minutes.size), domain=pyo.UnitInterval if relax else pyo.Binary)
        m.late = pyo.Var(domain=pyo.NonNegativeReals)
        m.cost = pyo.Objective(expr=m.late)
        m.first = pyo.Constraint(expr=sum(v * (1 - m.x[i]) for i, v in self.items()) <= m.late)
        m.second = pyo.Constraint(
            expr=sum(self.slow * v * m.x[i] for i, v in self.items()) <= m.late
        )
        return m

    def items(self):
        """Return the minutes as plain numbers."""
        return list(enumerate(self.minutes.tolist()))

    def extract(self, model):
        """Return the van of each parcel."""
        return np.array([round(v.value) for v in model.x.values()])

    def fill(self, model, x):
        """Write vans and the later time into the model."""
        for i, variable in model.x.items():
            variable.value = int(x[i])
        model.late.value = self.objective(x)


MINUTES = [4.0, 3.0, 3.0, 2.0, 2.0]


def test_the_right_one_is_right():
    """The class that the others are made from has no contradiction, and is solved to optimality."""
    p = Parcels(MINUTES)
    assert oe.check_problem(p) == []
    r = oe.solve(p, "highs")
    assert (r.status, r.objective) == ("OPTIMAL", 9.0)
    assert oe.solve(p, "enumeration").objective == 9.0
    assert oe.verify(oe.solve(p, "local-search", max_evaluations=500)).verdict == "certified"


# --------------------------------------------------------------------- refused when it is made


def lacking_objective():
    """Make a class without an objective."""

    @own
    class Aimless(oe.Problem):
        minutes: Any = oe.array_field("n")

    return Aimless(MINUTES)


def no_dataclass():
    """Make a class that was not decorated."""

    class Plain(oe.Problem):
        minutes: Any = oe.array_field("n")

        def objective(self, x):
            return 0.0

    return Plain(MINUTES)


def simple_equality():
    """Make a dataclass whose arrays would be compared by ``==``."""

    @dataclasses.dataclass(frozen=True)
    class Equal(Parcels):
        more: float = 0.0

    return Equal(MINUTES)


def model_alone():
    """Make a class whose model nobody can read."""

    @own
    class Closed(oe.Problem):
        minutes: Any = oe.array_field("n")

        def objective(self, x):
            return 0.0

        def model(self, kind=None, *, relax=False):
            return pyo.ConcreteModel()

    return Closed(MINUTES)


def costs_alone():
    """Make a class that prices codes but does not say which there are."""

    @own
    class Priced(oe.Problem):
        minutes: Any = oe.array_field("n")

        def objective(self, x):
            return 0.0

        def costs(self, codes):
            return np.zeros(len(codes))

    return Priced(MINUTES)


def model_without_relax():
    """Make a class whose model cannot be relaxed."""

    @own
    class Rigid(Parcels):
        def model(self, kind=None):
            return Parcels.model(self)

    return Rigid(MINUTES)


def a_field_called_data():
    """Make a class with a field where the base class has something of its own."""

    @own
    class Hidden(Parcels):
        data: Any = oe.array_field("n_parcels", default=None)

    return Hidden(MINUTES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lacking_objective, r"Aimless lacks the method objective\(x\)"),
        (no_dataclass, r"Plain: decorate the class with @dataclasses.dataclass.*minutes is no fi"),
        (simple_equality, r"Equal: decorate the class .*eq=False.*no simple equality"),
        (model_alone, r"Closed gives model, but lacks extract and fill\."),
        (costs_alone, r"Priced gives costs, but lacks choices\."),
        (model_without_relax, r"Rigid\.model must take \(self, kind=None, \*, relax=False\), got"),
        (a_field_called_data, r"Hidden: the field data hides what every problem has by that name"),
    ],
)
def test_what_construction_refuses(make, message):
    """A class that lacks something says so when its first instance is made."""
    with pytest.raises(TypeError, match=message) as caught:
        make()
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, math.nan], r"minutes\[1\] is NaN"),
        ([[1.0], [2.0]], r"minutes must have shape \(n_parcels,\)"),
        ([], r"minutes must have shape .* non-empty"),
        (["a"], "minutes must be an array of numbers"),
        ([-1.0], r"minutes\[0\] is negative"),
    ],
)
def test_bad_data_of_an_own_class(values, message):
    """Declared arrays are checked for users' classes as for those of the package."""
    with pytest.raises(ValueError, match=message):
        Parcels(values)


def test_choices_may_be_a_field():
    """Who gives the choices as data has codes like any other."""

    @own
    class Free(oe.Problem):
        choices: Any = oe.array_field("n", "m", dtype=bool)

        def objective(self, x):
            return float(np.sum(x))

    p = Free([[True, True], [False, True]])
    assert oe.solve(p, "enumeration").solution.tolist() == [0, 1]
    assert oe.solve(p, "annealing", max_evaluations=50).objective == 1.0


# --------------------------------------------------------------------- refused by solve


def changed(**methods):
    """Return an instance of a class that is Parcels but for some methods."""
    return own(type("Changed", (Parcels,), {**methods, "__module__": __name__}))(MINUTES)


def nonlinear(self, kind=None, *, relax=False):
    """Return a model with a square."""
    m = Parcels.model(self, relax=relax)
    m.square = pyo.Constraint(expr=m.late**2 <= 400)
    return m


def maximised(self, kind=None, *, relax=False):
    """Return a model in the wrong sense."""
    m = Parcels.model(self, relax=relax)
    m.del_component("cost")
    m.cost = pyo.Objective(expr=m.late, sense=pyo.maximize)
    return m


def too_dear(self, kind=None, *, relax=False):
    """Return a model whose optimum is above the objective's."""
    m = Parcels.model(self, relax=relax)
    m.cost.expr = m.late + 3
    return m


def wide_choices(self):
    """Return choices with a third van for which there is no time."""
    return np.ones((self.minutes.size, 3), dtype=bool)


def high_bound(self, name):
    """Return a bound above every solution."""
    return oe.Bound("LP", 99.0)


SOLVE = {
    "objective None": (dict(objective=lambda s, x: None), "local-search", TypeError,
                       r"Changed.objective must return a number, got None for array"),
    "objective array": (dict(objective=lambda s, x: s.minutes), "random", TypeError,
                        r"Changed.objective must return a number, got array"),
    "objective NaN": (dict(objective=lambda s, x: math.nan), "annealing", ValueError,
                      "Changed.objective returned NaN for array"),
    "costs NaN": (dict(costs=lambda s, c: np.full(len(c), np.nan)), "genetic", ValueError,
                  r"Changed.costs returned NaN for the code \[[01, ]+\]"),
    "costs of a wrong shape": (dict(costs=lambda s, c: np.ones((len(c), 2))), "random", ValueError,
                               r"Changed.costs must return an array of 1 costs, got \(1, 2\)"),
    "costs disagree": (dict(costs=lambda s, c: np.ones(len(c))), "local-search", oe.SolverError,
                       r"Changed contradicts itself: costs says 1.0 for the code .* decode"),
    "choices of 0 and 1": (dict(choices=property(lambda s: np.ones((5, 2), int))), "annealing",
                           ValueError, r"Changed.choices must be a matrix of bool .* int64 of"),
    "choices in lists": (dict(choices=property(lambda s: [[True] * 2] * 5)), "random",
                         ValueError, r"Changed.choices must be a matrix of bool .*got list"),
    "nothing to choose": (dict(choices=property(lambda s: np.eye(5, dtype=bool)[:, 1:])),
                          "ant-colony", ValueError, "Changed.choices: decision 0 has no option"),
    "not linear": (dict(model=nonlinear), "highs", ValueError, "square"),
    "not linear, any solver": (dict(model=nonlinear), "annealing", ValueError, "square"),
    "no model": (dict(model=lambda s, kind=None, *, relax=False: None), "highs", TypeError,
                 "a Pyomo model is expected, got NoneType"),
    "maximised": (dict(model=maximised), "highs", ValueError,
                  "model 'model' of Changed is maximised; objectives are minimised"),
    "bound too high": (dict(compute_bound=high_bound, bound_names=("LP",)), "random",
                       oe.SolverError, "Changed contradicts itself: its bound LP is 99.0, but a"),
    "bound is a number": (dict(compute_bound=lambda s, n: 3.0, bound_names=("LP",)), "random",
                          TypeError, "Changed.compute_bound must return a Bound"),
    "model too dear": (dict(model=too_dear, bound_names=(), compute_bound=high_bound), "highs",
                       oe.SolverError, r"highs claims .* the model of Changed and its objective"),
}  # fmt: skip


@pytest.mark.parametrize("case", SOLVE)
def test_what_solve_refuses(case):
    """What shows at run time ends the run with a sentence that names class and method."""
    methods, solver, error, message = SOLVE[case]
    with pytest.raises(error, match=message) as caught:
        oe.solve(changed(**methods), solver, max_evaluations=200)
    assert len(str(caught.value)) < 300


def test_a_solver_that_offers_nan():
    """A value that is no number is not quietly passed over."""

    def lost(problem, run):
        run.offer(np.zeros(5, dtype=int), math.nan)

    with pytest.raises(oe.SolverError, match="the value of a solution must be a number, got NaN"):
        oe.solve(Parcels(MINUTES), lost)


def test_a_model_maximised_without_a_bound():
    """HiGHS' bound of a maximisation is none of ours, also where no bound is attached."""
    with pytest.raises(ValueError, match="is maximised; objectives are minimised"):
        oe.solve(changed(model=maximised), "highs", bound=False)


# --------------------------------------------------------------------- told by check_problem


def forgetful(self, model, x):
    """Write the vans only."""
    for i, variable in model.x.items():
        variable.value = int(x[i])


def fractional(self, model, x):
    """Write halves."""
    for variable in model.x.values():
        variable.value = 0.5
    model.late.value = 40.0


def too_early(self, model, x):
    """Write a time at which the vans are still on their way."""
    Parcels.fill(self, model, x)
    model.late.value -= 1


def too_late(self, model, x):
    """Write a time after the vans are back."""
    Parcels.fill(self, model, x)
    model.late.value += 1


def too_cheap(self, kind=None, *, relax=False):
    """Return a model without the slower van's row."""
    m = Parcels.model(self, relax=relax)
    m.second.deactivate()
    return m


def crowded(self, kind=None, *, relax=False):
    """Return a model that leaves out the best solutions."""
    m = Parcels.model(self, relax=relax)
    m.third = pyo.Constraint(expr=sum(m.x.values()) <= 1)
    return m


def impossible(self, kind=None, *, relax=False):
    """Return a model without any solution."""
    m = Parcels.model(self, relax=relax)
    m.never = pyo.Constraint(expr=m.late <= -1)
    return m


def unbounded(self, kind=None, *, relax=False):
    """Return a model whose cost falls for ever."""
    m = Parcels.model(self, relax=relax)
    m.loss = pyo.Var(domain=pyo.NonNegativeReals)
    m.cost.expr = m.late - m.loss
    return m


def never_relaxed(self, kind=None, *, relax=False):
    """Return the model as it is, whatever was asked."""
    return Parcels.model(self)


def proves_less(self, name):
    """Return a bound above what its certificate proves."""
    true = Parcels.compute_bound(self, name)
    return dataclasses.replace(true, value=true.value + 0.3)


def above_the_optimum(self, name):
    """Return a bound between the optimum and most solutions."""
    return oe.Bound(name, 9.5)


def aliased(self, code):
    """Return one array for all codes."""
    self.__dict__.setdefault("_kept", np.zeros(5, int))[:] = code
    return self.__dict__["_kept"]


def greedy_objective(self, x):
    """Sort the solution while valuing it."""
    value = Parcels.objective(self, x)
    if isinstance(x, np.ndarray) and x.flags.writeable:
        x.sort()
    return value


def moody(self, x):
    """Return another value each time."""
    self.__dict__["_calls"] = self.__dict__.get("_calls", 0) + 1
    return Parcels.objective(self, x) + 1e-3 * self.__dict__["_calls"]


def batch_costs(self, codes):
    """Return costs that depend on who else is priced."""
    costs = np.array([self.objective(code) for code in codes])
    return costs - costs.min() if len(codes) > 1 else costs


def raw(self):
    """Leave out the checks of the base class."""


CHECK = {
    "costs disagree": (dict(costs=lambda s, c: c.sum(axis=1) + 0.5), "costs says .* objective of"),
    "costs of a wrong shape": (dict(costs=lambda s, c: 1.0), "Changed.costs must return an array"),
    "costs NaN": (dict(costs=lambda s, c: c.sum(axis=1) * np.nan), "costs returned NaN for the"),
    "costs by neighbours": (dict(costs=batch_costs), "among others, .* alone"),
    "objective NaN": (dict(objective=lambda s, x: math.nan), "objective returned NaN for"),
    "objective None": (dict(objective=lambda s, x: None), "objective must return a number, got N"),
    "objective sorts": (dict(objective=greedy_objective), "evaluating .* changed it to"),
    "objective moody": (dict(objective=moody), "alone|the second|objective of its decode"),
    "violations None": (dict(violations=lambda s, x: None), "violations must return a list"),
    "violations a word": (dict(violations=lambda s, x: "late"), "violations must return a list"),
    "violations disagree": (dict(violations=lambda s, x: ["late."]), "its violations are .*late"),
    "metrics a number": (dict(metrics=lambda s, x: 3.0), "metrics must return a dict"),
    "decode in place": (dict(decode=aliased), "changed its value after other codes"),
    "encode reversed": (dict(encode=lambda s, x: 1 - np.asarray(x)), "encode: the code of .* cos"),
    "encode outside": (dict(encode=lambda s, x: x + 7), "encode gives decision 0 the option"),
    "encode short": (dict(encode=lambda s, x: x[1:]), "encode must return 5 integers"),
    "choices wide": (dict(choices=property(lambda s: np.ones((5, 2), int))), "matrix of bool"),
    "partial short": (dict(partial=lambda s, c, i: np.zeros(1)), "partial must return 2 numbers"),
    "start outside": (dict(start_code=lambda s: np.full(5, 9)), "start_code gives decision 0"),
    "not linear": (dict(model=nonlinear), "square"),
    "maximised": (dict(model=maximised), "is maximised"),
    "no model": (dict(model=lambda s, kind=None, *, relax=False: None), "a Pyomo model is expect"),
    "model too dear": (dict(model=too_dear), "optimum is 12, but a solution of 9 exists"),
    "model too cheap": (dict(model=too_cheap), "optimum is 0, its solution's objective 21"),
    "model too narrow": (dict(model=crowded), "optimum is 10, but a solution of 9 exists"),
    "model impossible": (dict(model=impossible), "model is infeasible, but .* is feasible"),
    "model unbounded": (dict(model=unbounded), "the model is unbounded"),
    "relax forgotten": (dict(model=never_relaxed), r"relax=True the variable x\[0\] is still"),
    "extract None": (dict(extract=lambda s, m: None), "extract returns None"),
    "extract other": (dict(extract=lambda s, m: np.zeros(5, int)), "its solution's objective 14"),
    "fill forgets": (dict(fill=forgetful), "fill leaves late unset"),
    "fill halves": (dict(fill=fractional), r"fill sets x\[0\] to 0.5, outside of its domain"),
    "fill too early": (dict(fill=too_early), "breaks the row (first|second) of the model"),
    "fill too late": (dict(fill=too_late), "the model values .* at 10, the objective is 9"),
    "bound too high": (dict(compute_bound=above_the_optimum), "bound LP is 9.5, but a solution"),
    "bound a number": (dict(compute_bound=lambda s, n: 1.0), "must return a Bound"),
    "certificate": (dict(compute_bound=proves_less), "certificate of the bound LP proves 8.4, not"),
    "certify too much": (dict(certify=lambda s, c: 50.0), "proves 50: 9 exists"),
    "cheap bounds": (dict(cheap_bounds=("magic",)), "names 'magic', which is none of bound_names"),
    "no checks": (dict(__post_init__=raw), "minutes was not checked: a __post_init__"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECK)
def test_what_check_problem_tells(case):
    """Each contradiction is told in a sentence; the instance is small enough to be sure."""
    methods, message = CHECK[case]
    if "compute_bound" in methods or "cheap_bounds" in methods:
        methods = {"bound_names": ("LP",), **methods}
    told = oe.check_problem(changed(**methods))
    assert any(re.search(message, sentence) for sentence in told), told
    assert all("\n" not in sentence for sentence in told)


def test_a_bound_above_the_optimum_without_a_model():
    """Enumeration knows the optimum where there is no model, though no draw may meet it."""

    @own
    class Lock(oe.Problem):
        digits: int = 9

        @property
        def choices(self):
            return np.ones((self.digits, 2), dtype=bool)

        def objective(self, x):
            return 5.0 - 2 * bool(np.all(x))

        bound_names = ("guess",)

        def compute_bound(self, name):
            return oe.Bound(name, 4.0)

    told = oe.check_problem(Lock())
    assert "the bound guess is 4, but a solution of 3 exists." in told


@own
class Mirrored(Parcels):
    """Codes with the vans exchanged, and no way back."""

    def decode(self, code):
        """Return the vans that a code means."""
        return 1 - code


def test_encode_is_optional():
    """A class may decode without being able to encode; only a start is then refused."""
    p = Mirrored(MINUTES)
    assert oe.check_problem(p) == []
    assert oe.solve(p, "enumeration").objective == 9.0
    with pytest.raises(ValueError, match="Mirrored has no encode: a search cannot start there"):
        oe.solve(p, "annealing", start=np.zeros(5, dtype=int), bound=False)


def test_check_problem_takes_problems_only():
    """Anything else is a mistake of the caller, not a finding."""
    with pytest.raises(TypeError, match="a problem is expected"):
        oe.check_problem(np.ones(3))


# ---------------------------------------------------------------- solvers of a user


def test_an_infeasible_answer_is_told(capsys):
    """What a solver returned and the problem refuses stands in the result and in the table."""
    p = oe.MakespanProblem([[1.0, INF], [2.0, 3.0]])

    def wrong(problem, run):
        return [1, 1]

    r = oe.solve(p, wrong)
    assert (r.status, r.objective) == ("UNKNOWN", INF)
    assert "task 0 cannot use the server chosen" in r.info["refused"]
    study = oe.compare(p, wrong, seeds=1)
    assert study.runs["message"].str.contains("task 0 cannot use the server chosen").all()


def test_options_must_be_a_dataclass():
    """A class of options that lacks the decorator is refused when the solver is registered."""

    class Tries(oe.Options):
        tries: int = oe.option(50, "random codes", low=1)

    with pytest.raises(TypeError, match=r"Tries: decorate the class with @dataclasses.dataclass"):
        oe.register("no-dataclass", options=Tries)
    with pytest.raises(TypeError, match=r"options must be a class that inherits from oe\.Options"):
        oe.register("a-dict", options=dict)


def test_what_a_solver_needs_must_exist():
    """A word that no problem offers is refused; one class need not stand in a list."""
    with pytest.raises(ValueError, match=r"no problem offers 'codes'; .* code, enumerable"):
        oe.register("needs-codes", needs=("codes",))
    with pytest.raises(TypeError, match=r"'one-value' must be a function of \(problem, run\)"):
        oe.register("one-value", problems=oe.MakespanProblem)(lambda problem: None)


def test_minus_infinity_is_no_objective():
    """A maximiser's mark for infeasible codes would win every minimisation."""

    @dataclasses.dataclass(frozen=True, eq=False)
    class Profit(oe.Problem):
        gains: np.ndarray = oe.array_field("n")

        @property
        def choices(self):
            return np.ones((self.gains.size, 2), dtype=bool)

        def objective(self, x):
            return float(self.gains @ x) if sum(x) < 2 else -INF

    p = Profit([1.0, 2.0, 3.0])
    assert any("-inf" in sentence for sentence in oe.check_problem(p))
    with pytest.raises(ValueError, match=r"Profit.objective returned -inf"):
        oe.solve(p, "enumeration")


def test_costs_that_forget_a_limit_are_found():
    """A finite cost of a code whose solution is infeasible is a contradiction of costs."""

    @dataclasses.dataclass(frozen=True, eq=False)
    class Forgets(oe.Problem):
        weights: np.ndarray = oe.array_field("n")

        @property
        def choices(self):
            return np.ones((self.weights.size, 2), dtype=bool)

        def costs(self, codes):
            return -(codes @ self.weights)

        def objective(self, x):
            return -float(x @ self.weights) if x @ self.weights <= 3 else INF

    told = oe.check_problem(Forgets([1.0, 2.0, 3.0]))
    assert any(sentence.startswith("costs says") for sentence in told), told


def test_fields_of_a_user():
    """A number that is NaN, and an array that was not declared, are told by name."""

    @dataclasses.dataclass(frozen=True, eq=False)
    class Plainly(oe.Problem):
        latency: np.ndarray
        price: float = 1.0

        def objective(self, x):
            return 0.0

    with pytest.raises(ValueError, match="price is NaN"):
        Plainly(np.ones(2), price=math.nan)
    assert any("declare it with oe.array_field" in s for s in oe.check_problem(Plainly(np.ones(2))))
