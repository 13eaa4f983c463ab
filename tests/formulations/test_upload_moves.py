"""Moves of orders of upload: whole codes are the measure of what is priced by difference."""

import numpy as np
import pytest
from conftest import seeds
from uploads import published, random_upload

import optedge as oe
from optedge import kernels
from optedge.formulations.upload import UploadProblem, moves
from optedge.formulations.upload.exact import intervals
from optedge.solvers.code import descent


@pytest.mark.parametrize("seed", seeds(30, 6))
def test_parts_of_the_problem_agree(seed):
    """Evaluator, codes, models and moves of chains of all kinds, several layers of size 0 too."""
    problem = random_upload(seed, 5 + seed % 4, chains=1 + seed % 2, wide=seed % 3 == 0)
    assert isinstance(problem.data, moves.OrderData)
    assert oe.check_problem(problem) == []


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_proposals_on_long_chains(seed):
    """Over hundreds of moves, taken or not, the state keeps the cost and the keys of the order."""
    problem = random_upload(seed, 40, chains=1 + seed % 3, wide=True)
    rng, data = np.random.default_rng(seed), problem.data
    m = problem.layers.size
    x = rng.integers(0, m, m)  # keys with ties: no places yet
    state, cost = kernels.start(data, x), problem.costs(x[None])[0]
    seen = set()
    for _ in range(400):
        priced, before = kernels.propose(data, state, x, rng), x.copy()
        taken = priced < cost or rng.random() < 0.3
        kernels.settle(data, state, x, taken)
        if taken:
            cost = priced
            seen.add(int((x != before).sum()))
        else:
            np.testing.assert_array_equal(x, before)
        assert problem.costs(x[None])[0] == pytest.approx(cost, rel=1e-9)
    assert sorted(x) == list(range(m))
    assert len(seen) > 5  # moves between places near and far


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_descent_ends_where_no_layer_moves(seed):
    """No layer has a better place then; the limit is kept; from the end there is no way on."""
    problem = random_upload(seed, 14, wide=True)
    m = problem.layers.size
    x = np.random.default_rng(seed).integers(0, m, m)
    before = problem.costs(x[None])[0]
    priced, local = descent(problem.data, x, problem.choices, 3 * m)
    assert priced <= 3 * m
    _, local = descent(problem.data, x, problem.choices, 10**6)
    after = problem.costs(x[None])[0]
    assert local
    assert after <= before
    order = problem.layers[np.argsort(x)].tolist()
    for j in order:
        rest = [k for k in order if k != j]
        for place in range(m):
            plan = problem.plan_of_order([*rest[:place], j, *rest[place:]])
            assert problem.objective(plan) >= after * (1 - 1e-9)
    kept = x.copy()
    assert descent(problem.data, x, problem.choices, 10**6)[1]
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("solver", ["local-search", "annealing"])
def test_searches_find_the_optimum(solver):
    """VGG19, and a random chain of three tasks: the order of the recursion, or one as good."""
    for problem in (published("vgg19", 2.0, 10, "MB"), random_upload(2, 20, chains=3, wide=True)):
        least = float(intervals.best_order(problem).value)
        r = oe.solve(problem, solver, seed=1, max_evaluations=200_000, bound=False)
        assert r.objective == pytest.approx(least, rel=1e-9)


@pytest.mark.filterwarnings("ignore:the saving of layers 0 and 1")
def test_where_moves_are_not_priced_by_difference():
    """One layer, and forced use with a negative saving: whole codes are priced."""
    one = random_upload(0, 8).replace(stays=[False] + [True] * 7, upload_times=np.ones(8))
    slow = UploadProblem([9, 9], [1, 1], [1, 1], [1, 1], [0, 5], [2, 3], use="forced")
    for problem in (one, slow):
        assert isinstance(problem.data, kernels.Plain)
        for solver in ("local-search", "annealing"):
            r = oe.solve(problem, solver, max_evaluations=50, bound=False)
            assert r.objective == oe.solve(problem, "enumeration").objective
    best = slow.replace(use="best")
    assert isinstance(best.data, moves.OrderData)
    assert oe.check_problem(best) == []
