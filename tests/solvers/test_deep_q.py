"""The learners: against exact values, their parts by hand, checkpoints, budgets, refusals.

The example E3 has 27 plans; its optimum is known to every learner's tests.
"""

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import INF, seeds

import optedge as oe
from optedge import disk
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import decisions
from optedge.formulations.offloading.costs.decisions import discount_bias
from optedge.formulations.offloading.episodes.pairs import PairEpisodes
from optedge.formulations.offloading.episodes.waiting import make_episodes
from optedge.papers import ddpqn
from optedge.solvers.deep_q.options import LEARNERS, PRESETS, DeepQOptions
from optedge.solvers.deep_q.replay import CumulativeSums, Memory, Sample, SumTree
from optedge.solvers.deep_q.rewards import Rewards
from optedge.solvers.deep_q.training import train
from optedge.solvers.deep_q.values import QNetwork
from optedge.solvers.run import Run

sys.path.append(str(Path(__file__).parents[1] / "formulations"))

from test_offloading_models import plans
from test_offloading_paths import e2
from test_weighting import SC, e3, four_subtasks, weighted

OPTIMUM = 0.1554422621680821
SHORT = {"rows": 8, "warm": 200, "learning_rate": 5e-3, "explore": 0.3, "target_every": 50}


def taught(problem, name="ddpqn", seed=0, budget=None, **options):
    """Return the learner and its run."""
    run = Run(problem, seed=seed, **(budget or {}))
    typed = DeepQOptions(**{**SHORT, "max_steps": 1500, **options})
    return train(problem, name, typed, run), run


def all_q(learner):
    """Return Q of all states of one instance without Z, ``(n_steps, n_servers, n_servers)``."""
    m = learner.episodes.n_servers
    states = np.column_stack([np.zeros(m, int), np.arange(m)])
    n = learner.episodes.n_steps
    return np.array([learner.valuation.q(learner.online, np.full(m, k), states) for k in range(n)])


# -------------------------------------------------------------------- what is learnt


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("seed", seeds(3, 1))
def test_every_learner_finds_the_optimum(name, seed):
    """On E3 the greedy rollout has regret 0 after 2000 steps, and stays there."""
    r = oe.solve(e3(**SC), name, seed=seed, bound=False, max_steps=2000, **SHORT)
    assert r.objective == pytest.approx(OPTIMUM, abs=1e-9)
    assert r.info["rollout"] == pytest.approx(OPTIMUM, abs=1e-9)
    assert r.info["rollout_plan"].tolist() == [1, 2, 2]
    curve = r.info["learning"]
    assert curve["rollout"][-5:] == pytest.approx([OPTIMUM] * 5, abs=1e-9)
    assert (np.diff(curve["best"]) <= 0).all()
    assert (r.info["steps"], r.info["updates"]) == (curve["steps"][-1], curve["updates"][-1])


@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_learnt_values(discount):
    """Q of every state that is visited comes near the exact one, rewards as they are."""
    p = e3(**SC)
    learner, _ = taught(p, discount=discount, max_steps=8000, clip=False, explore=1.0)
    d, rewards = decisions.make(p), learner.rewards
    least = rewards.least[0][:, None, None]
    shifted = dataclasses.replace(d, tables=(d.tables - least) / rewards.scale[0])
    exact = -shifted.q_values(discount)
    found = all_q(learner)
    assert found[0, 0] == pytest.approx(exact[0, 0], abs=0.05)
    assert found[1:] == pytest.approx(exact[1:], abs=0.05)


@pytest.mark.parametrize("seed", seeds(5, 1))
def test_discount_of_the_paper_lands_on_its_floor(seed):
    """VGG19 in Mb: with 0.8 the rollouts are the plan of the discounted sum, 49 % above."""
    p = ddpqn.instance("vgg19", data_unit="Mb", weights=SC)
    options = {"max_steps": 20_000, "steps_per_update": 16, "explore": 0.3, "learning_rate": 5e-3}
    options["prior"] = True  # without it plans differ where edges of nearly the same cost do
    r = oe.solve(p, "ddpqn", seed=seed, bound=False, discount=0.8, **options)
    floor = discount_bias(p, 0.8)
    assert r.objective <= floor.value + 1e-9
    assert r.info["rollout_plan"].tolist() == floor.plan.tolist()
    late = r.info["learning"]["rollout"][-20:]
    assert late == pytest.approx(np.full(20, floor.value), abs=1e-9)
    assert floor.value == pytest.approx(0.060018, abs=5.1e-7)


