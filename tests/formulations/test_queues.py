"""Waiting times: known values, independent sums, stability, the published formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln, logsumexp

from optedge.formulations.queues import (
    UnitWarning,
    erlang_b,
    erlang_c,
    literal_wait,
    mm1_wait,
    mmc_wait,
)

# cloud_edge.md 3.2: arrival rate, service rate, servers, share that waits, seconds.
VALUES = [
    (3, 5, 1, 0.6, 0.3),
    (3, 2, 2, 0.642857, 0.642857),
    (4, 2, 3, 0.444444, 0.222222),
    (8, 1, 10, 0.40918, 0.20459),
]


@pytest.mark.parametrize(("arrive", "serve", "servers", "share", "wait"), VALUES)
def test_values_of_the_specification(arrive, serve, servers, share, wait):
    """Erlang C and the wait to all printed digits."""
    assert erlang_c(servers, arrive / serve) == pytest.approx(share, abs=5e-6)
    assert mmc_wait(arrive, serve, servers) == pytest.approx(wait, abs=5e-7 if wait < 0.2 else 5e-6)


def test_pooling_shortens_the_wait():
    """Two queues of (1.5, 2) wait 1.5 s each, the shared one of (3, 2, 2) 0.642857 s."""
    assert mm1_wait(1.5, 2) == 1.5
    assert mmc_wait(3, 2, 2) < mm1_wait(1.5, 2)


@pytest.mark.parametrize("servers", [1, 2, 7, 100, 5000])
@pytest.mark.parametrize("usage", [0.05, 0.6, 0.99])
def test_recursion_equals_the_sum_in_logarithms(servers, usage):
    """B = (a^c/c!) / sum a^k/k!, formed from logarithms, for thousands of servers too."""
    load = usage * servers
    k = np.arange(servers + 1)
    terms = k * math.log(load) - gammaln(k + 1)
    blocked = math.exp(terms[-1] - logsumexp(terms))
    assert erlang_b(servers, load) == pytest.approx(blocked, rel=1e-9, abs=1e-300)
    waits = blocked / (1 - usage * (1 - blocked))
    assert erlang_c(servers, load) == pytest.approx(waits, rel=1e-9, abs=1e-300)


@given(
    servers=st.integers(1, 12),
    serve=st.floats(0.1, 10),
    usage=st.floats(0.01, 0.98),
)
def test_wait_equals_littles_law_on_the_birth_death_chain(servers, serve, usage):
    """The stationary queue length over the arrival rate, summed state by state, is the wait."""
    arrive = usage * servers * serve
    states = np.arange(1, 4000)
    steps = np.log(arrive) - np.log(serve * np.minimum(states, servers))
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.exp(weights - logsumexp(weights))
    queue = chances[servers:] @ np.arange(len(chances) - servers)
    assert mmc_wait(arrive, serve, servers) == pytest.approx(queue / arrive, rel=1e-6)


@given(
    servers=st.integers(1, 20),
    usage=st.floats(0, 0.99),
    more=st.floats(1e-3, 1.5),
)
def test_wait_grows_with_the_arrivals(servers, usage, more):
    """More arrivals wait longer, for ever once the servers cannot follow; never a negative time."""
    low = mmc_wait(usage * servers, 1.0, servers)
    high = mmc_wait((usage + more) * servers, 1.0, servers)
    assert 0 <= low <= high
    assert math.isinf(high) == ((usage + more) * servers >= servers)


@given(servers=st.integers(1, 20), load=st.floats(0, 19))
def test_one_more_server_never_hurts(servers, load):
    """Blocking and waiting shares are probabilities that fall with the servers."""
    shares = [erlang_b(c, load) for c in (servers, servers + 1)]
    waits = [erlang_c(c, load) for c in (servers, servers + 1)]
    assert 1 >= shares[0] >= shares[1] >= 0
    assert 1 >= waits[0] >= waits[1] >= 0


def test_mm1_is_the_corrected_equation_12():
    """Wait Z^2 a/(F (F - a Z)): 0.094808 s at usage 0.72375; and M/M/c with one server."""
    arrive, work, speed = 20.0, 1.4475e9, 4e10
    wait = mm1_wait(arrive, speed / work)
    assert wait == pytest.approx(arrive * work**2 / (speed * (speed - arrive * work)), rel=1e-12)
    assert wait == pytest.approx(0.094808, abs=5e-7)
    assert wait == mmc_wait(arrive, speed / work, 1)
    assert arrive * work / speed == pytest.approx(0.72375)


def test_literal_formula_warns():
    """6.5498e-11 s/MAC as printed; times the work it is the corrected wait."""
    with pytest.warns(UnitWarning, match="s/MAC"):
        literal = literal_wait(20.0, 1.4475e9, 4e10)
    assert literal == pytest.approx(6.5498e-11, rel=1e-5)
    assert literal * 1.4475e9 == pytest.approx(mm1_wait(20.0, 4e10 / 1.4475e9))
    with pytest.warns(UnitWarning):
        np.testing.assert_array_equal(literal_wait(1.0, [0.0, 2.0, 3.0], 2.0), [0, np.inf, np.inf])


def test_limits_of_stability():
    """At arrival = capacity the queue never ends; idle servers and free tasks do not wait."""
    np.testing.assert_array_equal(
        mmc_wait([0, 3.999, 4, 5], 2.0, 2)[[0, 2, 3]], [0, np.inf, np.inf]
    )
    assert mmc_wait(1.0, math.inf, 3) == 0.0
    assert mmc_wait(1.0, 0.0, 3) == math.inf
    assert mmc_wait(0.0, 0.0, 3) == 0.0
    assert erlang_c(2, 2.0) == erlang_c(2, 7.0) == 1.0
    assert erlang_b(0, 3.0) == 1.0


def test_arrays_in_arrays_out():
    """One number gives a float, an array an array; rates broadcast."""
    assert type(mm1_wait(1, 2)) is float
    assert type(erlang_c(3, 1)) is float
    waits = mmc_wait(np.array([[1.0], [2.0]]), np.array([3.0, 4.0, np.inf]), 2)
    assert waits.shape == (2, 3)
    assert waits[1, 0] == mmc_wait(2, 3, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: erlang_b(-1, 1), "servers must be at least 0"),
        (lambda: erlang_c(0, 1), "servers must be at least 1"),
        (lambda: erlang_c(2.5, 1), "servers must be an integer"),
        (lambda: erlang_b(2, -1), "load must be at least 0"),
        (lambda: erlang_b(2, math.inf), "load must be finite"),
        (lambda: mmc_wait(math.nan, 1, 1), "arrival_rate must be"),
        (lambda: mmc_wait(math.inf, 1, 1), "arrival_rate must be finite"),
        (lambda: mm1_wait(1, "fast"), "service_rate must be a number"),
        (lambda: mm1_wait(1, [1, -1]), "service_rate must be at least 0"),
    ],
)
def test_wrong_numbers_are_refused(call, words):
    """The sentence names the argument."""
    with pytest.raises(ValueError, match=words):
        call()


def test_literal_formula_refuses_a_speed_of_zero():
    """Nothing runs at speed 0."""
    with pytest.warns(UnitWarning), pytest.raises(ValueError, match="speed must be positive"):
        literal_wait(1.0, 1.0, 0.0)
