"""Count offsets: the relaxation, its labels and certificates against complete enumeration.

The oracle prices every assignment; moves of offsets are compared with true counts.
"""

import itertools

import numpy as np
import pytest
from conftest import INF, seeds
from test_weighting import COMBINATIONS, best_of, e2, e3, four_subtasks, weighted

from optedge.formulations.base import Certificate
from optedge.formulations.offloading.balance import offset_certificates, offsets
from optedge.formulations.offloading.balance.offset_labels import Labels, RelaxedPath
from optedge.formulations.offloading.balance.offsets import Offsets, moves
from optedge.formulations.offloading.balance.retracing import ascending
from optedge.formulations.offloading.costs import decisions

#: Layers of each task, and the tiers of servers beside the clients (one client, two from 4 on).
SHAPES = [
    ((4,), (1, 1, 2, 2)),
    ((2, 2), (1, 1, 1, 2)),
    ((3, 2), (1, 1, 1)),
    ((1, 1, 1), (2, 2, 2, 2)),
    ((2, 1, 2), (2, 2)),
    ((4,), (1, 2, 2, 1, 2)),
]


def drawn(seed, **fields):
    """Return a random instance of chains, Z with a weight that is small or large."""
    sizes, tiers = SHAPES[seed % len(SHAPES)]
    rng = np.random.default_rng([seed, 5])
    options = {**COMBINATIONS[(7 * seed) % len(COMBINATIONS)], "h_wait": False}
    options["xi"] = float(rng.choice([0.01, 0.2, 2.0]))
    n_clients = 1 if len(tiers) < 3 else 2
    p = weighted(
        seed, sizes, n_clients + len(tiers), **{"pools": INF, "weights": options, **fields}
    )
    return p.replace(tiers=[0] * n_clients + list(tiers))


def bounds_by_caps(p, caps):
    """Return the relaxation with these caps, and its value."""
    relaxed = Offsets(decisions.make(p), caps)
    n = relaxed.decisions.n_decisions
    return relaxed, relaxed.root(next(ascending(0, n, relaxed.last(), relaxed.back, n)))


def searched(relaxed, cutoff=INF, width=10**6, kept=4):
    """Return all labels and the best path of a relaxation, decision after decision."""
    n, last = relaxed.decisions.n_decisions, relaxed.last()
    tables = ascending(0, n, last, relaxed.back, kept)
    next(tables)
    labels, path = Labels(relaxed, cutoff, width), RelaxedPath(relaxed)
    for k in range(n):
        after = next(tables, last)
        labels.step(k, after)
        path.step(k, after)
    return labels, path


def proof(caps, **arrays):
    """Return a certificate that claims nothing."""
    arrays = {name: np.array([value]) for name, value in arrays.items()}
    return Certificate("count offsets", 0.0, {"caps": np.array(caps, dtype=float), **arrays})


# -------------------------------------------------------------------- vectors and their moves


@pytest.mark.parametrize(("g", "cap"), [(1, 3), (2, 1), (3, 2), (5, 1), (5, 2), (4, 3), (3, 0)])
def test_moves_hold_the_truth(g, cap):
    """Along random counts the capped true offsets are among the moves, and f never too large."""
    rng = np.random.default_rng([g, cap])
    group = moves(np.arange(3, 3 + g), cap)
    assert len(group.vectors) == offsets.count(g, cap) == len(set(map(tuple, group.vectors)))
    counts = np.zeros(g, dtype=int)
    base = (cap + 1) ** np.arange(g)
    for _ in range(300):
        above = counts - counts.min()
        now = group.rank[np.minimum(above, cap) @ base]
        assert group.vectors[now].tolist() == np.minimum(above, cap).tolist()
        apart = sum(abs(a - b) for a, b in itertools.combinations(above.tolist(), 2))
        assert group.apart[now] <= apart
        assert group.apart[now] == apart or above.max() > cap
        s = int(rng.integers(g)) if rng.random() < 0.5 else int(np.argmin(counts))
        counts[s] += 1
        of = slice(group.more_at[s], group.more_at[s + 1])
        reached = {int(group.first[s, now]), *group.more_to[of][group.more_of[of] == now].tolist()}
        assert int(group.rank[np.minimum(counts - counts.min(), cap) @ base]) in reached
        if above.max() < cap:
            assert len(reached) == 1


def test_a_group_of_none():
    """Without edges there is one vector, and nothing to count."""
    group = moves(np.zeros(0, dtype=np.int64), 3)
    assert (len(group.vectors), group.apart.tolist(), offsets.count(0, 3)) == (1, [0.0], 1)
    with pytest.raises(ValueError, match="a cap of 9 on offsets of 12 servers"):
        moves(np.arange(12), 9)


