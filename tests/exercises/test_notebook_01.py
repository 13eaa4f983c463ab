"""Exercises of notebook 01: right answers, and those that are typically wrong."""

import numpy as np
import pyomo.environ as pyo
import pytest
from conftest import seeds
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from trying import guess_right, guess_wrong, right, wrong

import optedge as oe


def shares(p):
    """Return the vertex of the pruned relaxation as a matrix."""
    model = p.pruned(p.bound("T*").value * (1 + 1e-9)).model(relax=True)
    x = np.zeros(p.times.shape)
    for pair, share in oe.solve_model(model).values["x"].items():
        x[pair] = share
    return x


def rounded(p):
    """Leave whole tasks where they are, and match the others to different servers."""
    x = shares(p)
    split = x.max(axis=1) < 1 - 1e-7
    plan = x.argmax(axis=1)
    graph = csr_array((x[split] > 1e-7).astype(np.int8))
    if split.any():
        plan[split] = maximum_bipartite_matching(graph, perm_type="column")
    return plan


def with_rows(p, memory, capacity):
    """Build the assignment model and add the memory rows."""
    m = p.model()
    m.room = pyo.ConstraintList()
    for j in m.J:
        used = sum(memory[i] * m.x[i, k] for i, k in m.E if k == j)
        m.room.add(used + 0 * m.C <= capacity[j])
    return m


def one_row(p, memory, capacity):
    """Let the servers share their memory."""
    m = p.model()
    m.room = pyo.Constraint(expr=sum(memory[i] * m.x[i, j] for i, j in m.E) <= capacity.sum())
    return m


def at_most_one(p, memory, capacity):
    """Allow tasks that go nowhere."""
    m = with_rows(p, memory, capacity)
    m.assign.deactivate()
    m.loose = pyo.Constraint(m.I, rule=lambda m, i: sum(m.x[k, j] for k, j in m.E if k == i) <= 1)
    return m


def test_predictions():
    """Task 0 is split and rounding gives 10; the published annealing ends on server 1 at 16."""
    guess_right("01-p1", (0, 10))
    guess_wrong("01-p1", (1, 4.07), "it is 0, 10")
    guess_right("01-p2", (1, 16))
    guess_wrong("01-p2", (0, 8), "it is 1, 16")


def test_values():
    """01-1 is 2.38; the best weights' value and sums of other rows are refused."""
    right("01-1", 2.38)
    right("01-1", 1 / 3 + 2 * 3.07 / 3)
    for answer in (3.4, 4.07, 16.14 / 3, 2.4):
        wrong("01-1", answer, "too")


def test_counterexamples():
    """Another instance above twice the optimum counts; C1, tame and too large ones do not."""
    inf = np.inf
    right("01-2", [[20, 1, 1], [inf, 6.5, inf], [inf, inf, 6.5]])
    right("01-2", oe.MakespanProblem([[20, 1, 1], [inf, 6.5, inf], [inf, inf, 6.5]]))
    c1 = oe.papers.edge_learning.counterexample().times
    wrong("01-2", c1, "this is an instance of the notebook")
    wrong("01-2", c1[[2, 0, 1]][:, [1, 2, 0]], "this is an instance of the notebook")
    wrong("01-2", [[1, 2], [3, 4]], "lp-rounding gives")
    wrong("01-2", np.ones((7, 5)), "at most 6 tasks and 5 servers are allowed, got 7 and 5")
    wrong("01-2", [[1, -2]], "times")
    wrong("01-2", [[1, np.nan]], "times")
    wrong("01-2", "C1", "times")
    wrong("01-2", [[inf, inf]], "task 0 can use no server")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """The matching keeps within 2 T*, the rows within enumeration."""
    right("01-3", rounded, seed)
    right("01-4", with_rows, seed)


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_wrong_functions(seed):
    """The largest share without pruning, forgotten pairs and rows that say too little fail."""
    wrong("01-3", lambda p: oe.solve(p, "lp-rounding").solution, "but 2 T* =", seed)
    wrong("01-3", lambda p: np.zeros(p.n_tasks, dtype=int), "not yet", seed)
    wrong("01-3", lambda p: shares(p), "a solution holds", seed)
    wrong("01-4", lambda p, memory, capacity: p.model(), "your model has the optimum", seed)
    wrong("01-4", one_row, "your model has the optimum", seed)
    wrong("01-4", at_most_one, "your model has the optimum 0, enumeration finds 1", seed)
    wrong("01-4", lambda p, *_: p.bound("LP").value, "ConcreteModel is expected, got float", seed)
