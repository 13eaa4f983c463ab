"""Exact orders of upload and bounds: equal to all orders, proofs recomputed."""

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pyomo.environ as pyo
import pytest
from conftest import seeds
from uploads import best_of_all_orders, hold_back, published, random_upload, worked_example

from optedge.bridge import solve_model
from optedge.formulations.base import Certificate
from optedge.formulations.upload import UploadPlan, UploadProblem, bounds
from optedge.formulations.upload.exact import certificates, integers, intervals, subsets


def test_bounds_of_the_worked_example():
    """Of the variable part the envelope is 871, the staircase 1069 and the optimum 1153."""
    problem = worked_example()
    constant = problem.total_seconds * problem.least_delay
    variable = {name: value - constant for name, value in problem.bounds().items()}
    assert variable.pop("LP") == pytest.approx(1122.32, abs=0.005)
    assert variable == {"envelope": 871, "staircase": 1069, "interval DP": 1153}
    found = intervals.best_order(problem)
    assert (found.constant, found.variable, found.order) == (924, 1153, (2, 1, 0, 3))
    assert found.exact
    # Sidney's blocks (ABC) and (D), each sent in one: 1432.
    (t, w, _), (u, v, _) = found.blocks
    assert t * (w + v) + u * v == 1432


@pytest.mark.parametrize("seed", seeds(1000, 60))
def test_recursion_subsets_and_all_orders_agree(seed):
    """On small chains of every kind the three find one value, and their orders have it."""
    problem = random_upload(seed, 3 + seed % 4, chains=1 + (seed % 3 == 0), wide=seed % 2 == 1)
    least = best_of_all_orders(problem)
    found = intervals.best_order(problem)
    assert found.exact
    assert float(found.value) == pytest.approx(least, rel=1e-9)
    value, order = subsets.best_order(problem)
    assert value == pytest.approx(least, rel=1e-9)
    for sent in (found.order, order):
        plan = problem.plan_of_order(sent)
        assert problem.violations(plan) == []
        for p in (problem, problem.replace(use="forced")):  # switched on when it helps
            assert p.objective(plan) == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_recursion_equals_subsets_on_longer_chains(seed):
    """Up to 14 layers the recursion finds what the table of all subsets proves."""
    problem = random_upload(1000 + seed, 14, wide=True)
    value, _ = subsets.best_order(problem)
    assert float(intervals.best_order(problem).value) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("seed", seeds(60, 12))
def test_bounds_are_in_order(seed):
    """Envelope, staircase and optimum rise; blocks sent in one cost twice the envelope at most."""
    problem = random_upload(seed, 6, wide=True)
    found = intervals.best_order(problem, lift=True)
    names = ("envelope", "staircase", "interval DP")
    low, middle, top = (Fraction(problem.bound(name).value) for name in names)
    slack = Fraction(1, 10**9) * (1 + top)
    assert low <= middle + slack
    assert middle <= top + slack
    unsplit, rest = Fraction(0), sum(w for _, w, _ in found.blocks)
    for t, w, _ in found.blocks:
        unsplit += t * rest
        rest -= w
    assert top - found.constant <= unsplit + slack
    assert unsplit <= 2 * (bounds.envelope(problem) - found.constant)


