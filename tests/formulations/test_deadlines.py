"""Deadlines in whole numbers: what is refuted, forbidden or met, against complete enumeration."""

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import INF, all_plans, brute_force, examples, problems, random_problem, seeds
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import optedge as oe
from optedge.formulations.deadlines import certificates, fixing, prices, root
from optedge.formulations.deadlines.instance import (
    BIG,
    COARSE_UNITS,
    FINEST_UNITS,
    MOST_UNITS,
    Tasks,
    common_unit,
    declined,
    instances,
    make_instance,
    seconds_of,
)
from optedge.formulations.makespan_relaxations import solve_lp


def climb(instance, deadline, start, space, *, last):
    """Yield the roots from ``deadline`` upwards, each leaping; the last one is not refuted."""
    while deadline <= last:
        found = root.try_deadline(instance, deadline, start, space)
        if found.status == prices.REFUTED and found.excess < 0:
            found = root.leap(instance, found, space, last)
        yield found
        if found.status != prices.REFUTED:
            return
        start, deadline = found.prices, found.deadline + 1


whole_problems = problems(max_tasks=6, max_servers=4, memory=False)


def span(instance, x):
    """Return the makespan of a plan in units, by a loop."""
    loads = [int(r) for r in instance.tasks.ready]
    for i, j in enumerate(x):
        loads[j] += int(instance.tasks.times[i, j])
    return max(loads)


def best_plans(problem, instance):
    """Return the least makespan in units, and the plans that have it."""
    plans = [x for x in all_plans(problem) if instance.tasks.allowed[range(len(x)), list(x)].all()]
    spans = [span(instance, x) for x in plans]
    return min(spans), [x for x, s in zip(plans, spans, strict=True) if s == min(spans)]


def random_starts(instance, rng):
    """Return prices to start with: those of random weights of the machines, and any at all."""
    n, m = instance.tasks.times.shape
    _, priced, _ = root.first_deadline(instance, rng.random(m))
    return priced if rng.random() < 0.5 else rng.random(n)


# ---------------------------------------------------------------- whole numbers


def test_whole_numbers_are_taken_as_they_are():
    """Times with a common factor count in it; ready times and missing pairs come along."""
    p = oe.MakespanProblem([[6, INF], [4, 6], [2, 8]], ready=[0, 4])
    i = make_instance(p)
    assert (i.unit, i.exact, i.tolerance) == (2.0, True, 0.0)
    assert i.tasks.times.tolist() == [[3, BIG], [2, 3], [1, 4]]
    assert i.tasks.allowed.tolist() == [[True, False], [True, True], [True, True]]
    assert i.tasks.ready.tolist() == [0, 2]
    assert i.makespan(np.array([0, 0, 1])) == 6
    assert i.bound(5) == 12.0


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.0, 0.0], 1.0),
        ([3.0, 9.0, 0.0], 3.0),
        ([0.25, 1.5], 0.25),
        ([0.75, 1.5], 0.75),
        ([2.0**60, 2.0**59], 2.0**59),
        ([1.0, 2.0**-60], None),
        ([0.1, 0.3], None),
        ([0.1, 0.2], 0.1),
        ([5e-324, 1.5e-323], 5e-324),
    ],
)
def test_the_common_unit(values, unit):
    """The largest number of which all are multiples, or None if some would not fit 53 bits."""
    found = common_unit(np.array(values))
    assert found == unit
    for value in values:
        assert found is None or Fraction(value) % Fraction(found) == 0


@given(problems(memory=False))
@examples(200)
def test_units_never_overstate_a_schedule(problem):
    """Every plan takes at most floor(C / u) units; where nothing is rounded exactly as many."""
    instance = make_instance(problem)
    n = problem.times.shape[0]
    for x in all_plans(problem):
        if not instance.tasks.allowed[range(n), list(x)].all():
            continue
        loads = [Fraction(float(r)) for r in problem.ready]
        for i, j in enumerate(x):
            loads[j] += Fraction(float(problem.times[i, j]))
        units, seconds = span(instance, x), max(loads)
        assert units * Fraction(instance.unit) <= seconds
        assert seconds <= units * Fraction(instance.unit) + Fraction(instance.tolerance)


