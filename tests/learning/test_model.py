"""The cut network: gradients, one step against central descent, bytes, what is sent."""

import itertools

import numpy as np
import pytest

from optedge.learning import LearningOptions, SplitModel
from optedge.learning.model import as_sent, cross_entropy
from optedge.nets import Momentum, Network

SIZES = (12, 8, 9, 4)
PLAIN = {"momentum": 0.0, "decay": 0.0}


def batches(rng, counts, sizes=SIZES):
    """Return samples and labels of every node."""
    return [(rng.normal(size=(n, sizes[0])), rng.integers(sizes[-1], size=n)) for n in counts]


def model(split, nodes=1, seed=0, sizes=SIZES, **options):
    """Return a model in double precision."""
    return SplitModel(
        sizes, split, nodes, np.random.default_rng(seed), LearningOptions(**options), np.float64
    )


def whole(cut, front=0):
    """Return the parameters of the joined network, then those of the exit head."""
    parts = (cut.fronts[front], cut.back, cut.exit)
    return np.concatenate([part.parameters for part in parts])


def joint_loss(cut, flat, x, y, dormant):
    """Return the mean of a F_e + b F_c of the joined network, by its formula alone."""
    joined = Network(cut.sizes, np.random.default_rng(9), np.float64)
    exit_head = Network(cut.exit.sizes, np.random.default_rng(9), np.float64)
    joined.parameters[:] = flat[: joined.parameters.size]
    exit_head.parameters[:] = flat[joined.parameters.size :]
    outputs = joined.forward(x)

    def losses(scores):
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return -np.log(shares[np.arange(len(y)), y])

    cloud = np.where(dormant, 0.0, losses(outputs[-1]))
    edge = losses(exit_head.forward(outputs[cut.split])[-1])
    return float(np.mean(cut.options.exit_weight * edge + cut.options.cloud_weight * cloud))


def differences(f, x, step=1e-6):
    """Return the gradient of a function by central differences."""
    found = np.zeros(x.size)
    for k in range(x.size):
        moved = x.copy()
        moved[k] += step
        above = f(moved)
        moved[k] -= 2 * step
        found[k] = (above - f(moved)) / (2 * step)
    return found


@pytest.mark.parametrize("split", range(4))
@pytest.mark.parametrize("dormant", [False, True])
def test_gradient_through_the_split(split, dormant):
    """A step of plain descent goes down the gradient of the joined network, at every split."""
    cut = model(split, rate=1.0, exit_hidden=(5,), **PLAIN)
    ((x, y),) = batches(np.random.default_rng(1), [7])
    before = whole(cut)
    cut.step([(x, y)], [dormant])
    gradient = before - whole(cut)
    expected = differences(lambda flat: joint_loss(cut, flat, x, y, dormant), before)
    assert gradient == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert np.count_nonzero(gradient) > 20


def test_gradient_equals_that_of_the_joined_network():
    """What runs on two machines is to the last digits what one network computes."""
    for split in range(4):
        cut = model(split, rate=1.0, exit_weight=0.0, cloud_weight=1.0, **PLAIN)
        ((x, y),) = batches(np.random.default_rng(2), [11])
        joined = Network(SIZES, np.random.default_rng(0), np.float64)
        before = joined.parameters.copy()
        assert np.array_equal(whole(cut)[: before.size], before)
        outputs = joined.forward(x)
        joined.backward(outputs, cross_entropy(outputs[-1], y)[1] / len(y))
        cut.step([(x, y)])
        moved = whole(cut)[: before.size]
        assert moved == pytest.approx(before - joined.gradient, abs=1e-14)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_one_step_is_central(split):
    """Averaged after every step by tasks done, five nodes are one node with the pooled batch."""
    options = {"rate": 0.1, **PLAIN}
    many, one = (model(split, nodes, sizes=(64, 8, 10, 10), **options) for nodes in (5, 1))
    rng = np.random.default_rng(3)
    for _ in range(20):
        given = batches(rng, rng.integers(1, 33, size=5), many.sizes)
        many.step(given)
        assert many.average().tolist() == [len(y) for _, y in given]
        one.step([tuple(np.concatenate(parts) for parts in zip(*given, strict=True))])
    for front in range(5):
        assert whole(many, front) == pytest.approx(whole(one), abs=1e-12)


