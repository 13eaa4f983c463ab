"""Chains as decisions: exact Q against enumeration, and what a discount makes of the objective."""

import functools
import itertools

import numpy as np
import pytest
from conftest import INF, seeds
from test_offloading_models import plans
from test_weighting import SC, e2, e3, weighted

import optedge as oe
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import decisions
from optedge.formulations.offloading.costs.decisions import discount_bias
from optedge.papers import ddpqn

#: Section 6 of the specification: optimum, plan of discount 0.8, myopic plan, all on the client.
TABLE = """
alexnet MB SC 0.149747 0.149747 0.149747 1.514488
alexnet MB printed -0.053763 -0.053763 -0.053633 0.908693
alexnet Mb SC 0.122336 0.122336 0.200560 2.242701
alexnet Mb printed -0.033192 -0.033192 -0.033108 1.345621
vgg19 MB SC 0.026558 0.026558 0.026558 1.056698
vgg19 MB printed -0.167604 -0.166610 -0.166610 0.634019
vgg19 Mb SC 0.040404 0.060018 0.060018 1.221965
vgg19 Mb printed -0.202304 -0.202304 -0.202304 0.733179
googlenet MB SC 0.024369 0.024369 0.024369 0.889004
googlenet MB printed -0.138887 -0.138797 -0.137069 0.533402
googlenet Mb SC 0.056716 0.056716 0.056716 2.428041
googlenet Mb printed -0.145677 -0.145677 -0.145677 1.456824
resnet101 MB SC 0.057346 0.057346 0.057346 2.681955
resnet101 MB printed -0.258640 -0.258616 -0.258616 1.609173
resnet101 Mb SC 0.089016 0.142697 0.142697 6.165648
resnet101 Mb printed -0.291019 -0.290898 -0.290898 3.699389
"""
ROWS = [row.split() for row in TABLE.strip().splitlines()]


@functools.cache
def published(network, unit, objective):
    """Return an instance of the table."""
    return ddpqn.instance(network, data_unit=unit, weights=SC if objective == "SC" else {"xi": 0.0})


def enumerated(p):
    """Return all plans and what each of their decisions costs, from the problem's own values."""
    rows = np.array(list(plans(p)))
    return rows, p.costs(rows)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:3]))
def test_table_of_the_specification(row):
    """The optimum, what discount 0.8 and 0 make of it, the client; 0.99 is enough everywhere."""
    p = published(*row[:3])
    found = {d: discount_bias(p, d) for d in (1.0, 0.99, 0.8, 0.0)}
    at_home = p.objective(np.zeros(p.n_subtasks, int))
    values = [*(found[d].value for d in (1.0, 0.8, 0.0)), at_home]
    assert values == pytest.approx([float(x) for x in row[3:]], abs=5.1e-7)
    assert found[0.99].bias == pytest.approx(0, abs=1e-9)
    for bias in found.values():
        assert bias.value == pytest.approx(p.objective(bias.plan), abs=1e-9)
        assert bias.bias == pytest.approx(bias.value - found[1.0].value, abs=1e-12)