def test_data_without_a_common_unit_are_rounded_down():
    """Random fractions become 2^16 units, then finer; the tolerance says what that can cost."""
    p = random_problem(3, 6, 3)
    grades = list(instances(p))
    assert not any(i.exact for i in grades)
    assert [i.unit / grades[-1].unit for i in grades] == [4096, 64, 1]
    assert COARSE_UNITS // 2 < grades[0].longest <= COARSE_UNITS
    assert [i.tolerance for i in grades] == [8 * i.unit for i in grades]
    assert grades[-1].longest <= FINEST_UNITS
    assert grades[-1].tolerance < 1e-7 * p.objective([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("factor", "grades"), [(1e3, 1), (1e6, 2), (9e6, 3), (1e9, 3)], ids=["1e3", "1e6", "9e6", "1e9"]
)
def test_large_whole_numbers_are_taken_as_they_are_at_last(factor, grades):
    """Units are coarse where there would be many, and those of the data at the end, if they fit."""
    p = oe.MakespanProblem([[factor, INF], [4.0, 6.0], [2.0, factor + 1]])
    found = list(instances(p))
    assert len(found) == grades
    assert [i.exact for i in found] == [False] * (grades - 1) + [factor < FINEST_UNITS]
    assert found[-1].exact == (found[-1].unit == 1.0)
    assert (grades == 1) == (found[-1].longest <= MOST_UNITS)


def test_a_time_that_no_short_schedule_uses_does_not_coarsen_the_unit():
    """A pair longer than a known makespan is not allowed, whatever its time."""
    i = make_instance(oe.MakespanProblem([[1, 1e300], [2, 3]]))
    assert (i.unit, i.exact) == (1.0, True)
    assert not i.tasks.allowed[0, 1]


def test_memory_is_declined_with_a_sentence():
    """Memory rows are no part of it, and nothing is built."""
    p = random_problem(0, 4, 3, memory=1.5)
    assert "memory rows" in declined(p)
    with pytest.raises(ValueError, match="memory rows"):
        make_instance(p)
    assert declined(random_problem(0, 4, 3)) is None


def test_seconds_are_rounded_down():
    """A bound is never rounded up, whatever the unit."""
    assert seconds_of(3, 0.5) == 1.5
    for k in range(1, 300):
        assert Fraction(seconds_of(k, 0.1)) <= k * Fraction(0.1)


# ---------------------------------------------------------------- evaluations


def plain_excess(tasks, allowed, deadline, u):
    """Return sum K - sum U by enumeration of each machine's sets."""
    total = -sum(u)
    for j in range(allowed.shape[1]):
        items = [i for i in range(len(u)) if allowed[i, j]]
        best = None
        for take in range(1 << len(items)):
            chosen = [i for k, i in enumerate(items) if take >> k & 1]
            size = int(tasks.ready[j]) + sum(int(tasks.times[i, j]) for i in chosen)
            if size <= deadline:
                best = max(best or 0, sum(u[i] for i in chosen))
        total += best
    return total


@pytest.mark.parametrize("seed", seeds(6, 1))
def test_an_evaluation_is_the_sum_of_all_knapsacks(seed):
    """Zero times, zero prices, ready times, missing pairs and bound tasks are all counted right."""
    rng = np.random.default_rng(seed)
    checked = 0
    for _ in range(60):
        n, m = int(rng.integers(1, 8)), int(rng.integers(1, 4))
        times = rng.integers(0, 9, (n, m))
        allowed = rng.random((n, m)) < 0.8
        tasks = Tasks(np.where(allowed, times, BIG), allowed, rng.integers(0, 4, m))
        for array in tasks:
            array.setflags(write=False)
        deadline = int(rng.integers(4, 20))
        space, mask = prices.make_space(tasks, deadline), allowed.copy()
        if not fixing.propagate(tasks, mask, deadline, space.room, space.left):
            continue
        u = rng.integers(0, 12, n) * (rng.random(n) < 0.9)
        # Tasks with one machine left are packed there, which a schedule does too.
        found = prices.evaluate(tasks, mask, u, space)
        single = mask.sum(axis=1) == 1
        room, rest = deadline - tasks.ready.copy(), mask & ~single[:, None]
        for i in np.flatnonzero(single):
            room[mask[i].argmax()] -= tasks.times[i, mask[i].argmax()]
        short = Tasks(tasks.times, rest, deadline - room)
        wanted = plain_excess(short, rest, deadline, [int(v) for v in u]) + int(u[single].sum())
        assert found == wanted
        sizes = tasks.ready + (tasks.times * space.packed).sum(axis=0)
        assert (sizes <= deadline).all()
        assert not (space.packed & ~mask).any()
        assert space.copies.tolist() == space.packed.sum(axis=1).tolist()
        checked += 1
    assert checked > 10


@pytest.mark.parametrize("piece", [1, 7, 40])
def test_where_a_root_is_cut_makes_no_difference(piece):
    """In pieces of any length prices, pairs left and evaluations are the same."""
    rng = np.random.default_rng(2)
    instance = make_instance(oe.MakespanProblem(rng.integers(100, 200, (40, 8)).astype(float)))
    _, start, _ = root.first_deadline(instance, np.ones(8))
    seen = []

    def budget(evaluations):
        seen.append(evaluations)
        return piece

    def tried(budget):
        space = prices.make_space(instance.tasks, instance.longest)
        return root.try_deadline(instance, 581, start, space, most_slices=3, budget=budget)

    whole, cut = tried(None), tried(budget)
    assert (whole.prices == cut.prices).all()
    assert (whole.allowed == cut.allowed).all()
    assert (whole.status, whole.excess) == (cut.status, cut.excess)
    assert whole.evaluations == cut.evaluations > 40
    assert len(seen) >= cut.evaluations // piece
    assert max(np.diff(seen)) <= piece


def test_a_root_without_budget_is_open():
    """Where nothing may be evaluated the prices come back, and nothing is claimed."""
    instance = make_instance(random_problem(0, 8, 3, integer=True))
    space = prices.make_space(instance.tasks, instance.longest)
    start = np.ones(8)
    found = root.try_deadline(
        instance, instance.longest - 1, start, space, budget=lambda evaluations: 0
    )
    assert (found.status, found.evaluations) == (prices.OPEN, 0)
    assert (found.prices == start).all()


# ---------------------------------------------------------------- soundness


def tried(problem, rng, offsets):
    """Try deadlines around the optimum; return those refuted, with instance and optimum."""
    instance = make_instance(problem)
    optimum, plans = best_plans(problem, instance)
    space = prices.make_space(instance.tasks, instance.longest + 2)
    refuted = []
    for deadline in [optimum + k for k in offsets if 0 <= optimum + k <= instance.longest]:
        start = random_starts(instance, rng)
        found = root.try_deadline(instance, deadline, start, space, most_slices=2)
        if found.status == prices.REFUTED:
            refuted.append(found)
        if found.status == prices.MET:
            assert span(instance, found.schedule) <= deadline
        if deadline >= optimum:
            assert found.status != prices.REFUTED
            n = len(plans[0])
            assert any(found.allowed[range(n), list(x)].all() for x in plans)
        else:
            assert found.status != prices.MET
    return instance, optimum, refuted


@given(whole_problems, st.integers(0, 2**32 - 1))
@examples(400)
def test_no_deadline_from_the_optimum_on_is_refuted(problem, seed):
    """At the optimum an optimal plan survives all fixings; below, what is refuted is certified."""
    instance, optimum, refuted = tried(problem, np.random.default_rng(seed), (-3, -2, -1, 0, 1))
    for found in refuted:
        assert found.deadline < optimum
        proof = certificates.prices_certificate(problem, instance, found.deadline, found.stages)
        assert proof is not None
        assert problem.certify(proof) == proof.value == instance.bound(found.deadline)
        assert proof.value <= brute_force(problem)


@pytest.mark.parametrize("seed", seeds(5, 1))
def test_larger_random_instances_are_refuted_soundly(seed):
    """20 instances of up to nine tasks, where most deadlines below the optimum fall at the root."""
    rng = np.random.default_rng([seed, 9])
    refutations = 0
    for k in range(20):
        n, m = int(rng.integers(5, 10)), int(rng.integers(2, 4))
        p = random_problem(100 * seed + k, n, m, missing=0.2 * (k % 3), integer=True)
        instance, _, refuted = tried(p, rng, (-2, -1, 0, 1))
        refutations += len(refuted)
        for found in refuted:
            arguments = p, instance, found.deadline, found.stages
            assert certificates.prices_certificate(*arguments) is not None
    assert refutations > 10


@pytest.mark.parametrize("seed", seeds(10, 1))
def test_near_times_are_refuted_and_forbidden_soundly(seed):
    """25 instances whose machines take two to four tasks of near times each, with missing pairs."""
    rng = np.random.default_rng([seed, 11])
    refutations = 0
    for _ in range(25):
        n, m, least = int(rng.integers(5, 9)), int(rng.integers(2, 4)), int(rng.integers(10, 60))
        times = rng.integers(least, least + max(2, least // 4), (n, m)).astype(float)
        times[rng.random((n, m)) < 0.1 * rng.integers(2)] = INF
        times[np.isinf(times).all(axis=1), 0] = least
        p = oe.MakespanProblem(times, ready=rng.integers(0, least, m) * rng.integers(2))
        instance, _, refuted = tried(p, rng, (-2, -1, 0, 1))
        refutations += len(refuted)
        for found in refuted:
            arguments = p, instance, found.deadline, found.stages
            assert certificates.prices_certificate(*arguments) is not None
    assert refutations > 15


@given(problems(max_tasks=6, max_servers=3, memory=False))
@examples(150)
def test_climbing_from_the_linear_bound_stays_below_the_optimum(problem):
    """The first deadline, each refuted one and their certificates are at most the optimum."""
    instance, best = make_instance(problem), brute_force(problem)
    first, start, line = root.first_deadline(instance, solve_lp(problem).servers)
    assert seconds_of(first, instance.unit) <= best
    if first > 0:
        proof = certificates.prices_certificate(problem, instance, first - 1, line)
        assert proof is not None
        assert proof.value == seconds_of(first, instance.unit)
    space = prices.make_space(instance.tasks, instance.longest)
    roots = list(climb(instance, first, start, space, last=instance.longest - 1))
    deadlines = [found.deadline for found in roots]
    assert deadlines == sorted(set(deadlines))
    for k, found in enumerate(roots):
        assert (found.status == prices.REFUTED) or k == len(roots) - 1
        if found.status == prices.REFUTED:
            assert instance.bound(found.deadline) <= best


def test_prices_leap_over_the_deadlines_that_they_refute():
    """From a deadline far too early few roots reach the last one, and each is certified."""
    p = oe.MakespanProblem(np.random.default_rng(3).integers(500, 900, (30, 5)).astype(float))
    instance = make_instance(p)
    first, start, _ = root.first_deadline(instance, solve_lp(p).servers)
    space = prices.make_space(instance.tasks, instance.longest)
    early = first - 500
    roots = list(climb(instance, early, start, space, last=instance.longest - 1))
    refuted = [r for r in roots if r.status == prices.REFUTED]
    assert refuted[-1].deadline >= first - 1
    assert len(roots) < 100
    for found in refuted:
        proof = certificates.prices_certificate(p, instance, found.deadline, found.stages)
        assert proof is not None
        assert proof.value == instance.bound(found.deadline)


def test_a_root_is_the_same_whatever_ran_before():
    """Scratch memory carries nothing over that matters: the same deadline, the same answer."""
    p = random_problem(4, 12, 3, integer=True)
    instance = make_instance(p)
    first, start, _ = root.first_deadline(instance, np.ones(3))
    space = prices.make_space(instance.tasks, instance.longest)
    one = list(climb(instance, first, start, space, last=instance.longest - 1))
    fresh = prices.make_space(instance.tasks, instance.longest)
    two = list(climb(instance, first, start, fresh, last=instance.longest - 1))
    assert [(r.deadline, r.status) for r in one] == [(r.deadline, r.status) for r in two]


def test_the_root_stops_when_it_is_told_to():
    """What is called between slices sees what is known and ends the root."""
    times = np.random.default_rng(1).integers(10, 100, (60, 6)).astype(float)
    instance = make_instance(oe.MakespanProblem(times))
    _, start, _ = root.first_deadline(instance, np.ones(6))
    space = prices.make_space(instance.tasks, instance.longest)
    seen = []

    def stop(found):
        seen.append(found)
        return len(seen) == 2

    found = root.try_deadline(instance, instance.longest - 1, start, space, between=stop)
    if found.status == prices.OPEN:
        assert len(seen) == 2
        assert found.evaluations == 2 * root.SLICE
    assert all(r.status == prices.OPEN and r.schedule is None for r in seen)


def test_rows_that_do_not_fit_weaken_and_never_break():
    """With next to no memory for rows nothing from the optimum on is refuted either."""
    for seed in range(10):
        p = random_problem(seed, 6, 3, integer=True)
        instance = make_instance(p)
        optimum, _ = best_plans(p, instance)
        space = prices.make_space(instance.tasks, instance.longest, most_bytes=8)
        first, start, _ = root.first_deadline(instance, solve_lp(p).servers)
        found = list(climb(instance, first, start, space, last=instance.longest - 1))
        assert all(r.deadline < optimum for r in found if r.status == prices.REFUTED)


@pytest.mark.parametrize(
    "times",
    [
        [[0, 0], [0, 0]],
        [[5]],
        [[5, 7, 9]],
        [[3], [4], [0]],
        [[4, 4, 4]] * 5,
    ],
)
def test_odd_shapes(times):
    """Zero times, one task, one machine, identical machines: the bound is the optimum or below."""
    p = oe.MakespanProblem(times)
    instance = make_instance(p)
    first, start, _ = root.first_deadline(instance, solve_lp(p).servers)
    space = prices.make_space(instance.tasks, instance.longest)
    bound = first
    for found in climb(instance, first, start, space, last=instance.longest - 1):
        if found.status == prices.REFUTED:
            bound = found.deadline + 1
    assert seconds_of(bound, instance.unit) == brute_force(p)


# ---------------------------------------------------------------- certificates


@st.composite
def claims(draw):
    """Draw an instance and any prices whatever, for any deadline."""
    problem = draw(problems(max_tasks=5, max_servers=3, memory=False))
    n = problem.times.shape[0]
    lines = draw(arrays(np.float64, (draw(st.integers(0, 3)), n), elements=st.integers(0, 9)))
    unit = draw(st.sampled_from([1.0, 0.5, 0.1, 1 / 3, 1e-3]))
    top = int(brute_force(problem) / unit)
    deadline = draw(st.integers(max(0, top - 3), top + 2))
    return problem, {"unit": [unit], "deadline": [float(deadline)], "prices": lines}


@given(claims())
@examples(300)
def test_whatever_the_prices_no_certificate_proves_too_much(claim):
    """Any whole prices, unit and deadline prove at most the optimum."""
    problem, parts = claim
    assert problem.certify(oe.Certificate("prices", 0.0, parts)) <= brute_force(problem)


@pytest.fixture
def refuted():
    """Return an instance and the certificate of the last deadline that its root refutes."""
    times = np.random.default_rng(1).integers(20, 40, (8, 3)).astype(float)
    p = oe.MakespanProblem(times)
    instance = make_instance(p)
    first, start, line = root.first_deadline(instance, solve_lp(p).servers)
    space = prices.make_space(instance.tasks, instance.longest)
    deadline, stages = first - 1, line
    for found in climb(instance, first, start, space, last=instance.longest - 1):
        if found.status == prices.REFUTED:
            deadline, stages = found.deadline, found.stages
    return p, certificates.prices_certificate(p, instance, deadline, stages)


@pytest.mark.parametrize(("scale", "verdict"), [(1, "certified"), (0, "does not prove it")])
def test_verify_values_the_prices_anew(refuted, scale, verdict):
    """`oe.verify` certifies a refuted deadline, and finds prices that do not refute it."""
    p, proof = refuted
    arrays = dict(proof.arrays) | {"prices": scale * proof.arrays["prices"]}
    claimed = dataclasses.replace(proof, arrays=arrays)

    def solver(problem, run):
        run.evaluate(np.zeros(problem.n_tasks, np.int64))
        run.raise_bound(claimed.value, claimed)

    assert oe.verify(oe.solve(p, solver, bound=False)).verdict == verdict


@pytest.mark.parametrize("change", ["deadline", "unit", "prices", "nothing left"])
def test_tampered_certificates_prove_less(refuted, change):
    """A later deadline, a larger unit, other prices or none: the claim is not reached."""
    p, proof = refuted
    parts = dict(proof.arrays)
    optimum = brute_force(p)
    if change == "deadline":
        parts["deadline"] = np.array([math.ceil(optimum)])
    elif change == "unit":
        parts["unit"] = parts["unit"] * 2
    elif change == "prices":
        parts["prices"] = parts["prices"] * 0
    else:
        parts["prices"] = parts["prices"][:0]
    value = p.certify(oe.Certificate("prices", proof.value, parts))
    assert value < proof.value


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"unit": None}, "lacks the array 'unit'"),
        ({"deadline": None}, "lacks the array 'deadline'"),
        ({"prices": None}, "lacks the array 'prices'"),
        ({"unit": [0.0]}, "'unit' must hold one positive"),
        ({"unit": [INF]}, "'unit' must hold one positive"),
        ({"unit": [1.0, 1.0]}, "'unit' must hold one positive"),
        ({"deadline": [1.5]}, "'deadline' must hold one whole"),
        ({"deadline": [-1.0]}, "'deadline' must hold one whole"),
        ({"deadline": [1e300]}, "'deadline' must hold one whole"),
        ({"deadline": [np.nan]}, "'deadline' must hold one whole"),
        ({"prices": [[1.0, 2.0]]}, r"'prices' must have shape \(k, 3\), got \(1, 2\)"),
        ({"prices": [1.0, 2.0, 3.0]}, r"'prices' must have shape \(k, 3\)"),
        ({"prices": [[1.0, 2.0, 0.5]]}, "'prices' must hold whole numbers"),
        ({"prices": [[1.0, -2.0, 1.0]]}, "'prices' must hold whole numbers"),
        ({"prices": [[1.0, np.nan, 1.0]]}, "'prices' must hold whole numbers"),
        ({"prices": [[1.0, 2.0**52, 1.0]]}, r"at most 2\^50"),
    ],
)
def test_malformed_certificates_are_refused(parts, message):
    """A malformed certificate proves nothing: ValueError names the array and what is wrong."""
    whole = {"unit": [1.0], "deadline": [2.0], "prices": [[1.0, 2.0, 3.0]]} | parts
    arrays = {k: np.array(v) for k, v in whole.items() if v is not None}
    p = oe.MakespanProblem([[1, 2], [3, 4], [5, 6]])
    with pytest.raises(ValueError, match=message):
        p.certify(oe.Certificate("prices", 1.0, arrays))


