"""The small network: gradients against differences, descents against their algorithms."""

import numpy as np
import pytest

from optedge.nets import Adam, Momentum, Network


@pytest.mark.parametrize("sizes", [(3, 2), (1, 1), (4, 5, 3), (6, 8, 1, 2), (2, 7, 5, 4, 3)])
def test_gradient_against_differences(sizes):
    """Every weight and bias of every layer, for a loss that is not linear in the output."""
    rng = np.random.default_rng(sum(sizes))
    net = Network(sizes, rng, np.float64)
    x, goal = rng.normal(size=(5, sizes[0])), rng.normal(size=(5, sizes[-1]))

    def loss():
        return float(((net.forward(x)[-1] - goal) ** 2).sum())

    outputs = net.forward(x)
    net.gradient[:] = np.nan  # what stood there must not matter
    net.backward(outputs, 2 * (outputs[-1] - goal))
    differences = []
    for k in range(net.parameters.size):
        kept, ends = net.parameters[k], []
        for step in (1e-6, -1e-6):
            net.parameters[k] = kept + step
            ends.append(loss())
        net.parameters[k] = kept
        differences.append((ends[0] - ends[1]) / 2e-6)
    assert net.gradient == pytest.approx(differences, rel=1e-6, abs=1e-7)
    assert np.count_nonzero(net.gradient) > 0


@pytest.mark.parametrize("last_relu", [False, True])
@pytest.mark.parametrize("sizes", [(3, 2), (4, 5, 3)])
def test_gradient_by_the_input(sizes, last_relu):
    """The derivative by every input, and by the parameters behind a ReLU of the last layer."""
    rng = np.random.default_rng(5)
    net = Network(sizes, rng, np.float64, last_relu=last_relu)
    x, goal = rng.normal(size=(6, sizes[0])), rng.normal(size=(6, sizes[-1]))

    def differences(vector):
        found = []
        for k in range(vector.size):
            kept, ends = vector[k], []
            for step in (1e-6, -1e-6):
                vector[k] = kept + step
                ends.append(float(((net.forward(x)[-1] - goal) ** 2).sum()))
            vector[k] = kept
            found.append((ends[0] - ends[1]) / 2e-6)
        return found

    outputs = net.forward(x)
    assert (outputs[-1].min() < 0) == (not last_relu)
    slope = 2 * (outputs[-1] - goal)
    given = slope.copy()
    by_input = net.backward_to_input(outputs, slope)
    assert np.array_equal(slope, given)  # the caller's slope is left as it was
    assert by_input.ravel() == pytest.approx(differences(x.reshape(-1)), rel=1e-6, abs=1e-7)
    assert net.gradient == pytest.approx(differences(net.parameters), rel=1e-6, abs=1e-7)


def test_layers_by_hand():
    """Weights (inputs, neurons), then biases, layer by layer; ReLU between, the last one linear."""
    net = Network((2, 2, 1), np.random.default_rng(0), np.float64)
    net.parameters[:] = [1, -1, 2, 1, 0.5, 0, 3, 4, -9]
    hidden, out = net.forward(np.array([[1.0, 1.0], [0.0, -1.0], [-1.0, 1.0]]))[1:]
    assert hidden.tolist() == [[3.5, 0], [0, 0], [1.5, 2]]
    assert out.ravel().tolist() == [1.5, -9, 3.5]


def test_last_layer_is_a_view():
    """Set to zero, the output is; the layers before stay."""
    net = Network((3, 4, 2), np.random.default_rng(1))
    before = net.parameters.copy()
    assert net.last_layer.size == 5 * 2
    net.last_layer[:] = 0.0
    assert np.array_equal(net.parameters[:16], before[:16])
    assert not net.forward(np.ones((2, 3), np.float32))[-1].any()


def test_first_parameters():
    """Within one over the root of a layer's inputs, of the type asked for; a seed gives them."""
    nets = [Network((100, 400, 4), np.random.default_rng(s)) for s in (7, 7, 8)]
    first, last = nets[0].parameters[: 101 * 400], nets[0].last_layer
    assert nets[0].parameters.dtype == np.float32
    assert 0.099 < np.abs(first).max() <= 0.1
    assert 0.049 < np.abs(last).max() <= 0.05
    assert abs(first.mean()) < 1e-3
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    assert not np.array_equal(nets[0].parameters, nets[2].parameters)


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0), (0, 2), (3, -1, 2)])
def test_sizes_refused(sizes):
    """A network has inputs and outputs."""
    with pytest.raises(ValueError, match="sizes must hold two or more positive numbers"):
        Network(sizes, np.random.default_rng(0))


@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_adam_against_its_algorithm(dtype, close):
    """Means with their bias corrected, step by step, gradients of very different size."""
    rng, adam = np.random.default_rng(3), Adam(4, 0.8, 0.99, dtype)
    x = np.array([1.0, -2.0, 0.5, 3.0])
    moved, m, v = x.astype(dtype), np.zeros(4), np.zeros(4)
    for t in range(1, 60):
        g = rng.normal(size=4) * [1e-7, 1e-3, 1, 1e3]
        m, v = 0.8 * m + 0.2 * g, 0.99 * v + 0.01 * g * g
        x = x - 0.01 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
        adam.step(moved, g.astype(dtype), 0.01)
    assert adam.steps == 59
    assert moved.dtype == dtype
    assert moved == pytest.approx(x, rel=close, abs=close)


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_momentum_against_its_algorithm(decay):
    """Velocity with decay, a new rate acting at once."""
    rng, descent = np.random.default_rng(4), Momentum(3, 0.8, decay, np.float64)
    x, v = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    moved = x.copy()
    for t in range(30):
        g, rate = rng.normal(size=3), 0.1 if t < 15 else 0.01
        v = 0.8 * v + g + decay * x
        x = x - rate * v
        descent.step(moved, g, rate)
    assert moved == pytest.approx(x, abs=1e-14)