def test_the_end_stops_the_bootstrap():
    """One-step episodes and discount 1: Q is the reward; as published it bootstraps there."""
    p = OffloadingProblem.chains(
        [[4.0]], [[1.0]], clients=[0], speeds_ghz=[1, 2, 4], rates_mb_s=np.ones((3, 3)),
        pools=[INF] * 3, tiers=[0, 1, 2],
    )  # fmt: skip
    for variant in ("corrected", "published"):
        options = {"variant": variant, "clip": False, "explore": 1.0}
        learner, _ = taught(p, "dqn", max_steps=9000, **options)
        reward = -(np.array([4.0, 3.0, 2.0]) - 2.0) / learner.rewards.scale[0]
        if variant == "corrected":
            assert all_q(learner)[0, 0] == pytest.approx(reward, abs=0.25)
        learner.target.net.parameters[:] = 0.0
        learner.target.net.parameters[-3:] = [5.0, 7.0, 6.0]
        sample = learner.memory.draw(64, 1.0, np.random.default_rng(0))
        actions = learner.memory.actions[sample.slots, sample.steps]
        later = 7.0 if variant == "published" else 0.0
        assert learner.targets(sample) == pytest.approx(reward[actions] + later, abs=1e-5)


def hand_made(name):
    """Return a learner that has played, and networks that disagree on the best action."""
    learner, _ = taught(e3(**SC), name, max_steps=48, warm=10_000, n_step=1)
    learner.online.net.parameters[:] = learner.target.net.parameters[:] = 0.0
    m = 3
    advantages = learner.switches.dueling
    for network, q in ((learner.online, [1.0, 2.0, 3.0]), (learner.target, [30.0, 20.0, 12.0])):
        network.net.parameters[-(m + advantages) :][:m] = q
    return learner


@pytest.mark.parametrize("name", LEARNERS)
def test_targets(name):
    """Double: the target net's value of what the online net prefers; else its largest value."""
    learner = hand_made(name)
    sample = learner.memory.draw(100, 1.0, np.random.default_rng(3))
    memory, k = learner.memory, sample.steps
    costs = memory.costs[sample.slots, k] - learner.rewards.least[0, k]
    limit = learner.rewards.limits[0, k] - learner.rewards.least[0, k]
    reward = -(np.minimum(costs, limit) + memory.rest[sample.slots, k]) / learner.rewards.scale[0]
    values = np.array([30.0, 20.0, 12.0])
    values = values - values.mean() if learner.switches.dueling else values
    later = values[2] if learner.switches.double else values[0]
    assert learner.targets(sample) == pytest.approx(reward + later * (k < 2), abs=1e-4)


def test_targets_of_several_steps():
    """Costs of n steps are added up, discounted, and the value after them."""
    learner = hand_made("dqn")
    object.__setattr__(learner.options, "n_step", 2)
    learner.discount = 0.5
    sample = learner.memory.draw(60, 1.0, np.random.default_rng(4))
    for target, slot, k in zip(learner.targets(sample), sample.slots, sample.steps, strict=True):
        row = learner.memory.states[[slot] * 3, [0, 1, 2]]
        costs = (learner.memory.costs[slot], learner.memory.rest[slot])
        rewards = learner.rewards.of(np.arange(3), row, *costs)
        expected = rewards[k] + (0.5 * rewards[k + 1] if k < 2 else 0) + (0.25 * 30 if k < 1 else 0)
        assert target == pytest.approx(expected, abs=1e-4)


def test_dueling_heads():
    """The mean of Q - V over the actions is 0, before and after learning; not dueling has no V."""
    rng = np.random.default_rng(0)
    network = QNetwork(4, 5, (6, 7), True, rng)
    x = rng.normal(size=(9, 4)).astype(np.float32)
    for _ in range(3):
        value = network.net.forward(x)[-1][:, -1]
        assert network.values(x).mean(axis=1) == pytest.approx(value, abs=1e-5)
        network.learn(x, rng.integers(0, 5, 9), np.ones(9, np.float32), 1.0, 0.1, True)
    assert QNetwork(4, 5, (6, 7), False, rng).net.sizes == (4, 6, 7, 5)


