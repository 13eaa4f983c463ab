"""The bound of any linear model: weak duality in safe arithmetic, against fractions and HiGHS.

``Linear`` is a problem whose model is a given program; its rows, its bounds and its certificate
are those of the base class.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from conftest import INF
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

import optedge as oe
from optedge.bridge import compile_model


@dataclasses.dataclass(frozen=True, eq=False)
class Linear(oe.Problem):
    """A linear program over integers: min cost @ x, low <= rows @ x <= high, x in a box."""

    cost: Any = oe.array_field("n", negative=True)
    rows: Any = oe.array_field("m", "n", negative=True)
    low: Any = oe.array_field("m", negative=True)
    high: Any = oe.array_field("m", negative=True, infinite=True)
    upper: Any = oe.array_field("n", infinite=True)
    sense: int = 1

    def objective(self, x):
        """Return the cost of ``x`` where it keeps every row."""
        sums = self.rows @ x
        inside = (sums >= self.low - 1e-9) & (sums <= self.high + 1e-9)
        return float(self.cost @ x) + 1.5 if inside.all() else INF

    def model(self, kind=None, *, relax=False):
        """Return the program as it is."""
        m = pyo.ConcreteModel()
        domain = pyo.NonNegativeReals if relax else pyo.NonNegativeIntegers
        ends = [(0, None if math.isinf(u) else u) for u in self.upper.tolist()]
        m.x = pyo.Var(range(self.cost.size), domain=domain, bounds=lambda m, j: ends[j])
        m.cost = pyo.Objective(
            expr=sum(c * m.x[j] for j, c in enumerate(self.cost.tolist())) + 1.5, sense=self.sense
        )
        m.row = pyo.ConstraintList()
        sides = zip(self.rows.tolist(), self.low.tolist(), self.high.tolist(), strict=True)
        for row, low, high in sides:
            body = sum(a * m.x[j] for j, a in enumerate(row))
            m.row.add((low, body, None if math.isinf(high) else high))
        return m

    def extract(self, model):
        """Return the values of the variables."""
        return np.array([v.value for v in model.x.values()])

    def fill(self, model, x):
        """Write the values of the variables."""
        for variable, value in zip(model.x.values(), x, strict=True):
            variable.value = value


def truth(p):
    """Return status and optimum of the relaxation by scipy's linprog."""
    found = linprog(
        p.cost,
        A_ub=np.concatenate([p.rows[np.isfinite(p.high)], -p.rows]),
        b_ub=np.concatenate([p.high[np.isfinite(p.high)], -p.low]),
        bounds=[(0, None if math.isinf(u) else u) for u in p.upper],
        method="highs",
    )
    return found.status, (found.fun + 1.5 if found.status == 0 else None)


def proved_exactly(p, y):
    """Return what multipliers prove by the boxes alone, in rational numbers; None for -inf."""
    lp = compile_model(p.model()).arrays
    matrix, total = lp.matrix.toarray(), Fraction(lp.offset)
    slopes = [Fraction(c) for c in lp.cost.tolist()]
    for i, multiplier in enumerate(y.tolist()):
        side = lp.row_lower[i] if multiplier > 0 else lp.row_upper[i]
        if multiplier == 0 or math.isinf(side):
            continue
        total += Fraction(multiplier) * Fraction(float(side))
        slopes = [
            s - Fraction(multiplier) * Fraction(a)
            for s, a in zip(slopes, matrix[i].tolist(), strict=True)
        ]
    for slope, low, high in zip(slopes, lp.lower.tolist(), lp.upper.tolist(), strict=True):
        end = low if slope > 0 else high
        if slope != 0 and math.isinf(end):
            return None
        total += slope * Fraction(end) if slope else 0
    return total


@st.composite
def programs(draw, *, boxed=False):
    """Draw a small program: whole and broken numbers, equality and ranged rows, open variables."""
    n, m = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    number = draw(st.sampled_from([st.integers(-5, 5).map(float), st.floats(-9, 9, width=32)]))
    low = [draw(number) for _ in range(m)]
    width = st.sampled_from([0.0, 3.0, INF])
    upper = st.integers(0, 6).map(float)
    if not boxed:
        upper = st.one_of(upper, st.just(INF))
    return Linear(
        [draw(number) for _ in range(n)],
        [[draw(number) for _ in range(n)] for _ in range(m)],
        low,
        [v + draw(width) for v in low],
        [draw(upper) for _ in range(n)],
    )


@given(programs())
def test_never_above_the_linear_program(p):
    """The bound is at most the optimum of the relaxation, and inf only where there is none."""
    status, optimum = truth(p)
    bound = p.bound("LP")
    if status == 2:
        assert bound.value == INF
    elif status == 3:
        assert bound.value == -INF
    else:
        assume(status == 0)
        assert bound.value <= optimum + 1e-7 * max(1, abs(optimum))
    if bound.certificate is not None:
        assert p.certify(bound.certificate) == bound.value == bound.certificate.value


