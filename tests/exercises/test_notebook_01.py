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


def packed(times, deadline, prices):
    """Fill the textbook's table of one server over the whole seconds up to the deadline."""
    table = np.zeros(deadline + 1)
    for time, price in zip(times, prices, strict=True):
        if time <= deadline:
            time = int(time)
            table[time:] = np.maximum(table[time:], table[: deadline + 1 - time] + price)
    return table[-1]


def excess(times, deadline, prices):
    """Sum the knapsacks, less the prices."""
    return sum(packed(column, deadline, prices) for column in times.T) - prices.sum()


def one_task_each(times, deadline, prices):
    """Let a server pack its dearest task only."""
    return np.where(times <= deadline, prices[:, None], 0).max(axis=0).sum() - prices.sum()


def whatever_fits(times, deadline, prices):
    """Forget that tasks of a server run one after the other."""
    return np.where(times <= deadline, prices[:, None], 0).sum() - prices.sum()


def dearest_first(times, deadline, prices):
    """Pack by price a second, greedily."""
    total = -prices.sum()
    for column in times.T:
        left = deadline
        for i in np.argsort(-prices / column, kind="stable"):
            if column[i] <= left:
                left -= column[i]
                total += prices[i]
    return total


def test_predictions():
    """Task 0 is split; the published annealing ends on server 1; knapsacks hold 10 and 4."""
    guess_right("01-p1", (0, 10))
    guess_wrong("01-p1", (1, 4.07), "it is 0, 10")
    guess_right("01-p3", (10, 4))
    guess_wrong("01-p3", (10, 5), "it is 10, 4")
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


def test_prices_on_a_slip():
    """Prices that refute 9 count; weak, large, broken and negative ones do not."""
    right("01-5", [1, 2, 1, 3, 3, 2])
    right("01-5", np.array([1.0, 2.0, 1.0, 4.0, 4.0, 3.0]))
    wrong("01-5", [1, 2, 1, 3, 2, 2], "can pack 11, which is not below the sum of the prices, 11")
    wrong("01-5", [0, 0, 0, 0, 0, 0], "can pack 0, which is not below the sum of the prices, 0")
    wrong("01-5", [10, 22, 10, 31, 23, 21], "sum to 117, and at most 15 are allowed")
    wrong("01-5", [0.1, 0.2, 0.1, 0.3, 0.3, 0.2], "entry 0 is 0.1, a whole number is expected")
    wrong("01-5", [1, 2, -1, 3, 3, 2], "a price is below 0")
    wrong("01-5", [1, 2, 1, 3, 3], "an array of shape (6,) is expected")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """The matching keeps within 2 T*, the rows within enumeration, the excess is that of tables."""
    right("01-6", excess, seed)
    right("01-3", rounded, seed)
    right("01-4", with_rows, seed)


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_wrong_functions(seed):
    """Largest shares without pruning, forgotten pairs, weak rows, careless knapsacks fail."""
    wrong("01-3", lambda p: oe.solve(p, "lp-rounding").solution, "but 2 T* =", seed)
    wrong("01-3", lambda p: np.zeros(p.n_tasks, dtype=int), "not yet", seed)
    wrong("01-3", lambda p: shares(p), "a solution holds", seed)
    wrong("01-4", lambda p, memory, capacity: p.model(), "your model has the optimum", seed)
    wrong("01-4", one_row, "your model has the optimum", seed)
    wrong("01-4", at_most_one, "your model has the optimum 0, enumeration finds 1", seed)
    wrong("01-4", lambda p, *_: p.bound("LP").value, "ConcreteModel is expected, got float", seed)
    wrong("01-6", one_task_each, "the servers can pack", seed)
    wrong("01-6", whatever_fits, "the servers can pack", seed)
    wrong("01-6", dearest_first, "the servers can pack", seed)
    wrong("01-6", lambda *p: -excess(*p), "the servers can pack", seed)
    wrong("01-6", lambda times, deadline, prices: excess(times, deadline - 1, prices), "say", seed)
    wrong("01-6", lambda times, deadline, prices: prices, "one number is expected", seed)