@pytest.mark.parametrize("huber", [False, True])
@pytest.mark.parametrize("dueling", [False, True])
def test_slope_of_the_loss(dueling, huber):
    """The gradient of the weighted loss, errors above and below 1, against differences."""
    rng = np.random.default_rng(2)
    network = QNetwork(3, 4, (5, 4), dueling, rng, np.float64)
    x, actions = rng.normal(size=(6, 3)), rng.integers(0, 4, 6)
    goals, weights = rng.normal(size=6) * 3, rng.uniform(0.2, 1, 6)
    parameters = network.net.parameters

    def loss():
        error = np.abs(network.values(x)[np.arange(6), actions] - goals)
        each = np.where(error > 1, error - 0.5, error**2 / 2) if huber else error**2
        return float(np.mean(weights * each))

    differences = []
    for k in range(parameters.size):
        kept, ends = parameters[k], []
        for step in (1e-6, -1e-6):
            parameters[k] = kept + step
            ends.append(loss())
        parameters[k] = kept
        differences.append((ends[0] - ends[1]) / 2e-6)
    network.learn(x, actions, goals, weights, 0.0, huber)
    assert network.net.gradient == pytest.approx(differences, rel=1e-5, abs=1e-7)


# -------------------------------------------------------------------- replay


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100])
def test_tree_and_sums_draw_the_same(size):
    """Shares fall on the same entries, whatever the sizes; entries of no weight are never drawn."""
    rng = np.random.default_rng(size)
    sums, tree = CumulativeSums(size), SumTree(size)
    for _ in range(5):
        at = rng.integers(0, size, 20)
        weights = rng.integers(0, 4, size)[at].astype(float)  # the same entry, the same weight
        for kind in (sums, tree):
            kind.set(at, weights)
        if not sums.weights.any():
            continue
        shares = np.append(rng.random(500), [0.0, np.nextafter(1.0, 0.0)])
        (a, total), (b, same) = sums.find(shares), tree.find(shares)
        assert total == same == sums.weights.sum()
        assert np.array_equal(a, b)
        assert (sums.weights[a] > 0).all()


@pytest.mark.parametrize("kind", [CumulativeSums, SumTree])
def test_frequencies(kind):
    """Entries are drawn in proportion to their weights: chi-square of 40000 draws."""
    rng = np.random.default_rng(8)
    weights = rng.uniform(0.1, 3, 12)
    drawn = kind(12)
    drawn.set(np.arange(12), weights)
    expected = 40_000 * weights / weights.sum()
    seen = np.bincount(drawn.find(rng.random(40_000))[0], minlength=12)
    assert ((seen - expected) ** 2 / expected).sum() < 31.3  # of 11 degrees, 0.001


def memory_of(priorities, exponent=0.6):
    """Return a memory of one-step episodes with these errors."""
    n = len(priorities)
    memory = Memory(n, 1, 1, np.int64, exponent)
    memory.add(np.zeros((n, 2, 1)), np.zeros((n, 1)), np.zeros((n, 1)), np.zeros((n, 1)))
    at = np.arange(n)
    memory.update(Sample(at, at, at * 0, np.ones(n)), np.array(priorities) - 1e-6)
    return memory


def test_priorities_of_the_notebook():
    """1, 2, 5 with exponent 0.6: drawn with .1945, .2948, .5108; weights 1, .8467, .6796."""
    memory = memory_of([1.0, 2.0, 5.0])
    sample = memory.draw(60_000, 0.4, np.random.default_rng(1))
    share = np.bincount(sample.at) / sample.at.size
    assert share == pytest.approx([0.1945, 0.2948, 0.5108], abs=1e-4)  # drawn in strata
    weight = [sample.weights[sample.at == i][0] for i in range(3)]
    assert weight == pytest.approx([1, 0.8467, 0.6796], abs=5e-5)
    assert memory.draw(9, 0.0, np.random.default_rng(1)).weights == pytest.approx([1.0] * 9)


