"""The framework as a whole: split, windows, training; every number of a run recomputed by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import optedge as oe
from optedge.formulations.accuracy import InfeasibleError
from optedge.learning import Dormancy, ExponentialLink, TraceLink, prototypes
from optedge.papers import cloud_edge
from optedge.papers.cloud_edge import framework, small_environment

QUICK = {"tasks": 80, "solver": "lpt", "period": 5}
SPEEDS = np.linspace(0.2e6, 0.6e6, 5)  # MAC/s


@pytest.fixture(scope="module")
def clouds():
    """Return prototypes."""
    return prototypes(0, n=400)


@pytest.fixture(scope="module")
def plain(clouds):
    """Return a run that sends everything."""
    return cloud_edge.run(clouds, **QUICK)


def done_by(run, step, node):
    """Return the tasks that a node had finished when a step began, and not a step before."""
    ends, gap = run.online.ends, run.training.model.options.step_seconds
    return [
        i
        for i in range(len(ends))
        if run.online.nodes[i] == node and (step - 1) * gap < ends[i] <= step * gap
    ]


def test_weights_are_what_the_schedule_did(plain):
    """U_u of eq. (6): the samples of the tasks that each node finished, step by step."""
    counts = plain.training.counts
    for step, row in enumerate(counts.tolist()):
        assert row == [sum(plain.samples[done_by(plain, step, u)]) for u in range(5)]
    assert counts.sum() == plain.samples.sum()
    assert counts[0].tolist() == [0] * 5
    assert counts[-1].any()
    assert set(plain.samples) <= set(range(8, 33))


def test_delay_of_every_task(plain):
    """From arrival to window, node and next step, then 1 Mbit/s for all of the step, the cloud."""
    step = np.ceil(plain.online.ends / 0.1).astype(int)
    for i in range(80):
        together = plain.training.counts[step[i], plain.online.nodes[i]]
        upload = together * 32 * 8 / 1e6
        cloud = plain.samples[i] * (8 * 64 + 64 * 10) / 1e9
        expected = 0.1 * step[i] - plain.online.arrivals[i] + upload + cloud
        assert plain.delays[i] == pytest.approx(expected)
    assert plain.delay == pytest.approx(plain.delays.mean())


def test_seconds_and_energy_of_every_task(plain):
    """Samples times 512 MAC on a node of so many MAC/s and 50 mW."""
    seconds = plain.samples * 512 / SPEEDS[plain.online.nodes]
    assert plain.online.ends - plain.online.starts == pytest.approx(seconds)
    assert plain.energies == pytest.approx(0.05 * seconds)
    assert plain.energy == pytest.approx(0.05 * seconds.sum())
    (late,) = plain.table.memory[[1]]
    assert late == 4 * (512 + 8 * 32)  # weights, and maps of the largest task


def test_bytes_and_accuracy_over_time(plain):
    """32 byte of map and one of label a sample; rows add up; time runs with the steps."""
    frame = plain.frame()
    assert (frame["up_bytes"] == 33 * frame["samples"]).all()
    assert (frame["down_bytes"] == 32 * frame["samples"]).all()
    assert frame["samples"].iloc[-1] == plain.samples.sum()
    assert frame["tasks"].iloc[-1] == 80
    assert frame["time_s"].tolist() == pytest.approx((0.1 * (frame["step"] - 1)).tolist())
    assert frame["energy_j"].iloc[-1] == pytest.approx(plain.energy)
    for name in ("tasks", "samples", "energy_j"):
        assert (frame[name].diff()[1:] >= 0).all()
    new = frame["tasks"].diff().fillna(frame["tasks"])
    assert (new * frame["delay_s"].fillna(0)).sum() == pytest.approx(plain.delays.sum())
    assert frame["delay_s"].isna().tolist() == (new == 0).tolist()
    assert (frame["accuracy"] == frame["cloud_accuracy"]).all()
    assert plain.accuracy == frame["accuracy"].iloc[-1]
    assert "split 1 of 3, 80 tasks" in repr(plain)


def test_seeds(clouds, plain):
    """The same seed gives the same numbers, another one others."""
    again, other = (cloud_edge.run(clouds, seed=s, **QUICK) for s in (0, 1))
    assert again.history.tobytes() == plain.history.tobytes()
    assert np.array_equal(again.delays, plain.delays)
    assert other.history.tobytes() != plain.history.tobytes()


def test_dormant_tasks_send_nothing(clouds, plain):
    """All dormant: no byte, neither upload nor cloud in the delay, the exit head answers."""
    asleep = cloud_edge.run(clouds, dormancy=1.0, **QUICK)
    assert asleep.history["up_bytes"][-1] == asleep.history["down_bytes"][-1] == 0
    assert (asleep.delays < plain.delays).all()
    wait = np.ceil(asleep.online.ends / 0.1) * 0.1 - asleep.online.arrivals
    assert asleep.delays == pytest.approx(wait)
    assert (asleep.history["dormant"] == (asleep.history["samples"] > 0)).all()
    assert asleep.accuracy == asleep.history["exit_accuracy"][-1]


def test_a_rule_over_the_link_of_the_run(clouds, plain):
    """The link of the run, not the platform's, is what uploads and the rule meet."""
    slow, fast = (TraceLink([0], [rate]) for rate in (0.01, 1e6))
    rule = Dormancy("fixed", seconds=0.01)
    links = [slow, fast, fast, fast, fast]
    run = cloud_edge.run(clouds, link=links, dormancy=rule, **QUICK)
    busy = run.training.counts > 0
    assert (run.training.asleep == (busy & (np.arange(5) == 0))).all()
    mine = run.samples[run.online.nodes == 0].sum()
    last = run.history[-1]
    assert last["dormant"] == pytest.approx(mine / run.samples.sum())
    assert last["up_bytes"] == 33 * (run.samples.sum() - mine)
    mixed = last["dormant"] * last["exit_accuracy"] + (1 - last["dormant"]) * last["cloud_accuracy"]
    assert run.accuracy == pytest.approx(mixed)
    assert np.array_equal(run.online.ends, plain.online.ends)
    chance = cloud_edge.run(clouds, link=ExponentialLink(0.2), dormancy=Dormancy(), **QUICK)
    assert 0.2 < chance.history["dormant"][-1] < 0.6