def test_a_table_that_would_not_fit_is_bounded_instead():
    """A deadline of billions of units takes no memory: the fractional bound still proves it."""
    times = np.full((4, 2), 2.0**31)
    p = oe.MakespanProblem(times)
    parts = {"unit": np.ones(1), "deadline": np.array([2.0**32]), "prices": np.ones((1, 4))}
    assert p.certify(oe.Certificate("prices", 0.0, parts)) == 0.0
    parts["deadline"] = np.array([2.0**32 - 1])
    assert p.certify(oe.Certificate("prices", 0.0, parts)) == 2.0**32 == p.objective([0, 0, 1, 1])


@pytest.mark.parametrize("seed", seeds(20, 2))
def test_exact_losses_are_those_of_enumeration(seed):
    """With each item forced out, or in, a knapsack loses what listing all its sets says."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        k, capacity = int(rng.integers(1, 8)), int(rng.integers(0, 30))
        weights, values = rng.integers(0, capacity + 1, k), rng.integers(0, 40, k)
        sets = np.array(list(itertools.product([False, True], repeat=k)))
        sets = sets[sets @ weights <= capacity]
        worth = sets @ values
        best = int(worth.max())
        assert certificates._knapsack(values, weights, capacity) == best
        out, within = certificates._exact_losses(values, weights, capacity, best)
        assert out.tolist() == [best - worth[~sets[:, i]].max() for i in range(k)]
        assert within.tolist() == [best - worth[sets[:, i]].max() for i in range(k)]
