"""The cut problem: construction, evaluation, models, bounds and certificates.

The oracles here read successors, times and sends only: plain loops, complete enumeration of all
assignments, and rational numbers.
"""

import dataclasses
import itertools
import json
import math
import pickle
import re
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from conftest import examples, seeds
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge import kernels, networks, platforms
from optedge.bridge import compile_model

INF = math.inf
DIAMOND = ((1,), (2, 3), (4,), (4,), ())


class Diamond(NamedTuple):
    """An example of section 7 of the specification, with the values known by hand."""

    device: list[float]
    cloud: list[float]
    sends: list[float]
    optimum: float
    per_successor: float

    def problem(self, **fields):
        """Return the instance."""
        return oe.CutProblem(DIAMOND, [self.device, self.cloud], [self.sends], **fields)


DIAMONDS = {
    "D1": Diamond([0, 2, 4, 4, 1], [0, 1, 1, 1, 0.5], [9, 3, 2.5, 2.5, 0], 7.5, 10.5),
    "D2": Diamond([0, 7, 1, 1, 8], [0, 3, 1, 1, 3], [7, 2, 6, 1, 0], 14.0, 15.0),
    "D3": Diamond([0, 4, 4, 8, 9], [0, 3, 2, 2, 11], [5, 2, 6, 2, 0], 21.0, 23.0),
}
CHAINS = {  # times, sends, latency of cut 0, 1, ...
    "A": ([[0, 2, 3, 4], [0, 1, 2, 1]], [6, 3, 1, 5], [10, 8, 7, 9]),
    "B": ([[0, 1, 3, 4], [0, 2, 1, 2]], [1, 2, 1, 5], [6, 6, 7, 8]),
}


# -------------------------------------------------------------------- oracles


def is_plan(successors, x):
    """Tell whether the input stays and no output goes back."""
    return x[0] == 0 and all(x[v] <= x[w] for v, row in enumerate(successors) for w in row)


def plain_stages(successors, times, sends, x, *, per_successor=False):
    """Return the seconds of every tier and hop by loops; a tensor crosses a hop once."""
    stages = [0] * (2 * len(times) - 1)
    for v, row in enumerate(successors):
        stages[x[v]] += times[x[v]][v]
        for k in range(len(sends)):
            readers = sum(1 for w in row if x[v] <= k < x[w])
            if readers:
                stages[len(times) + k] += sends[k][v] * (readers if per_successor else 1)
    return stages


def plain_value(problem, x, number=float):
    """Return latency or slowest stage of a plan, in floats or in rational numbers."""
    times = [[number(t) for t in row] for row in problem.times.tolist()]
    sends = [[s if s == INF else number(s) for s in row] for row in problem.sends.tolist()]
    stages = plain_stages(problem.successors, times, sends, x)
    return sum(stages) if problem.goal == "latency" else max(stages)


def all_plans(problem):
    """Return every plan, found among all assignments of tiers."""
    tiers = range(problem.times.shape[0])
    every = itertools.product(tiers, repeat=problem.times.shape[1])
    return [x for x in every if is_plan(problem.successors, x)]


def brute_force(problem, number=float):
    """Return the optimum by complete enumeration."""
    return min(plain_value(problem, x, number) for x in all_plans(problem))


# -------------------------------------------------------------------- random instances


@st.composite
def graphs(draw, max_layers=7, min_layers=2):
    """Draw a graph with one source: chains, branches, skip edges, several ends."""
    n = draw(st.integers(min_layers, max_layers))
    rows = [set() for _ in range(n)]
    for w in range(1, n):
        for v in draw(st.sets(st.integers(0, w - 1), min_size=1, max_size=3)):
            rows[v].add(w)
    return tuple(tuple(sorted(row)) for row in rows)


@st.composite
def problems(draw, *, tiers=2, max_layers=7, goal="latency", infinite=True, positive=False):
    """Draw an instance: whole numbers (ties, zeros) or fractions, missing links."""
    successors = draw(graphs(max_layers))
    n = len(successors)
    least = 1 if positive else 0
    number = draw(
        st.sampled_from([st.integers(least, 6).map(float), st.floats(0.01, 50), st.just(1.0)])
    )
    send = number if not infinite or draw(st.booleans()) else st.one_of(number, st.just(INF))

    def rows(entry, k):
        row = st.lists(entry, min_size=n, max_size=n)
        return draw(st.lists(row, min_size=k, max_size=k))

    return oe.CutProblem(successors, rows(number, tiers), rows(send, tiers - 1), goal=goal)


def random_problem(seed, n=6, tiers=2, kind="real", **fields):
    """Return a random instance whose numbers are of a kind."""
    rng = np.random.default_rng([seed, n, tiers])
    share = rng.uniform(0.1, 0.7)
    rows = [set() for _ in range(n)]
    for w in range(1, n):
        before = np.flatnonzero(rng.random(w) < share).tolist() or [int(rng.integers(0, w))]
        for v in before:
            rows[v].add(w)
    shape = (2 * tiers - 1, n)
    numbers = {
        "whole": lambda: rng.integers(0, 7, shape).astype(float),
        "zeros": lambda: rng.integers(0, 2, shape).astype(float),
        "real": lambda: rng.uniform(0.01, 5, shape),
        "no links": lambda: rng.integers(0, 7, shape).astype(float),
        "nanoseconds": lambda: rng.uniform(1e-10, 5e-9, shape),
        "years": lambda: rng.uniform(1e6, 1e9, shape),
        "mixed": lambda: 10 ** rng.uniform(-6, 6, shape),
    }[kind]()
    sends = numbers[tiers:]
    if kind == "no links":
        sends[rng.random(sends.shape) < 0.3] = INF
    successors = tuple(tuple(sorted(row)) for row in rows)
    return oe.CutProblem(successors, numbers[:tiers], sends, **fields)