@pytest.mark.parametrize(
    ("memory", "position"), [(3000, 0), (3840, 1), (16e3, 1), (16640, 2), (21.5e3, 3)]
)
def test_split_of_the_trained_network(clouds, memory, position):
    """The deepest front whose weights, and maps of 32 samples, take 0.8 of a node's memory."""
    run = cloud_edge.run(clouds, platform=small_environment(memory=memory), **QUICK)
    weights, maps = np.cumsum([0, 512, 512, 640]), np.cumsum([0, 8, 64, 10])
    fits = 4 * (weights + 32 * maps) <= 0.8 * memory
    assert run.position == np.flatnonzero(fits).max() == position
    assert run.split.status is oe.Status.OPTIMAL
    assert run.split.solver == "tmoa"
    assert oe.verify(run.split)
    assert run.training.model.map_bytes == 4 * (64, 8, 64, 10)[position]
    if position == 0:
        assert run.energy == 0


def test_arrivals_and_deadline_limit_the_split(clouds):
    """Tasks that the nodes cannot serve, or that come too late, go to the cloud earlier."""
    large = small_environment(memory=1e6)
    run = {**QUICK, "platform": large}
    splits = [cloud_edge.run(clouds, arrival_rate=rate, **run).position for rate in (40, 75, 130)]
    assert splits == [3, 2, 1]  # the nodes serve 60, 98 and 195 tasks of mean size a second
    table = cloud_edge.run(clouds, **run).table
    assert np.flatnonzero(table.latency <= 0.1).max() == 1
    assert cloud_edge.run(clouds, deadline=0.1, **run).position == 1


def test_every_split_beside_the_optimum(clouds):
    """A row a position; the deepest that fits is chosen; what does not fit says what it misses."""
    large = small_environment(memory=16640)
    table = cloud_edge.each_split(clouds, platform=large, **QUICK).set_index("position")
    assert table["chosen"].tolist() == [False, False, True, False]
    assert "position 3: memory is 0.017152" in table.loc[3, "misses"]
    assert table.loc[3].isna().tolist() == [False, *[True] * 5, False]
    allowed = table.loc[:2]
    total = cloud_edge.run(clouds, platform=large, split=1, **QUICK).samples.sum()
    assert allowed["up_bytes"].tolist() == [257 * total, 33 * total, 257 * total]
    assert allowed["down_bytes"].tolist() == [0, 32 * total, 256 * total]
    assert (allowed["energy_j"].diff()[1:] > 0).all()
    assert (allowed["misses"] == "").all()
    assert (table[["delay_s", "accuracy"]].loc[:2] > 0).all(axis=None)


def test_any_solver_and_any_position(clouds, plain):
    """Other solvers of splits and windows, functions too; a position that is told."""
    with_highs = cloud_edge.run(clouds, **{**QUICK, "solver": "fcfs", "split": "highs"})
    assert (with_highs.position, with_highs.online.solver) == (1, "fcfs")

    def first(problem, run):
        return np.zeros(problem.n_tasks, dtype=int)

    alone = cloud_edge.run(clouds, **{**QUICK, "solver": first, "window_seconds": 0.2, "split": 0})
    assert (alone.training.counts[:, 1:] == 0).all()
    assert (alone.position, alone.split.gap) == (0, 1.0)  # the bound is that of the optimum, 1
    ants = cloud_edge.run(clouds, **{**QUICK, "solver": ("atsa", {"ants": 5})})
    for run in (plain, ants, with_highs):
        assert run.online.makespan >= run.online.bound > 0
    assert ants.online.rows[0].evaluations <= 1200


