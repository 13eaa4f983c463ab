"""The exact knapsacks of a machine against plain tables over all items."""

import itertools

import numpy as np
import pytest
from conftest import examples, seeds
from hypothesis import given
from hypothesis import strategies as st

from optedge.formulations.deadlines.knapsacks import knapsack, make_rows

LIMIT = 2**30 - 4096  # what values may sum to


def plain(weights, values, capacity):
    """Return the best value by the textbook's table, in Python's whole numbers."""
    table = [0] * (capacity + 1)
    for w, v in zip(weights, values, strict=True):
        for c in range(capacity, w - 1, -1):
            table[c] = max(table[c], table[c - w] + v)
    return table[capacity]


def solve(weights, values, capacity, *, sort=True, most_bytes=1 << 20):
    """Return the four numbers of the kernel and the set it packed; a set too heavy fails."""
    items = list(zip(weights, values, strict=True))
    if sort:
        items.sort(key=lambda item: -item[1] / item[0])
    n = len(items)
    w, v = (np.array([item[k] for item in items], dtype=np.int64) for k in (0, 1))
    packed = np.ones(n, np.bool_)  # what the last call left there
    rows = make_rows(n, capacity, most_bytes)
    found = knapsack(w, v, n, capacity, packed, rows)
    assert int(w @ packed) <= capacity
    return found, int(v @ packed), w, v


@st.composite
def knapsacks(draw):
    """Draw up to 12 items, many of them equal, none heavier than the capacity."""
    capacity = draw(st.integers(1, 40))
    weight = st.one_of(st.integers(1, capacity), st.integers(1, min(4, capacity)))
    value = st.one_of(st.integers(0, 6), st.integers(0, LIMIT // 12))
    items = draw(st.lists(st.tuples(weight, value), min_size=1, max_size=12))
    return [w for w, _ in items], [v for _, v in items], capacity


@given(knapsacks(), st.booleans())
@examples(400)
def test_small_knapsacks_equal_enumeration(instance, sort):
    """The value is the best of all sets, ties and worthless items too, in any order of items."""
    weights, values, capacity = instance
    best = max(
        sum(v for v, x in zip(values, take, strict=True) if x)
        for take in itertools.product((0, 1), repeat=len(weights))
        if sum(w for w, x in zip(weights, take, strict=True) if x) <= capacity
    )
    (value, bound, vb, wb), worth, _, _ = solve(weights, values, capacity, sort=sort)
    assert value == worth == best
    assert bound >= best * wb
    assert wb > 0
    assert vb >= 0


def families(rng, n, kind):
    """Return weights and values: unrelated, near to one ratio, one ratio but for a constant."""
    weights = rng.integers(1, (8, 60, 300)[rng.integers(3)], n)
    if kind == "unrelated":
        return weights, rng.integers(0, LIMIT // n, n)
    if kind == "near":
        return weights, np.maximum(0, weights * (LIMIT // 400 // n) + rng.integers(-50, 50, n))
    return weights, weights + 10


@pytest.mark.parametrize("kind", ["unrelated", "near", "constant"])
@pytest.mark.parametrize("seed", seeds(5, 1))
def test_larger_knapsacks_equal_the_plain_table(seed, kind):
    """The core grows until it holds all that matters: 40 knapsacks of up to 80 items each."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        weights, values = families(rng, int(rng.integers(17, 80)), kind)
        capacity = max(int(weights.max()), int(weights.sum() * rng.uniform(0.05, 1.05)))
        (value, *_), worth, _, _ = solve(weights.tolist(), values.tolist(), capacity)
        assert value == worth == plain(weights.tolist(), values.tolist(), capacity)


@pytest.mark.parametrize("most_bytes", [8, 200, 3000])
def test_without_room_for_the_rows_the_value_is_a_bound(most_bytes):
    """Where rows do not fit, the set still fits and the value is between optimum and bound."""
    rng = np.random.default_rng(most_bytes)
    short = 0
    for _ in range(30):
        weights, values = families(rng, 40, "constant")
        capacity = int(weights.sum() * 0.4) + int(weights.max())
        (value, bound, _, wb), worth, _, _ = solve(
            weights.tolist(), values.tolist(), capacity, most_bytes=most_bytes
        )
        assert worth <= plain(weights.tolist(), values.tolist(), capacity) <= value <= bound // wb
        short += worth < value
    assert short > 0


@given(knapsacks(), st.integers(0, 2**32 - 1))
@examples(200)
def test_fine_weights_are_packed_exactly(instance, seed):
    """Weights of hundreds of millions, far too many for rows, still give the best of all sets."""
    weights, values, capacity = instance
    rng = np.random.default_rng(seed)
    weights = [(w << 23) - int(rng.integers(0, 1 << 20)) for w in weights]
    capacity <<= 23
    best = max(
        sum(v for v, x in zip(values, take, strict=True) if x)
        for take in itertools.product((0, 1), repeat=len(weights))
        if sum(w for w, x in zip(weights, take, strict=True) if x) <= capacity
    )
    (value, *_), worth, _, _ = solve(weights, values, capacity)
    assert value == worth == best


@pytest.mark.parametrize("kind", ["unrelated", "constant"])
def test_lists_and_rows_give_the_same_value(kind):
    """Weights and capacity times 2^20 do not change the value of 60 items."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        weights, values = families(rng, 60, kind)
        capacity = max(int(weights.max()), int(weights.sum() * rng.uniform(0.05, 1.05)))
        (value, *_), _, _, _ = solve(weights.tolist(), values.tolist(), capacity)
        (fine, *_), worth, _, _ = solve(
            (weights << 20).tolist(), values.tolist(), capacity << 20, most_bytes=1 << 22
        )
        assert fine == worth == value


def test_values_as_large_as_32_bits_hold():
    """Sums of values next to 2^30 do not overflow."""
    n = 30
    rng = np.random.default_rng(5)
    weights = rng.integers(50, 100, n)
    values = weights * (LIMIT // int(weights.sum()))
    (value, *_), worth, _, _ = solve(weights.tolist(), values.tolist(), int(weights.sum()) - 7)
    best = plain(weights.tolist(), values.tolist(), int(weights.sum()) - 7)
    assert value == worth == best > 2**29


@given(knapsacks())
@examples(200)
def test_an_item_on_the_other_side_loses_its_cost(instance):
    """No set with an item on the other side exceeds the bound less the item's cost."""
    weights, values, capacity = instance
    (_, bound, vb, wb), _, w, v = solve(weights, values, capacity)
    for take in itertools.product((0, 1), repeat=min(len(w), 8)):
        x = np.zeros(len(w), np.int64)
        x[: len(take)] = take
        if int(w @ x) > capacity:
            continue
        for i in range(len(w)):
            d = int(v[i]) * wb - vb * int(w[i])
            if (d > 0) != bool(x[i]):
                assert int(v @ x) * wb <= bound - abs(d) or d == 0
