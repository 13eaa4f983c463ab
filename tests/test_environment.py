"""The Gymnasium environment: its interface, what an episode costs, what is refused."""

import doctest
import importlib
import itertools
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from conftest import seeds
from gymnasium.utils.env_checker import check_env

import optedge as oe
from optedge.environment import ID, OffloadingEnv
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import decisions
from optedge.papers import ddpqn

INF = np.inf
SC = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
NEAR = {"rel": 0, "abs": 1e-9}


def e3(**weights):
    """Return the third example of the specification: three layers, three servers."""
    return OffloadingProblem.chains(
        [[2.3, 4.6, 9.2]],
        [np.array([8, 4, 16]) / 8],
        clients=[0],
        speeds_ghz=[2.3, 10, 80],
        rates_mb_s=[[0, 10, 0.5], [10, 0, 0.5], [0.5, 0.5, 0]],
        pools=[INF] * 3,
        tiers=[0, 1, 2],
        price_per_hour=[0, 2.2, 1.0],
        price_per_gb=[[0, 0.16, 0.8], [0.16, 0, 0.8], [0.8, 0.8, 0]],
        weights=oe.Weighting(**{"xi": 0.0, **weights}),
    )


def clients(**fields):
    """Return three tasks of two clients, who do not work for each other; two edges, two clouds."""
    return OffloadingProblem.chains(
        [[2.0, 4.0, 1.0], [3.0, 6.0], [1.0, 2.0]],
        [[4.0, 8.0, 2.0, 3.0], [5.0, 10.0, 0.0], [1.0, 6.0, 2.0]],
        **{
            "clients": [0, 1, 0],
            "speeds_ghz": [1, 1, 2, 3, 8, 9],
            "rates_mb_s": np.full((6, 6), 5.0),
            "pools": [INF] * 6,
            "tiers": [0, 0, 1, 1, 2, 2],
            "price_per_hour": [0, 0, 1, 2, 3, 4],
            "release": [0.0, 0.5, 1.0],
            "weights": oe.Weighting(),
            "return_result": True,
            **fields,
        },
    )


def branches(**fields):
    """Return a layer that two branches read, the first of two layers, and one that joins them."""
    p = e3()
    return OffloadingProblem(
        ((1, 3), (2,), (4,), (4,), ()),
        [2.0, 3.0, 1.0, 5.0, 2.0],
        [1.0, 2.0, 0.5, 4.0, 0.0],
        [0] * 5,
        [1.0],
        **{f: getattr(p, f) for f in (
            "clients", "speeds_ghz", "rates_mb_s", "pools", "tiers", "price_per_hour",
            "price_per_gb",
        )} | {"weights": oe.Weighting(), **fields},
    )  # fmt: skip


def drawn(rng):
    """Return the third example with other layers."""
    return e3(**SC).replace(work_gcycles=rng.uniform(1, 9, 3))


KINDS = {
    "default": dict,
    "one task": lambda: {"problem": e3()},
    "Z running": lambda: {"problem": ddpqn.instance("vgg19")},
    "Z final": lambda: {"problem": ddpqn.instance(weights={"z_mode": "final"})},
    "several tasks": lambda: {"problem": ddpqn.instance("alexnet", 3)},
    "seconds": lambda: {"problem": ddpqn.instance("alexnet", 2, weights=None)},
    "clients": lambda: {"problem": clients()},
    "context": lambda: {"problem": e3(), "context": True},
    "networks": lambda: {
        "problem": [ddpqn.instance(n, weights=SC) for n in ("alexnet", "googlenet")]
    },
    "drawn": lambda: {"sampler": drawn},
    "pools": lambda: {"problem": clients(pools=[1, 1, 1, 1, 2, 2], foreign_clients=True)},
    "branches": lambda: {"problem": branches()},
    "modules": lambda: {"problem": ddpqn.instance("googlenet", modules="dag")},
    "context, branches": lambda: {"problem": branches(), "context": True},
    "context, pools": lambda: {
        "problem": clients(
            pools=[1, 1, 1, 1, 2, 2], foreign_clients=True, weights=oe.Weighting(xi=0.0)
        ),
        "context": True,
    },
}


class Middle(gymnasium.spaces.Discrete):
    """Servers 2 and 3 of six: never the client of another task."""

    def sample(self, mask=None, probability=None):
        """Return one of the two."""
        return np.int64(self.np_random.integers(2, 4))