@pytest.mark.parametrize("seed", seeds(200, 30))
def test_bounds_hold_with_negative_savings(seed):
    """Where going through the client is quicker the bounds stay below all orders."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        problem = random_upload(seed, 5, negative=True)
    least = best_of_all_orders(problem)
    assert max(problem.bounds().values()) <= least * (1 + 1e-12)
    assert subsets.best_order(problem)[0] == pytest.approx(least, rel=1e-9)
    found = intervals.best_order(problem)
    assert found.exact == problem.is_supermodular
    plan = problem.plan_of_order(found.order)
    assert float(found.value) == pytest.approx(problem.objective(plan), rel=1e-9)


@pytest.mark.parametrize("seed", seeds(60, 8))
def test_no_plan_is_below_the_stairs(seed):
    """Until the next step no set of so little upload time has a smaller delay; the area bounds."""
    problem = random_upload(seed, 6, chains=1 + seed % 2, wide=seed % 3 == 0)
    when, least = problem.stairs()
    assert when[0] == 0 and (np.diff(when) > 0).all() and (np.diff(least) < 0).all()
    servers = np.flatnonzero(~problem.stays)
    for k in range(servers.size + 1):
        for chosen in itertools.combinations(servers.tolist(), k):
            time = problem.seconds[list(chosen)].sum()
            step = np.searchsorted(when, time * (1 + 1e-12), side="right") - 1
            assert problem.best_delay(chosen) >= least[step] * (1 - 1e-12)
    area = least @ np.diff(np.append(when, problem.total_seconds))
    assert area == pytest.approx(problem.bound("staircase").value, rel=1e-12)


def test_thinned_staircases_stay_below():
    """With few points kept the staircase gets weaker, and says that it was thinned."""
    problem = random_upload(4, 16, wide=True)
    whole, never = bounds.staircase(problem)
    few, joined = bounds.staircase(problem, most=4)
    assert never == 0
    assert joined > 0
    assert few <= whole <= intervals.best_order(problem).value


def test_certificates_of_other_kinds():
    """A certificate of intervals without its array is refused, so is an unknown kind; LP holds."""
    problem = worked_example()
    with pytest.raises(ValueError, match="needs the array 'last' of 10 layers"):
        problem.certify(Certificate(certificates.KIND, 5000.0, {}))
    with pytest.raises(ValueError, match="knows no certificate 'LP'"):
        problem.certify(Certificate("LP", 1.0, {}))
    lp = problem.bound("LP")
    assert problem.certify(lp.certificate) == lp.value


def test_bounds_are_rounded_down():
    """A value between two floats becomes the lower one."""
    problem = UploadProblem([0.1] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3, [0.3, 0.7, 0.1])
    exact = intervals.best_order(problem).value
    value = problem.bound("interval DP").value
    assert Fraction(value) < exact < Fraction(math.nextafter(value, math.inf))


def test_too_many_layers_for_all_subsets():
    """The table is refused before it is made, by number and by memory."""
    many = UploadProblem(*np.ones((6, 40)))
    with pytest.raises(ValueError, match="40 layers take time to upload: a table of 2\\^40"):
        subsets.best_order(many)
    ten = UploadProblem(*np.ones((6, 10)))
    assert subsets.why_not(ten) is None
    assert "0.001 MB are allowed" in subsets.why_not(ten, 0.001)


def test_the_recursion_can_be_stopped():
    """It asks, and gives up with an exception of its own."""
    with pytest.raises(intervals.Stopped):
        intervals.best_order(hold_back(), stop=lambda: True)


def test_nothing_to_upload():
    """If all layers stay the empty plan costs nothing, and so say the bounds."""
    problem = hold_back().replace(stays=[True, True])
    assert problem.objective(problem.plan_of_order([])) == 0
    assert problem.bounds() == {"envelope": 0, "staircase": 0, "LP": 0, "interval DP": 0}
    assert subsets.best_order(problem)[0] == 0


@pytest.mark.parametrize(
    ("network", "client", "edge", "unit", "nothing", "optimum", "envelope", "harmful"),
    [
        ("alexnet", 2.0, 10, "Mb", 82.0086, 42.1428, 33.8424, 0),
        ("alexnet", 2.0, 10, "MB", 82.0086, 44.7909, 36.4464, 3),
        ("alexnet", 2.3, 4.2, "MB", 71.3119, 54.5227, 50.3976, 4),
        ("alexnet", 1.1, 18.3, "Mb", 149.1066, 63.5168, 45.7937, 0),
        ("vgg19", 2.0, 10, "Mb", 75.4113, 34.7964, 28.2421, 13),
        ("vgg19", 2.0, 10, "MB", 75.4113, 42.6908, 35.8126, 23),
        ("vgg19", 2.3, 4.2, "MB", 65.5750, 53.8361, 49.9594, 23),
    ],
)
def test_networks_of_section_seven(
    network, client, edge, unit, nothing, optimum, envelope, harmful
):
    """AlexNet and VGG19: optimum, envelope and what sending all at once costs, to the digits."""
    problem = published(network, client, edge, unit)
    at_once = UploadPlan((tuple(range(problem.n_layers)),))
    found = intervals.best_order(problem)
    assert problem.objective(at_once) == pytest.approx(nothing, abs=6e-5)
    assert problem.bound("interval DP").value == pytest.approx(optimum, abs=6e-5)
    assert problem.bound("envelope").value == pytest.approx(envelope, abs=6e-5)
    assert problem.objective(problem.plan_of_order(found.order)) == pytest.approx(
        float(found.value), rel=1e-12
    )
    assert int((problem.values < 0).sum()) == harmful
    if problem.layers.size < 12:
        assert subsets.best_order(problem)[0] == pytest.approx(optimum, abs=6e-5)


# -------------------------------------------------------------------- the explicit model


@pytest.mark.parametrize("seed", seeds(40, 8))
def test_model_optimum_equals_the_recursion(seed):
    """The line of layers has the least sum, its plan and its relaxation fit."""
    problem = random_upload(seed, 6, chains=1 + seed % 2)
    least = float(intervals.best_order(problem).value)
    model = problem.model()
    assert solve_model(model).objective == pytest.approx(least, abs=1e-4)
    plan = problem.extract(model)
    assert problem.objective(plan) == pytest.approx(least, abs=1e-4)
    assert problem.bound("LP").value <= least * (1 + 1e-9)


@pytest.mark.parametrize("seed", seeds(60, 12))
def test_both_models_equal_all_orders(seed):
    """Up to five layers line and places have the least sum of all orders, and their plans too."""
    problem = random_upload(seed, 2 + seed % 4, chains=1 + seed % 2)
    least = best_of_all_orders(problem)
    for kind in problem.kinds:
        model = problem.model(kind)
        assert solve_model(model).objective == pytest.approx(least, abs=1e-4)
        assert problem.objective(problem.extract(model)) == pytest.approx(least, abs=1e-4)


@pytest.mark.parametrize("kind", ["ordering", "position"])
@pytest.mark.parametrize("seed", range(8))
def test_filled_models_have_the_value_of_the_plan(seed, kind):
    """A filled model breaks no row and its objective is no more than that of the plan."""
    problem = random_upload(seed, 6)
    order = np.random.default_rng(seed).permutation(problem.layers)
    plan = problem.plan_of_order(order)
    model = problem.model(kind)
    problem.fill(model, plan)
    for row in model.component_data_objects(pyo.Constraint, active=True):
        assert row.slack() >= -1e-9
    assert pyo.value(model.delay) <= problem.objective(plan) + 1e-9
    again = problem.extract(model)
    assert problem.objective(again) == pytest.approx(pyo.value(model.delay), rel=1e-9)


def test_relaxed_models_of_the_worked_example():
    """Without integrality the line proves 1122.32 and the places 421.75; fractions are no plan."""
    problem = worked_example()
    constant = problem.total_seconds * problem.least_delay
    for kind, value in (("ordering", 1122.32), ("position", 421.75)):
        model = problem.model(kind, relax=True)
        assert solve_model(model).objective - constant == pytest.approx(value, abs=0.005)
        assert problem.extract(model) is None


@pytest.mark.parametrize("seed", seeds(40, 8))
def test_places_state_negative_savings(seed):
    """With a negative saving only the places state the problem, and only under best use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        problem = random_upload(seed, 5, negative=True)
        if problem.is_supermodular:
            problem = problem.replace(stays=None, hops=problem.hops + 20)
        assert problem.kinds == ("position",)
        assert problem.replace(use="forced").kinds == ()
    least = best_of_all_orders(problem)
    assert solve_model(problem.model()).objective == pytest.approx(least, abs=1e-4)