@given(programs(boxed=True))
def test_the_whole_value_where_everything_is_bounded(p):
    """With bounds on every variable nothing is lost but rounding, and there is a certificate."""
    status, optimum = truth(p)
    assume(status == 0)
    bound = p.bound("LP")
    scale = max(1.0, abs(optimum), float(np.abs(p.cost) @ p.upper))
    assert bound.value == pytest.approx(optimum, rel=1e-9, abs=1e-7 * scale)
    assert bound.certificate is not None


@given(programs(boxed=True), st.data())
def test_any_multipliers_are_a_bound(p, data):
    """Tampered multipliers prove something else, and what they prove is true to the last digit."""
    rows = compile_model(p.model()).arrays.matrix.shape[0]
    number = st.one_of(st.floats(-50, 50), st.sampled_from([0.0, 1e-300, 1e9, -1e9]))
    y = np.array([data.draw(number) for _ in range(rows)])
    value = p.certify(oe.Certificate("rows", 0.0, {"multipliers": y}))
    exact = proved_exactly(p, y)
    assert exact is not None
    assert Fraction(value) <= exact  # every variable has its own bounds: nothing was implied
    size = float(abs(exact)) + float(np.abs(y).sum() + 1) * 1e3
    assert value >= float(exact) - 1e-9 * size
    status, optimum = truth(p)
    if status == 0:
        assert value <= optimum + 1e-7 * size


@given(programs(), st.data())
def test_any_multipliers_where_variables_are_open(p, data):
    """Bounds that the rows imply make no multiplier prove more than the optimum."""
    status, optimum = truth(p)
    assume(status == 0)
    rows = compile_model(p.model()).arrays.matrix.shape[0]
    y = np.array([data.draw(st.floats(-9, 9)) for _ in range(rows)])
    value = p.certify(oe.Certificate("rows", 0.0, {"multipliers": y}))
    assert value <= optimum + 1e-6 * max(1.0, abs(optimum), float(np.abs(y).sum()))


def test_an_open_variable_by_hand():
    """Min x + y, x + 2 y >= 3.1 without upper bounds: 1.55, although no box helps."""
    p = Linear([1.0, 1.0], [[1.0, 2.0]], [3.1], [INF], [INF, INF])
    bound = p.bound("LP")
    assert bound.value == pytest.approx(1.55 + 1.5, rel=1e-9)
    assert bound.value <= 1.55 + 1.5
    assert p.certify(bound.certificate) == bound.value


def test_infeasible_and_unbounded():
    """No point at all is inf, a cost that falls for ever -inf; neither has a certificate."""
    none = Linear([1.0], [[1.0]], [3.0], [INF], [2.0])
    endless = Linear([-1.0], [[1.0]], [3.0], [INF], [INF])
    assert (none.bound("LP").value, none.bound("LP").certificate) == (INF, None)
    assert (endless.bound("LP").value, endless.bound("LP").certificate) == (-INF, None)
    assert oe.solve(none, "highs").status == "INFEASIBLE"


def test_maximisation_is_refused():
    """A bound from above is none."""
    p = Linear([1.0], [[1.0]], [0.0], [3.0], [2.0], sense=pyo.maximize)
    with pytest.raises(ValueError, match="model 'model' of Linear is maximised; objectives are"):
        p.bound("LP")


@pytest.mark.parametrize(
    "arrays",
    [{}, {"multipliers": [1.0]}, {"multipliers": [[1.0, 2.0]]}, {"multipliers": [1.0, math.nan]},
     {"multipliers": [INF, 0.0]}, {"weights": [1.0, 0.0]}],
)  # fmt: skip
def test_malformed_multipliers_are_refused(arrays):
    """One finite number a row, nothing else."""
    p = Linear([1.0, 2.0], [[1.0, 1.0], [1.0, -1.0]], [1.0, 0.0], [4.0, 4.0], [3.0, 3.0])
    with pytest.raises(ValueError, match="'rows' needs the array 'multipliers' of 2 numbers"):
        p.certify(oe.Certificate("rows", 0.0, arrays))
    with pytest.raises(ValueError, match="Linear knows no certificate 'prices'"):
        p.certify(oe.Certificate("prices", 0.0, {"multipliers": [1.0, 0.0]}))


def test_a_tampered_result_is_found_out():
    """Who changes the multipliers of a result proves less than it claims."""
    p = Linear([2.0, 3.0], [[1.0, 1.0], [1.0, -1.0]], [1.5, 0.0], [4.0, 4.0], [3.0, 3.0])
    r = oe.solve(p, lambda problem, run: np.array([2.0, 0.0]))
    assert oe.verify(r).verdict == "certified"
    forged = dataclasses.replace(
        r, certificate=oe.Certificate("rows", r.bound, {"multipliers": [0.1, 0.0]})
    )
    check = oe.verify(forged)
    assert not check
    assert check.verdict == "does not prove it"