KINDS = ("whole", "zeros", "real", "no links", "nanoseconds", "years")


# ---------------------------------------------------------------- construction


def two(successors=((1,), ()), times=((1, 1), (1, 1)), sends=((1, 1),), **fields):
    """Return a problem of two layers, or what is wrong with it."""
    return oe.CutProblem(successors, times, sends, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"successors": [[1], [0]]}, r"successors: a cycle, 0 -> 1 -> 0"),
        ({"successors": [[1], [1]]}, r"successors: a cycle, 1 -> 1"),
        ({"successors": [[0, 1], []]}, r"successors: a cycle, 0 -> 0"),
        ({"successors": [[], []]}, r"layer 0 and layer 1 have no predecessor"),
        ({"successors": [[1], [5]]}, r"successors of layer 1: there is no layer 5"),
        ({"successors": [[1], [-1]]}, r"successors of layer 1: there is no layer -1"),
        ({"successors": [[1.0], []]}, r"successors of layer 0: 1\.0 is no layer number"),
        ({"successors": [[1.5], []]}, r"successors of layer 0: 1\.5 is no layer number"),
        ({"successors": [["1"], []]}, r"successors of layer 0: '1' is no layer number"),
        ({"successors": [[1, 1], []]}, r"successors of layer 0: a layer is named twice"),
        ({"successors": [[], [0]]}, r"layer 0 reads layer 1, .* such as 1, 0"),
        ({"successors": [[1], [2], []]}, r"successors must hold 2 rows.*got 3"),
        ({"successors": []}, r"successors"),
        ({"times": [[1, 1], [1, -1]]}, r"times\[1, 1\] is negative"),
        ({"times": [[1, np.nan], [1, 1]]}, r"times\[0, 1\] is NaN"),
        ({"times": [[1, INF], [1, 1]]}, r"times\[0, 1\] is infinite"),
        ({"times": [["a", "b"], [1, 1]]}, r"times must be an array of numbers"),
        ({"times": [[1, 1], [1]]}, r"times must be an array of numbers"),
        ({"times": [1, 1]}, r"times must have shape \(n_tiers, n_layers\).*\(2,\)"),
        ({"times": np.ones((2, 0))}, r"times must have shape .* non-empty"),
        ({"times": [[1, 1]]}, r"K of at least 2"),
        ({"times": np.ones((3, 2))}, r"shapes \(K, n\) and \(K - 1, n\).*\(3, 2\) and \(1, 2\)"),
        ({"sends": [[1, 1, 1]]}, r"sends must have shape \(n_hops, n_layers\).*\(1, 3\)"),
        ({"sends": np.zeros((0, 2))}, r"sends must have shape .* non-empty"),
        ({"sends": [1, 1]}, r"sends must have shape"),
        ({"sends": [[np.nan, 1]]}, r"sends\[0, 0\] is NaN"),
        ({"sends": [[1, -0.5]]}, r"sends\[0, 1\] is negative"),
        ({"sends": [[1, -INF]]}, r"sends\[0, 1\] is infinite"),
        ({"goal": "speed"}, r"goal must be 'latency' or 'throughput', got 'speed'"),
        ({"name": 3}, r"name must be a string"),
    ],
)
def test_bad_input_is_refused(fields, message):
    """The sentence names the entry that is wrong, and what was expected."""
    with pytest.raises(ValueError, match=message):
        two(**fields)


@pytest.mark.parametrize(
    ("successors", "message"),
    [
        ([[1], [2], [1]], r"a cycle, 1 -> 2 -> 1"),
        ([[1], [2], [0]], r"a cycle, 0 -> 1 -> 2 -> 0"),
        ([[2], [2], []], r"layer 0 and layer 1 have no predecessor"),
        ([[2], [], [1]], r"layer 1 reads layer 2, which has a larger number.*such as 0, 2, 1"),
    ],
)
def test_bad_graphs_of_three_layers(successors, message):
    """Cycles, two sources and a numbering that is no topological order are told apart."""
    with pytest.raises(ValueError, match=message):
        oe.CutProblem(successors, np.ones((2, 3)), np.ones((1, 3)))