@pytest.mark.parametrize("kept", [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_tables_in_forward_order(n, kept):
    """Whatever fits into memory, all tables come in order, the first after one recursion."""
    made = []

    def back(k, after):
        made.append(k)
        return np.append(after, k)

    tables = ascending(0, n, np.array([n]), back, kept)
    found = [next(tables)]
    assert made == list(range(n - 1, -1, -1))
    found += list(tables)
    assert [x.tolist() for x in found] == [list(range(n, k - 1, -1)) for k in range(n)]
    assert len(made) == n or kept < n


# -------------------------------------------------------------------- the relaxation


@pytest.mark.parametrize(
    ("xi", "mode", "value"),
    [
        (0.5, "running", 7),
        (0.5, "final", 6),
        (0.75, "running", 7.5),
        (0.75, "final", 6),
        (1.5, "running", 9),
        (1.5, "final", 6),
    ],
)
def test_fourth_example(xi, mode, value):
    """E4: offsets up to the four layers are exact, a certificate says the same."""
    p = four_subtasks(xi, mode)
    _, found = bounds_by_caps(p, (4, 0))  # there is one cloud
    assert found == pytest.approx(value, rel=1e-12)
    assert p.certify(proof((4, 0))) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("seed", seeds(400, 24))
def test_offsets_are_enumeration(seed):
    """Caps as large as the plan is long give the optimum; smaller ones less, growing with them."""
    p = drawn(seed)
    expected, slack = best_of(p), 1e-11
    below = -INF
    for caps in ((0, 0), (1, 0), (1, 1), (2, 1), (2, 2)):
        relaxed, value = bounds_by_caps(p, caps)
        assert below - slack <= value <= expected + slack
        proved = p.certify(proof(caps))
        assert proved == pytest.approx(value, abs=1e-9)
        assert proved <= value + 1e-14
        below = value
        labels, path = searched(relaxed)
        plan, cost = labels.best()
        assert labels.complete
        assert cost == pytest.approx(expected, rel=1e-10, abs=1e-11)
        assert p.objective(plan) == pytest.approx(cost, rel=1e-10, abs=1e-11)
        if not any(path.unpaid):  # what was paid in full is a plan
            assert p.objective(np.array(path.plan)) == pytest.approx(value, rel=1e-10, abs=1e-11)
    n = p.n_subtasks
    _, value = bounds_by_caps(p, (n, n))
    assert value == pytest.approx(expected, rel=1e-10, abs=1e-11)


def test_small_caps_do_cut():
    """In the seeds above some bounds are below the optimum, and some paths paid too little."""
    short, unpaid = 0, 0
    for seed in range(24):
        p = drawn(seed)
        relaxed, value = bounds_by_caps(p, (1, 1))
        short += value < best_of(p) - 1e-9
        unpaid += any(searched(relaxed)[1].unpaid)
    assert 0 < short < 24
    assert unpaid >= short


@pytest.mark.parametrize("seed", seeds(24, 6))
def test_few_labels_are_a_beam(seed):
    """With one label a plan is made, feasible and of the cost stated, and nothing is claimed."""
    p = drawn(seed)
    relaxed, _ = bounds_by_caps(p, (1, 1))
    labels, _ = searched(relaxed, width=1)
    plan, cost = labels.best()
    assert labels.most == 1
    assert p.violations(plan) == []
    assert p.objective(plan) == pytest.approx(cost, rel=1e-10, abs=1e-11)
    assert cost >= best_of(p) - 1e-11


# -------------------------------------------------------------------- certificates


@pytest.mark.parametrize("seed", seeds(60, 10))
def test_cutoffs_prove_no_more_than_the_optimum(seed):
    """A cutoff below the optimum proves itself, one above it the optimum; whatever the caps."""
    p = drawn(seed)
    expected = best_of(p)
    for caps in ((0, 0), (2, 1)):
        for step in (-1.0, -1e-3, 0.0, 1e-3, 1.0):
            proved = p.certify(proof(caps, cutoff=expected + step))
            assert proved == pytest.approx(expected + min(step, 0.0), abs=1e-9)
            assert proved <= expected + 1e-14


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, r"'caps' must have shape \(2,\)"),
        ({"caps": [1.0]}, r"'caps' must have shape \(2,\)"),
        ({"caps": [[1.0, 1.0]]}, r"'caps' must have shape \(2,\)"),
        ({"caps": [1.5, 1]}, "'caps' must hold whole numbers of at least 0"),
        ({"caps": [-1, 1]}, "'caps' must hold whole numbers of at least 0"),
        ({"caps": [np.nan, 1]}, "'caps' must hold whole numbers of at least 0"),
        ({"caps": [np.inf, 1]}, "'caps' must hold whole numbers of at least 0"),
        ({"caps": [1e12, 1]}, "'caps' is out of range: offsets of 2 servers up to 1000000000000"),
        ({"caps": [1500, 1500]}, "'caps' is out of range: its tables have"),
        ({"caps": [1, 1], "cutoff": [1.0, 2.0]}, r"'cutoff' must have shape \(1,\) and be finite"),
        ({"caps": [1, 1], "cutoff": [np.inf]}, r"'cutoff' must have shape \(1,\) and be finite"),
    ],
)
def test_malformed_certificates(arrays, words):
    """Each is refused with a sentence that names the array."""
    p = drawn(0)
    with pytest.raises(ValueError, match=words):
        p.certify(Certificate("count offsets", 0.0, {k: np.array(x) for k, x in arrays.items()}))


def test_a_cutoff_with_too_many_labels(monkeypatch):
    """A certificate may not ask for labels without end."""
    monkeypatch.setattr(offset_certificates, "MOST_LABELS", 3)
    with pytest.raises(ValueError, match="'cutoff' is out of range: its labels are too many"):
        drawn(0).certify(proof((0, 0), cutoff=1e3))


def test_problems_without_certificate():
    """Graphs and waiting in H have none."""
    for p, words in ((e2(), "some task branches"), (e3(h_wait=True), "h_wait")):
        with pytest.raises(ValueError, match=words):
            p.certify(proof((1, 1)))
    with pytest.raises(ValueError, match="needs a certificate 'count offsets'"):
        offset_certificates.certify(drawn(0), Certificate("paths", 0.0, {}))
