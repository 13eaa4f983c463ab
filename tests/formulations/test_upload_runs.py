"""Runs of layers, merging, paths, blocks: the rules behind the heuristics, on chains by hand."""

import itertools

import numpy as np
import pytest
from conftest import seeds
from uploads import chain_of, hold_back, random_upload, three_layers, worked_example

from optedge.formulations.upload import coding
from optedge.formulations.upload.heuristics import blocks, efficiency, merging, paths, runs

A, B, C, D = range(4)


def named(plan):
    """Return the partitions of a plan as lists."""
    return [list(part) for part in plan.partitions]


def nothing(problem):
    """Return the empty set of layers as an array."""
    return np.zeros(problem.n_layers, dtype=bool)


# -------------------------------------------------------------------- runs


@pytest.mark.parametrize("seed", seeds(100, 20))
@pytest.mark.parametrize("pick", [runs.densest, runs.densest_at_best])
def test_the_densest_run_of_all(pick, seed):
    """The run found has the largest density of all runs, by sums over sets."""
    problem = random_upload(seed, 7)
    rng = np.random.default_rng(seed)
    first, end = max(runs.stretches(problem), key=lambda s: s[1] - s[0])
    usable = problem.mask(j for j in np.flatnonzero(~problem.stays) if rng.random() < 0.4)
    layers = [j for j in range(first, end) if not usable[j]]
    sent = np.flatnonzero(usable).tolist()

    def gain(run):
        if pick is runs.densest:
            return problem.lda(run, sent)
        return problem.best_delay(sent) - problem.best_delay([*sent, *run])

    def dense(run):
        return runs.density(problem, gain(run), problem.seconds[run].sum())

    ends = itertools.combinations(range(len(layers) + 1), 2)
    every = [layers[i:j] for i, j in ends]
    if every:
        run = pick(problem, usable, layers, False)
        assert run.density == pytest.approx(dense(run.layers))
        assert run.density == pytest.approx(max(map(dense, every)))
    gainful = [run for run in every if run != layers and gain(run) > 1e-9]
    if layers:
        part = pick(problem, usable, layers, True)
        assert (part.layers == []) == (gainful == [])
        assert not gainful or part.density == pytest.approx(max(map(dense, gainful)))


def test_equal_runs():
    """Of parts of equal density the shortest, then the first is taken; of blocks the longest."""
    problem = chain_of([2, 2, 0, 2, 2], [0, 0, 0, 0], [1, 1, 1, 1, 1])
    assert runs.densest(problem, nothing(problem), [0, 1, 2, 3, 4], True).layers == [0]
    assert runs.densest_at_best(problem, nothing(problem), [0, 1, 2, 3, 4], True).layers == [0]
    assert runs.densest_at_best(problem, nothing(problem), [0, 1, 2, 3, 4], False).layers == [0, 1]


def test_rounding_decides_nothing():
    """Densities that are equal but for rounding count as equal: the first is taken."""
    assert runs.first_of_largest([0.3, 0.1 + 0.2]) == 0
    assert runs.first_of_largest([0.3, 0.3 + 1e-9]) == 1
    assert runs.first_of_largest([-np.inf, np.inf, np.inf]) == 1
    assert runs.first_of_largest([-np.inf, -np.inf]) == 0


# -------------------------------------------------------------------- LMU


@pytest.mark.parametrize(
    ("values", "savings", "times", "parts"),
    [
        ([3, 0, 2], [0, 0], [1, 1, 1], [[0], [1], [2]]),  # 0 is not negative
        ([5, -1, 2], [0, 0], [1, 1, 1], [[0, 1], [2]]),  # both joins earn, 4 / 2 beats 1 / 2
        ([2, -1, 2], [0, 0], [1, 1, 1], [[0], [1, 2]]),  # equal: the later one
        ([5, -1, 2], [0, 0], [9, 1, 1], [[0], [1, 2]]),  # 4 / 10 against 1 / 2
        ([3, -4, 2], [3, 0], [1, 1, 1], [[0, 1], [2]]),  # only the earlier one earns
        ([1, -9, 1, 8], [0, 0, 0], [1, 1, 1, 1], [[0], [1, 2, 3]]),  # none earns: the later, 1 left
        ([9, 1, -3], [0, 1], [1, 1, 1], [[0, 1, 2]]),  # at the end the earlier, -1, then again
        ([-2, -3], [1], [1, 1], [[0, 1]]),  # a bad stretch is left as one part
        ([4, -1, 4], [0, 0], [1, 0, 0], [[0], [1, 2]]),  # no time is the largest density
    ],
)
def test_merging_by_hand(values, savings, times, parts):
    """Principle 3 joins what does not earn alone, by the rules of the text."""
    assert merging.merged(chain_of(values, savings, times)) == parts