def test_arrays_are_copied_and_frozen():
    """Neither the caller's array nor anybody else can change an instance later."""
    times = np.ones((2, 2))
    p = two(times=times)
    times[0, 0] = 9
    assert p.times[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        p.times[0, 0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.goal = "throughput"


def test_replace_validates():
    """A changed copy is checked as a new instance is, and the old one stays."""
    p = DIAMONDS["D1"].problem()
    assert p.replace(times=2 * p.times).objective([0, 0, 1, 1, 1]) == 2 * 2 + 3 + 2 * 2.5
    with pytest.raises(ValueError, match=r"sends\[0, 4\] is negative"):
        p.replace(sends=[[1, 1, 1, 1, -1]])
    with pytest.raises(ValueError, match="successors must hold 5 rows"):
        p.replace(successors=((1,), ()))


def test_key_tells_data_from_name():
    """Two instances have the same key exactly if all but the name is equal."""
    p = DIAMONDS["D1"].problem(name="one")
    assert p.key == DIAMONDS["D1"].problem(name="other").key
    changed = [
        p.replace(times=p.times + 1e-16 * (p.times == 0)),
        p.replace(sends=2 * p.sends),
        p.replace(goal="throughput"),
        p.replace(successors=((1,), (2, 3), (4,), (), ())),
    ]
    assert len({p.key, *(q.key for q in changed)}) == 5


def test_pickle_round_trip():
    """An instance that went to another process is the same, and still frozen."""
    p = DIAMONDS["D2"].problem(name="D2")
    q = pickle.loads(pickle.dumps(p))
    assert (q.key, q.name, q.successors) == (p.key, "D2", DIAMOND)
    with pytest.raises(ValueError, match="read-only"):
        q.sends[0, 0] = 1


@given(problems(tiers=3, max_layers=5))
@examples(30)
def test_save_and_load(tmp_path_factory, problem):
    """A problem comes back from its file to the last digit, missing links included."""
    path = tmp_path_factory.mktemp("cut") / "p.json"
    oe.save(problem.replace(name="a cut"), path)
    back = oe.load(path)
    assert (back.key, back.name) == (problem.key, "a cut")
    assert back.successors == problem.successors


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("successors", [[1], [2, 3], [4], [4], [9]], "there is no layer 9"),
        ("successors", [[1], [2, 3], [4], [4], [1]], "a cycle, 1 -> 2 -> 4 -> 1"),
        ("successors", [[1], [2.5, 3], [4], [4], []], "successors"),
        ("times", [[0, 1], [1, 2]], "n_layers"),
        ("times", [[0, 1, 1, 1, -1], [0, 1, 1, 1, 1]], r"times\[0, 4\] is negative"),
        ("sends", "much", "sends"),
        ("goal", "speed", "goal: .speed."),
    ],
)
def test_broken_files_are_refused(tmp_path, field, value, words):
    """The sentence names the file and the field that is wrong."""
    path = tmp_path / "d1.json"
    oe.save(DIAMONDS["D1"].problem(), path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {field: value}))
    with pytest.raises(ValueError, match=words) as error:
        oe.load(path)
    assert "d1.json" in str(error.value)


# ---------------------------------------------------------------- values known by hand


@pytest.mark.parametrize("name", DIAMONDS)
def test_diamonds(name):
    """D1, D2, D3: the optimum to the digits, with layers 2, 3 and 4 in the cloud, and no other."""
    row = DIAMONDS[name]
    p = row.problem()
    values = {x: p.objective(x) for x in all_plans(p)}
    assert min(values.values()) == row.optimum == p.objective([0, 0, 1, 1, 1])
    assert sorted(values.values())[1] > row.optimum
    assert p.crossing([0, 0, 1, 1, 1]) == (1,)
    assert oe.solve_model(p.model()).objective == pytest.approx(row.optimum, rel=1e-12)


@pytest.mark.parametrize("name", ["D1", "D2"])
def test_an_output_is_sent_once(name):
    """Charging the output of layer 1 once per successor gives 10.5 for 7.5 and 15 for 14."""
    row = DIAMONDS[name]
    p = row.problem()

    def naive(x):
        return sum(plain_stages(DIAMOND, p.times, p.sends, x, per_successor=True))

    assert min(map(naive, all_plans(p))) == row.per_successor > row.optimum


def test_charging_per_successor_makes_d2_tie():
    """On D2 the naive charge makes {1,2,3,4} and {2,4} tie at 15, and 15 both truly cost."""
    p = DIAMONDS["D2"].problem()
    values = [
        sum(plain_stages(DIAMOND, p.times, p.sends, x, per_successor=True)) for x in all_plans(p)
    ]
    assert values.count(15) >= 2
    for x in ([0, 1, 1, 1, 1], [0, 0, 1, 0, 1]):
        assert sum(plain_stages(DIAMOND, p.times, p.sends, x, per_successor=True)) == 15
        assert p.objective(x) == 15


def test_without_no_return_rows_d3_is_wrong():
    """Without these rows D3 costs 19: layer 4 returns to the device for free, no plan at all."""
    p = DIAMONDS["D3"].problem()
    m = p.model()
    m.no_return.deactivate()
    solved = oe.solve_model(m)
    assert solved.objective == pytest.approx(19, rel=1e-12)
    assert [round(solved.values["p"][1, v]) for v in range(5)] == [0, 0, 1, 1, 0]
    assert p.objective([0, 0, 1, 1, 0]) == INF


@pytest.mark.parametrize("name", CHAINS)
def test_chains(name):
    """Chains A and B by cut: 10, 8, 7, 9 and 6, 6, 7, 8, from cloud-only to edge-only."""
    times, sends, totals = CHAINS[name]
    p = oe.CutProblem.chain(times, [sends])
    assert p.is_chain
    plans = [[0] * (i + 1) + [1] * (3 - i) for i in range(4)]
    assert [p.objective(x) for x in plans] == totals
    assert p.objective(p.everything_on(-1)) == totals[0]
    assert p.objective(p.everything_on(0)) == totals[-1]
    assert [p.crossing(x) for x in plans] == [(0,), (1,), (2,), ()]


def test_stages_of_d1():
    """Three parts by hand: 2 s on the device, 2.5 s in the cloud, 3 s of sending."""
    p = DIAMONDS["D1"].problem()
    assert p.stages([0, 0, 1, 1, 1]).tolist() == [2, 2.5, 3]
    assert p.metrics([0, 0, 1, 1, 1]) == {
        "edge_seconds": 2,
        "cloud_seconds": 2.5,
        "send_seconds": 3,
        "offloaded_layers": 3,
    }
    assert p.replace(goal="throughput").objective([0, 0, 1, 1, 1]) == 3


