"""Exercises of notebook 10: right answers, and those that are typically wrong."""

import pyomo.environ as pyo
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong


def cache_model(size, asked, memory, *, room=True, own=True, anybody=True, whole=True):
    """Build a model with a variable a model that says whether any server keeps it."""
    n, models = asked.shape
    S, K, m = range(n), range(models), pyo.ConcreteModel()
    kept = pyo.Binary if whole else pyo.UnitInterval
    m.x = pyo.Var(S, K, domain=kept)
    m.found = pyo.Var(K, bounds=(0, 1))
    if anybody:
        m.any = pyo.Constraint(K, rule=lambda m, k: m.found[k] <= sum(m.x[i, k] for i in S))
    if room:
        m.room = pyo.Constraint(
            S, rule=lambda m, i: sum(size[k] * m.x[i, k] for k in K) <= memory[i]
        )
    m.cost = pyo.Objective(
        expr=sum(
            asked[j, k] * (4 - 3 * m.found[k] - (m.x[j, k] if own else 0)) for j in S for k in K
        )
    )
    return m


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_right_model(seed):
    """A model with one variable a model and a server passes."""
    right("10-1", cache_model, seed)


@pytest.mark.parametrize(
    "mistake", [{"room": False}, {"own": False}, {"anybody": False}, {"whole": False}], ids=str
)
def test_wrong_models(mistake):
    """Forgotten memory, forgotten own cache, models found nowhere, halves of models."""
    wrong("10-1", lambda *data: cache_model(*data, **mistake), "enumeration finds")


def test_no_model():
    """The optimum itself is no model."""
    wrong("10-1", lambda size, asked, memory: 9.0, "a Pyomo ConcreteModel is expected")


def test_predictions():
    """The rule costs 32, the best plan 9, and the sums of rows prove 0."""
    guess_right("10-p1", (32, 9))
    guess_wrong("10-p1", (24, 9), "32")
    guess_wrong("10-p1", None, "no")
    guess_right("10-p2", 0)
    guess_wrong("10-p2", 9, "it is 0")