def test_no_line_of_negative_savings():
    """The model of the line is refused, under forced use every model; so is its bound."""
    with pytest.warns(UserWarning, match="saving"):
        problem = UploadProblem([9, 9], [1, 1], [1, 1], [1, 1], [0, 5], [2, 3])
        forced = problem.replace(use="forced")
    with pytest.raises(ValueError, match="has no model 'ordering'"):
        problem.model("ordering")
    with pytest.raises(ValueError, match="has no explicit model"):
        forced.model()
    assert forced.bound_names == ("envelope", "staircase", "interval DP")


# -------------------------------------------------------------------- many layers


def test_bounds_of_many_layers_are_left_out():
    """The linear program and the recursion have limits; a sentence names them, others remain."""
    rng = np.random.default_rng(1)
    n = bounds.MOST["interval DP"] + 1
    problem = UploadProblem(*rng.uniform(0, 9, (4, n)), np.zeros(n), rng.uniform(1, 9, n))
    assert problem.bound_names == ("envelope", "staircase")
    assert problem.cheap_bounds == ("staircase",)
    with pytest.raises(ValueError, match="the bound LP is for at most 25 layers"):
        problem.bound("LP")
    with pytest.raises(ValueError, match="interval DP is for at most 200 layers in a row"):
        problem.bound("interval DP")


