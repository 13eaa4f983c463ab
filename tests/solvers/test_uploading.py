"""The heuristics of the upload plan: published tables, the optimum below them, what scales."""

import itertools
import warnings

import numpy as np
import pytest
from conftest import seeds
from uploads import chain_of, hold_back, published, random_upload, three_layers, worked_example

import optedge as oe
from optedge.formulations.upload.exact import intervals

RULES = [
    ("whole-upload", {}),
    ("ionn", {}),
    ("lmu", {}),
    ("lmu", {"zero_rule": "paper"}),
    ("lmu", {"zero_rule": "alone"}),
    ("recursive-efficiency", {}),
    ("recursive-efficiency", {"zeros": "first"}),
    ("sidney", {}),
    ("sidney", {"split": False}),
]


def found(problem, solver, **options):
    """Return what a heuristic finds; its value is checked by solve."""
    r = oe.solve(problem, solver, bound=False, **options)
    assert r.status == "FEASIBLE"
    return r


@pytest.mark.parametrize(
    ("network", "client", "edge", "unit", "nothing", "ionn", "unsplit", "alone", "safe"),
    [
        ("alexnet", 2.0, 10, "Mb", 82.0086, 45.1588, 42.1428, 42.1428, 42.1428),
        ("alexnet", 2.0, 10, "MB", 82.0086, 47.7268, 44.8896, 44.8024, 44.7909),
        ("alexnet", 2.3, 4.2, "MB", 71.3119, 55.9319, 54.5668, 54.5404, 54.5227),
        ("alexnet", 1.1, 18.3, "Mb", 149.1066, 71.3719, 63.5168, 63.5168, 63.5168),
        ("vgg19", 2.0, 10, "Mb", 75.4113, 35.3826, 35.2331, 35.0663, 34.7986),
        ("vgg19", 2.0, 10, "MB", 75.4113, 46.0809, 45.6454, 43.7670, 42.8602),
        ("vgg19", 2.3, 4.2, "MB", 65.5750, 55.6010, 55.6010, 55.7471, 54.8353),
    ],
)
def test_networks_of_section_seven(
    network, client, edge, unit, nothing, ionn, unsplit, alone, safe
):
    """AlexNet and VGG19 under forced use, to the digits; ``safe`` is our own default."""
    problem = published(network, client, edge, unit).replace(use="forced")
    for solver, options, value in (
        ("whole-upload", {}, nothing),
        ("ionn", {}, ionn),
        ("sidney", {"split": False}, unsplit),
        ("lmu", {"zero_rule": "alone"}, alone),
        ("lmu", {}, safe),
    ):
        assert found(problem, solver, **options).objective == pytest.approx(value, abs=6e-5)


def test_hold_back_example():
    """Layers that do not help alone are merged and sent as one: 30 under both uses."""
    for use in ("best", "forced"):
        r = found(hold_back(use=use), "lmu")
        assert r.objective == 30
        assert r.solution.partitions == ((0, 1),)


def test_recomputed_greedy_can_be_far_off():
    """On three layers LMU is 38 % above the optimum, which IONN finds."""
    for use in ("best", "forced"):
        problem = three_layers(use=use)
        assert found(problem, "lmu").objective == 188
        assert found(problem, "ionn").objective == 136
        assert oe.solve(problem, "interval-dp").objective == 136


@pytest.mark.parametrize("seed", seeds(400, 40))
def test_no_heuristic_beats_the_optimum(seed):
    """Under both uses; forced use is no better than best use of the same plan."""
    problem = random_upload(seed, 3 + seed % 10, chains=1 + seed % 3, wide=seed % 2 == 1)
    least = float(intervals.best_order(problem).value)
    for solver, options in RULES:
        plan = found(problem, solver, **options).solution
        best = problem.objective(plan)
        forced = found(problem.replace(use="forced"), solver, **options).objective
        assert least <= best * (1 + 1e-9) + 1e-9
        assert best <= forced * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("seed", seeds(200, 30))