def test_new_transitions_have_the_largest_priority():
    """The largest so far, also after it was learnt away; a zero error is not lost for ever."""
    memory = memory_of([1.0, 2.0, 5.0])
    memory.update(Sample(*[np.array([2])] * 3, np.ones(1)), np.array([0.0]))
    assert memory.sums.weights[2] == pytest.approx(1e-6**0.6)
    memory.add(np.zeros((1, 2, 1)), *[np.zeros((1, 1))] * 3)
    assert memory.sums.weights[0] == pytest.approx(5**0.6)
    assert memory.head == 1


def test_even_draws():
    """Without priorities all transitions held are equally likely, and weigh the same."""
    memory = memory_of([1.0, 2.0, 5.0], exponent=0.0)
    sample = memory.draw(30_000, 0.4, np.random.default_rng(1))
    assert sample.weights == 1.0
    assert np.bincount(sample.at) / 30_000 == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_ring_of_episodes():
    """The oldest give way, across its end."""
    memory = Memory(3, 2, 1, np.int64, 0.6)
    for i in range(4):
        value = 10 * i + np.array([[0, 0], [1, 1]])
        memory.add(np.zeros((2, 3, 1)), value, value, value)
        assert memory.size == min(3, 2 * i + 2)
    assert memory.actions[:, 0].tolist() == [30, 31, 21]
    assert (memory.sums.weights == 1).all()


# -------------------------------------------------------------------- rewards


@pytest.mark.parametrize("xi", [0.0, 0.4])
@pytest.mark.parametrize("seed", seeds(40, 8))
def test_clipping_keeps_the_best_plans(seed, xi):
    """All plans: those better than a known one keep their value, none falls below it, no new tie.

    Even if the known plan is the optimum.
    """
    p = weighted(seed, ((3,), (2, 1))[seed % 2], 4, pools=INF, weights={"xi": xi}).replace(
        tiers=[0, 0, 1, 1]
    )
    episodes = PairEpisodes([p])
    rows = np.array(list(plans(p)))
    values = p.costs(rows)
    rows, values = rows[np.isfinite(values)], values[np.isfinite(values)]
    rng = np.random.default_rng(seed)
    rewards = Rewards(episodes.least_costs, True)
    for known in (float(rng.choice(values)), float(values.min())):
        rewards.know(np.array([known]))
        batch, total = episodes.begin(len(rows)), np.zeros(len(rows))
        for k in range(p.n_subtasks):
            states = batch.states.copy()
            pairs = episodes.advance(batch, rows[:, k]) - batch.rest
            total -= rewards.of(np.full(len(rows), k), states, pairs, batch.rest)
        total += episodes.least_costs.sum()
        better = values <= known + 1e-12
        assert total[better] == pytest.approx(values[better], abs=1e-9)
        assert (total <= values + 1e-9).all()
        assert total.min() == pytest.approx(values.min(), abs=1e-9)
        worse = values > known + 1e-6
        assert (total[worse] > known + 1e-7).all()


def test_nothing_is_clipped_where_nothing_need_be_better():
    """A first plan of least costs alone leaves no room: costs stay, and no plan ties with it."""
    rewards = Rewards(np.array([[1.0, 2.0]]), True)
    rewards.know(np.array([3.0]))
    assert np.isinf(rewards.limits).all()


@pytest.mark.parametrize("foresight", [0, 1, 6, 99])
def test_balance_charged_ahead(foresight):
    """However far ahead Z is charged, the sum of an episode is its cost."""
    p = weighted(3, (4, 3), 6, pools=INF, weights={"xi": 0.8, "z_mode": "running"})
    learner, _ = taught(p, max_steps=112, warm=10_000, foresight=foresight)
    memory = learner.memory
    total = (memory.costs + memory.rest).sum(axis=1)[: memory.size]
    played = p.costs(memory.actions[: memory.size])
    assert total == pytest.approx(played, abs=1e-9)