def test_one_step_is_central_with_momentum():
    """With equal batches momentum and decay, local as they are, change nothing of it."""
    many, one = (model(1, nodes, decay=1e-3) for nodes in (4, 1))
    rng = np.random.default_rng(4)
    for k in range(30):
        given = batches(rng, [6] * 4)
        rate = 0.1 if k < 20 else 0.01
        many.step(given, rate=rate)
        many.average()
        one.step([tuple(np.concatenate(parts) for parts in zip(*given, strict=True))], rate=rate)
    assert whole(many, 3) == pytest.approx(whole(one), abs=1e-12)


def test_other_averages_are_not_central():
    """Unweighted means, or averaging every second step, lead elsewhere."""
    rng = np.random.default_rng(5)
    first, second = batches(rng, [2, 30]), batches(rng, [2, 30])
    pooled = [tuple(np.concatenate(p) for p in zip(*b, strict=True)) for b in (first, second)]
    seldom, one, unweighted = model(1, 2, **PLAIN), model(1, 1, **PLAIN), model(1, 2, **PLAIN)
    unweighted.step(first)
    unweighted.done[:] = 1
    unweighted.average()
    one.step([pooled[0]])
    assert np.abs(whole(unweighted) - whole(one)).max() > 1e-4
    seldom.step(first)
    seldom.step(second)
    seldom.average()
    one.step([pooled[1]])
    assert np.abs(whole(seldom) - whole(one)).max() > 1e-5


def test_averaging():
    """Weights are tasks since the last time; without any fronts stay; velocities are local."""
    cut = model(1, 3)
    rng = np.random.default_rng(6)
    assert cut.average().tolist() == [0, 0, 0]
    cut.step(batches(rng, [1, 3, 0]))
    kept = [front.parameters.copy() for front in cut.fronts]
    cut.done[:] = 0
    cut.average()
    for front, before in zip(cut.fronts, kept, strict=True):
        assert np.array_equal(front.parameters, before)
    assert cut.traffic.averaging == 0
    cut.done[:] = 1, 3, 0
    cut.average()
    expected = (kept[0] + 3 * kept[1]) / 4
    assert cut.fronts[2].parameters == pytest.approx(expected, abs=1e-15)
    assert cut.traffic.averaging == 2 * 3 * 8 * kept[0].size  # up and down, in double precision
    assert not cut.done.any()
    velocities = [descent.velocity for descent in cut._descents[:3]]
    assert not velocities[2].any()  # it rested
    assert not np.allclose(velocities[0], velocities[1])


def test_idle_and_dormant_nodes():
    """Who has no task does not move; where all are dormant the cloud gets nothing and stays."""
    cut = model(1, 3)
    before = whole(cut, 1)
    n = cut.fronts[0].parameters.size
    step = cut.step(batches(np.random.default_rng(7), [4, 0, 2]), [True, True, True])
    assert (step.tasks, step.dormant, step.cloud_loss) == (6, 6, 0.0)
    assert np.array_equal(cut.fronts[1].parameters, before[:n])
    assert np.array_equal(cut.back.parameters, before[n : n + cut.back.parameters.size])
    assert not np.array_equal(cut.fronts[0].parameters, before[:n])
    assert cut.traffic.maps == cut.traffic.labels == cut.traffic.gradients == 0
    assert cut.step(batches(np.random.default_rng(7), [0, 0, 0])) == (0, 0, 0.0, 0.0)
    assert cut.done.tolist() == [4, 0, 2]


@pytest.mark.parametrize(("split", "width"), list(itertools.product(range(4), (1, 2, 4))))
def test_bytes(split, width):
    """A map and a gradient of the tasks that are not dormant; no gradient of raw samples."""
    cut = model(split, 2, bytes_per_element=width, label_bytes=2)
    cut.step(batches(np.random.default_rng(8), [5, 9]), [False, True])
    assert cut.traffic.maps == 5 * SIZES[split] * width == 5 * cut.map_bytes
    assert cut.traffic.gradients == (cut.traffic.maps if split else 0)
    assert cut.traffic.labels == 10


