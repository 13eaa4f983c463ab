"""The upload plan: worked examples, the evaluator, codes, what is refused."""

import itertools
import math
import re

import numpy as np
import pytest
from conftest import seeds
from uploads import (
    figures_9_to_11,
    hold_back,
    layers_with_servers,
    plain_f,
    plain_g,
    plain_ssd,
    random_upload,
    worked_example,
)

from optedge.formulations.upload import UploadPlan, UploadProblem

A, B, C, D = range(4)


def singles(*order):
    """Return the plan that sends layers one by one and uses each at once."""
    return UploadPlan(tuple((j,) for j in order))


# -------------------------------------------------------------------- examples


@pytest.mark.parametrize("use", ["best", "forced"])
def test_worked_example(use):
    """Both plans of table II have the printed delays and sums, the tail of 6 included."""
    problem = worked_example(use=use)
    for order, delays, ssd in (
        ((D, C, A, B), [63, 55, 44, 40, 21], 2359),
        ((C, B, A, D), [63, 54, 39, 31, 21], 2203),
        ((B, D, C, A), None, 2407),
    ):
        plan = singles(*order)
        assert problem.ssd(plan, tail=6) == ssd
        assert problem.objective(plan) == ssd - 6 * 21
        assert delays is None or problem.delays(plan).tolist() == delays


def test_all_orders_of_the_worked_example():
    """Of 24 orders the printed plan is the only best; the next and the worst are as computed."""
    problem = worked_example()
    sums = sorted((problem.ssd(singles(*o), 6), o) for o in itertools.permutations(range(4)))
    assert [value for value, _ in sums[:4]] == [2203, 2233, 2247, 2247]
    assert sums[0][1] == (C, B, A, D)
    assert sums[1][1] == (C, A, B, D)
    assert {o for _, o in sums[2:4]} == {(A, C, B, D), (C, B, D, A)}
    assert sums[-1] == (2429, (B, D, A, C))
    assert problem.objective(singles(C, B, A, D)) == 2077


def test_efficiencies_of_table_three():
    """Table III row by row: what each upload adds a second, given those before it."""
    problem = worked_example()
    rows = (
        ((), {A: 0.67, B: 0.60, C: 0.90, D: 0.62}),
        ((C,), {B: 1.00, D: 0.77}),
        ((C, B), {A: 1.33}),
    )
    for sent, printed in rows:
        for j, value in printed.items():
            assert problem.elda([j], sent) == pytest.approx(value, abs=0.0051)
    assert problem.tda(range(4)) == 42
    assert problem.lda([A, B]) == 4 + 9 + 4
    halved = worked_example(input_sizes=[2.0])
    assert halved.elda([C]) == problem.elda([C]) / 2


def test_hold_back_example():
    """Forced singles cost 32 and 31, the pair in one 30, and best use 30 in any order."""
    forced, best = hold_back(use="forced"), hold_back()
    assert [forced.forced_delay(s) for s in ((), (0,), (1,), (0, 1))] == [10, 11, 11, 4]
    assert [forced.objective(singles(*o)) for o in ((0, 1), (1, 0))] == [32, 31]
    merged = UploadPlan(((0, 1),))
    held = UploadPlan(((0,), (1,)), [1, 1])
    assert [p.objective(x) for p in (forced, best) for x in (merged, held)] == [30] * 4
    assert [best.objective(singles(*o)) for o in ((0, 1), (1, 0))] == [30, 30]


def test_areas_of_figures_9_to_11():
    """The integral of TDA with a tail of 14 is 312, 504 and 536; it is what the SSD lacks."""
    problem = figures_9_to_11(use="forced")
    assert problem.values.tolist()[:2] == [-24, 16]
    assert problem.savings.tolist()[0] == 22
    assert problem.tda(range(3)) == 32
    horizon = 14 + 14
    for parts, area in (
        (((0,), (1,), (2,)), 312),
        (((0, 1), (2,)), 504),
        (((1,), (0,), (2,)), 536),
    ):
        ssd = problem.ssd(UploadPlan(parts), tail=14)
        assert horizon * problem.base_delay - ssd == area


# -------------------------------------------------------------------- the evaluator


@pytest.mark.parametrize("seed", seeds(40, 10))
def test_evaluation_equals_the_formulas(seed):
    """f, TDA, g and the sum under both uses are those of the plain evaluator."""
    problem = random_upload(seed, 7, chains=1 + seed % 2)
    free, timed = layers_with_servers(problem)
    rng = np.random.default_rng(seed)
    some = [j for j in [*free, *timed] if rng.random() < 0.6]
    assert problem.forced_delay(some) == pytest.approx(plain_f(problem, set(some)), abs=1e-12)
    assert problem.best_delay(some) == pytest.approx(plain_g(problem, set(some)), abs=1e-12)
    order = rng.permutation([*free, *timed]).tolist()
    cut = int(rng.integers(len(order) + 1))
    parts = tuple(tuple(p) for p in (order[:cut], *([j] for j in order[cut:])) if p)
    for use in ("best", "forced"):
        value = plain_ssd(problem, parts, use, tail=2.0)
        assert problem.replace(use=use).ssd(UploadPlan(parts), 2.0) == pytest.approx(value)


