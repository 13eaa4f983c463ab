"""Exercises of notebook 03: right answers, and those that are typically wrong."""

import numpy as np
import pyomo.environ as pyo
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong


def chain_cut(te, tc, tx):
    """Add up from both ends."""
    total = np.cumsum(te) + tx + tc.sum() - np.cumsum(tc)
    return int(total.argmin()), total.min()


def last_best_cut(te, tc, tx):
    """Take the greatest of several best cuts."""
    total = np.cumsum(te) + tx + tc.sum() - np.cumsum(tc)
    return len(te) - 1 - int(total[::-1].argmin()), total.min()


def one_layer_twice(te, tc, tx):
    """Count the layer of the cut on both sides."""
    total = np.cumsum(te) + tx + np.cumsum(tc[::-1])[::-1]
    return int(total.argmin()), total.min()


def without_sending(te, tc, tx):
    """Forget the transfer."""
    return chain_cut(te, tc, 0 * tx)


def three_tiers(p, *, deeper=True, once=True, no_return=True, domain=pyo.Reals):
    """Build the linear program of differences for three tiers."""
    m, n = pyo.ConcreteModel(), p.n_layers
    t, s, edges = p.times.tolist(), p.sends.tolist(), p.edges.tolist()
    m.H, m.V, m.A = pyo.RangeSet(0, 1), pyo.RangeSet(0, n - 1), pyo.RangeSet(0, len(edges) - 1)
    m.p = pyo.Var(m.H, m.V, domain=domain, bounds=(0, 1))
    m.q = pyo.Var(m.H, m.V, bounds=(0, 1))
    for k in m.H:
        m.p[k, 0].fix(0)
    seconds = sum(
        t[0][v] * (1 - m.p[0, v]) + t[1][v] * (m.p[0, v] - m.p[1, v]) + t[2][v] * m.p[1, v]
        for v in m.V
    )
    if once:
        seconds += sum(s[k][v] * (m.q[k, v] - m.p[k, v]) for k in m.H for v in m.V)
    else:
        seconds += sum(s[k][v] * (m.p[k, w] - m.p[k, v]) for k in m.H for v, w in edges)
    m.latency = pyo.Objective(expr=seconds)
    m.rows = pyo.ConstraintList()
    for k in m.H:
        for v, w in edges:
            m.rows.add(m.p[k, w] <= m.q[k, v])
            if no_return:
                m.rows.add(m.p[k, v] - m.p[k, w] + 0 * m.q[k, v] <= 0)
        for v in m.V:
            m.rows.add(m.p[k, v] <= m.q[k, v])
    if deeper:
        for v in range(1, n):
            m.rows.add(m.p[1, v] <= m.p[0, v])
    return m


def test_predictions():
    """Six sets are closed and 10.5 s is least; at 3 Mbit/s the input is sent."""
    guess_right("03-p1", (6, 10.5))
    guess_wrong("03-p1", (16, 7.5), "it is 6, 10.5")
    guess_right("03-p2", "input")
    guess_right("03-p2", "None")
    guess_wrong("03-p2", "3a", "you said '3a'; it is 'input'")


def test_values():
    """03-2 is fractional; the optimum without the row and plans beyond the limit are refused."""
    right("03-2", (8.2, 11))
    wrong("03-2", (7.5, 11), "7.5 is not the value of the program with the new row")
    wrong("03-2", (8.2, 7.5), "7.5 is not the best plan with at most 2 s of cloud")
    wrong("03-2", 2.8, "an array of shape (2,) is expected")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """The count, the sums from both ends and the program of differences agree with the lists."""
    right("03-1", lambda k: 2**k + 2, seed)
    right("03-3", chain_cut, seed)
    right("03-4", three_tiers, seed)


@pytest.mark.parametrize("seed", seeds(12, 1))
def test_wrong_functions(seed):
    """Off-by-one counts and sums, forgotten rows and integer variables are refused."""
    wrong("03-1", lambda k: 2 ** (k + 2), "with 1 branches you count 8, a list has 4", seed)
    wrong("03-1", lambda k: 2**k + 1, "you count", seed)
    wrong("03-1", lambda k: 3 * k, "you count", seed)
    wrong("03-3", last_best_cut, "is as good as", seed)
    wrong("03-3", one_layer_twice, "s, the linear program finds", seed)
    wrong("03-3", without_sending, "not yet", seed)
    wrong("03-3", lambda te, tc, tx: (len(te), 0), "there is no cut", seed)
    wrong("03-4", lambda p: three_tiers(p, deeper=False), "your program has the value", seed)
    wrong("03-4", lambda p: three_tiers(p, once=False), "your program has the value", seed)
    wrong("03-4", lambda p: three_tiers(p, domain=pyo.Binary), "is declared integer", seed)
    wrong("03-4", lambda p: p.replace(times=p.times[:2], sends=p.sends[:1]).model(), "yet", seed)
