"""A small neural network in NumPy: fully connected layers, gradients by hand, Adam, momentum.

For networks of some thousand parameters a framework spends its time on overhead. Here all
parameters lie in one vector, so that an optimiser is a few operations on one array, a copy of a
network is a copy of one array, and a file holds it as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.kernels import kernel

Values = npt.NDArray[np.floating[Any]]


class Network:
    """Fully connected layers with ReLU between them and, unless asked for, none after the last.

    Parameters
    ----------
    sizes
        Numbers of inputs, of the neurons of each hidden layer, and of outputs.
    rng
        Draws weights and biases evenly from plus or minus one over the root of a layer's inputs.
    dtype
        ``float32`` by default; ``float64`` to check gradients.
    last_relu
        Whether the last layer has a ReLU too, as that of the first part of a longer network.

    Attributes
    ----------
    parameters, gradient
        Vectors of the same length. What :meth:`backward` finds stands in ``gradient``.

    Raises
    ------
    ValueError
        If there are less than two sizes, or one is below 1.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        *,
        last_relu: bool = False,
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must hold two or more positive numbers, got {list(sizes)}.")
        self.sizes = tuple(int(n) for n in sizes)
        shapes = list(itertools.pairwise(self.sizes))
        n = sum(a * b + b for a, b in shapes)
        self.parameters: Values = np.zeros(n, dtype=dtype)
        self.gradient: Values = np.zeros(n, dtype=dtype)
        self._rectified = len(shapes) if last_relu else len(shapes) - 1  # layers with a ReLU
        self._layers = _views(self.parameters, shapes)
        self._slopes = _views(self.gradient, shapes)
        for weights, biases in self._layers:
            reach = 1 / np.sqrt(len(weights))
            weights[:] = rng.uniform(-reach, reach, weights.shape)
            biases[:] = rng.uniform(-reach, reach, biases.shape)

    @property
    def last_layer(self) -> Values:
        """The parameters of the last layer, a view."""
        return self.parameters[-(self.sizes[-2] + 1) * self.sizes[-1] :]

    def forward(self, x: Values) -> list[Values]:
        """Return the input and what each layer puts out, the network's output last.

        Parameters
        ----------
        x
            A row a sample, ``(rows, sizes[0])``.
        """
        outputs = [x]
        for weights, biases in self._layers:
            y = outputs[-1] @ weights
            y += biases
            if len(outputs) <= self._rectified:
                np.maximum(y, 0, out=y)
            outputs.append(y)
        return outputs

    def backward(self, outputs: Sequence[Values], slope: Values) -> None:
        """Fill ``gradient``, given what :meth:`forward` returned and the slope of its output.

        Parameters
        ----------
        outputs
            Of the same samples.
        slope
            Derivative of the loss by the network's output, ``(rows, sizes[-1])``.
        """
        self._back(outputs, slope)

    def backward_to_input(self, outputs: Sequence[Values], slope: Values) -> Values:
        """Do as :meth:`backward`, and return the loss's derivative by the network's input."""
        return self._back(outputs, slope) @ self._layers[0].weights.T

    def _back(self, outputs: Sequence[Values], slope: Values) -> Values:
        """Fill ``gradient``; return the derivative by what the first layer sums up."""
        if self._rectified == len(self._layers):
            slope = slope * (outputs[-1] > 0)
        ones = np.ones(len(slope), dtype=slope.dtype)
        for k in range(len(self._layers) - 1, -1, -1):
            weights, biases = self._slopes[k]
            np.matmul(outputs[k].T, slope, out=weights)
            np.matmul(ones, slope, out=biases)  # quicker than a sum down the columns
            if k > 0:
                slope = slope @ self._layers[k][0].T
                slope *= outputs[k] > 0
        return slope


class _Layer(NamedTuple):
    weights: Values
    biases: Values


def _views(vector: Values, shapes: Sequence[tuple[int, int]]) -> list[_Layer]:
    """Return weights (inputs, neurons) and biases of each layer, in one vector."""
    layers, at = [], 0
    for a, b in shapes:
        weights = vector[at : at + a * b].reshape(a, b)
        layers.append(_Layer(weights, vector[at + a * b : at + a * b + b]))
        at += a * b + b
    return layers


class Adam:
    """Adam on one vector of parameters, in place.

    Parameters
    ----------
    size
        Number of parameters.
    first, second
        Decay of the mean of gradients and of their squares.
    dtype
        Of the parameters.

    References
    ----------
    Kingma and Ba, ICLR 2015, algorithm 1, with the small number 1e-8.
    """

    def __init__(
        self,
        size: int,
        first: float = 0.9,
        second: float = 0.999,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.steps = 0
        self.mean: Values = np.zeros(size, dtype=dtype)
        self.square: Values = np.zeros(size, dtype=dtype)
        self._first, self._second = first, second
        # Its square is still a normal number.
        self._nothing = self.mean.dtype.type(10 * np.sqrt(np.finfo(self.mean.dtype).tiny))

    def step(self, parameters: Values, gradient: Values, rate: float) -> None:
        """Move ``parameters`` against ``gradient`` with the learning rate ``rate``."""
        self.steps += 1
        first = (1 - self._first) / (1 - self._first**self.steps)
        second = np.sqrt((1 - self._second) / (1 - self._second**self.steps))
        kind = self.mean.dtype.type
        _descend(
            parameters,
            gradient,
            self.mean,
            self.square,
            kind(self._first),
            kind(self._second),
            kind(rate * first / second),
            kind(1e-8 / second),
            self._nothing,
        )


class Momentum:
    """Stochastic gradient descent with momentum and weight decay, in place.

    Parameters
    ----------
    size
        Number of parameters.
    momentum
        Share of the last step's velocity that is kept.
    decay
        Weight decay: this times the parameters is added to the gradient.
    dtype
        Of the parameters.

    Notes
    -----
    The velocity is ``v = momentum * v + gradient + decay * parameters`` and a step goes
    ``-rate * v``: as in the training of residual networks, a new rate acts at once.
    """

    def __init__(
        self,
        size: int,
        momentum: float = 0.9,
        decay: float = 0.0,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.velocity: Values = np.zeros(size, dtype=dtype)
        self._momentum, self._decay = momentum, decay

    def step(self, parameters: Values, gradient: Values, rate: float) -> None:
        """Move ``parameters`` against ``gradient`` with the learning rate ``rate``."""
        self.velocity *= self._momentum
        self.velocity += gradient
        if self._decay:
            self.velocity += self._decay * parameters
        parameters -= rate * self.velocity


@kernel
def _descend(
    parameters: Values,
    gradient: Values,
    mean: Values,
    square: Values,
    first: Any,
    second: Any,
    rate: Any,
    small: Any,
    nothing: Any,
) -> None:
    """Renew both means and go a step; the means lack their factor one minus decay."""
    for i in range(parameters.size):
        # What is added is nothing beside a gradient, but where there is none the means would fall
        # to numbers so small that processors take ten times as long for them.
        slope = gradient[i] + nothing
        mean[i] = first * mean[i] + slope
        square[i] = second * square[i] + slope * slope
        parameters[i] -= rate * mean[i] / (np.sqrt(square[i]) + small)