@pytest.mark.parametrize("seed", range(8))
def test_properties_of_plans(seed):
    """Best use beats forced use, sizes 0 may go first, and upload times scale the sum."""
    problem = random_upload(seed, 8)
    free, timed = layers_with_servers(problem)
    order = np.random.default_rng(seed).permutation([*free, *timed]).tolist()
    first = [*free, *(j for j in order if j not in free)]
    best = problem.objective(singles(*order))
    assert best <= problem.replace(use="forced").objective(singles(*order)) + 1e-9
    assert problem.objective(singles(*first)) <= best + 1e-9
    slower = problem.replace(upload_times=4 * problem.upload_times)
    assert slower.objective(singles(*order)) == pytest.approx(4 * best)
    assert problem.metrics(singles(*order))["variable_part"] >= -1e-9


@pytest.mark.parametrize("seed", range(8))
def test_codes_cost_what_their_plans_cost(seed):
    """Codes and the plans that they decode to agree, under both uses, and encode leads back."""
    problem = random_upload(seed, 8)
    m = problem.layers.size
    codes = np.random.default_rng(seed).integers(0, m, (6, m))
    for p in (problem, problem.replace(use="forced")):
        plans = [p.decode(code) for code in codes]
        assert p.costs(codes) == pytest.approx([p.objective(x) for x in plans], rel=1e-12)
        again = [p.decode(p.encode(x)).partitions for x in plans]
        assert again == [x.partitions for x in plans]


def test_codes_of_negative_savings_under_forced_use():
    """With a negative saving codes are priced plan by plan."""
    with pytest.warns(UserWarning, match="saving of layers 0 and 1"):
        problem = UploadProblem(
            [9, 9], [1, 1], [1, 1], [1, 1], [0, 5], [2, 3], use="forced", name="a slow link"
        )
    assert not problem.is_supermodular
    codes = np.array([[0, 1], [1, 0]])
    assert problem.costs(codes).tolist() == [problem.objective(problem.decode(c)) for c in codes]


def test_rounding_is_no_negative_saving():
    """A hop that equals the way through the client up to rounding saves nothing, unwarned."""
    problem = UploadProblem([9, 9], [1, 1], [0, 0.2], [0.1, 0], [0, 0.1 + 0.2 + 5e-17], [1, 1])
    assert problem.savings.tolist() == [0]


# -------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"client_times": [1, -2]}, "client_times[1] is negative."),
        ({"upload_times": [1, math.nan]}, "upload_times[1] is NaN."),
        ({"server_times": [1, math.inf]}, "server_times[1] is infinite."),
        ({"hops": [0, 0, 0]}, "hops must have shape (n_layers,)"),
        ({"chain": [0, 2]}, "chain must number the tasks in turn"),
        ({"input_sizes": [1, 1]}, "input_sizes must hold a size for each of 1 chains, got 2."),
        ({"input_sizes": [0]}, "input_sizes[0] is 0."),
        ({"use": "always"}, "use must be 'best' or 'forced', got 'always'."),
    ],
)
def test_bad_instances_are_refused(fields, sentence):
    """The sentence names the field and the entry."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        hold_back().replace(**fields)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (singles(A, B, C), "layer 3 is never uploaded."),
        (singles(A, B, C, D, B), "layer 1 is uploaded twice, in partitions 1 and 4."),
        (singles(A, B, C, D, 7), "partition 4 holds layer 7, there are 4."),
        (UploadPlan(((A, B), (), (C, D))), "partition 1 is empty."),
        (UploadPlan(((A, B), (C, D)), [0, 0, 0, 1]), "layer 2 of partition 1 is switched on after"),
        (UploadPlan(((A, B), (C, D)), [0, 0, 1]), "active_after must have shape (4,), got (3,)."),
        ([0, 1, 2, 3], "a solution is an UploadPlan, got list."),
    ],
)
def test_bad_plans_are_infeasible(plan, sentence):
    """The objective is infinite and one sentence says why."""
    problem = worked_example()
    assert math.isinf(problem.objective(plan))
    assert any(text.startswith(sentence) for text in problem.violations(plan))


def test_layers_that_stay_are_not_uploaded():
    """A plan with such a layer is refused, and so is a set; one without it is feasible."""
    problem = worked_example(stays=[False, True, False, False])
    assert problem.violations(singles(A, C, D)) == []
    text = "partition 1 holds layer 1, which stays at the client."
    assert text in problem.violations(singles(A, B, C, D))
    with pytest.raises(ValueError, match="layer 1 stays at the client"):
        problem.tda([B])
    with pytest.raises(ValueError, match="there is no layer 9"):
        problem.tda([9])


def test_bad_calls_are_refused():
    """Tails, empty parts, codes and plans that make no sense get a sentence."""
    problem = worked_example()
    with pytest.raises(ValueError, match="tail must be a number of seconds, got -1"):
        problem.ssd(singles(A, B, C, D), tail=-1)
    with pytest.raises(ValueError, match="part holds no layer"):
        problem.elda([])
    with pytest.raises(ValueError, match=re.escape("codes must have shape (k, 4), got (1, 3).")):
        problem.costs([[0, 1, 2]])
    with pytest.raises(ValueError, match="keys are 0 to 3"):
        problem.costs([[0, 1, 2, 4]])
    with pytest.raises(ValueError, match="partitions must hold a row of layers"):
        UploadPlan(((0.5,),))
    with pytest.raises(ValueError, match="active_after must hold the number of a partition"):
        UploadPlan(((0,),), [0.5])


def test_efficiency_without_upload_time():
    """What takes no time to upload is worth everything if it does no harm, else nothing."""
    problem = hold_back(use="forced").replace(upload_times=[0, 2])
    assert problem.elda([0]) == -math.inf
    assert problem.elda([0], [1]) == math.inf