def test_as_sent():
    """8 bit: 255 even steps from least to largest; 16 bit: half precision; else as it is."""
    values = np.random.default_rng(9).normal(size=(50, 8)).astype(np.float32)
    assert as_sent(values, 4) is values
    half, coarse = as_sent(values, 2), as_sent(values, 1)
    assert half.dtype == coarse.dtype == np.float32
    assert np.array_equal(half, values.astype(np.float16).astype(np.float32))
    assert len(np.unique(coarse)) <= 256
    assert np.abs(coarse - values).max() <= np.ptp(values) / 510 * 1.001
    assert (coarse.min(), coarse.max()) == pytest.approx((values.min(), values.max()))
    assert np.isfinite(as_sent(np.float32([1e6, -1e6]), 2)).all()
    assert as_sent(np.zeros((3, 2)), 1).tolist() == [[0, 0]] * 3


def test_cross_entropy():
    """Loss and slope by hand, and of scores that are far from each other."""
    losses, slope = cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), np.array([1, 0]))
    assert losses == pytest.approx([np.log(4 / 3), np.log(2)])
    assert slope == pytest.approx(np.array([[0.25, -0.25], [-0.5, 0.5]]))
    losses, slope = cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))
    assert losses == pytest.approx([1000.0])
    assert slope == pytest.approx(np.array([[1.0, -1.0]]))


def test_the_first_network_depends_on_the_seed_alone():
    """Neither the split nor the number of nodes changes what is drawn for the joined network."""
    n = Network(SIZES, np.random.default_rng(0)).parameters.size
    drawn = [whole(model(split, nodes))[:n] for split in range(4) for nodes in (1, 3)]
    assert all(np.array_equal(one, drawn[0]) for one in drawn)
    fronts = model(2, 4).fronts
    assert all(np.array_equal(front.parameters, fronts[0].parameters) for front in fronts)


def test_momentum_is_that_of_the_nets():
    """A node alone goes with its own velocity, the cloud with its."""
    cut = model(1, 1, exit_weight=0.0, cloud_weight=1.0, rate=0.05)
    joined = Network(SIZES, np.random.default_rng(0), np.float64)
    descent = Momentum(joined.parameters.size, 0.9, 1e-4, np.float64)
    for given in (batches(np.random.default_rng(s), [6]) for s in range(12)):
        cut.step(given)
        outputs = joined.forward(given[0][0])
        joined.backward(outputs, cross_entropy(outputs[-1], given[0][1])[1] / 6)
        descent.step(joined.parameters, joined.gradient, 0.05)
    n = joined.parameters.size
    assert whole(cut)[:n] == pytest.approx(joined.parameters, abs=1e-13)


@pytest.mark.parametrize("split", [-1, 4, 1.0, "front"])
def test_split_refused(split):
    """A split that does not exist is told with those that do."""
    with pytest.raises(ValueError, match=r"split must be one of 0\.\.3, got"):
        model(split)


def test_steps_refused():
    """A label that the network has no output for, too few batches, no node."""
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.3; entry 0 is 4"):
        model(1).step([(np.zeros((1, 12)), np.array([4]))])
    given = batches(np.random.default_rng(0), [2, 2])
    for wrong, dormant in ((given[:1], None), (given, [True])):
        with pytest.raises(ValueError, match="batches and dormant must be one a node, 2"):
            model(1, 2).step(wrong, dormant)
    with pytest.raises(ValueError, match="nodes must be at least 1"):
        model(1, 0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"steps": -1}, "steps must be an integer, at least 0"),
        ({"period": 0}, "period must be an integer, at least 1"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\)"),
        ({"decay": -1e-4}, "decay must be at least 0"),
        ({"exit_weight": 0, "cloud_weight": 0}, "nothing would be learnt"),
        ({"batch": (9, 8)}, "batch must be a least and a most number"),
        ({"poisson": -1.0}, "poisson must be at least 0"),
        ({"poisson": [1.0, np.nan]}, "poisson must be at least 0"),
        ({"bytes_per_element": 3}, "bytes_per_element must be 1, 2 or 4"),
        ({"exit_hidden": (0,)}, "exit_hidden must be positive numbers"),
    ],
)
def test_options_refused(option, message):
    """Every option has its range."""
    with pytest.raises(ValueError, match=message):
        LearningOptions(**option)


def test_rates():
    """A tenth from every milestone on."""
    options = LearningOptions(rate=0.1, milestones=(32_000, 48_000))
    rates = [options.rate_at(k) for k in (0, 31_999, 32_000, 48_000)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.001])