def test_framework_learns():
    """With ants and dormancy by the mean, most digits are told apart."""
    pytest.importorskip("sklearn")
    run = cloud_edge.run(link=ExponentialLink(0.05), dormancy=Dormancy())
    assert run.online.solver == "atsa"
    assert run.accuracy > 0.8 > 0.5 > run.history["accuracy"][0]
    assert run.history["up_bytes"][-1] < 33 * run.samples.sum() * 0.8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tasks": 0}, "tasks must be an integer, at least 1, got 0"),
        ({"arrival_rate": 0.0}, "arrival_rate must be positive, got 0.0"),
        ({"samples": (0, 3)}, r"samples must be at least 1, the least first, got \(0, 3\)"),
        ({"samples": 3}, "samples must be a least and a most whole number, got 3"),
        ({"step_seconds": 0.0}, "step_seconds must be positive, got 0.0"),
        ({"step_seconds": 1e-6}, "at most 100000 are trained"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"steps": 5}, "the schedule tells how many tasks there are: steps is no option"),
        ({"split": 4}, r"split must be a solver or one of 0\.\.3, got 4"),
        ({"split": 2}, "the network cannot be split there: position 2: memory is 0.013312"),
        ({"deadline": 1e-4}, "the network cannot be split: no position meets all limits"),
        ({"solver": "ants"}, "ants"),
        ({"link": [ExponentialLink(1.0)]}, "link must be one, or one a node: 1 for 5 nodes"),
        ({"dormancy": 1.5}, r"dormancy must lie in \[0, 1\], got 1.5"),
        ({"window": None}, "window or window_seconds must be given"),
        ({"momentum": 2.0}, r"momentum must lie in \[0, 1\), got 2.0"),
    ],
)
def test_refused(clouds, given, message):
    """What makes no sense is told in a sentence."""
    with pytest.raises(ValueError, match=message):
        cloud_edge.run(clouds, **{**QUICK, **given})


def test_other_refusals(clouds):
    """Types, options that do not exist, solvers of other problems."""
    with pytest.raises(TypeError, match=r"platform must be an oe\.platforms\.Platform, got 3"):
        cloud_edge.run(clouds, platform=3)
    with pytest.raises(TypeError, match="cooling"):
        cloud_edge.run(clouds, cooling=1)
    with pytest.raises(TypeError, match="tmoa is not made for MakespanProblem"):
        cloud_edge.run(clouds, solver="tmoa", tasks=2)
    with pytest.raises(TypeError, match="atsa is not made for SplitProblem"):
        cloud_edge.run(clouds, split="atsa")
    with pytest.raises(ValueError, match="nodes must be a positive integer, got 0"):
        small_environment(0)
    with pytest.raises(InfeasibleError):
        cloud_edge.run(clouds, split=3)


def test_a_link_without_a_limit(clouds, plain):
    """Uploads take no time at infinite bandwidth; without a link there is no split."""
    fast = cloud_edge.run(clouds, platform=small_environment(bandwidth=np.inf), **QUICK)
    cloud = fast.samples * (8 * 64 + 64 * 10) / 1e9
    wait = np.ceil(fast.online.ends / 0.1) * 0.1 - fast.online.arrivals
    assert fast.delays == pytest.approx(wait + cloud)
    assert np.array_equal(fast.samples, plain.samples)
    with pytest.raises(InfeasibleError, match="the network cannot be split: no position"):
        cloud_edge.run(clouds, platform=small_environment(bandwidth=0.0), **QUICK)


def test_interrupted_windows(clouds, plain, monkeypatch):
    """Tasks that were never placed have no delay, and the training is that of the others."""
    placed = plain.online.window < 2
    cut = dataclasses.replace(
        plain.online,
        nodes=np.where(placed, plain.online.nodes, -1),
        starts=np.where(placed, plain.online.starts, np.nan),
        ends=np.where(placed, plain.online.ends, np.nan),
        interrupted=True,
    )
    monkeypatch.setattr(framework, "schedule", lambda *problem, **options: cut)
    run = cloud_edge.run(clouds, **QUICK)
    assert run.training.counts.sum() == plain.samples[placed].sum()
    assert run.history["tasks"][-1] == 40
    assert np.array_equal(np.isnan(run.delays), ~placed)
    assert np.array_equal(np.isnan(run.energies), ~placed)
    assert run.energy == pytest.approx(plain.energies[placed].sum())
    assert run.delay == pytest.approx(plain.delays[placed].mean(), rel=0.2)