@pytest.mark.parametrize("name", ["dqn", "ddpqn"])
@pytest.mark.parametrize("z_mode", ["running", "final"])
def test_prior(name, z_mode):
    """Before it has learnt, Q is the reward known at once: without foresight the plan is myopic."""
    p = weighted(5, (3, 2), 6, pools=INF, weights={"xi": 0.5, "z_mode": z_mode})
    fields = {"max_steps": 80, "warm": 10_000, "prior": True, "foresight": 0}
    learner, run = taught(p, name, clip=False, **fields)
    assert run.info["rollout_plan"].tolist() == oe.solve(p, "myopic").solution.servers.tolist()
    states = learner.memory.states[:8, 2]
    q = learner.valuation.q(learner.online, np.full(8, 2), states)
    known = learner.valuation.known(np.full(8, 2), states)
    assert np.array_equal(q, known)
    actions, at = learner.memory.actions[:8, 2], (np.arange(8), np.full(8, 2))
    reward = learner.rewards.of(at[1], states, learner.memory.costs[at], learner.memory.rest[at])
    assert known[np.arange(8), actions] == pytest.approx(reward, rel=1e-5)
    learner.online.net.last_layer[:] = 1.0
    after = learner.valuation.q(learner.online, np.full(8, 2), states)
    network = learner.online.values(learner.episodes.features(np.full(8, 2), states))
    finite = np.isfinite(known)
    assert after[finite] == pytest.approx((network + known)[finite])


@pytest.mark.parametrize("prior", [False, True])
def test_equal_servers(prior):
    """Where servers cost the same, rewards are not blown up: scales are not next to nothing."""
    p = four_subtasks(0.5, "running", (5, 1, 1, 1), (0, 1, 1, 2))
    learner, run = taught(p, prior=prior, max_steps=400)
    assert (learner.rewards.scale > 1e-3).all()
    assert np.isfinite(learner.online.net.parameters).all()
    assert run.objective == 4


# -------------------------------------------------------------------- repetition, checkpoints


def same(a, b):
    """Tell whether two runs learnt the same, seconds aside."""
    columns = [k for k in a["learning"] if k != "seconds"]
    assert all(np.array_equal(a["learning"][k], b["learning"][k]) for k in columns)
    assert a["rollout_plan"].tolist() == b["rollout_plan"].tolist()
    return a["rollout"] == b["rollout"] and a["updates"] == b["updates"]


def test_same_seed_same_everything():
    """Weights, curve and plan; another seed learns otherwise."""
    p = weighted(2, (3, 2), 5, pools=INF, weights={"xi": 0.3})
    (a, one), (b, two), (c, _) = (taught(p, seed=s, max_steps=800) for s in (4, 4, 5))
    assert same(one.info, two.info)
    assert np.array_equal(a.online.net.parameters, b.online.net.parameters)
    assert not np.array_equal(a.online.net.parameters, c.online.net.parameters)


CASES = {
    "prioritized": ("ddpqn", {}),
    "even": ("double-dqn", {"variant": "published"}),
    "tree": ("prioritized-dqn", {"memory": 70_000}),
    "prior": ("ddpqn", {"preset": "long", "n_step": 3}),
}


