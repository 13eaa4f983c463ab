"""The bounds of the makespan problem, against oracles, and the certificates that prove them."""

import itertools
import math
import warnings

import numpy as np
import pytest
from conftest import (
    INF,
    WORKED,
    all_plans,
    brute_force,
    counterexample_c1,
    counterexample_c2,
    deadline_oracle,
    exact_dual,
    examples,
    lp_oracle,
    mask,
    plain_makespan,
    problems,
    random_problem,
    usable,
)
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import optedge as oe
from optedge.formulations.makespan_bounds import cached_deadline
from optedge.formulations.makespan_relaxations import solve_lp

NAMES = ("prices", "LP", "preemptive", "pruned", "T*")


def at_most(small, large, tolerance=1e-9):
    """Tell whether one value is at most another but for rounding."""
    return small <= large or small <= large + tolerance * max(abs(large), 1e-9)


def tolerance(problem):
    """Return how far certified bounds may lie below: memory may be exceeded by 1e-9 of it."""
    return 1e-9 if problem.memory is None else 1e-6


# ---------------------------------------------------------------- values known by hand


@pytest.mark.parametrize("name", WORKED)
def test_worked_bounds(name):
    """W_LP, the preemptive bound and T* are those of section 8; none exceeds the optimum."""
    row = WORKED[name]
    bounds = row.problem().bounds()
    assert tuple(bounds) == NAMES
    assert bounds["LP"] == pytest.approx(row.lp, rel=1e-7)
    assert bounds["preemptive"] == pytest.approx(row.preemptive, rel=1e-7)
    assert bounds["T*"] == pytest.approx(row.deadline, rel=1e-7)
    assert max(bounds.values()) <= row.optimum * (1 + 1e-12)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (counterexample_c1(10), {"LP": 1.1}),
        (counterexample_c2(), {"LP": 1.01, "T*": 1.01}),
    ],
)
def test_bounds_of_the_counterexamples(problem, expected):
    """C1 with 10 servers has the shares of its construction; pruning leaves C2 at 1.01."""
    for name, value in expected.items():
        assert problem.bounds()[name] == pytest.approx(value, rel=1e-9)


def test_memory_can_raise_the_deadline():
    """Where only a long pair has the memory, T* is that pair's end, as in the definition."""
    p = oe.MakespanProblem(
        [[1, 3, 4, 2], [INF, 2, 0, 5], [4, INF, 3, 4]],
        ready=[0, 2, 2, 0],
        memory=[3, 0, 4],
        capacity=[1, 2, 6, 4],
    )
    assert deadline_oracle(p) == brute_force(p) == 5.0
    assert p.bounds()["T*"] == pytest.approx(5.0)


# ---------------------------------------------------------------- chain and oracles


@given(problems())
@example(random_problem(0, 6, 3))
@example(random_problem(1, 7, 2, missing=0.4, integer=True))
@examples(200)
def test_chain(problem):
    """Prices <= W_LP <= W_pmtn <= T* <= optimum, W_LP <= pruned <= T*, and T* >= any least end."""
    b = problem.bounds()
    best = brute_force(problem)
    chain = ("prices", "LP", "preemptive", "T*"), ("LP", "pruned", "T*")
    for weaker, stronger in (pair for names in chain for pair in itertools.pairwise(names)):
        assert at_most(b[weaker], b[stronger], tolerance(problem)), (weaker, stronger)
    assert all(value <= best for value in b.values())
    ends = np.where(usable(problem), problem.ready + problem.times, INF)
    assert at_most(max(ends.min(axis=1).max(), problem.ready.max()), b["T*"])


@given(problems())
@examples(150)
def test_bounds_against_linprog(problem):
    """W_LP, the preemptive bound and T* are what scipy's linear programs say, inf included."""
    b = problem.bounds()
    close = {"rel": 1e-5, "abs": 1e-9}  # HiGHS meets rows to 1e-7 of its own scale
    assert b["LP"] == pytest.approx(lp_oracle(problem), **close)
    assert b["preemptive"] == pytest.approx(lp_oracle(problem, preemptive=True), **close)
    assert b["T*"] == pytest.approx(deadline_oracle(problem), **close)