@pytest.mark.parametrize("seed", range(12))
def test_the_envelope_goes_along_the_blocks(seed):
    """Corners found slope by slope give the area that the blocks of the recursion give."""
    problem = random_upload(seed, 12, wide=seed % 2 == 1)
    found = intervals.best_order(problem)
    area, rest = found.constant, sum(w for _, w, _ in found.blocks)
    for t, w, _ in found.blocks:
        area += t * (rest - w / 2)
        rest -= w
    assert bounds.envelope(problem) == area


@pytest.mark.parametrize("seed", seeds(200, 20))
def test_floats_leave_out_no_best_layer(seed, monkeypatch):
    """With floats before it the run in whole numbers finds the same value, to the last digit."""
    problem = random_upload(seed, 12, wide=seed % 2 == 1)
    plain = intervals.best_order(problem)
    monkeypatch.setattr(intervals, "FEW_LAYERS", 0)
    assert intervals.best_order(problem).value == plain.value
    plan = problem.plan_of_order(intervals.quick_order(problem))
    assert problem.objective(plan) == pytest.approx(float(plain.value), rel=1e-9)


@pytest.mark.parametrize("seed", seeds(60, 6))
def test_floats_decide_nothing_that_they_cannot_tell(seed, monkeypatch):
    """Where costs differ by less than floats hold, whole numbers choose, and find the same."""
    rng, n = np.random.default_rng(seed), 9
    far = 2.0**50
    problem = UploadProblem(
        far + rng.integers(0, 9, n),
        np.zeros(n),
        np.zeros(n),
        rng.integers(0, 9, n),
        np.zeros(n),
        np.full(n, 3.0),
    )
    plain = intervals.best_order(problem)
    monkeypatch.setattr(intervals, "FEW_LAYERS", 0)
    assert intervals.best_order(problem).value == plain.value


def test_a_negative_saving_misleads_the_recursion():
    """Of three layers with such a saving the order costs 49, the best one 48; the bound is less."""
    with pytest.warns(UserWarning, match="saving"):
        problem = UploadProblem([3, 5, 2], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 4, 0], [1, 2, 5])
    found = intervals.best_order(problem)
    assert not found.exact
    assert found.value == problem.objective(problem.plan_of_order(found.order)) == 49
    assert subsets.best_order(problem)[0] == best_of_all_orders(problem) == 48
    lifted = intervals.best_order(problem, lift=True)
    assert lifted.value <= 48
    assert problem.bound("interval DP").value == lifted.value
    assert problem.certify(certificates.make(lifted)) == lifted.value


def test_the_table_of_subsets_is_filled_in_chunks(monkeypatch):
    """Short chunks fill all of it, and it may be stopped between two."""
    problem = random_upload(3, 12, wide=True)
    with monkeypatch.context() as patch:
        patch.setattr(subsets, "CHUNK", 100)
        pieces = subsets.best_order(problem)
    whole = subsets.best_order(problem)
    assert pieces[0] == whole[0]
    assert pieces[1].tolist() == whole[1].tolist()
    monkeypatch.setattr(subsets, "CHUNK", 100)
    answers = iter([False, False, True])
    with pytest.raises(subsets.Stopped):
        subsets.best_order(problem, stop=lambda: next(answers))


def test_numbers_beyond_floats():
    """Times that differ by more than floats can hold are told apart in whole numbers."""
    n = intervals.FEW_LAYERS + 1
    rng = np.random.default_rng(0)
    scale = 2.0 ** rng.integers(-900, 0, n)
    problem = UploadProblem(scale, 0 * scale, 0 * scale, scale, 0 * scale, rng.uniform(1, 9, n))
    found = intervals.best_order(problem)
    quick = problem.plan_of_order(intervals.quick_order(problem))
    assert problem.objective(problem.plan_of_order(found.order)) <= problem.objective(quick)
    assert problem.certify(certificates.make(found)) == certificates.make(found).value


@pytest.mark.parametrize("seed", range(6))
def test_parted_chains_are_short(seed):
    """Cut where little is saved no segment is longer than allowed, and an order is found."""
    problem = random_upload(seed, 40, wide=True)
    chain = integers.scale(problem, lift=False)
    parted = integers.parted(problem, chain, 7)
    sizes = [len(s.times) for s in integers.segments(problem, parted)]
    assert max(sizes) <= 7
    assert sum(sizes) == problem.layers.size
    order = intervals.quick_order(problem, most=7)
    assert sorted(order) == problem.layers.tolist()
    least = float(intervals.best_order(problem).value)
    assert least * (1 - 1e-12) <= problem.objective(problem.plan_of_order(order)) <= 1.2 * least
