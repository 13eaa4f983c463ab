"""A network cut in two: fronts at the nodes, the back in the cloud, an exit head at the master.

A node runs the layers up to the split and sends their map, with the labels. The cloud finishes,
finds the loss, goes back through its layers, and returns the derivative of the loss by the map,
from which the node goes back through its own. The exit head of the master, which is near, answers
from the same map.

Source: Xu et al. 2020, section 3 and eqs. (5)-(7).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.learning.averaging import aggregate
from optedge.learning.data import IntArray, Samples, check_labels
from optedge.learning.options import LearningOptions
from optedge.nets import Momentum, Network, Values


class Identity:
    """A part without layers: what goes in comes out."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.parameters: Values = np.zeros(0, dtype=dtype)
        self.gradient: Values = np.zeros(0, dtype=dtype)

    def forward(self, x: Values) -> list[Values]:
        """Return the input, which is the output."""
        return [x]

    def backward(self, outputs: Sequence[Values], slope: Values) -> None:
        """Find the gradient of no parameters."""

    def backward_to_input(self, outputs: Sequence[Values], slope: Values) -> Values:
        """Return the slope as it is."""
        return slope


Part = Network | Identity


@dataclasses.dataclass
class Traffic:
    """What went over the link to the cloud, and near it, in byte.

    Parameters
    ----------
    maps, labels
        Sent up.
    gradients
        Sent down.
    averaging
        Fronts sent to the master and back, within the edge.
    """

    maps: float = 0.0
    labels: float = 0.0
    gradients: float = 0.0
    averaging: float = 0.0


class Step(NamedTuple):
    """What happened in a step: tasks, dormant ones among them, sums of both losses over tasks."""

    tasks: int
    dormant: int
    exit_loss: float
    cloud_loss: float