def play(env, choose, **reset):
    """Return all rewards and the information of the steps of an episode."""
    env.reset(**reset)
    rewards, infos, ended = [], [], False
    while not ended:
        seen, reward, ended, cut, info = env.step(choose(env, len(rewards)))
        assert seen in env.observation_space
        assert cut is False and isinstance(reward, float)
        rewards.append(reward)
        infos.append(info)
    return rewards, infos


def at_random(rng):
    """Return a choice among what the mask allows."""
    return lambda env, k: rng.choice(np.flatnonzero(env.action_masks()))


def along(plan):
    """Return the choices of a plan."""
    return lambda env, k: plan[k]


# -------------------------------------------------------------------- the interface


@pytest.mark.parametrize("kind", KINDS)
def test_gymnasium_finds_no_fault(kind):
    """Its checker passes every kind of episode without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(ID, **KINDS[kind]()).unwrapped
        if kind == "clients":
            env.action_space = Middle(6)
        check_env(env)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "clients"])
def test_stable_baselines_finds_no_fault(kind):
    """The checker of Stable-Baselines3, where it is installed."""
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(OffloadingEnv(**KINDS[kind]()))


def test_made_in_a_fresh_process():
    """The name alone imports the module; it is registered once; the package does without."""
    code = (
        "import sys, importlib\n"
        "import optedge as oe\n"
        "assert 'gymnasium' not in sys.modules\n"
        "import gymnasium\n"
        f"env = gymnasium.make('optedge.environment:{ID}', reward_scale=2.0)\n"
        "importlib.reload(oe.environment)\n"
        f"same = gymnasium.make('{ID}')\n"
        "env.reset(); same.reset()\n"
        "assert env.step(3)[1] == 2 * same.step(3)[1] < 0\n"
        "print(env.spec.id)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (ID, "")


def test_the_example_in_the_docstring():
    """It prints what it says."""
    assert doctest.testmod(oe.environment) == (0, 5)


def test_missing_extra(monkeypatch):
    """Without Gymnasium the sentence names what to install."""
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "optedge.environment")
    with pytest.raises(ImportError, match=r'pip install "optedge\[rl\]"'):
        importlib.import_module("optedge.environment")


def test_spaces_and_the_first_and_last_observation():
    """Numbers of the specification: m + 2 L + 1; at the end only the last server is seen."""
    env = OffloadingEnv(e3())
    assert (env.action_space.n, env.observation_space.shape) == (3, (10,))
    seen, info = env.reset()
    assert seen == pytest.approx([1, 0, 0, 0.25, 0.5, 0.5, 0.25, 1, 1, 1])
    assert info == {"task": 0}
    for action in (1, np.int64(2), np.array(2)):
        seen, _, ended, _, info = env.step(action)
    assert ended and seen.tolist() == [0, 0, 1] + [0] * 7
    assert info["plan"].tolist() == [1, 2, 2]
    assert env.action_masks().all()


def test_the_default_separates_learners():
    """AlexNet in Mb: the cheapest server of each step is 64 % above the optimum."""
    env = OffloadingEnv()
    steps = decisions.make(env.problem)
    for discount, value in ((1.0, 0.122336), (0.0, 0.200560)):
        q = steps.q_values(discount)
        rewards, infos = play(env, along(steps.follow(q)))
        assert infos[-1]["value"] == pytest.approx(value, abs=5.1e-7)
        assert -sum(rewards) == pytest.approx(infos[-1]["value"], **NEAR)


# -------------------------------------------------------------------- what an episode costs


@pytest.mark.parametrize("block", seeds(5, 1))
@pytest.mark.parametrize("kind", KINDS)
def test_rewards_add_up_to_minus_the_objective(kind, block):
    """Of random plans within the masks; each is feasible and valued by the problem itself."""
    rng = np.random.default_rng([block, 9])
    env = OffloadingEnv(**KINDS[kind]())
    env.reset(seed=block)
    for _ in range(100 if env.problem.n_subtasks < 20 else 25):
        rewards, infos = play(env, at_random(rng))
        plan, p = infos[-1]["plan"], env.problem
        assert len(plan) == len(rewards) == p.n_subtasks
        assert p.violations(plan) == []
        assert infos[-1]["value"] == p.objective(plan)
        assert sum(rewards) == pytest.approx(-p.objective(plan), **NEAR)


def test_third_example_all_plans():
    """E3, all 27: the best and the worst of the specification."""
    env = OffloadingEnv(e3())
    values = {}
    for plan in itertools.product(range(3), repeat=3):
        rewards, _ = play(env, along(plan))
        values[plan] = -sum(rewards)
    assert min(values, key=values.get) == (1, 1, 1)
    assert values[1, 1, 1] == pytest.approx(0.034741, abs=5.1e-7)
    assert values[0, 0, 0] == max(values.values()) == pytest.approx(0.571524, abs=5.1e-7)
    rewards, _ = play(OffloadingEnv(e3(**SC)), along((1, 2, 2)))
    assert -sum(rewards) == pytest.approx(0.155442, abs=5.1e-7)


@pytest.mark.parametrize(
    ("network", "weights", "discount", "value"),
    [
        ("vgg19", {"xi": 0.0}, 1.0, -0.202304),
        ("googlenet", SC, 1.0, 0.056716),
        ("resnet101", SC, 1.0, 0.089016),
        ("resnet101", SC, 0.8, 0.142697),
    ],
)
def test_exact_values_lead_to_the_optimum(network, weights, discount, value):
    """The rollout along the exact Q reaches the values of the specification (sizes in Mb)."""
    p = ddpqn.instance(network, data_unit="Mb", weights=weights)
    steps = decisions.make(p)
    plan = steps.follow(steps.q_values(discount))
    _, infos = play(OffloadingEnv(p), along(plan))
    assert infos[-1]["value"] == pytest.approx(value, abs=5.1e-7)


@pytest.mark.parametrize("kind", ["Z running", "Z final", "several tasks", "clients", "networks"])
def test_information_is_what_the_cost_is_made_of(kind):
    """Standardised and weighted, T, E, U, H and Z of a step are its cost.

    But that the shifts of the delays of all layers of a task are taken off its first one.
    """
    env = OffloadingEnv(**KINDS[kind]())
    for _ in range(3):
        _, infos = play(env, at_random(np.random.default_rng(1)), seed=4)
        p = env.problem
        w, standards = p.weights, p.pairs.standards
        for v, info in enumerate(infos):
            parts = zip((w.theta, w.vartheta, w.eta), "TEU", standards, strict=True)
            cost = w.phi * sum(x * (info[k] - low) / scale for x, k, (low, scale) in parts)
            cost += w.xi * info["Z"] - w.varphi * info["H"]
            shifts = 1 - (p.layer[v] == 0) * p.sizes[p.tasks[v]]
            cost += w.phi * w.theta * shifts * standards[0][0] / standards[0][1]
            if p.return_result and not p.successors[v]:  # the way back counts as delay alone
                home = p.clients[p.tasks[v]]
                back = p.outputs_mb[v] * p.seconds_per_mb[info["server"], home]
                cost += w.phi * w.theta * back / standards[0][1]
            assert cost == pytest.approx(info["cost"], **NEAR)


@pytest.mark.parametrize("kind", ["clients", "pools", "branches"])
def test_information_is_that_of_the_plan(kind):
    """E, U and H are the indicators of the whole plan, T its seconds without the waiting."""
    env = OffloadingEnv(**KINDS[kind]())
    _, infos = play(env, at_random(np.random.default_rng(2)))
    p, plan = env.problem, infos[-1]["plan"]
    expected = p.indicators(plan)
    for key, name in (("E", "joule"), ("U", "dollar"), ("H", "coordination")):
        assert [info[key] for info in infos] == pytest.approx(expected[name], **NEAR)
    free = p.replace(pools=[INF] * p.n_servers).indicators(plan)["seconds"]
    several = [len(row) > 1 for row in p.predecessors]
    own = p.seconds[np.arange(p.n_subtasks), plan]
    assert [i["T"] for i in infos] == pytest.approx(np.where(several, own, free), **NEAR)


def test_seconds_have_no_weights_to_tell_of():
    """Without weights a step tells its seconds and what it costs."""
    _, infos = play(OffloadingEnv(**KINDS["seconds"]()), along([0, 1, 6] * 8))
    assert set(infos[0]) == {"T", "cost", "server"}
    assert sum(info["T"] for info in infos) == pytest.approx(infos[-1]["value"])


def test_waiting_left_out():
    """With ``wait="none"`` rewards tell of no queue; the value at the end does."""
    p = clients(pools=[1, 1, 1, 1, 1, 1], weights=None)
    rewards, infos = play(OffloadingEnv(p, wait="none"), along([2] * 7))
    free = p.replace(pools=[INF] * 6)
    assert -sum(rewards) == pytest.approx(free.objective([2] * 7), **NEAR)
    assert infos[-1]["value"] == p.objective([2] * 7) > -sum(rewards) + 1


def test_scaled_rewards():
    """The scale is in the reward, not in what is told of the step."""
    plain, scaled = (OffloadingEnv(e3(), reward_scale=x) for x in (1.0, 10))
    for a, b in zip(*(zip(*play(env, along((1, 2, 0))), strict=True) for env in (plain, scaled)),
                    strict=True):  # fmt: skip
        assert b[0] == pytest.approx(10 * a[0])
        assert a[1]["cost"] == b[1]["cost"] == -a[0]


# -------------------------------------------------------------------- which instance


def test_tasks_are_named_or_drawn():
    """Options pick the instance, else the generator does; the shorter is padded."""
    problems = KINDS["networks"]()["problem"]
    env = OffloadingEnv(problems)
    assert env.observation_space.shape == (11 + 2 * 20 + 1 + 2,)
    for i, p in enumerate(problems):
        seen, info = env.reset(options={"task": i})
        assert info == {"task": i} and env.problem is p
        assert seen[-2:].tolist() == [i == 0, i == 1]
        _, infos = play(env, along([3] * 20), options={"task": np.int64(i)})
        assert infos[-1]["value"] == p.objective([3] * p.n_subtasks)

    def order(seed):
        return [env.reset(seed=seed)[1]["task"], *(env.reset()[1]["task"] for _ in range(20))]

    assert order(1) == order(1)
    assert set(order(1)) == {0, 1}
    assert order(1) != order(2)


def test_a_fixed_instance_knows_no_seed():
    """Whatever the seed, the same plan costs the same and is seen the same."""
    env = OffloadingEnv(e3())
    first, again = env.reset(seed=1)[0], env.reset(seed=2)[0]
    assert np.array_equal(first, again)
    assert play(env, along((1, 0, 2)), seed=3)[0] == play(env, along((1, 0, 2)), seed=4)[0]


def test_drawn_instances_follow_the_seed():
    """A seed gives one sequence of instances; what servers cost is seen of each."""
    env = OffloadingEnv(sampler=drawn)
    assert env.observation_space.shape == (3 + 2 * 3 + 1 + 2 * 3,)

    def works(seed):
        env.reset(seed=seed)
        found = [env.problem.work_gcycles.tolist()]
        env.reset()
        return [*found, env.problem.work_gcycles.tolist()]

    assert works(5) == works(5) != works(6)
    assert works(5)[0] != works(5)[1]
    rewards, infos = play(env, along((1, 1, 0)))
    assert -sum(rewards) == pytest.approx(env.problem.objective([1, 1, 0]), **NEAR)
    assert infos[-1]["value"] == env.problem.objective([1, 1, 0])


# -------------------------------------------------------------------- what is refused


def test_masks_leave_out_other_clients_and_missing_links():
    """One's own client, edges and clouds; from a server only where it is connected."""
    rates = np.full((6, 6), 5.0)
    rates[3, 5] = 0.0
    env = OffloadingEnv(clients(rates_mb_s=rates))
    env.reset()
    assert env.action_masks().tolist() == [1, 0, 1, 1, 1, 1]
    env.step(3)
    assert env.action_masks().tolist() == [1, 0, 1, 1, 1, 0]
    env.step(2)
    env.step(2)
    assert env.action_masks().tolist() == [0, 1, 1, 1, 1, 1]  # the next task is that of client 1