def test_closed_sets_of_the_diamond():
    """6 of the 16 sets of layers are closed under successors."""
    p = DIAMONDS["D1"].problem()
    listed = [tuple(x) for block in p.solutions() for x in block.tolist()]
    assert len(listed) == p.count_solutions(100) == 6
    assert set(listed) == set(all_plans(p))
    assert p.count_solutions(3) > 3


def test_the_result_is_not_sent():
    """What the last layer puts out is never paid, in the cloud or on the device."""
    times, sends, totals = CHAINS["A"]
    dear = oe.CutProblem.chain(times, [[*sends[:3], INF]])
    assert dear.objective([0, 0, 0, 0]) == totals[3]
    assert dear.objective([0, 0, 0, 1]) == totals[2]
    assert dear.violations([0, 0, 0, 0]) == []


def test_three_tiers_by_hand():
    """From the device to the cloud a tensor takes both hops; a tier may be left out."""
    p = oe.CutProblem.chain([[0, 5, 5], [0, 2, 2], [0, 1, 1]], [[3, 1, 0], [4, 2, 0]])
    assert p.stages([0, 1, 2]).tolist() == [0, 2, 1, 3, 2]
    assert p.stages([0, 2, 2]).tolist() == [0, 0, 2, 3, 4]
    assert p.stages([0, 0, 2]).tolist() == [5, 0, 1, 1, 2]
    assert p.crossing([0, 1, 2]) == (0,)
    assert p.crossing([0, 1, 2], hop=1) == (1,)
    assert p.crossing([0, 0, 2], hop=1) == (1,)


def test_several_readers_on_several_tiers():
    """A tensor crosses each hop once, however far and however many its readers are."""
    p = oe.CutProblem(
        [[1], [2, 3, 4], [], [], []], np.zeros((3, 5)), [[9, 1, 9, 9, 9], [9, 10, 9, 9, 9]]
    )
    assert p.objective([0, 0, 0, 1, 1]) == 1
    assert p.objective([0, 0, 1, 2, 2]) == 11
    assert p.objective([0, 0, 2, 2, 2]) == 11
    assert p.reach([0, 0, 1, 2, 1]).tolist() == [0, 2, 1, 2, 1]


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ([0, 0, 1, 1], "a solution holds 5 integers, got .* of shape \\(4,\\)"),
        ([0.0, 0.0, 1.0, 1.0, 1.0], "a solution holds 5 integers, got float64"),
        ([[0, 0, 1, 1, 1]], "a solution holds 5 integers"),
        ([0, 0, 1, 1, 2], "layer 4: there is no tier 2"),
        ([0, 0, -1, 1, 1], "layer 2: there is no tier -1"),
        ([1, 1, 1, 1, 1], "layer 0 is the input, which is born on tier 0"),
        ([0, 0, 1, 1, 0], "layer 4 on tier 0 reads layer 2 on tier 1: data go back"),
        ([0, 1, 1, 0, 1], "layer 3 on tier 0 reads layer 1 on tier 1: data go back"),
        ([0, 0, 0, 0, 1], "layer 3: its output cannot cross from tier 0 to tier 1"),
    ],
)
def test_violations(x, words):
    """What is no plan has infinite value and a sentence that says why."""
    p = oe.CutProblem(DIAMOND, np.ones((2, 5)), [[1, 1, 1, INF, 1]])
    assert p.objective(x) == INF
    assert any(re.search(words, text) for text in p.violations(x))


# ---------------------------------------------------------------- evaluation, in general


@given(st.sampled_from([2, 3, 4]).flatmap(lambda k: problems(tiers=k, max_layers=5)))
@examples(60)
def test_objective_is_the_formula(problem):
    """Every plan is worth what loops over layers say; everything else is infeasible."""
    plans = set(all_plans(problem))
    for x in itertools.product(range(problem.n_tiers), repeat=problem.n_layers):
        if x not in plans:
            assert problem.objective(x) == INF
            continue
        value = plain_value(problem, x)
        assert problem.objective(x) == pytest.approx(value, rel=1e-12)
        assert (problem.violations(x) == []) == (value < INF)
        slowest = plain_value(problem.replace(goal="throughput"), x)
        assert problem.replace(goal="throughput").objective(x) == pytest.approx(slowest, rel=1e-12)


@given(st.sampled_from([2, 3]).flatmap(lambda k: problems(tiers=k, max_layers=6)))
@examples(60)
def test_listed_plans_are_all_plans(problem):
    """Each plan is listed once, and valued as one by one, for both goals."""
    blocks = list(problem.solutions())
    listed = [tuple(x) for block in blocks for x in block.tolist()]
    assert sorted(listed) == sorted(all_plans(problem))
    assert problem.count_solutions(10**6) == len(listed)
    for goal in ("latency", "throughput"):
        p = problem.replace(goal=goal)
        values = np.concatenate([p.values(block) for block in blocks])
        assert values == pytest.approx([plain_value(p, x) for x in listed], rel=1e-12)


def test_plans_come_in_blocks():
    """Of a chain with many cuts on three tiers no more are listed at a time than of a graph."""
    p = oe.CutProblem.chain(np.ones((3, 300)), np.ones((2, 300)))
    assert p.count_solutions(10**6) == 45_150
    assert len(next(iter(p.solutions()))) <= 10_000


@given(st.sampled_from([2, 3]).flatmap(lambda k: problems(tiers=k, max_layers=6, infinite=False)))
@examples(40)
def test_lanes_show_the_latency(problem):
    """The bars of a Gantt chart stand one after the other and end at the latency."""
    for x in all_plans(problem)[:10]:
        bars = sorted(bar for lane in problem.lanes(x) for bar in lane.bars)
        ends = [0.0, *(start + length for start, length, _ in bars)]
        assert [bar[0] for bar in bars] == pytest.approx(ends[:-1])
        assert ends[-1] == pytest.approx(problem.objective(x))
        assert len(problem.lanes(x)) == 2 * problem.n_tiers - 1