class SplitModel:
    """A fully connected network with ReLU, cut behind some layer, and what trains it.

    Parameters
    ----------
    sizes
        Numbers of inputs, of the neurons of each hidden layer, and of classes.
    split
        Layers that the nodes run, 0..N for N layers. At 0 raw samples are sent; at N the class
        scores are, and the cloud finds no more than the loss.
    nodes
        Number of nodes.
    rng
        Draws the parameters of the joined network, then those of the exit head; neither split nor
        nodes change what it draws.
    options
        See :class:`~optedge.learning.LearningOptions`.
    dtype
        Of the parameters; ``float64`` to check gradients.

    Attributes
    ----------
    fronts, back, exit
        The parts; all fronts start alike.
    done
        Tasks of each node since the last averaging, the weights of the next one.
    traffic
        Byte so far.

    Raises
    ------
    ValueError
        If the split does not exist, or a size is below 1.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        split: int,
        nodes: int,
        rng: np.random.Generator,
        options: LearningOptions | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        joined = Network(sizes, rng, dtype)
        self.sizes, self.n_layers = joined.sizes, len(joined.sizes) - 1
        if not isinstance(split, int | np.integer) or not 0 <= split <= self.n_layers:
            raise ValueError(f"split must be one of 0..{self.n_layers}, got {split!r}.")
        if nodes < 1:
            raise ValueError(f"nodes must be at least 1, got {nodes}.")
        self.split, self.options = int(split), options or LearningOptions()
        self.fronts = [self._part(0, self.split, dtype) for _ in range(nodes)]
        self.back = self._part(self.split, self.n_layers, dtype)
        self.exit = Network((self.map_size, *self.options.exit_hidden, self.n_classes), rng, dtype)
        at = self.fronts[0].parameters.size
        for front in self.fronts:
            front.parameters[:] = joined.parameters[:at]
        self.back.parameters[:] = joined.parameters[at:]
        kinds = (*self.fronts, self.back, self.exit)
        self._descents = [
            Momentum(part.parameters.size, self.options.momentum, self.options.decay, dtype)
            for part in kinds
        ]
        self.done: IntArray = np.zeros(nodes, dtype=np.int64)
        self.traffic = Traffic()

    def _part(self, first: int, last: int, dtype: npt.DTypeLike) -> Part:
        if first == last:
            return Identity(dtype)
        blank = np.random.default_rng(0)  # overwritten by the parameters of the joined network
        sizes = self.sizes[first : last + 1]
        return Network(sizes, blank, dtype, last_relu=last < self.n_layers)

    @property
    def map_size(self) -> int:
        """Numbers in the map of one sample."""
        return self.sizes[self.split]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.sizes[-1]

    @property
    def map_bytes(self) -> int:
        """Byte of the map of one sample as it is sent."""
        return self.map_size * self.options.bytes_per_element

    # ------------------------------------------------------------------------- learning

    def step(
        self,
        batches: Sequence[tuple[Samples, IntArray]],
        dormant: Sequence[bool] | npt.NDArray[np.bool_] | None = None,
        rate: float | None = None,
    ) -> Step:
        """Let every node do its tasks of one step; cloud and exit learn from all of them together.

        Parameters
        ----------
        batches
            Samples and labels of each node; a node without any rests.
        dormant
            Whether the tasks of a node stay at the edge; none do if left out.
        rate
            Learning rate, the first one of the options if left out.

        Notes
        -----
        The loss is the mean of a F_e + b F_c over all tasks of the step, F_c being 0 for the
        dormant ones; a front goes down the mean over the tasks of its node. Whoever has seen no
        task does not move.
        """
        rate = self.options.rate if rate is None else rate
        counts = np.array([len(y) for _, y in batches])
        asleep = np.zeros(len(counts), bool) if dormant is None else np.asarray(dormant, bool)
        if not len(counts) == len(asleep) == len(self.fronts):
            raise ValueError(
                f"batches and dormant must be one a node, {len(self.fronts)}, "
                f"got {len(counts)} and {len(asleep)}."
            )
        busy = np.flatnonzero(counts).tolist()
        if not busy:
            return Step(0, 0, 0.0, 0.0)
        awake = np.repeat(~asleep[busy], counts[busy])
        losses = self._learn(busy, [batches[u] for u in busy], awake, rate)
        self.done += counts
        return Step(int(counts.sum()), int(counts[asleep].sum()), *losses)

    def _learn(
        self,
        nodes: Sequence[int],
        batches: Sequence[tuple[Samples, IntArray]],
        awake: npt.NDArray[np.bool_],
        rate: float,
    ) -> tuple[float, float]:
        """Let the nodes, the exit head and the cloud go a step; return the sums of the losses."""
        dtype = self.exit.parameters.dtype
        labels = np.concatenate([y for _, y in batches])
        check_labels(labels, self.n_classes, "labels")
        runs = [
            self.fronts[u].forward(np.asarray(x, dtype))
            for u, (x, _) in zip(nodes, batches, strict=True)
        ]
        maps = np.concatenate([run[-1] for run in runs])
        slope, exit_loss = self._learn_exit(maps, labels, rate)
        cloud_loss = 0.0
        if awake.any():
            rows = slice(None) if awake.all() else awake  # a view where all are
            more, cloud_loss = self._learn_back(maps[rows], labels[rows], len(labels), rate)
            slope[rows] += more
        at = 0
        for u, run in zip(nodes, runs, strict=True):
            n = len(run[0])
            self.fronts[u].backward(run, slope[at : at + n] / n)
            self._move(self.fronts[u], self._descents[u], rate)
            at += n
        return exit_loss, cloud_loss

    def _learn_exit(self, maps: Values, labels: IntArray, rate: float) -> tuple[Values, float]:
        """Move the exit head; return the slope of a F_e by the map of each task, and its loss."""
        outputs = self.exit.forward(maps)
        losses, slope = cross_entropy(outputs[-1], labels)
        slope *= self.options.exit_weight / len(labels)
        back = self.exit.backward_to_input(outputs, slope)
        self._move(self.exit, self._descents[-1], rate)
        return back * len(labels), float(losses.sum())

    def _learn_back(
        self, maps: Values, labels: IntArray, tasks: int, rate: float
    ) -> tuple[Values, float]:
        """Send maps and labels up, move the back; return the slope of b F_c sent down, and F_c.

        The mean goes over all tasks of the step, so that a cloud that sees few of them, perhaps of
        few classes, takes small steps.
        """
        n, width = len(labels), self.options.bytes_per_element
        self.traffic.maps += maps.size * width
        self.traffic.labels += n * self.options.label_bytes
        outputs = self.back.forward(as_sent(maps, width))
        losses, slope = cross_entropy(outputs[-1], labels)
        slope *= self.options.cloud_weight / tasks
        back = self.back.backward_to_input(outputs, slope)
        self._move(self.back, self._descents[-2], rate)
        if self.split:  # nobody waits for the derivative by a raw sample
            self.traffic.gradients += maps.size * width
        return as_sent(back * tasks, width), float(losses.sum())

    @staticmethod
    def _move(part: Part, descent: Momentum, rate: float) -> None:
        if part.parameters.size:
            descent.step(part.parameters, part.gradient, rate)

    def average(self) -> IntArray:
        """Give every node the mean front, eq. (6); return the weights: the tasks done by each.

        Without any task the fronts stay as they are. Velocities stay with their nodes.
        """
        weights = self.done.copy()
        mean = self.mean_front()
        if weights.any() and mean.size:
            for front in self.fronts:
                front.parameters[:] = mean
            self.traffic.averaging += 2 * mean.nbytes * len(self.fronts)
        self.done[:] = 0
        return weights

    def mean_front(self) -> Values:
        """Return the parameters that averaging now would give; those of node 0 without tasks."""
        mean = aggregate([front.parameters for front in self.fronts], self.done)
        return self.fronts[0].parameters if mean is None else mean

    # ------------------------------------------------------------------------- answering

    def scores(self, x: Samples) -> tuple[Values, Values]:
        """Return the class scores of the exit head and of the cloud, ``(rows, n_classes)`` each.

        The front is the mean one; maps reach the cloud as they are sent.
        """
        front = self._part(0, self.split, self.exit.parameters.dtype)
        front.parameters[:] = self.mean_front()
        maps = front.forward(np.asarray(x, self.exit.parameters.dtype))[-1]
        sent = as_sent(maps, self.options.bytes_per_element)
        return self.exit.forward(maps)[-1], self.back.forward(sent)[-1]


def cross_entropy(scores: Values, labels: IntArray) -> tuple[Values, Values]:
    """Return the loss of each row, minus the logarithm of its label's share, and its slope."""
    shares = scores - scores.max(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    own = shares[rows, labels]
    np.exp(shares, out=shares)
    sums = shares.sum(axis=1)
    shares /= sums[:, None]
    shares[rows, labels] -= 1
    return np.log(sums) - own, shares


def as_sent(values: Values, bytes_per_element: int) -> Values:
    """Return numbers as they arrive when each takes 1, 2 or 4 byte on the way."""
    if bytes_per_element == 4 or not values.size:
        return values
    if bytes_per_element == 2:
        largest = np.finfo(np.float16).max
        return np.clip(values, -largest, largest).astype(np.float16).astype(values.dtype)
    low, high = float(values.min()), float(values.max())
    if high == low:
        return values
    unit = (high - low) / 255
    rounded: npt.NDArray[np.floating[Any]] = np.round((values - low) / unit) * unit + low
    return rounded.astype(values.dtype)
