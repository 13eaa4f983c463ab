"""What one can see of a plan of the pipeline: the lanes of B2 by hand, and that nothing is lost."""

import itertools

import numpy as np
import pytest
from pipelines import B, random_pipeline, random_plan

import optedge as oe
from optedge.formulations.base import Lane
from optedge.formulations.pipeline import PipelinePlan


def lane(label, bars, groups, link=False, waiting=()):
    """Return a lane of the pipeline; nobody waits unless it is said."""
    waiting = waiting or (False,) * len(bars)
    return Lane(label, bars, groups, link, waiting, "device")


def test_lanes_of_single_cutting():
    """B2: device 1 holds its tasks until 6 and 11, three tasks wait for the server."""
    problem = oe.PipelineProblem([[0, 0], [0, 0]], B, capacity=2)
    cut_alone = PipelinePlan([0, 0, 0, 0], [0, 0, 1, 1])
    assert problem.lanes(cut_alone) == [
        lane("device 0", (), ()),
        lane("device 1", ((0, 6, "2"), (6, 5, "3")), (1, 1), waiting=(True, True)),
        lane("link", ((0, 1, "0"), (6, 1, "2"), (11, 1, "3")), (0, 1, 1), True),
        lane("link", ((0, 1, "1"),), (0,), True),
        lane("queue", ((1, 5, "1"), (7, 4, "2"), (12, 4, "3")), (0, 1, 1), True, (True,) * 3),
        lane("cloud", ((1, 5, "0"), (6, 5, "1"), (11, 5, "2"), (16, 5, "3")), (0, 0, 1, 1)),
    ]
    let_go = problem.replace(hold=False).lanes(cut_alone)
    assert [row.label for row in let_go[1:4]] == ["device 1", "memory", "memory"]
    assert [row.bars for row in let_go[1:4]] == [(), ((0, 6, "2"),), ((0, 11, "3"),)]


@pytest.mark.parametrize("link", ["delay", "device", "shared"])
def test_lanes_hold_the_time_of_every_task(link):
    """All bars of a task fill the time from its start to its end, and none of a lane overlap."""
    rng = np.random.default_rng(len(link))
    for hold in (True, False):
        problem = random_pipeline(rng, tasks=(4, 12), link=link, hold=hold)
        x = random_plan(problem, rng)
        times, lanes = problem.times(x), problem.lanes(x)
        seconds = np.zeros(problem.n_tasks)
        for row in lanes:
            for _, length, j in row.bars:
                seconds[int(j)] += length
            ends = sorted((start, start + length) for start, length, _ in row.bars)
            assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(ends))
        assert seconds == pytest.approx(times.done - times.start)