@pytest.mark.parametrize("seed", seeds(40, 8))
def test_dynamic_program_is_enumeration(seed):
    """Several tasks and clients, missing connections, results back home: value, plan, forbidden."""
    p = weighted(seed, ((2, 1, 2), (4,), (3, 2))[seed % 3], 4, pools=INF, weights={"xi": 0.0})
    d = decisions.make(p)
    rows, values = enumerated(p)
    q = d.q_values()
    best = d.follow(q)
    assert d.cost(best) == pytest.approx(values.min(), abs=1e-9)
    assert p.objective(best) == pytest.approx(values.min(), abs=1e-9)
    for k in range(0, len(rows), 1 + len(rows) // 30):
        assert d.cost(rows[k]) == pytest.approx(values[k], abs=1e-9)
    finite = values[np.isfinite(values)]
    allowed = {tuple(x) for x in rows[np.isfinite(values)]}
    assert len(finite) == len(allowed) > 0
    every = itertools.product(range(p.n_servers), repeat=p.n_subtasks)
    for x in itertools.islice(every, seed, None, 7):
        assert np.isfinite(d.cost(np.array(x))) == (x in allowed)


@pytest.mark.parametrize("seed", seeds(20, 4))
@pytest.mark.parametrize("discount", [1.0, 0.8, 0.0])
def test_q_of_every_state_and_action(seed, discount):
    """Q is the least discounted cost over all continuations, priced one by one."""
    p = weighted(seed, (2, 2), 4, pools=INF, weights={"xi": 0.0})
    d = decisions.make(p)
    q, n = d.q_values(discount), d.n_decisions
    for k, a in itertools.product(range(n), range(p.n_servers)):
        if d.first[k] and a != d.home[k]:
            assert np.isinf(q[k, a]).all()
            continue
        least = np.full(p.n_servers, INF)
        for tail in itertools.product(range(p.n_servers), repeat=n - k):
            at, total = a, 0.0
            for i, b in enumerate(tail):
                source = d.home[k + i] if d.first[k + i] else at
                cost = d.tables[d.table_of[k + i], source, b]
                total += discount**i * cost if np.isfinite(cost) else INF
                at = b
            least[tail[0]] = min(least[tail[0]], total)
        assert q[k, a] == pytest.approx(least, abs=1e-9)


def test_bellman_residual():
    """The published Q values: c + discount * min of the next, to rounding."""
    p = published("resnet101", "Mb", "SC")
    d = decisions.make(p)
    for discount in (1.0, 0.8):
        q, costs = d.q_values(discount), d.tables[d.table_of]
        later = np.concatenate([q[1:].min(axis=2), np.zeros((1, p.n_servers))])
        expected = costs + discount * later[:, None, :]
        assert np.array_equal(np.isfinite(q), np.isfinite(expected))
        here = np.isfinite(q)
        assert q[here] == pytest.approx(expected[here], abs=1e-12)


def test_third_example():
    """E3: optimum and next best of the standardised cost, the myopic plan, H that rewards waste."""
    p, q = e3(**SC), decisions.make(e3(**SC)).q_values()
    assert decisions.make(p).follow(q).tolist() == [1, 2, 2]
    assert np.sort(enumerated(p)[1])[:2] == pytest.approx([0.155442, 0.207620], abs=5.1e-7)
    myopic = discount_bias(p, 0.0)
    assert (myopic.plan.tolist(), myopic.value) == ([1, 1, 1], pytest.approx(0.218007, abs=5.1e-7))
    printed = discount_bias(e3(), 1.0)
    assert printed.plan.tolist() == [1, 1, 1]
    assert printed.value == pytest.approx(0.034741, abs=5.1e-7)
    assert e3().objective([1, 2, 2]) == pytest.approx(0.059398, abs=5.1e-7)
    assert e3(**SC).replace(weights=None).objective([1, 2, 2]) == pytest.approx(1.5025)


def two_steps(early):
    """Return two layers on two servers: 0 now then 1, or ``early`` now then 0; others cost 9."""
    return decisions.Decisions(
        tables=np.array([[[0.0, early], [INF, INF]], [[1.0, 9.0], [9.0, 0.0]]]),
        table_of=np.array([0, 1]),
        home=np.zeros(2, dtype=np.int64),
        first=np.array([True, False]),
        tiers=np.array([0, 1]),
        balance=0.0,
        running=False,
    )


@pytest.mark.parametrize(
    ("early", "discount", "plan"),
    [
        (0.9, 1.0, [1, 1]),
        (0.9, 0.8, [0, 0]),
        (0.9, 0.91, [1, 1]),
        (0.9, 0.95, [1, 1]),
        (0.9, 0.89, [0, 0]),
        (0.995, 0.99, [0, 0]),
        (0.995, 0.996, [1, 1]),
    ],
)
def test_discount_that_is_too_small(early, discount, plan):
    """Two steps by hand: the cheaper plan is chosen above a discount of ``early`` only."""
    d = two_steps(early)
    assert d.follow(d.q_values(discount)).tolist() == plan
    assert d.cost(np.array(plan)) == (1.0 if plan == [0, 0] else early)


@pytest.mark.parametrize(
    ("make", "discount", "words"),
    [
        (lambda: e3(), -0.1, "discount must be from 0 to 1, got -0.1"),
        (lambda: e3(), 1.5, "discount must be from 0 to 1"),
        (lambda: e3(), np.nan, "discount must be from 0 to 1"),
        (lambda: e3(xi=0.2).replace(tiers=[0, 1, 1]), 0.8, r"Z has a weight \(xi\)"),
        (lambda: e2(), 0.8, "need tasks that are chains"),
        (lambda: e3(h_wait=True), 0.8, "waiting counts in the coordination"),
    ],
    ids=["negative", "above 1", "nan", "balance", "branches", "waiting in H"],
)
def test_refusals(make, discount, words):
    """What a discount cannot be told of is named."""
    with pytest.raises(ValueError, match=words):
        discount_bias(make(), discount)


def test_sum_of_flow_times():
    """Without weights a decision costs its seconds."""
    p = OffloadingProblem.chains(
        [[8, 4], [12, 4]], [[4, 8], [2, 2]], clients=[0, 0], speeds_ghz=[1, 2, 4],
        rates_mb_s=[[0, 2, 1], [2, 0, 2], [1, 2, 0]], pools=[INF] * 3, tiers=[0, 1, 2],
    )  # fmt: skip
    assert discount_bias(p, 1.0).optimum == pytest.approx(enumerated(p)[1].min())


def test_standards_of_another_instance():
    """Its own standards change nothing; those of another one make values comparable; kept."""
    p, other = e3(**SC), e3(**SC).replace(speeds_ghz=[1.0, 20, 60])
    same = p.replace(weights=oe.Weighting(**SC, standards=p.standards))
    plans_of_p = np.array(list(plans(p)))
    assert np.array_equal(same.costs(plans_of_p), p.costs(plans_of_p))
    assert same.standards == p.standards
    assert p.standards == pytest.approx(
        (0.0575, 8 - 0.0575, 0.575, 280.8 - 0.575, 0, 0.002162), abs=5e-7
    )
    moved = other.replace(weights=oe.Weighting(**SC, standards=p.standards))
    raw = other.indicators([1, 2, 2])
    w, s = moved.weights, p.standards
    fields = ("seconds", "joule", "dollar")
    hats = [(raw[f] - s[2 * i]) / s[2 * i + 1] for i, f in enumerate(fields)]
    expected = sum(w.theta * hats[0] + w.vartheta * hats[1] + w.eta * hats[2])
    assert moved.objective([1, 2, 2]) == pytest.approx(expected, abs=1e-12)
    assert moved.objective([1, 2, 2]) != pytest.approx(other.objective([1, 2, 2]), abs=1e-6)
    assert discount_bias(moved, 1.0).optimum == pytest.approx(enumerated(moved)[1].min())
    assert same.key != p.key


@pytest.mark.parametrize(
    ("standards", "words"),
    [
        ((1, 2, 3), "standards must hold 6 numbers, got 3"),
        (3.0, "standards must hold 6 numbers, got 3.0"),
        (("a",) * 6, "standards must hold 6 numbers"),
        ((0, 1, 0, -1, 0, 1), r"standards\[3\] must be at least 0 and finite, got -1.0"),
        ((0, 1, 0, 1, INF, 1), r"standards\[4\] must be at least 0"),
        ((np.nan, 1, 0, 1, 0, 1), r"standards\[0\] must be at least 0"),
    ],
)
def test_standards_refused(standards, words):
    """The entry is named."""
    with pytest.raises(ValueError, match=words):
        oe.Weighting(standards=standards)


def test_no_weights_no_standards():
    """A sum of flow times is not standardised."""
    with pytest.raises(ValueError, match="the problem has no weights"):
        _ = e3().replace(weights=None).standards