def test_sidney_costs_at_most_twice_the_envelope(seed):
    """Of the variable part: envelope <= optimum <= split blocks <= blocks <= twice the envelope."""
    problem = random_upload(seed, 4 + seed % 12, chains=1 + seed % 2, wide=True)
    constant = problem.total_seconds * problem.least_delay
    values = [
        problem.bound("envelope").value,
        problem.bound("interval DP").value,
        found(problem, "sidney").objective,
        found(problem, "sidney", split=False).objective,
    ]
    parts = [value - constant for value in values]
    parts.append(2 * parts[0])
    slack = 1e-9 * values[-1]
    assert all(low <= high + slack for low, high in itertools.pairwise(parts))


def test_sidney_withdraws_its_factor():
    """With a negative saving the result says that nothing is guaranteed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        problem = random_upload(5, 6, negative=True)
    assert not problem.is_supermodular
    assert "a saving is negative" in found(problem, "sidney").info["note"]
    assert "note" not in found(worked_example(), "sidney").info


@pytest.mark.parametrize(("solver", "options"), RULES)
def test_slower_links_change_no_plan(solver, options):
    """Upload times times 4 leave partitions as they are, but for IONN, and the sum is fourfold."""
    for seed in range(6):
        problem = random_upload(seed, 9, wide=True)
        slower = problem.replace(upload_times=4 * problem.upload_times)
        if solver == "ionn":
            options = {"factors": "1,0.25,0"}
            slow = found(slower, solver, factors="0.25,0.0625,0")
        else:
            slow = found(slower, solver, **options)
        r = found(problem, solver, **options)
        assert slow.solution.partitions == r.solution.partitions
        assert slow.objective == pytest.approx(4 * r.objective)


@pytest.mark.parametrize(("solver", "options"), RULES)
def test_tasks_in_another_order(solver, options):
    """Exchanging two tasks exchanges them in the partitions, and the sum stays."""
    for seed in range(4):
        one, two = random_upload(seed, 5, wide=True), random_upload(100 + seed, 4, wide=True)
        there, back = joined(one, two), joined(two, one)
        r, other = (found(p, solver, **options) for p in (there, back))
        assert other.objective == pytest.approx(r.objective, rel=1e-12)
        named = {frozenset((j + 5) % 9 for j in part) for part in other.solution.partitions}
        assert named == set(map(frozenset, r.solution.partitions))


def joined(one, two):
    """Return the instance of two tasks."""
    timed = ["client_times", "server_times", "sends_in", "sends_out", "hops", "upload_times"]
    arrays = [np.append(getattr(one, name), getattr(two, name)) for name in [*timed, "stays"]]
    chain = np.repeat([0, 1], [one.n_layers, two.n_layers])
    return oe.UploadProblem(*arrays, chain=chain, input_sizes=[1.0, 1.0])


@pytest.mark.parametrize(("solver", "options"), RULES)
def test_edges_of_the_data(solver, options):
    """Nothing to upload, nothing that takes time, one layer: a plan all the same."""
    nothing = hold_back().replace(stays=[True, True])
    assert found(nothing, solver, **options).solution.partitions == ()
    free = hold_back().replace(upload_times=[0, 0])
    assert found(free, solver, **options).objective == 0
    assert found(chain_of([3], [], [2]), solver, **options).objective == 6


def test_factors_are_read():
    """Numbers between commas, falling; else a sentence."""
    r = found(chain_of([4, -1, 2, -9], [0, 2, 0], [3, 1, 4, 1]), "ionn", factors="1, 0.5, 0")
    assert r.solution.partitions == ((0,), (1, 2), (3,))
    for text in ("1,2", "1,1", "0,-1", "inf,0", "nan", "nan,0"):
        with pytest.raises(ValueError, match="option factors must fall and not be negative"):
            found(hold_back(), "ionn", factors=text)
    with pytest.raises(ValueError, match="option factors must be numbers between commas, got 'a'"):
        found(hold_back(), "ionn", factors="a")