@pytest.mark.parametrize(
    "case",
    ["prioritized", "tree", *(pytest.param(c, marks=pytest.mark.slow) for c in ("even", "prior"))],
)
def test_resumed_as_if_never_left(case, tmp_path):
    """An interrupted run that goes on from its checkpoint gives curve, weights and plan."""
    name, options = CASES[case]
    p = weighted(2, (3, 2), 5, pools=INF, weights={"xi": 0.3})
    path = str(tmp_path / "learner.npz")
    options = {"max_steps": 1600, "rollout_every": 10, "checkpoint_steps": 300, **options}
    whole, run = taught(p, name, **options)
    looks = itertools.count()
    stop = {"callback": lambda run: next(looks) > 25}
    left, broken = taught(p, name, budget=stop, checkpoint=path, **options)
    assert broken.stop_reason == "callback"
    assert 0 < left.steps < whole.steps
    again, resumed = taught(p, name, seed=99, resume=path, **options)
    assert same(run.info, resumed.info)
    assert np.array_equal(whole.online.net.parameters, again.online.net.parameters)
    assert np.array_equal(whole.target.net.parameters, again.target.net.parameters)
    assert run.objective == resumed.objective


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the file of a learner on E3."""
    path = tmp_path_factory.mktemp("learner") / "learner.npz"
    taught(e3(**SC), max_steps=300, checkpoint=str(path))
    return path


@pytest.mark.parametrize(
    ("problem", "name", "options", "words"),
    [
        (e3(), "ddpqn", {}, "problem is '.*', here it is"),
        (e3(**SC), "dqn", {}, "solver is 'ddpqn', here it is 'dqn'"),
        (e3(**SC), "ddpqn", {"discount": 0.5}, "option discount was None, now it is 0.5"),
        (e3(**SC), "ddpqn", {"max_steps": 400}, "option max_steps was 300, now it is 400"),
    ],
    ids=["problem", "solver", "option", "budget"],
)
def test_another_checkpoint_is_refused(checkpoint, problem, name, options, words):
    """The field that differs is named."""
    with pytest.raises(ValueError, match=words):
        taught(problem, name, resume=str(checkpoint), **{"max_steps": 300, **options})


def changed(path, **arrays):
    """Return the bytes of a checkpoint with other arrays; None leaves one out."""
    import io

    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    head = json.loads(kept["head"].tobytes()) | arrays.pop("head", {})
    head = {k: v for k, v in head.items() if v is not None}
    kept["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    kept = {k: v for k, v in (kept | arrays).items() if v is not None}
    file = io.BytesIO()
    np.savez_compressed(file, **kept)
    return file.getvalue()


def damaged(data, at):
    """Return bytes with some of them changed."""
    return data[:at] + b"\xff" * 20 + data[at + 20 :]


def saved(array):
    """Return the bytes of one array, pickled if it holds objects."""
    import io

    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


BAD = {
    "empty": (lambda path: b"", "not a checkpoint"),
    "text": (lambda path: b"hello", "not a checkpoint"),
    "truncated": (lambda path: path.read_bytes()[:-200], "not a checkpoint"),
    "damaged": (lambda path: damaged(path.read_bytes(), 9000), "not a checkpoint"),
    "damaged at its start": (lambda path: damaged(path.read_bytes(), 300), "not a checkpoint"),
    "one array": (lambda path: saved(np.zeros(3)), "not a checkpoint"),
    "pickled": (lambda path: saved(np.array([{}, None])), "not a checkpoint"),
    "objects inside": (lambda path: changed(path, plan=np.array([{}, 1])), "not a checkpoint"),
    "no head": (lambda path: saved_without_head(), "not a checkpoint"),
    "version": (lambda path: changed(path, head={"version": 9}), "version is 9, here it is 1"),
    "no steps": (lambda path: changed(path, head={"steps": None}), "not a whole checkpoint"),
    "generator": (lambda path: changed(path, head={"generator": {}}), "not a whole checkpoint"),
    "no weights": (lambda path: changed(path, online=None), "array 'online' must have shape"),
    "shape": (lambda path: changed(path, mean=np.zeros(3)), "array 'mean' must have shape"),
    "no plan": (lambda path: changed(path, plan=None), "not a whole checkpoint"),
}


def saved_without_head():
    """Return an archive without any text."""
    import io

    file = io.BytesIO()
    np.savez(file, a=np.zeros(2))
    return file.getvalue()


@pytest.mark.parametrize("case", BAD)
def test_a_bad_checkpoint_is_refused(checkpoint, tmp_path, case):
    """Whatever is wrong, a sentence says so and names the file; nothing in it is executed."""
    make, words = BAD[case]
    path = tmp_path / "bad.npz"
    path.write_bytes(make(checkpoint))
    with pytest.raises(ValueError, match=f"bad.npz: .*{words}"):
        taught(e3(**SC), max_steps=300, resume=str(path))


def test_a_missing_checkpoint():
    """A file that is not there is told as such."""
    with pytest.raises(FileNotFoundError):
        taught(e3(**SC), resume="/nowhere/learner.npz")


def test_killed_while_writing(checkpoint, monkeypatch):
    """The old file stays whole if writing the new one ends half-way."""
    before = checkpoint.read_bytes()

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(disk.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        taught(e3(**SC), seed=1, max_steps=300, checkpoint=str(checkpoint))
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


# -------------------------------------------------------------------- budgets, options


@pytest.mark.parametrize("start", [None, [0, 0, 0]])
@pytest.mark.parametrize("most", [1, 2, 3, 9, 10, 11, 60])
def test_evaluations_are_not_exceeded(most, start):
    """Episodes, rollouts, the start and the myopic plan count, however few are left."""
    fields = {"bound": False, "max_evaluations": most, "start": start}
    r = oe.solve(e3(**SC), "ddpqn", **fields, **{**SHORT, "warm": 1, "batch": 4})
    assert most - 8 <= r.evaluations <= most
    assert r.evaluations >= 1
    assert r.stop_reason == "evaluations"
    assert r.objective < INF


def test_other_ends():
    """No time, a callback, Ctrl-C in the middle: the best plan so far comes back."""
    p = e3(**SC)
    r = oe.solve(p, "ddpqn", time_limit=0.0, bound=False)
    assert (r.evaluations, r.stop_reason, r.info["updates"]) == (1, "time_limit", 0)
    assert oe.solve(p, "ddpqn", bound=False, max_steps=100).info["steps"] >= 100
    looks = itertools.count()

    def interrupt(run):
        if next(looks) > 20:
            raise KeyboardInterrupt
        return False

    r = oe.solve(p, "ddpqn", bound=False, callback=interrupt, **SHORT)
    assert r.stop_reason == "interrupted"
    assert r.objective < 0.22
    assert r.solution is not None


def test_presets():
    """The numbers of the paper; our default discounts nothing."""
    paper, default = DeepQOptions(preset="paper"), DeepQOptions()
    names = ("discount", "learning_rate", "batch", "steps_per_update", "clip")
    assert [paper.of_preset(x) for x in names] == [0.8, 1e-3, 256, 1, False]
    assert (paper.target_every, paper.hidden_1, paper.hidden_2) == (100, 50, 20)
    assert default.of_preset("discount") == 1.0
    assert DeepQOptions(preset="paper", discount=0.0).of_preset("discount") == 0.0
    left = {f.name for f in dataclasses.fields(DeepQOptions) if f.default is None}
    assert all(set(preset) == left - {"checkpoint", "resume"} for preset in PRESETS.values())
    assert [tuple(LEARNERS[n]) for n in ("dqn", "ddpqn")] == [(False,) * 3, (True,) * 3]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"preset": "best"}, ValueError, "option preset must be one of"),
        ({"variant": "other"}, ValueError, "option variant must be one of"),
        ({"discount": 1.5}, ValueError, "option discount must be"),
        ({"rows": 1}, ValueError, "option rows must be at least 2"),
        ({"batch": 2.5}, TypeError, "option batch must be"),
        ({"clip": 1}, TypeError, "option clip must be"),
        ({"hidden": 3}, TypeError, "ddpqn has no option 'hidden'"),
    ],
)
def test_bad_options(options, error, words):
    """The option is named."""
    with pytest.raises(error, match=words):
        oe.solve(e3(), "ddpqn", **options)


def test_what_is_declined():
    """Branches without simulation, and waiting in H; unknown names are listed."""
    with pytest.raises(ValueError, match='tasks that branch need wait="telescope"'):
        oe.solve(e2(), "ddpqn", wait="none")
    with pytest.raises(ValueError, match="waiting counts in the coordination"):
        oe.solve(e3(h_wait=True), "dqn")
    with pytest.raises(ValueError, match="there is no solver 'qdn'; the choices are"):
        oe.solve(e3(), "qdn")


def test_waiting_is_simulated_where_it_can_be():
    """Pools for all, or not; an order that idles; branches."""
    p = e3(**SC)
    kinds = {
        "PairEpisodes": [p, p.replace(pools=[1] * 3)],
        "PrefixEpisodes": [p.replace(order="strict"), e2()],
    }
    for kind, problems in kinds.items():
        assert [type(make_episodes([q])).__name__ for q in problems] == [kind] * 2


def test_branches_and_pools_are_learnt():
    """E2, a module with pools: the plan is feasible and its rollout the objective."""
    p = e2()
    r = oe.solve(p, "ddpqn", bound=False, max_steps=1500, **SHORT)
    assert p.objective(r.info["rollout_plan"]) == pytest.approx(r.info["rollout"], abs=1e-9)
    assert r.objective <= oe.solve(p, "myopic").objective + 1e-12


def test_result_in_a_file(tmp_path):
    """With its curve and plan."""
    r = oe.solve(e3(**SC), "ddpqn", bound=False, max_steps=400, **SHORT)
    oe.save(r, tmp_path / "r.json")
    again = oe.load(tmp_path / "r.json")
    assert again.objective == r.objective
    assert again.info["rollout"] == r.info["rollout"]
    assert np.array_equal(again.info["learning"]["loss"], r.info["learning"]["loss"])
    assert np.array_equal(again.info["rollout_plan"], r.info["rollout_plan"])