@pytest.mark.parametrize("kind", ["context, branches", "context, pools"])
def test_context_shows_what_waiting_costs(kind):
    """Where layers wait, the last numbers seen are what each server would cost, above the least."""
    env, rng = OffloadingEnv(**KINDS[kind]()), np.random.default_rng(0)
    p, m, plan = env.problem, env.problem.n_servers, []
    pace = p.data.weights.per_second * np.median(p.seconds[p.allowed])
    seen, _ = env.reset()
    waited = 0.0
    for _ in range(p.n_subtasks):
        may, costs = np.flatnonzero(env.action_masks()), np.full(m, INF)
        for s in may:
            other = OffloadingEnv(p, context=True)
            other.reset()
            costs[s] = -[other.step(b)[1] for b in [*plan, int(s)]][-1]
        above = costs[may] - costs.min()
        assert seen[-m:][may] == pytest.approx(above / (above + pace), abs=1e-6)
        plan.append(int(rng.choice(may[:3])))
        seen, *_, info = env.step(plan[-1])
        waited += info["cost"]
    assert not seen[-m:].any()
    assert waited == pytest.approx(p.objective(np.array(plan)))


BAD_ACTIONS = [
    ((), 6, "action must be a server, 0 to 5, got 6"),
    ((), -1, "action must be a server, 0 to 5, got -1"),
    ((), 1.0, "action must be a whole number, got 1.0"),
    ((), 1, "layer 0 of task 0 on server 1: tasks use no other client than their own, server 0"),
    ((3,), 5, "layer 1 of task 0 on server 5: there is no connection from server 3"),
    ((2, 2), 4, "layer 2 of task 0 on server 4: its result could not get back to server 0"),
    ((2, 2, 2), 0, "layer 0 of task 1 on server 0: tasks use no other client than"),
]


