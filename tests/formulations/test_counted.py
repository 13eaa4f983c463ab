"""Knapsacks by the number of their items, against enumeration and plain tables."""

import itertools

import numpy as np
import pytest
from conftest import examples, seeds
from hypothesis import given
from hypothesis import strategies as st

from optedge.formulations.deadlines.counted import apart, counted_knapsack, values_forced
from optedge.formulations.deadlines.knapsacks import make_rows


def table(weights, values, capacity):
    """Return the best value for each capacity, by the textbook's table."""
    best = np.zeros(capacity + 1, np.int64)
    for w, v in zip(weights.tolist(), values.tolist(), strict=True):
        if w <= capacity:
            best[w:] = np.maximum(best[w:], best[: capacity + 1 - w] + v)
    return best


def solve(weights, values, capacity, cells=1 << 14):
    """Return the value; the set packed must fit and be worth it."""
    packed = np.ones(weights.size, np.uint8)  # what the last call left there
    value = counted_knapsack(weights, values, capacity, packed, make_rows(weights.size, cells))
    assert set(packed.tolist()) <= {0, 1}
    if value >= 0:
        assert int(weights @ packed) <= capacity
        assert int(values @ packed) == value
    return value


@st.composite
def knapsacks(draw, most=10):
    """Draw items of near weights or of any, and few or many different values."""
    least = draw(st.sampled_from([1, 7, 30, 2000]))
    apart = draw(st.sampled_from([0, 3, 10, 5000]))
    top = draw(st.sampled_from([2, 9, 10**8]))
    item = st.tuples(st.integers(least, least + apart), st.integers(0, top))
    items = draw(st.lists(item, min_size=1, max_size=most))
    weights, values = (np.array(part, dtype=np.int64) for part in zip(*items, strict=True))
    heaviest, total = int(weights.max()), int(weights.sum())
    return weights, values, draw(st.integers(heaviest, max(heaviest, total + 1)))


@given(knapsacks())
@examples(400)
def test_small_knapsacks_equal_enumeration(instance):
    """The value is the best of all sets, for near weights and for any."""
    weights, values, capacity = instance
    takes = np.array(list(itertools.product((0, 1), repeat=weights.size)))
    best = (takes @ values)[takes @ weights <= capacity].max()
    assert solve(weights, values, capacity, 1 << 18) == best


def test_fewer_items_may_be_worth_more():
    """A price of weight that is zero only because it is rounded ends no search."""
    weights, values = np.array([3000, 3000, 1, 1, 1]), np.array([1, 1, 0, 0, 0])
    assert solve(weights, values, 6000, 1 << 18) == 2


def near(rng):
    """Return 20 to 120 items whose weights are up to a fifth apart, and a capacity."""
    n, least = int(rng.integers(20, 120)), int(rng.integers(10, 200))
    weights = rng.integers(least, least + max(2, least // 5), n)
    kind = rng.integers(3)
    values = rng.integers(0, (2**30 - 4096) // n, n) if kind else weights * 900 + rng.integers(9, n)
    return weights, values, int(weights.max() + rng.uniform(0, 0.7) * weights.sum())


@pytest.mark.parametrize("seed", seeds(20, 1))
def test_larger_knapsacks_equal_the_plain_table(seed):
    """The core grows until it holds all that matters; hardly one in 60 is given up, with -1."""
    rng = np.random.default_rng(seed)
    given_up = 0
    for _ in range(60):
        weights, values, capacity = near(rng)
        found = solve(weights, values, capacity)
        assert found in (-1, table(weights, values, capacity)[-1])
        given_up += found == -1
    assert given_up <= 3


def test_a_table_that_does_not_fit_is_not_made():
    """Without memory for the table the answer is -1, or it is right."""
    rng = np.random.default_rng(3)
    short = 0
    for _ in range(60):
        weights, values, capacity = near(rng)
        value = solve(weights, values, capacity, 20)
        short += value == -1
        assert value in (-1, table(weights, values, capacity)[-1])
    assert 0 < short < 60


def exact_forced(weights, values, capacity):
    """Return the best values with each item in, and with it out."""
    n = weights.size
    rest = [table(np.delete(weights, i), np.delete(values, i), capacity) for i in range(n)]
    within = [int(t[capacity - w]) + v for t, w, v in zip(rest, weights, values, strict=True)]
    return np.array(within), np.array([int(t[-1]) for t in rest])


def forced(weights, values, capacity, floor):
    """Return what the kernel says of items in and out."""
    order, keys, within, without = np.zeros((4, weights.size), np.int64)
    values_forced(weights, values, capacity, floor, order, keys, within, without)
    assert min(within.min(), without.min()) >= floor
    return within, without


@given(knapsacks(), st.floats(0, 1.1))
@examples(400)
def test_forced_values_are_bounds(instance, share):
    """No set with an item in, or out, is worth more than is said, nor than the floor if that is."""
    weights, values, capacity = instance
    within, without = exact_forced(weights, values, capacity)
    floor = int(share * max(within.max(), without.max()))
    above, beyond = forced(weights, values, capacity, floor)
    assert (above >= within).all()
    assert (beyond >= without).all()


@pytest.mark.parametrize("seed", seeds(10, 1))
def test_forced_values_are_nearly_exact_where_weights_are_near(seed):
    """On 20 larger knapsacks they hold, and say four fifths of what the exact ones would."""
    rng = np.random.default_rng(seed)
    said, true = 0, 0
    for _ in range(20):
        weights, values, capacity = near(rng)
        within, without = exact_forced(weights, values, capacity)
        best = max(within.max(), without.max())
        above, beyond = forced(weights, values, capacity, 0)
        assert (above >= within).all()
        assert (beyond >= without).all()
        said += np.maximum(0, best - above).sum() + np.maximum(0, best - beyond).sum()
        true += (best - within).sum() + (best - without).sum()
    assert said > 0.8 * true


@pytest.mark.parametrize(("weights", "far"), [([5], False), ([4, 5, 4], False), ([4, 6, 5], True)])
def test_how_far_weights_are_apart(weights, far):
    """A ratio of exactly 5 to 4 is not more than that."""
    assert apart(np.array(weights), (5, 4)) == far
