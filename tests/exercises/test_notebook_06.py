"""Exercises of notebook 06: right answers, and those that are typically wrong."""

import functools
import itertools

import numpy as np
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong

import optedge as oe

#: Greedy by gain per second sends 0, 1, 2: 301; the optimum is 246.
CAUGHT = ([6, 6, 6], [3, 2, 0], [2, 0, 4], [0, 4, 5], [0, 0, 0], [12, 2, 3])


def two_states(base, a, s, usable):
    """Go along the chain: the last layer was at the client, or on the server."""
    off, on = 0, -np.inf
    for j in range(len(a)):
        reached = a[j] + max(off, on + s[j - 1] if j else 0) if j in usable else -np.inf
        off, on = max(off, on), reached
    return base - max(off, on)


def runs(base, a, s, usable):
    """Use each run of neighbours as a whole or not at all."""
    gained, total, last = 0, 0, None
    for j in [*usable, 10**6]:
        if last is not None and j != last + 1:
            gained, total = gained + max(0, total), 0
        if j < len(a):
            total += a[j] + (s[j - 1] if last is not None and j == last + 1 else 0)
            last = j
    return base - gained


def forced(base, a, s, usable):
    """Use all that is there."""
    return base - a[usable].sum() - sum(s[j] for j in usable if j + 1 in usable)


def by_subsets(p):
    """Go backwards over all sets of layers, and forwards along the best."""

    @functools.cache
    def rest(sent):
        missing = [j for j in p.layers.tolist() if j not in sent]
        if not missing:
            return 0, ()
        sets = {j: rest(sent | {j}) for j in missing}
        delay = p.best_delay([*sent, *np.flatnonzero(p.is_free)])
        return min((p.seconds[j] * delay + then[0], (j, *then[1])) for j, then in sets.items())

    return rest(frozenset())[1]


def greedy(p):
    """Take the largest gain per second each time."""
    sent = []
    while len(sent) < p.layers.size:
        sent.append(max((j for j in p.layers if j not in sent), key=lambda j: p.elda([j], sent)))
    return sent


def sorted_once(p):
    """Sort by gain per second of each layer alone."""
    return p.layers[np.argsort(-p.values[p.layers] / p.seconds[p.layers])]


def test_predictions():
    """C goes first; one by one 32, together 30."""
    guess_right("06-p1", "C")
    guess_wrong("06-p1", "D", "'C'")
    guess_right("06-p2", (32, 30))
    guess_wrong("06-p2", (30, 30), "it is 32, 30")


def test_values():
    """C, A, D, B costs 2330 with its tail."""
    right("06-1", 2330)
    wrong("06-1", 2203, "2203 is too small")
    wrong("06-1", 2359, "2359 is too large")
    wrong("06-1", "C, A, D, B", "one number is expected")


def test_counterexamples():
    """A pair that helps only together waits behind a small gain; faulty instances are told."""
    caught = oe.UploadProblem(*CAUGHT)
    orders = [caught.plan_of_order(order) for order in itertools.permutations(range(3))]
    assert min(map(caught.objective, orders)) == 246
    assert caught.objective(orders[0]) == 301
    right("06-3", caught)
    right("06-3", caught.replace(use="forced"))
    right("06-3", oe.UploadProblem([2, 9, 9], [0] * 3, [0, 0, 9], [0, 9, 0], [0] * 3, [99, 1, 1]))
    wrong("06-3", caught.replace(upload_times=[6, 2, 3]), "greedy costs 193, the optimum 168")
    wrong("06-3", caught.replace(upload_times=[12, 0, 3]), "each must take time to upload")
    wrong(
        "06-3",
        caught.replace(chain=[0, 0, 1], input_sizes=[1, 1]),
        "three layers of one network are allowed",
    )
    worked = oe.UploadProblem([12, 19], [3, 5], [3, 2], [2, 3], [0, 0], [6, 15])
    wrong("06-3", worked, "three layers of one network are allowed")
    with pytest.warns(UserWarning, match="saving"):
        slow = caught.replace(hops=[0, 0, 20])
    with pytest.warns(UserWarning, match="saving"):
        wrong("06-3", slow.replace(use="forced"), "no saving may be negative")
    wrong("06-3", [6, 6, 6], "an oe.UploadProblem is expected, got list")


def test_ties_of_greedy_are_no_counterexample():
    """Of equal gains greedy may take the one that is good."""
    tied = oe.UploadProblem([1, 4, 3], [1, 1, 0], [0, 0, 3], [0, 3, 0], [0] * 3, [99, 1, 1])
    wrong("06-3", tied, "greedy costs 214, the optimum 214")


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_functions(seed):
    """Two states along the chain are enough for a query, all sets for an order."""
    right("06-2", two_states, seed)
    right("06-4", by_subsets, seed)


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_wrong_functions(seed):
    """Forced use, whole runs, layers one by one; orders of a greedy, sorted ones, faulty ones."""
    wrong("06-2", forced, "the best use takes", seed)
    wrong("06-2", runs, "the best use takes", seed)
    wrong("06-2", lambda base, a, s, usable: base - a[usable].clip(0).sum(), "usable you say", seed)
    wrong("06-2", lambda base, a, s, usable: "?", "one number is expected", seed)
    wrong("06-4", greedy, "the optimum is", seed)
    wrong("06-4", sorted_once, "the optimum is", seed)
    wrong("06-4", lambda p: p.layers, "your order costs", seed)
    wrong("06-4", lambda p: [0] * p.layers.size, "is sent once, got [0, 0", seed)
    wrong("06-4", lambda p: 3, "is expected, got shape ()", seed)