@pytest.mark.parametrize(("before", "action", "words"), BAD_ACTIONS)
def test_actions_outside_the_mask(before, action, words):
    """A sentence names layer, server and reason; the episode goes on as if nothing was asked."""
    rates = np.full((6, 6), 5.0)
    rates[3, 5] = rates[4, 0] = 0.0
    env = OffloadingEnv(clients(rates_mb_s=rates))
    env.reset()
    for b in before:
        env.step(b)
    with pytest.raises(ValueError, match=words):
        env.step(action)
    assert env.step(2)[4]["server"] == 2


def test_first_layers_may_have_to_stay():
    """The rule of the first layer has its own sentence."""
    env = OffloadingEnv(clients(first_layer="client"))
    env.reset()
    with pytest.raises(ValueError, match="first layers stay on their client, server 0"):
        env.step(2)


def test_an_episode_must_have_begun_and_not_ended():
    """Neither before the first reset nor after the last layer."""
    env = OffloadingEnv(e3())
    with pytest.raises(gymnasium.error.ResetNeeded, match="no episode is running"):
        env.step(0)
    play(env, along((0, 0, 0)))
    with pytest.raises(gymnasium.error.ResetNeeded, match="the episode has ended"):
        env.step(0)


def test_rewards_are_finite():
    """A reward beyond floats is refused, and ends the episode."""
    env = OffloadingEnv(clients(weights=None), reward_scale=1e308)
    env.reset()
    with pytest.raises(ValueError, match="layer 0 of task 0 on server 0: the reward -inf is not"):
        env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"wait": "all"}, ValueError, "wait must be 'none', 'telescope' or None, got 'all'"),
        ({"reward_scale": 0}, ValueError, "reward_scale must be a positive number, got 0"),
        ({"reward_scale": INF}, ValueError, "reward_scale must be a positive number, got inf"),
        ({"problem": "alexnet"}, TypeError, r"problem\[0\] must be an OffloadingProblem, got str"),
        ({"problem": 3}, TypeError, "problem must be an OffloadingProblem, got int"),
        ({"problem": []}, ValueError, "problem must hold at least one instance"),
        ({"problem": e3(), "sampler": drawn}, ValueError, "either problem or sampler"),
        ({"sampler": lambda rng: 3}, TypeError, "must be an OffloadingProblem, got int"),
        ({"problem": [e3(), branches()]}, ValueError, "must be chains whose layers never wait"),
        ({"sampler": lambda rng: branches()}, ValueError, "must be chains whose layers never wait"),
        ({"problem": branches(), "wait": "none"}, ValueError, "need tasks that are chains"),
        ({"problem": e3(h_wait=True)}, ValueError, "waiting counts in the coordination"),
        ({"problem": [e3(), clients()]}, ValueError, "instance 1: other tiers of servers"),
    ],
)
def test_bad_arguments(arguments, error, words):
    """What is no environment is named."""
    with pytest.raises(error, match=words):
        OffloadingEnv(**arguments)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ({}, {"instance": 1}, "options: the only one is 'task', got 'instance'"),
        ({}, {"task": 1}, r"options\['task'\] must be from 0 to 0, got 1"),
        ({}, {"task": "vgg19"}, r"options\['task'\] must be a whole number, got 'vgg19'"),
        ({"sampler": drawn}, {"task": 0}, "instances are drawn by the sampler"),
    ],
)
def test_bad_options(arguments, options, words):
    """What no reset can do is named."""
    with pytest.raises(ValueError, match=words):
        OffloadingEnv(**arguments).reset(options=options)


def test_drawn_instances_have_one_shape():
    """An instance of other size than the first is refused."""
    made = iter([e3(), e3(), clients()])
    env = OffloadingEnv(sampler=lambda rng: next(made))
    env.reset()
    with pytest.raises(ValueError, match="sampler: an instance has n_servers 6, the others 3"):
        env.reset()