@given(problems(max_layers=6), st.randoms(use_true_random=False))
@examples(40)
def test_another_numbering_is_the_same_problem(problem, random):
    """Numbered in another topological order, the plans and their values are permuted."""
    n = problem.n_layers
    before = [{v for v in range(n) if w in problem.successors[v]} for w in range(n)]
    order: list[int] = []
    while len(order) < n:
        ready = [v for v in range(n) if v not in order and before[v] <= set(order)]
        order.append(random.choice(ready))
    place = {v: k for k, v in enumerate(order)}
    other = oe.CutProblem(
        [[place[w] for w in problem.successors[v]] for v in order],
        problem.times[:, order],
        problem.sends[:, order],
    )
    for x in all_plans(problem):
        y = [x[v] for v in order]
        assert other.objective(y) == pytest.approx(problem.objective(x), rel=1e-12)
    best = other.bound("LP").value
    assert best == pytest.approx(problem.bound("LP").value, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("factor", [1e-9, 0.25, 3.0, 1e9])
def test_scaling_scales(factor):
    """All times by a factor: the objective, the bound and the model's optimum by the factor."""
    p = random_problem(3, 6, 3)
    q = p.replace(times=factor * p.times, sends=factor * p.sends)
    for x in all_plans(p)[:20]:
        assert q.objective(x) == pytest.approx(factor * p.objective(x), rel=1e-12)
    assert q.bound("LP").value == pytest.approx(factor * p.bound("LP").value, rel=1e-7)


def test_scaled_copy_is_near_one():
    """A solver gets numbers near one, and the unit to come back to seconds; plans are kept."""
    p = random_problem(1, 6, kind="nanoseconds")
    inner, unit = p.scaled()
    assert 0.5 < inner.times[0].sum() < 2
    assert math.frexp(unit)[0] == 0.5
    for x in all_plans(p):
        assert inner.objective(x) <= p.objective(x) / unit * (1 + 1e-12)
    assert brute_force(inner) * unit == pytest.approx(brute_force(p), rel=1e-12)
    zero = p.replace(times=np.zeros((2, 6)))
    assert zero.scaled() == (zero, 1.0)


# ---------------------------------------------------------------- explicit models


def relaxation(problem):
    """Return the solved relaxed model."""
    return oe.solve_model(problem.model(relax=True))


@pytest.mark.parametrize("kind", KINDS[:4])
@pytest.mark.parametrize("seed", range(40))
def test_the_lp_is_integral(seed, kind):
    """Two tiers: a vertex of the linear program is 0/1 without being asked, and is the optimum."""
    p = random_problem(seed, 2 + seed % 7, kind=kind)
    solved = oe.solve_model(p.model())
    assert {*solved.values["p"].values(), *solved.values["q"].values()} <= {0.0, 1.0}
    assert solved.objective == pytest.approx(brute_force(p), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("tiers", [3, 4])
@pytest.mark.parametrize("seed", range(20))
def test_the_lp_is_integral_on_more_tiers(seed, tiers):
    """Three and four tiers: rows of differences again, 0/1 again, the optimum again."""
    p = random_problem(seed, 2 + seed % 4, tiers, kind=KINDS[seed % 4])
    solved = oe.solve_model(p.model())
    assert {*solved.values["p"].values(), *solved.values["q"].values()} <= {0.0, 1.0}
    assert solved.objective == pytest.approx(brute_force(p), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("tiers", [2, 3])
def test_every_row_is_a_difference(tiers):
    """No row has more than one +1 and one -1: the transpose of an incidence matrix."""
    p = random_problem(5, 8, tiers, kind="no links")
    matrix = compile_model(p.model()).arrays.matrix.toarray()
    assert set(np.unique(matrix)) <= {-1.0, 0.0, 1.0}
    assert ((matrix == 1).sum(axis=1) <= 1).all()
    assert ((matrix == -1).sum(axis=1) <= 1).all()


def test_minors_of_the_diamond():
    """All minors up to 3 x 3 of the diamond's rows are -1, 0 or 1."""
    rng = np.random.default_rng(0)
    matrix = compile_model(DIAMONDS["D1"].problem().model()).arrays.matrix.toarray()
    rows, columns = matrix.shape
    for size in (2, 3):
        for _ in range(3000):
            i, j = rng.choice(rows, size, replace=False), rng.choice(columns, size, replace=False)
            assert round(np.linalg.det(matrix[np.ix_(i, j)]), 9) in (-1, 0, 1)


@pytest.mark.parametrize("kind", ["whole", "zeros", "real", "no links"])
@pytest.mark.parametrize("seed", seeds(8, 4))
def test_the_throughput_model(seed, kind):
    """The slowest stage: the MILP is the optimum of enumeration, its relaxation no more."""
    tiers = 2 + seed % 2
    p = random_problem(seed, 6 - tiers + seed % 3, tiers, kind=kind, goal="throughput")
    optimum = brute_force(p)
    solved = oe.solve_model(p.model())
    assert solved.objective == pytest.approx(optimum, rel=1e-6, abs=1e-6)
    assert p.objective(p.extract(solved_model(p))) == pytest.approx(optimum, rel=1e-6, abs=1e-6)
    assert relaxation(p).objective <= optimum + 1e-6


def solved_model(problem):
    """Return the model with the solution of HiGHS in its variables."""
    m = problem.model()
    compiled = compile_model(m)
    oe.solve_model(compiled)
    return m


@given(
    st.sampled_from([2, 3]).flatmap(
        lambda k: st.sampled_from(["latency", "throughput"]).flatmap(
            lambda g: problems(tiers=k, max_layers=5, goal=g)
        )
    )
)
@examples(30)
def test_a_plan_fits_into_the_model(problem):
    """Written into the variables a plan keeps its value, breaks no row, and comes back."""
    import pyomo.environ as pyo

    m = problem.model()
    for x in all_plans(problem)[:8]:
        if problem.violations(x):
            continue
        problem.fill(m, x)
        (goal,) = m.component_data_objects(pyo.Objective)
        assert pyo.value(goal) == pytest.approx(problem.objective(x), rel=1e-12)
        for row in m.component_data_objects(pyo.Constraint):
            assert row.lslack() >= -1e-9
            assert row.uslack() >= -1e-9
        assert problem.extract(m).tolist() == list(x)


def test_missing_links_stand_in_rows():
    """No infinity is in the model: rows no_link keep such an output from crossing."""
    p = oe.CutProblem(DIAMOND, DIAMONDS["D1"].problem().times, [[9, INF, 2.5, INF, 0]])
    arrays = compile_model(p.model()).arrays
    assert np.isfinite(arrays.cost).all()
    assert np.isfinite(arrays.matrix.toarray()).all()
    assert brute_force(p) == 11
    assert oe.solve_model(p.model()).objective == pytest.approx(11)


@pytest.mark.parametrize("goal", ["latency", "throughput"])
def test_the_only_kind_is_the_goal(goal):
    """A model is that of the goal; another kind is refused with the choice."""
    p = DIAMONDS["D1"].problem(goal=goal)
    assert p.kinds == (goal,)
    assert goal in p.model(goal).name
    with pytest.raises(ValueError, match=f"has no model 'fastest'; it has .*{goal}"):
        p.model("fastest")


# ---------------------------------------------------------------- bounds and certificates


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tiers", [2, 3])
def test_the_bound_is_the_optimum(kind, tiers):
    """For the latency the bound LP is the optimum, never above it, and certified."""
    for seed in range(12):
        p = random_problem(seed, 7 - tiers + seed % 3, tiers, kind=kind)
        bound, optimum = p.bound("LP"), brute_force(p, Fraction)
        assert bound.value <= optimum
        assert bound.value == pytest.approx(float(optimum), rel=1e-7, abs=1e-10)
        assert p.certify(bound.certificate) == bound.value


@pytest.mark.parametrize("kind", ["whole", "real", "no links", "nanoseconds", "years"])
def test_the_throughput_bound(kind):
    """For the throughput it is the linear relaxation, below the optimum, and certified."""
    for seed in range(10):
        p = random_problem(seed, 5, 2 + seed % 2, kind=kind, goal="throughput")
        bound = p.bound("LP")
        optimum = brute_force(p, Fraction)
        inner, unit = p.scaled()
        assert bound.value <= optimum
        close = 1e-6 * float(optimum) + 1e-12
        assert bound.value == pytest.approx(unit * relaxation(inner).objective, abs=close)
        assert p.certify(bound.certificate) == bound.value


@st.composite
def certified(draw, kind):
    """Draw an instance and any multipliers: what a liar might put into a certificate."""
    tiers = draw(st.sampled_from([2, 3]))
    goal = "latency" if kind == "flow" else "throughput"
    p = draw(problems(tiers=tiers, max_layers=5, goal=goal))
    edges = sum(map(len, p.successors))
    entry = st.one_of(
        st.just(0.0), st.floats(0, 8), st.floats(0, 1e9), st.integers(0, 9).map(float)
    )

    def array(k, n):
        row = st.lists(entry, min_size=n, max_size=n)
        return np.array(draw(st.lists(row, min_size=k, max_size=k))).reshape(k, n)

    arrays = {"no_return": array(tiers - 1, edges), "spread": array(tiers - 1, edges)}
    if kind == "stages":
        raw = [draw(st.floats(0.0, 1.0)) + (1e-3 if k == 0 else 0.0) for k in range(2 * tiers - 1)]
        arrays["weights"] = np.array(raw) / math.fsum(raw)
    return p, oe.Certificate(kind, 0.0, arrays)


@given(certified("flow"))
@examples(150)
def test_no_multipliers_prove_too_much(pair):
    """Whatever stands in a certificate, it proves no more than the optimum, exactly."""
    problem, certificate = pair
    assert problem.certify(certificate) <= brute_force(problem, Fraction)


@given(certified("stages"))
@examples(100)
def test_no_multipliers_prove_too_much_of_the_throughput(pair):
    """The same of the slowest stage, whatever the weights."""
    problem, certificate = pair
    assert problem.certify(certificate) <= brute_force(problem, Fraction)


@given(problems(tiers=2, max_layers=6), st.integers(0, 10**6), st.floats(0.0, 3.0))
@examples(80)
def test_a_disturbed_flow_proves_no_more(problem, seed, size):
    """Multipliers near the best ones are the likeliest to prove too much: they do not."""
    rng = np.random.default_rng(seed)
    best = problem.bound("LP").certificate
    arrays = {k: np.maximum(0, a + size * rng.normal(size=a.shape)) for k, a in best.arrays.items()}
    value = problem.certify(oe.Certificate("flow", 0.0, arrays))
    assert value <= brute_force(problem, Fraction)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "stages"}, "a bound on the latency needs a certificate 'flow', got 'stages'"),
        ({"kind": "simplex"}, "needs a certificate 'flow', got 'simplex'"),
        ({"no_return": None}, r"'no_return' must have shape \(1, 5\)"),
        ({"spread": np.zeros((1, 4))}, r"'spread' must have shape \(1, 5\)"),
        ({"spread": np.zeros(5)}, r"'spread' must have shape \(1, 5\)"),
        ({"spread": np.full((1, 5), -1e-30)}, "'spread' must be non-negative and finite"),
        ({"no_return": np.full((1, 5), np.nan)}, "'no_return' must be non-negative and finite"),
        ({"no_return": np.full((1, 5), INF)}, "'no_return' must be non-negative and finite"),
    ],
)
def test_malformed_certificates(change, words):
    """A wrong kind, a missing array, a wrong shape or a negative entry is refused by name."""
    p = DIAMONDS["D1"].problem()
    good = p.bound("LP").certificate
    arrays = {k: change.get(k, a) for k, a in good.arrays.items()}
    arrays = {k: a for k, a in arrays.items() if a is not None}
    with pytest.raises(ValueError, match=words):
        p.certify(oe.Certificate(change.get("kind", good.kind), good.value, arrays))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (None, "lacks the array 'weights'"),
        ([1.0, 1.0, 1.0], "must sum to 1"),
        ([1.0, 0.0], "'weights' must have shape"),
        ([2.0, -1.0, 0.0], "'weights' must be non-negative"),
        ([np.nan, 0.5, 0.5], "'weights' must be non-negative and finite"),
    ],
)
def test_malformed_weights(weights, words):
    """The weights of the stages must be weights."""
    p = DIAMONDS["D1"].problem(goal="throughput")
    good = p.bound("LP").certificate
    arrays = {k: a for k, a in good.arrays.items() if k != "weights"}
    if weights is not None:
        arrays["weights"] = np.array(weights)
    with pytest.raises(ValueError, match=words):
        p.certify(oe.Certificate("stages", good.value, arrays))


