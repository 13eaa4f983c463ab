"""Exercises of notebook 02: right answers, and those that are typically wrong."""

import numpy as np
import pyomo.environ as pyo
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong

import optedge as oe


def least(p):
    """Bisect on the slope of the line on top."""
    value, usage, limit = p.value, p.usage[0], p.limits[0]

    def theta(alpha):
        return (value - alpha * (usage - limit)).max()

    def falls(alpha):
        return usage[(value - alpha * (usage - limit)).argmax()] > limit

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falls(middle) else (low, middle)
    price = 0.0 if theta(0) <= theta(high) else high
    return price, theta(price)


def integer_price(p):
    """Try whole prices only."""
    return min(((k, p.theta(k)) for k in range(20)), key=lambda pair: pair[1])


def optimum_as_theta(p):
    """Return the integer optimum in place of the dual's value."""
    return p.minimise_dual().alpha[0], p.minimise_dual().optimum


def without_the_refund(p):
    """Forget to pay back what a limit leaves."""
    price = p.minimise_dual().alpha[0]
    return price, (p.value - price * p.usage[0]).max()


def product(value, usage, limits, *, lower=True, rooms=True, relax=False):
    """Build the model of two choices and their product."""
    m, (rows, columns) = pyo.ConcreteModel(), value.shape
    m.J, m.K = pyo.RangeSet(0, rows - 1), pyo.RangeSet(0, columns - 1)
    m.y, m.z = pyo.Var(m.J, domain=pyo.Binary), pyo.Var(m.K, domain=pyo.Binary)
    m.w = pyo.Var(m.J, m.K, domain=pyo.NonNegativeReals)
    m.position = pyo.Constraint(expr=sum(m.y[j] for j in m.J) == 1)
    m.server = pyo.Constraint(expr=sum(m.z[k] for k in m.K) == 1)
    m.at_y = pyo.Constraint(m.J, m.K, rule=lambda m, j, k: m.w[j, k] <= m.y[j])
    m.at_z = pyo.Constraint(m.J, m.K, rule=lambda m, j, k: m.w[j, k] <= m.z[k])
    if lower:
        m.both = pyo.Constraint(m.J, m.K, rule=lambda m, j, k: m.w[j, k] >= m.y[j] + m.z[k] - 1)
    if rooms:
        m.room = pyo.Constraint(
            m.K,
            rule=lambda m, k: sum(float(usage[j, k]) * m.w[j, k] for j in m.J) <= float(limits[k]),
        )
    earned = sum(float(value[j, k]) * m.w[j, k] for j in m.J for k in m.K)
    m.earned = pyo.Objective(expr=earned, sense=pyo.maximize)
    if relax:
        pyo.TransformationFactory("core.relax_integer_vars").apply_to(m)
    return m


def single(value, usage, limits):
    """Build the model of one choice among the pairs that fit, minimised."""
    m = pyo.ConcreteModel()
    fitting = [tuple(pair) for pair in np.argwhere(usage <= limits).tolist()]
    m.y = pyo.Var([tuple(pair) for pair in np.argwhere(usage >= 0).tolist()], domain=pyo.Binary)
    m.choose = pyo.Constraint(expr=sum(m.y.values()) == 1)
    m.fit = pyo.ConstraintList()
    for pair in set(m.y.keys()) - set(fitting):
        m.fit.add(m.y[pair] <= 0)
    m.lost = pyo.Objective(expr=-sum(float(value[pair]) * m.y[pair] for pair in m.y))
    return m


def test_predictions():
    """DIS is tight and AGG gives 2.75; both sides agree at 0, 3, 7 and 12."""
    guess_right("02-p1", ("DIS", 2.75))
    guess_wrong("02-p1", ("AGG", 2), "it is 'DIS', 2.75")
    guess_right("02-p2", [0, 3, 7, 12])
    guess_right("02-p2", (12, 7, 3, 0))
    guess_wrong("02-p2", [0, 2, 3, 7, 12], "it is [0, 3, 7, 12]")


def test_values():
    """02-1 is .8 at 11; the gap of the notebook and other limits are refused."""
    right("02-1", (0.8, 11))
    wrong("02-1", (0.75, 6), "a gap of 0.75 is too small")
    wrong("02-1", (1, 12), "a gap of 1 is too large")
    wrong("02-1", (0.8, 12), "not at a memory limit of 12")
    wrong("02-1", 0.8, "an array of shape (2,) is expected")


def test_counterexamples():
    """A valuable position that is barely too large counts; tame and faulty ones do not."""
    right("02-3", ([0, 1, 100], [0, 1, 10], 9))
    right("02-3", oe.SplitProblem([1, 1, 1000], [[0, 0, 2]], [1]))
    wrong("02-3", ([0, 1, 2], [0, 2, 3], 2), "the relaxation is worth")
    wrong("02-3", ([0, 0, 100], [0, 1, 10], 9), "a ratio needs a positive one")
    wrong("02-3", ([1, 100], [1, 10], 9), "three positions and one limit are asked for, got 2")
    wrong("02-3", ([1, 2, 100], [5, 6, 10], 4), "no position meets the limit")
    wrong("02-3", ([0, 1, 100], [0, 1], 9), "usage")
    wrong("02-3", ([0, 1, 100], [0, 1, 10], "nine"), "one number is expected")
    wrong("02-3", 90, "(value, usage, limit) is expected")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """Bisection finds the LP's value; two choices and one choice of pairs equal enumeration."""
    right("02-2", least, seed)
    right("02-4", product if seed % 2 else single, seed)


@pytest.mark.parametrize("seed", seeds(25, 1))
def test_wrong_functions(seed):
    """Coarse prices, a bound that is none, and models that say too little meet an instance."""
    wrong("02-2", integer_price, "at a better one", seed)
    wrong("02-2", lambda p: (0, p.theta(0)), "at a better one", seed)
    wrong("02-2", optimum_as_theta, "at your price", seed)
    wrong("02-2", without_the_refund, "at your price", seed)
    wrong("02-2", lambda p: p.bound("LP").value, "an array of shape (2,) is expected", seed)
    wrong("02-4", lambda *c: product(*c, rooms=False), "your model earns", seed)
    wrong("02-4", lambda *c: product(*c, lower=False), "your model earns", seed)
    wrong("02-4", lambda *c: product(*c, relax=True), "your model earns", seed)
    wrong("02-4", lambda *c: pyo.ConcreteModel(), "your model has no objective", seed)
    wrong("02-4", lambda value, usage, limits: value.max(), "ConcreteModel is expected", seed)
