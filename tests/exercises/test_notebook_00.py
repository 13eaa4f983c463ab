"""Exercises of notebook 00: right answers, and those that are typically wrong."""

import numpy as np
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong


def lpt(p):
    """Put the longest task first, each where it ends earliest."""
    loads, x = np.zeros(p.n_servers), np.zeros(p.n_tasks, dtype=int)
    for i in np.argsort(-p.times[:, 0], kind="stable"):
        x[i] = (loads + p.times[i]).argmin()
        loads[x[i]] += p.times[i, x[i]]
    return x


def least_loaded(p):
    """Forget that servers differ: each task goes to the server with the least load before it."""
    loads, x = np.zeros(p.n_servers), np.zeros(p.n_tasks, dtype=int)
    for i in range(p.n_tasks):
        x[i] = loads.argmin()
        loads[x[i]] += p.times[i, x[i]]
    return x


def test_the_prediction():
    """The best makespan is 6, and 5 of the 16 assignments reach it."""
    guess_right("00-p1", (6, 5))
    guess_wrong("00-p1", (6, 1), "00-p1: you said 6, 1; it is 6, 5.")
    guess_wrong("00-p1", (16 / 3, 1), "it is 6, 5")
    guess_wrong("00-p1", 6, "2 things are asked for")


def test_values():
    """00-1 is 4, 00-2 is 5; neighbours are refused."""
    right("00-1", 4)
    right("00-1", np.float64(4.0))
    for answer in (16 / 3, 8, 3.2, 6):
        wrong("00-1", answer, "too")
    right("00-2", 5)
    for answer in (1, 4, 16):
        wrong("00-2", answer, "too")
    wrong("00-2", [0, 0, 0, 0], "one number is expected")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """Longest first is within its factor, weights in proportion to the speeds are the best."""
    right("00-3", lpt, seed)
    right("00-4", lambda speeds: speeds / speeds.sum(), seed)


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_wrong_functions(seed):
    """Rules that forget the speeds, and weights that prove less or nothing, meet an instance."""
    wrong("00-3", lambda p: p.times.argmin(axis=1), "times the optimum is", seed)
    wrong("00-3", lambda p: np.arange(p.n_tasks) % p.n_servers, "times the optimum is", seed)
    wrong("00-3", least_loaded, "times the optimum is", seed)
    wrong("00-3", lambda p: np.full(p.n_tasks, p.n_servers), "there is no server 1", seed)
    wrong("00-4", lambda s: np.full(s.size, 1 / s.size), "your weights prove", seed)
    wrong("00-4", lambda s: (1 / s) / (1 / s).sum(), "your weights prove", seed)
    wrong("00-4", lambda s: s / s.max(), "weights must not be negative and sum to 1", seed)
    wrong("00-4", lambda s: s.sum(), "an array of shape", seed)