def test_a_certificate_of_another_instance():
    """The flow of two tiers does not fit three, that of another graph neither."""
    two_tiers, three_tiers = random_problem(2, 5, 2), random_problem(2, 5, 3)
    with pytest.raises(ValueError, match=r"'no_return' must have shape \(2, "):
        three_tiers.certify(two_tiers.bound("LP").certificate)
    with pytest.raises(ValueError, match="must have shape"):
        DIAMONDS["D1"].problem().certify(random_problem(3, 7).bound("LP").certificate)


def test_unknown_bound():
    """The sentence lists the bounds that there are."""
    with pytest.raises(ValueError, match="no bound 'DP'; it has LP"):
        DIAMONDS["D1"].problem().bound("DP")


@pytest.mark.parametrize("goal", ["latency", "throughput"])
def test_the_bound_of_one_layer(goal):
    """An input alone is a network: it stays, at its time on the device."""
    p = oe.CutProblem([[]], [[1.0], [1.0]], [[0.0]], goal=goal)
    assert p.bounds()["LP"] == pytest.approx(1)


def test_the_throughput_bound_of_no_time():
    """Layers that take no time have a slowest stage of 0 seconds, and that is the bound."""
    p = oe.CutProblem(DIAMOND, np.zeros((2, 5)), np.zeros((1, 5)), goal="throughput")
    assert p.bounds()["LP"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("tiers", [2, 3, 4])
def test_no_bound_is_negative(tiers):
    """Nothing takes less than no time: 0 is proved without multipliers."""
    for seed in range(40):
        p = random_problem(seed, 2 + seed % 4, tiers, kind="zeros")
        assert p.bound("LP").value >= 0
    useless = {k: np.full_like(a, 1e6) for k, a in p.bound("LP").certificate.arrays.items()}
    assert p.certify(oe.Certificate("flow", 0.0, useless)) >= 0


@pytest.mark.parametrize("long", [1e12, 1e20, 1e300])
def test_a_large_number_instead_of_inf(long):
    """Who writes 1e20 where the device cannot run a layer gets the bound all the same."""
    p = oe.CutProblem(DIAMOND, [[0, 7, 1, 1, long], [0, 3, 1, 1, 3]], [[7, 2, 6, 1, 0]])
    assert brute_force(p) == 14
    assert p.bound("LP").value == pytest.approx(14, rel=1e-6)


# ---------------------------------------------------------------- codes of searches


@given(
    st.sampled_from([2, 3]).flatmap(
        lambda k: st.sampled_from(["latency", "throughput"]).flatmap(
            lambda g: problems(tiers=k, max_layers=6, goal=g)
        )
    ),
    st.integers(0, 10**6),
)
@examples(60)
def test_every_code_is_a_plan(problem, seed):
    """Any wishes give a plan that sends nothing back, of exactly the cost that is told."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, problem.n_tiers, (20, problem.n_layers))
    codes[:, 0] = 0
    for code, cost in zip(codes, problem.costs(codes), strict=True):
        x = problem.decode(code)
        assert is_plan(problem.successors, x)
        assert (x >= code).all()
        assert cost == pytest.approx(plain_value(problem, x), rel=1e-12)
        assert problem.objective(x) == pytest.approx(cost, rel=1e-12)
    for x in all_plans(problem)[:10]:
        assert problem.decode(problem.encode(x)).tolist() == list(x)
    assert problem.choices.shape == (problem.n_layers, problem.n_tiers)
    assert problem.choices[0].tolist() == [True] + [False] * (problem.n_tiers - 1)
    assert problem.choices[1:].all()


@pytest.mark.parametrize("goal", ["latency", "throughput"])
@pytest.mark.parametrize("tiers", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_compiled_moves(seed, tiers, goal):
    """A move is priced as the code after it; without a link it costs more than any real plan."""
    p = random_problem(seed, 7, tiers, kind="no links", goal=goal)
    rng = np.random.default_rng(seed)
    x = rng.integers(0, tiers, 7)
    x[0] = 0
    worst = max(v for v in (plain_value(p, y) for y in all_plans(p)) if v < INF)
    state = kernels.start(p.data, x)
    for _ in range(30):
        i, k = int(rng.integers(1, 7)), int(rng.integers(0, tiers))
        after = x.copy()
        after[i] = k
        cost, value = kernels.price(p.data, state, x, i, k), p.objective(p.decode(after))
        if value < INF:
            assert cost == pytest.approx(value, rel=1e-12)
        else:
            assert cost > worst
        kernels.apply(p.data, state, x, i, k)
        assert x.tolist() == after.tolist()


# ---------------------------------------------------------------- from networks


def test_from_network_by_hand():
    """Times are those of the servers, sends 8 bit a byte over the rate of each hop."""
    graph = networks.LayerGraph(
        [[1], [2], []],
        flops=[0, 1e9, 2e9],
        parameters=[0, 0, 1e6],
        output_bytes=[1e6, 5e5, 4],
        types=("input", "conv", "fc"),
        name="tiny",
    )
    device = platforms.Server(speed=1e9, streaming=1e6, overhead=0.5)
    edge = platforms.Server(speed=2e9)
    cloud = platforms.Server(speed=1e10, factor=2.0)
    line = platforms.Platform.line([device, edge, cloud], [4e6, 8e6])
    p = oe.CutProblem.from_network(graph, line, goal="throughput")
    assert p.times.tolist() == [[0, 1.5, 4.5], [0, 0.5, 1.0], [0, 0.2, 0.4]]
    assert p.sends[0] == pytest.approx([2, 1, 8e-6])
    assert p.sends[1] == pytest.approx([1, 0.5, 4e-6])
    assert (p.goal, p.name, p.n_tiers) == ("throughput", "tiny", 3)
    faster = oe.CutProblem.from_network(graph, line, bandwidth=8e6, name="fast")
    assert faster.sends[0] == pytest.approx([1, 0.5, 4e-6])
    assert faster.sends[1] == pytest.approx(p.sends[1])
    assert faster.name == "fast"


def test_only_the_first_server_of_a_tier_counts():
    """Of several servers of one tier the first is used, and its links."""
    graph = networks.load("alexnet")
    servers = [
        platforms.Server(speed=1e9, tier=0),
        platforms.Server(speed=1e10, tier=7),
        platforms.Server(speed=1e11, tier=7),
    ]
    rates = np.array([[0, 1e6, 5e6], [1e6, 0, 0], [5e6, 0, 0]])
    p = oe.CutProblem.from_network(graph, platforms.Platform(tuple(servers), rates))
    assert p.n_tiers == 2
    assert p.sends[0] == pytest.approx(8 * graph.output_bytes / 1e6)
    assert p.times[1].sum() == pytest.approx(graph.flops.sum() / 1e10)


@pytest.mark.parametrize("how", ["argument", "platform"])
def test_no_bandwidth_leaves_edge_only(how):
    """At 0 bit/s nothing can cross, and nothing needs to."""
    graph = networks.load("googlenet")
    servers = [platforms.Server(speed=1e9), platforms.Server(speed=1e10)]
    uplink = 0.0 if how == "platform" else 1e6
    line = platforms.Platform.line(servers, [uplink])
    p = oe.CutProblem.from_network(graph, line, bandwidth=0.0 if how == "argument" else None)
    assert np.isinf(p.sends).all()
    edge_only = p.everything_on(0)
    assert p.objective(edge_only) == pytest.approx(graph.flops.sum() / 1e9)
    assert p.violations(p.everything_on(-1)) == [
        "layer 0: its output cannot cross from tier 0 to tier 1."
    ]
    assert p.bound("LP").value == pytest.approx(p.objective(edge_only), rel=1e-7)


@pytest.mark.parametrize("bandwidth", [-1.0, -INF, np.nan])
def test_bad_bandwidth(bandwidth):
    """A negative bandwidth is refused, and so is NaN."""
    line = platforms.Platform.line([platforms.Server(speed=1.0)] * 2, [1.0])
    with pytest.raises(ValueError, match="bandwidth must be at least 0 bit/s"):
        oe.CutProblem.from_network(networks.load("alexnet"), line, bandwidth=bandwidth)


def test_one_tier_is_not_enough():
    """A cut needs somewhere to go."""
    graph = networks.load("alexnet")
    for servers, rates in (
        ([platforms.Server(speed=1e9)], [[0.0]]),
        ([platforms.Server(speed=1e9), platforms.Server(speed=2e9)], np.ones((2, 2))),
    ):
        where = platforms.Platform(tuple(servers), np.array(rates))
        with pytest.raises(ValueError, match="at least two tiers"):
            oe.CutProblem.from_network(graph, where)


def test_measured_networks_run_by_clock():
    """A measured network on servers of 3.2 and 32 GHz takes its seconds, and a tenth of them."""
    graph = networks.load("vgg19", "linbin403")
    servers = [platforms.Server(clock_ghz=3.2), platforms.Server(clock_ghz=32)]
    p = oe.CutProblem.from_network(graph, platforms.Platform.line(servers, [platforms.mbyte(1)]))
    assert p.times[0].sum() == pytest.approx(0.860)
    assert p.times[1].sum() == pytest.approx(0.0860)
    assert p.sends[0, 0] == pytest.approx(0.6)
    assert p.sends[0].sum() == pytest.approx(73.9 + 0.6)