@st.composite
def related_servers(draw, *, restricted):
    """Draw work, speeds and eligibility of related servers."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    number = st.one_of(st.integers(1, 9).map(float), st.floats(0.1, 100))
    work = draw(arrays(np.float64, (n,), elements=number))
    speeds = draw(arrays(np.float64, (m,), elements=number))
    sets = st.sets(st.integers(0, m - 1), min_size=1)
    eligible = [draw(sets) if restricted else set(range(m)) for _ in range(n)]
    return work, speeds, eligible


@given(related_servers(restricted=True))
@examples(150)
def test_lp_by_server_sets(instance):
    """Section 7: W_LP = max over sets S of (work confined to S) / (speed of S)."""
    work, speeds, eligible = instance
    m = speeds.size
    best = 0.0
    for code in range(1, 2**m):
        inside = {j for j in range(m) if code >> j & 1}
        confined = sum(w for w, e in zip(work, eligible, strict=True) if e <= inside)
        best = max(best, confined / sum(speeds[j] for j in inside))
    p = oe.MakespanProblem.related(work, speeds, mask(eligible, m))
    assert p.bounds()["LP"] == pytest.approx(best, rel=1e-9)


@given(related_servers(restricted=False))
@examples(100)
def test_related_servers_in_closed_form(instance):
    """Every task everywhere: W_LP is work over speed, W_pmtn the formula of Horvath, Lam, Sethi.

    The prices start at the optimal weights there, and so equal W_LP.
    """
    work, speeds, _ = instance
    p = oe.MakespanProblem.related(work, speeds)
    large, fast = np.sort(work)[::-1], np.sort(speeds)[::-1]
    few = min(work.size, speeds.size)
    heads = [large[:k].sum() / fast[:k].sum() for k in range(1, few)]
    expected = max([*heads, work.sum() / fast[:few].sum()])
    assert p.bounds()["LP"] == pytest.approx(work.sum() / speeds.sum(), rel=1e-9)
    assert p.bounds()["prices"] == pytest.approx(work.sum() / speeds.sum(), rel=1e-9)
    assert p.bounds()["preemptive"] == pytest.approx(expected, rel=1e-9)


@given(related_servers(restricted=False), st.data())
@examples(60)
def test_ready_times_as_water_filling(instance, data):
    """cloud_edge 4.3: least C with sum of speed (C - ready)^+ >= work, and at least every ready."""
    work, speeds, _ = instance
    ready = data.draw(arrays(np.float64, speeds.shape, elements=st.floats(0, 50)))
    order = np.argsort(ready)
    levels = [
        (work.sum() + (speeds[order[:k]] * ready[order[:k]]).sum()) / speeds[order[:k]].sum()
        for k in range(1, speeds.size + 1)
    ]
    p = oe.MakespanProblem.related(work, speeds, ready=ready)
    assert p.bounds()["LP"] == pytest.approx(max(min(levels), ready.max()), rel=1e-8)


@given(problems())
@examples(100)
def test_number_of_linear_programs(problem):
    """T* takes about log2 of the number of distinct ends: bisection, not a scan."""
    info = problem.bound("T*").info
    ends = np.unique((problem.ready + problem.times)[usable(problem)])
    assert info.get("linear_programs", 1) <= 2 + math.ceil(math.log2(ends.size + 1))


def test_number_of_linear_programs_of_a_larger_instance():
    """400 distinct ends, at most 11 linear programs."""
    assert random_problem(0, 80, 5).bound("T*").info["linear_programs"] <= 11


# ---------------------------------------------------------------- linear programs


@given(problems(max_tasks=8, memory=False))
@examples(100)
def test_solve_lp_gives_a_vertex(problem):
    """Rows of shares sum to 1, at most n_servers - 1 tasks are split, loads are within C."""
    for lp in (solve_lp(problem), cached_deadline(problem).lp):
        n, m = problem.times.shape
        np.testing.assert_allclose(lp.shares.sum(axis=1), 1, atol=1e-8)
        assert (lp.shares[~usable(problem)] == 0).all()
        assert (lp.shares > 0).sum() <= n + m - 1
        assert ((lp.shares > 0).sum(axis=1) > 1).sum() <= m - 1
        busy = problem.ready + (lp.shares * np.where(usable(problem), problem.times, 0)).sum(axis=0)
        assert busy.max() == pytest.approx(lp.value, rel=1e-4, abs=1e-9)


@given(problems(memory=False))
@examples(60)
def test_multipliers_satisfy_the_optimality_conditions(problem):
    """Section 3.2: a weighted server is tight; a share lies where the weighted time is least."""
    assume(lp_oracle(problem) > 0.01)
    lp = solve_lp(problem)
    times = np.where(usable(problem), problem.times, 0)
    busy = problem.ready + (lp.shares * times).sum(axis=0)
    cost = np.where(usable(problem), lp.servers * times, INF)
    assert lp.servers.sum() == pytest.approx(1)
    assert (lp.servers >= -1e-9).all()
    tight = abs(busy - lp.value) <= 1e-4 * lp.value
    assert (tight | (lp.servers < 1e-7)).all()
    slack = cost - cost.min(axis=1)[:, None]
    assert ((lp.shares < 1e-7) | (slack <= 1e-6 * max(1.0, times.max()))).all()


@given(problems(memory=False))
@examples(60)
def test_the_vertex_at_the_deadline_is_feasible_there(problem):
    """What the roundings start from uses only pairs that end by T* and loads of at most T*."""
    found = cached_deadline(problem)
    used = found.lp.shares > 0
    assert at_most(found.lp.value, found.value, 1e-4)
    assert at_most((problem.ready + problem.times)[used].max(), found.longest, 0)
    assert at_most(found.longest, found.value, 1e-4)


# ---------------------------------------------------------------- certificates


@given(problems())
@example(random_problem(2, 40, 6, missing=0.3, ready=True))
@example(random_problem(3, 40, 6, memory=1.2))
@examples(150)
def test_certificates_prove_their_value(problem):
    """The value is recomputed to the bit, and in rational numbers it is never too large."""
    for name in NAMES:
        bound = problem.bound(name)
        certificate = bound.certificate
        assert certificate is not None
        assert problem.certify(certificate) == certificate.value == bound.value
        if certificate.kind == "memory":
            assert bound.value == INF
            continue
        exact = exact_dual(problem, certificate.arrays)
        assert certificate.value <= max(exact, 0)
        slack = 1e-12 if problem.memory is None else tolerance(problem)
        assert certificate.value >= float(exact) * (1 - slack) - slack


@given(problems(), st.data())
@examples(200)
def test_any_multipliers_bound_the_optimum(problem, data):
    """Weak duality: whatever non-negative multipliers one writes down, nothing false is proved."""
    n, m = problem.times.shape
    weight = st.one_of(st.just(0.0), st.floats(0, 1))
    given_weights = data.draw(arrays(np.float64, (m,), elements=weight))
    assume(given_weights.sum() > 1e-3)
    kind = data.draw(st.sampled_from(["weights", "deadline"]))
    parts = {"servers": given_weights}
    if kind == "weights" and data.draw(st.booleans()):
        parts["tasks"] = data.draw(arrays(np.float64, (n,), elements=weight))
    total = sum(a.sum() for a in parts.values())
    parts = {name: a / total for name, a in parts.items()}
    if data.draw(st.booleans()):
        parts["memory"] = data.draw(arrays(np.float64, (m,), elements=st.floats(0, 3)))
    if kind == "deadline":
        ends = np.append((problem.ready + problem.times)[usable(problem)], [-1.0, 3.3, INF])
        parts["threshold"] = np.array([data.draw(st.sampled_from(ends.tolist()))])
    value = problem.certify(oe.Certificate(kind, 0.0, parts))
    assert value <= brute_force(problem)


@given(problems(), st.data())
@examples(150)
def test_prices_of_memory_never_refute_a_feasible_instance(problem, data):
    """No prices prove that there is no solution where there is one."""
    assume(problem.memory is not None and brute_force(problem) < INF)
    prices = data.draw(arrays(np.float64, problem.capacity.shape, elements=st.floats(0, 1)))
    assume(prices.sum() > 1e-3)
    certificate = oe.Certificate("memory", INF, {"memory": prices / prices.sum()})
    assert problem.certify(certificate) == -INF


THIRD = np.full(3, 1 / 3)


@pytest.mark.parametrize(
    ("kind", "parts", "message"),
    [
        ("weights", {}, "lacks the array 'servers'"),
        ("weights", {"servers": np.full(2, 0.5)}, r"'servers' must have shape \(3,\).*\(2,\)"),
        ("weights", {"servers": [[0.5, 0.5, 0.0]]}, r"'servers' must have shape \(3,\)"),
        ("weights", {"servers": [1.5, -0.5, 0.0]}, "'servers' must be non-negative"),
        ("weights", {"servers": [np.nan, 0.5, 0.5]}, "'servers' must be .*finite"),
        ("weights", {"servers": [INF, 0, 0]}, "'servers' must be .*finite"),
        ("weights", {"servers": THIRD * 1.001}, "sum to 1"),
        ("weights", {"servers": THIRD * 0}, "sum to 1"),
        ("weights", {"servers": THIRD, "tasks": [0.1, 0, 0, 0]}, "sum to 1"),
        ("weights", {"servers": THIRD / 2, "tasks": [0.5]}, r"'tasks' must have shape \(4,\)"),
        ("weights", {"servers": THIRD * 2, "tasks": [-1, 0, 0, 0]}, "'tasks' must be non-negative"),
        ("weights", {"servers": THIRD, "memory": [0.0]}, "'memory'"),
        ("weights", {"servers": THIRD, "memory": [0, -1, 0]}, "'memory'"),
        ("weights", {"servers": THIRD, "memory": [0, INF, 0]}, "'memory'"),
        ("deadline", {"threshold": [1.0]}, "lacks the array 'servers'"),
        ("deadline", {"servers": THIRD}, "'threshold'"),
        ("deadline", {"servers": THIRD, "threshold": [1.0, 2.0]}, "'threshold'"),
        ("deadline", {"servers": THIRD, "threshold": [np.nan]}, "'threshold'"),
        ("deadline", {"servers": THIRD * 1.1, "threshold": [1.0]}, "sum to 1"),
        ("memory", {}, "lacks the array 'memory'"),
        ("memory", {"memory": [1.0]}, r"'memory' must have shape \(3,\)"),
        ("memory", {"memory": [1.0, 1.0, 1.0]}, "sum to 1"),
        ("memory", {"memory": [2.0, -1.0, 0.0]}, "'memory' must be non-negative"),
        ("oracle", {"servers": THIRD}, "no certificate 'oracle'"),
    ],
)
def test_bad_certificates_are_refused(kind, parts, message):
    """A malformed certificate proves nothing: ValueError names the array and what is wrong."""
    p = random_problem(0, 4, 3, memory=1.5)
    with pytest.raises(ValueError, match=message):
        p.certify(oe.Certificate(kind, 1.0, parts))


def test_certificate_arrays_are_read_only():
    """Nobody changes a proof after the fact, not even through the array it was made from."""
    weights = np.array([0.5, 0.5])
    certificate = oe.Certificate("weights", 1.0, {"servers": weights})
    weights[0] = 1.0
    assert certificate.arrays["servers"].tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="read-only"):
        certificate.arrays["servers"][0] = 1.0


# ---------------------------------------------------------------- no schedule


def test_too_little_memory_is_proved(short_of_memory):
    """Every linear program says inf, and prices of memory prove it; the prices bound ignores it."""
    b = short_of_memory.bounds()
    assert b["LP"] == b["preemptive"] == b["T*"] == b["pruned"] == INF
    assert b["prices"] < INF
    certificate = short_of_memory.bound("T*").certificate
    assert certificate.kind == "memory"
    assert short_of_memory.certify(certificate) == INF
    # Only servers 1 and 2 have a price, the same one.
    np.testing.assert_allclose(certificate.arrays["memory"], [0, 0.5, 0.5], atol=1e-9)
    best = short_of_memory.best_cheap_bound()
    assert best.value == INF
    assert best.certificate.kind == "memory"


def test_memory_that_just_suffices_is_not_refuted():
    """Full servers are feasible; no bound may say otherwise."""
    p = oe.MakespanProblem(np.ones((4, 2)), memory=[0.1, 0.2, 0.1, 0.2], capacity=[0.3, 0.3])
    assert brute_force(p) == 2.0
    assert max(p.bounds().values()) <= 2.0


# ---------------------------------------------------------------- other properties


@given(problems(), st.sampled_from([1e-6, 1e-3, 3.7, 1e6]))
@examples(60)
def test_bounds_scale_with_the_times(problem, factor):
    """In another unit of time every bound is the same time."""
    scaled = problem.replace(times=factor * problem.times, ready=factor * problem.ready)
    for name in ("LP", "preemptive", "T*"):
        expected = factor * problem.bounds()[name]
        assert scaled.bounds()[name] == pytest.approx(expected, rel=1e-6, abs=1e-9 * factor)


@given(problems(), st.randoms(use_true_random=False))
@examples(60)
def test_bounds_do_not_depend_on_the_order(problem, random):
    """Tasks and servers in another order have the same bounds."""
    n, m = problem.times.shape
    rows, columns = random.sample(range(n), n), random.sample(range(m), m)
    fields = {"times": problem.times[np.ix_(rows, columns)], "ready": problem.ready[columns]}
    if problem.memory is not None:
        fields |= {"memory": problem.memory[rows], "capacity": problem.capacity[columns]}
    other = oe.MakespanProblem(**fields)
    for name in ("LP", "preemptive", "T*"):
        assert other.bounds()[name] == pytest.approx(problem.bounds()[name], rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    "problem",
    [
        oe.MakespanProblem(np.zeros((3, 2))),
        oe.MakespanProblem([[0, 1], [0, 1]]),
        oe.MakespanProblem(np.zeros((2, 2)), ready=[0.0, 3.0]),
        oe.MakespanProblem(np.full((2, 2), 1e-300)),
        oe.MakespanProblem([[1e12, 1e-12], [1.0, INF]]),
        oe.MakespanProblem([[1.0]], memory=[0.0], capacity=[0.0]),
    ],
)
def test_odd_numbers_are_no_trouble(problem):
    """Zeros and extremes give finite bounds of at most the optimum, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bounds = problem.bounds()
    best = min(plain_makespan(problem, x) for x in all_plans(problem))
    assert all(0 <= value <= best for value in bounds.values())
    assert bounds["T*"] >= problem.ready.max() * (1 - 1e-9)


