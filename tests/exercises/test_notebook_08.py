"""Exercises of notebook 08: right answers, and those that are typically wrong."""

import numpy as np
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong

import optedge as oe
from optedge.formulations.offloading.costs import decisions


def table(c, discount):
    """Go backwards; what is impossible stays so at discount 0."""
    q = c.copy()
    for k in range(len(c) - 2, -1, -1):
        then = q[k + 1].min(axis=1)
        q[k] += np.where(np.isinf(then), np.inf, discount * np.where(np.isinf(then), 0, then))
    return q


def other_axis(c, discount):
    """Add what follows by the server before, not by the server chosen."""
    q = c.copy()
    for k in range(len(c) - 2, -1, -1):
        q[k] += discount * np.minimum(q[k + 1].min(axis=1), 99)[:, None]
    return q


def forwards(c, discount):
    """Discount from the first layer on, as a value of the past."""
    q = c.copy()
    for k in range(1, len(c)):
        q[k] += discount * np.minimum(q[k - 1].min(axis=0), 99)[:, None]
    return q


def double(m, rho, rng):
    """Choose by one estimate and take the other one's value."""
    one, new = rng.normal(size=(2, 20_000, m))
    other = rho * one + np.sqrt(1 - rho**2) * new
    return np.take_along_axis(other, one.argmax(axis=1)[:, None], axis=1).mean()


def largest(m, rho, rng):
    """Forget the second estimate."""
    return rng.normal(size=(20_000, m)).max(axis=1).mean()


def early_or_late(late):
    """Return a chain that sends 10 MB at once, or more after nine layers."""
    return oe.OffloadingProblem.chains(
        [[0.01] * 9 + [100]],
        [[10] + [20] * 8 + [late]],
        clients=[0],
        speeds_ghz=[1, 100],
        rates_mb_s=[[0, 1], [1, 0]],
        pools=[1, 1],
        tiers=[0, 2],
    )


def episodes(p, run, rounds=400):
    """Learn a table of costs from random plans, then act greedily."""
    d = decisions.make(p)
    q = np.zeros((d.n_decisions, d.n_servers, d.n_servers))
    for _ in range(rounds):
        x = run.rng.integers(0, p.n_servers, p.n_subtasks)
        for k in reversed(range(len(x))):
            a = x[k - 1] if k else p.clients[0]
            q[k, a, x[k]] = d.tables[k, a, x[k]] + (q[k + 1, x[k]].min() if k + 1 < len(x) else 0)
    return d.follow(np.where(q > 0, q, np.inf))


def spendthrift(p, run):
    """Price more plans than there may be."""
    for _ in range(1001):
        run.evaluate(np.zeros(p.n_subtasks, dtype=int))
    return run.solution


def test_predictions():
    """Costs are 1, 1, .9, .9; discount .8 misses 6 of 16 cases and .99 none."""
    guess_right("08-p1", (1, 1, 0.9, 0.9))
    guess_wrong("08-p1", (0.9, 0.9, 0.9, 0.9), "it is 1, 1, 0.9, 0.9")
    guess_right("08-p2", (6, 0))
    guess_wrong("08-p2", (0, 0), "you said 0, 0; it is 6, 0")


def test_values():
    """08-1 is .9 and its square root; the square and equal ones are refused."""
    right("08-1", (0.9, 0.9**0.5))
    wrong("08-1", (0.9, 0.81), "the second one, 0.81, is too small")
    wrong("08-1", (0.9, 0.9), "the second one, 0.9, is too small")
    wrong("08-1", (0.8, 0.9), "the first one, 0.8, is too small")
    wrong("08-1", 0.9, "an array of shape (2,) is expected")


def test_counterexamples():
    """What saves a hair many layers later counts; tame chains, two steps and two tasks do not."""
    right("08-4", early_or_late(10.05))
    wrong("08-4", early_or_late(15), "reaches the optimum")
    wrong("08-4", oe.papers.ddpqn.instance("alexnet", weights={"xi": 0.0}), "reaches the optimum")
    wrong("08-4", oe.papers.ddpqn.instance("alexnet"), "Z has a weight")
    wrong("08-4", oe.papers.ddpqn.instance("alexnet", 2), "one task of 3 to 60 layers")
    wrong("08-4", [[0, 0.9], [1, 0]], "an OffloadingProblem is expected, got list")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """The backward table, the simulation and a table that is learnt pass."""
    right("08-2", table, seed)
    right("08-3", double, seed)
    right("08-5", episodes, seed)


@pytest.mark.parametrize("seed", seeds(12, 1))
def test_wrong_functions(seed):
    """Tables on the wrong axis, a forgotten correlation and agents that do not learn fail."""
    wrong("08-2", other_axis, "on Chain(costs=", seed)
    wrong("08-2", forwards, "on Chain(costs=", seed)
    wrong("08-2", lambda c, discount: c, "on Chain(costs=", seed)
    wrong("08-2", lambda c, discount: c[0], "an array of shape", seed)
    wrong("08-3", largest, "you return", seed)
    wrong("08-3", lambda m, rho, rng: rho * np.sqrt(2 * np.log(m)), "you return", seed)
    wrong("08-3", lambda m, rho, rng: 0, "you return 0.000, the mean is", seed)
    wrong("08-5", lambda p, run: [0] * p.n_subtasks, "that of 'myopic'", seed)
    wrong("08-5", lambda p, run: run.rng.integers(0, 4, 5), "that of 'myopic'", seed)
    wrong("08-5", lambda p, run: [0, 1], "a solution names 5 servers", seed)
    wrong("08-5", spendthrift, "prices 1001 candidates, 1000 are allowed", seed)