def test_merging_stops_at_layers_that_stay():
    """What stays at the client parts the chain, and so does the end of a task."""
    values, savings = [-1, 5, 5, -1], [0, 0, 0]
    stays = chain_of(values, savings, [1] * 4, stays=[False, True, False, False])
    assert merging.merged(stays) == [[0], [2, 3]]
    tasks = chain_of([5, -1, 5, -1], savings, [1] * 4, chain=[0, 1, 1, 1])
    assert merging.merged(tasks) == [[0], [1, 2, 3]]


def test_the_order_of_table_three():
    """C, B, A, D: what each upload adds a second is computed anew after every one."""
    assert named(merging.plan(worked_example())) == [[C], [B], [A], [D]]


def test_runs_of_a_part_go_first():
    """Principle 4: inside a part the run that earns most a second, then what that makes earn."""
    problem = chain_of([-1, 4, -3, -2], [0, 4, 1], [2, 1, 1, 1])
    assert merging.merged(problem) == [[0, 1, 2, 3]]
    # 4 / 1 for layer 1, then 1 / 1 for layer 2; 0 and 3 lower what a query earns.
    assert named(merging.plan(problem)) == [[1], [2], [0, 3]]


def test_zero_rules():
    """A layer of size 0 that does not help at once waits for what it was picked with, or not."""
    # Layers 0 and 1 earn in one part, layer 1 is free and costs 2 until layer 0 is there.
    problem = chain_of([3, -2, 1], [3, 0], [2, 0, 1], use="forced")
    plans = {rule: merging.plan(problem, rule) for rule in merging.ZERO_RULES}
    assert merging.merged(problem) == [[0, 1], [2]]
    assert {tuple(map(tuple, named(p))) for p in plans.values()} == {((1,), (0,), (2,))}
    # Layer 0 earns alone and goes first; then layer 1 is picked on its own.
    assert plans["safe"].active_after.tolist() == [1, 1, 2]
    assert plans["paper"].active_after.tolist() == [1, 0, 2]
    assert plans["alone"].active_after.tolist() == [1, 0, 2]
    delay, slower = problem.base_delay, problem.base_delay + 2
    assert problem.objective(plans["safe"]) == 2 * delay + (delay - 4)
    assert problem.objective(plans["paper"]) == 2 * slower + (delay - 4)


def test_input_sizes_weigh_tasks():
    """ELDA is per unit of input: a task of large input waits, within a task nothing changes."""
    problem = chain_of([9, 6, 4, 2], [0, 0, 0], [1] * 4, chain=[0, 0, 1, 1])
    assert named(merging.plan(problem)) == [[0], [1], [2], [3]]
    weighed = problem.replace(input_sizes=[5.0, 1.0])
    assert named(merging.plan(weighed)) == [[2], [3], [0], [1]]


# -------------------------------------------------------------------- baselines


def test_paths_by_hand():
    """The cheaper uploading gets, the more layers lie on the path; what lies on none goes last."""
    problem = chain_of([4, -1, 2, -9], [0, 2, 0], [3, 1, 4, 1])
    # K = 1: only layer 0 pays (4 > 3). K = 1/2: layers 1, 2 are worth 3 and cost 2.5.
    assert named(paths.plan(problem, [1.0, 0.5, 0.0])) == [[0], [1, 2], [3]]
    assert named(paths.plan(problem, [0.0])) == [[0, 1, 2], [3]]
    assert named(paths.plan(hold_back())) == [[0, 1]]


def test_recursive_efficiency_by_hand():
    """The densest run goes first, inside of it the densest part; size 0 is sent last, or first."""
    problem = chain_of([1, 1, -1, 6], [6, 0, 0], [1, 2, 0, 3])
    # Layers 0, 1 earn 8 / 3, layer 3 2; inside of the first 1 / 1, then what is left.
    assert named(efficiency.plan(problem)) == [[0], [1], [3], [2]]
    assert named(efficiency.plan(problem, "first")) == [[2], [0], [1], [3]]
    assert named(efficiency.plan(hold_back())) == [[0, 1]]


def test_blocks_of_the_worked_example():
    """(ABC) and (D): unsplit 1432 above the constant part, split the optimum 1153."""
    problem = worked_example()
    constant = problem.total_seconds * problem.least_delay
    assert blocks.blocks(problem) == [[A, B, C], [D]]
    assert blocks.split_blocks(problem) == [[C], [B], [A], [D]]
    for plan, value in ((blocks.blocks, 1432), (blocks.split_blocks, 1153)):
        order = [j for part in plan(problem) for j in part]
        assert sorted(order) == [A, B, C, D]
        sent = coding.plan_of_parts(problem, plan(problem))
        assert problem.objective(sent) - constant == value


def test_the_densest_layer_first_is_a_bad_choice():
    """Of the three layers only the first earns alone, and its upload holds up the others."""
    problem = three_layers()
    assert problem.values.tolist() == [5, 0, 0]
    assert problem.savings.tolist() == [2, 8]
    assert named(merging.plan(problem)) == [[0], [1], [2]]
    assert named(paths.plan(problem)) == [[1, 2], [0]]