def test_bounds_are_computed_once(monkeypatch):
    """A bound is kept with the instance, with the seconds that it took."""
    p = random_problem(0)
    first = p.bound("T*")
    assert first.seconds > 0
    monkeypatch.setattr(oe.MakespanProblem, "compute_bound", None)
    assert p.bound("T*") is first
    with pytest.raises(ValueError, match=r"no bound 'magic'.*LP.*T\*"):
        p.bound("magic")


def test_best_cheap_bound(s1):
    """The largest cheap bound, the simplest among equals, with the seconds of all of them."""
    best = s1.best_cheap_bound()
    assert (best.name, best.value) == ("LP", pytest.approx(16 / 3))
    assert best.seconds == pytest.approx(sum(s1.bound(k).seconds for k in s1.cheap_bounds))
    assert counterexample_c1(3).best_cheap_bound().name == "T*"


def test_large_instances_get_the_bound_without_a_linear_program():
    """Beyond 50 000 pairs solve attaches prices only, and they are close on related servers."""
    work = np.random.default_rng(0).uniform(1, 9, 6000)
    p = oe.MakespanProblem.related(work, np.arange(1.0, 11.0))
    best = p.best_cheap_bound()
    assert best.name == "prices"
    assert best.value == pytest.approx(work.sum() / 55, rel=1e-9)
