"""Policies learnt on many instances: files, refusals, and instances that they have not seen."""

import json

import numpy as np
import pytest

import optedge as oe
from optedge.papers import ddpqn
from optedge.solvers.deep_q.policy import Policy

SC = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}


def drawn(seeds, network="alexnet", **fields):
    """Return AlexNet on random servers."""
    fields = {"data_unit": "Mb", "weights": SC, **fields}
    return [ddpqn.instance(network, seed=int(k), **fields) for k in seeds]


@pytest.fixture(scope="module")
def policy():
    """Return a policy of 20 draws."""
    fields = {"max_steps": 20_000, "time_limit": 600.0, "seed": 1}
    return oe.learn_policy(drawn(range(20)), **fields)


def test_better_than_myopic_on_unseen_instances(policy):
    """Its mean gap to the optimum on 20 others is less than half of what myopic loses."""
    gaps = []
    for p in drawn(range(100, 120)):
        best = oe.solve(p, "dp").objective
        r = oe.solve(p, policy, bound=False)
        assert p.violations(r.solution) == []
        assert r.solution.servers.tolist() == policy.plan(p).tolist()
        gaps.append([r.objective - best, oe.solve(p, "myopic").objective - best])
    mine, myopic = np.mean(gaps, axis=0)
    assert np.min(gaps) >= -1e-9
    assert myopic > 0.01
    assert mine < 0.5 * myopic


def test_same_seed_same_policy():
    """With a budget of steps it is the same every time; another seed learns another one."""
    problems, fields = drawn(range(3)), {"max_steps": 2000, "time_limit": 600.0}
    a, b, c = (oe.learn_policy(problems, "dqn", seed=s, **fields) for s in (0, 0, 1))
    assert np.array_equal(a.network.net.parameters, b.network.net.parameters)
    assert a.__name__ == b.__name__ != c.__name__


@pytest.mark.parametrize("options", [{}, {"prior": False}, {"preset": "long"}])
def test_round_trip(options, tmp_path):
    """A policy from a file gives the same plans, whatever says how it values states."""
    taught = oe.learn_policy(drawn(range(3)), max_steps=2000, time_limit=600.0, **options)
    taught.save(tmp_path / "policy.npz")
    again = Policy.load(tmp_path / "policy.npz")
    assert again.layout == taught.layout
    assert again.__name__ == taught.__name__
    for p in drawn(range(50, 60)):
        assert again.plan(p).tolist() == taught.plan(p).tolist()


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_in_a_study(policy, n_jobs):
    """Two policies and a rule side by side, in workers too: no two are taken for one."""
    other = oe.learn_policy(drawn(range(2)), max_steps=1, time_limit=600.0, prior=False)
    problems = drawn([7])
    study = oe.compare(problems, [policy, other, "myopic"], seeds=[0], n_jobs=n_jobs)
    table = study.runs
    assert len(set(table["solver"])) == 3
    values = dict(zip(table["solver"], table["objective"], strict=True))
    for each in (policy, other):
        assert values[each.__name__] == pytest.approx(problems[0].objective(each.plan(problems[0])))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n_edges": 4}, "the policy was taught tiers"),
        ({"network": "vgg19"}, "the policy was taught steps 11, here it is 24"),
        ({"n_tasks": 2}, "the policy was taught steps 11, here it is 22"),
        ({"weights": {"xi": 0.2}}, "the policy was taught features"),
    ],
    ids=["servers", "network", "tasks", "balance"],
)
def test_another_shape_is_refused(policy, fields, words):
    """What differs is named, with both values."""
    p = drawn([0], **fields)[0]
    steps = policy.layout["steps"]
    with pytest.raises(ValueError, match=words.replace("steps 11", f"steps {steps}").split(",")[0]):
        policy.plan(p)


@pytest.mark.parametrize(
    ("make", "learner", "options", "error", "words"),
    [
        (lambda: [], "ddpqn", {}, ValueError, "one instance or more"),
        (lambda: drawn([1]), "dqnn", {}, ValueError, "there is no learner 'dqnn'"),
        (lambda: drawn([1]), "dqn", {"rate": 1}, TypeError, "dqn has no option 'rate'"),
        (lambda: drawn([1]), "dqn", {"batch": "a"}, TypeError, "option batch must be"),
        (lambda: drawn([1]), "dqn", {"resume": "a"}, ValueError, "option resume is not for"),
        (lambda: drawn([1]), "dqn", {"wait": "telescope"}, ValueError, "option wait is not for"),
        (
            lambda: drawn([1]) + drawn([1], "vgg19"), "dqn", {}, ValueError,
            "instance 0: a policy needs tasks of one network",
        ),
    ],
)  # fmt: skip
def test_refused_at_once(make, learner, options, error, words):
    """Nothing is learnt before all is right."""
    with pytest.raises(error, match=words):
        oe.learn_policy(make(), learner, **options)


def archive(path, head, parameters):
    """Write a file as a policy would be."""
    text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    np.savez(path, head=text, parameters=parameters)


def test_bad_files_are_refused(policy, tmp_path):
    """No archive, half of one, no policy, another version, numbers that are none."""
    path = tmp_path / "policy.npz"
    policy.save(path)
    whole = path.read_bytes()
    with np.load(path) as file:
        head, parameters = json.loads(file["head"].tobytes()), file["parameters"]
    for data in (b"", b"hello", whole[:-100], whole[:9000] + b"\xff" * 9 + whole[9009:]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"policy.npz: not a policy"):
            Policy.load(path)
    bad = [
        (head | {"version": 7}, parameters, "another version"),
        (head | {"sizes": [3, 4, 5]}, parameters, "another number of parameters"),
        (head | {"sizes": []}, parameters, "not a policy"),
        (head, parameters[:-1], "another number of parameters"),
        (head, np.full_like(parameters, np.nan), "not finite"),
        ([1, 2], parameters, "not a policy"),
        ("text", parameters, "not a policy"),
        ({}, parameters, "version"),
    ]
    for other, numbers, words in bad:
        archive(path, other, numbers)
        with pytest.raises(ValueError, match=f"policy.npz: not a policy.*{words}|{words}"):
            Policy.load(path)
