"""Exercises of notebook 09, what averaging models optimises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge import learning
from optedge.exercises.answers import Refused, guessed, same, vector
from optedge.exercises.drawing import fewer
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import FloatArray
from optedge.papers.cloud_edge.splits import SPLITS
from optedge.papers.cloud_edge.uploads import RAW, dormant_share, map_bytes

CURVATURES, TARGETS, RATE = (1.0, 4.0), (0.0, 4.0), 0.2  # the two nodes of the notebook
CIFAR = 32 * 32 * 3.0  # byte of an image as the data set has it
NODES, STEPS, SEEDS = 5, 300, (0, 1, 2)
BUDGET = 0.4  # of what would be sent if nobody were dormant
CLOSE = 0.03  # how far below the exit head the cloud may stay


def settles(period: int, weights: tuple[float, float] = (1.0, 1.0)) -> float:
    """Return where averaging of the two nodes settles."""
    return learning.fixed_point(CURVATURES, TARGETS, rate=RATE, period=period, weights=weights)


@prediction("09-p1")
def where_it_settles(guess: Any) -> str:
    """Guess where the average settles, with 2 and with 50 steps between averagings."""
    return guessed(guess, settles(2), settles(50))


@prediction("09-p2")
def splits_that_save(guess: Any) -> str:
    """Guess at which of the published splits a float32 map has less byte than the image."""
    return guessed(guess, [split for split in SPLITS.values() if map_bytes(split) < RAW])


@exercise("09-1")
def dormant_shares(answer: Any) -> str:
    """Find the dormant shares at which split 13 sends as much as images, large and as they are."""
    found = vector(answer, (2,))
    truths = (dormant_share(13), dormant_share(13, raw=CIFAR))
    for value, truth, which in zip(found, truths, ("first", "second"), strict=True):
        if not same(value, truth, 1e-3):
            return f"the {which} one, {value:g}, is too {'large' if value > truth else 'small'}"
    return ""


@exercise("09-2", points=2)
def settled_and_mended(answer: Any) -> str:
    """Find where tau = 2 settles, and the weight of the steep node that brings 3.2 back."""
    settled, weight = vector(answer, (2,))
    truth = settles(2)
    if not same(settled, truth, 1e-3):
        size = "large" if settled > truth else "small"
        return f"the first one, {settled:g}, is too {size}"
    if not weight > 0:
        raise Refused(f"the second one is a weight above 0, got {weight:g}")
    mended = settles(2, (1.0, float(weight)))
    if not same(mended, settles(1), 1e-3):
        return f"with weights 1 and {weight:g} it settles at {mended:.4g}, not at {settles(1):g}"
    return ""


@dataclasses.dataclass(frozen=True, eq=False)
class Round:
    """What nodes have before an averaging: a row of parameters each, and the tasks they did."""

    models: FloatArray  # (n_nodes, n_parameters)
    weights: FloatArray


def rounds(rng: np.random.Generator, size: int) -> Round:
    """Draw up to five nodes; some did no task, at times none did, at times all models are equal."""
    n, d = int(rng.integers(1, 3 + min(size // 4, 3))), int(rng.integers(1, 2 + min(size // 3, 3)))
    models = rng.integers(-9, 10, (n, d)).astype(float)
    weights = (rng.integers(1, 10, n) * (rng.random(n) < 0.7)).astype(float)
    if size % 4 == 0:
        weights[:] = 0
    if size % 5 == 0:
        models[:] = models[0] / 7
    return Round(models, weights)


def smaller_rounds(r: Round) -> Iterator[Round]:
    """List the rounds with fewer nodes, fewer parameters, or a weight of 1."""
    n, d = r.models.shape
    for kept in fewer(n):
        yield Round(r.models[kept], r.weights[kept])
    for kept in fewer(d):
        yield Round(r.models[:, kept], r.weights)
    for u in np.flatnonzero(r.weights > 1).tolist():
        yield Round(r.models, np.where(np.arange(n) == u, 1.0, r.weights))


@exercise("09-3", draw=rounds, smaller=smaller_rounds, points=2)
def averaged(answer: Callable[..., Any], r: Round) -> str:
    """Write aggregate(models, weights): the models of all nodes after the averaging."""
    found = vector(answer(r.models, r.weights), r.models.shape)
    mean = learning.aggregate(r.models, r.weights)
    truth = r.models if mean is None else np.broadcast_to(np.asarray(mean), r.models.shape)
    wrong = np.argwhere(~np.isclose(found, truth, rtol=1e-6, atol=1e-6))
    if not wrong.size:
        return ""
    u, k = wrong[0].tolist()
    told = "nobody did a task, and it stays" if mean is None else "the weighted mean is"
    return f"parameter {k} of node {u} becomes {found[u, k]:g}; {told} {truth[u, k]:g}"


@dataclasses.dataclass(frozen=True, eq=False)
class Fleet:
    """Nodes of unequal work that know two classes each, and a budget."""

    data: learning.Data
    rates: tuple[float, ...]  # tasks a step
    map_bytes: float
    budget: float  # byte of all maps

    @property
    def tasks(self) -> FloatArray:
        """The tasks of each node in the whole training, in the mean."""
        return STEPS * np.array(self.rates)

    def accuracy(self, shares: FloatArray) -> tuple[float, float]:
        """Return the accuracies of the exit head and of the cloud, means over seeds."""
        found = []
        for seed in SEEDS:
            given: dict[str, Any] = {"poisson": self.rates, "steps": STEPS, "seed": seed}
            run = learning.train(
                self.data,
                (16, 32),
                nodes=NODES,
                shares="sorted",
                dormancy=shares.tolist(),
                **given,
            )
            tested = learning.measure(run.model, self.data.x_test, self.data.y_test)
            found.append((tested.exit, tested.cloud))
        by_exit, by_cloud = np.mean(found, axis=0).tolist()
        return by_exit, by_cloud


def fleets(rng: np.random.Generator, size: int) -> Fleet:
    """Draw clouds of ten classes, and who works how much."""
    data = learning.prototypes(int(rng.integers(10**6)), n=800)
    rates = tuple(rng.permutation([2.0, 4.0, 8.0, 16.0, 32.0]).tolist())
    map_bytes = 4.0 * 16
    return Fleet(data, rates, map_bytes, BUDGET * map_bytes * STEPS * sum(rates))


@exercise("09-4", draw=fleets, trials=1, points=4)
def own_shares(answer: Callable[..., Any], f: Fleet) -> str:
    """Write shares(tasks, map_bytes, budget): a dormant share a node, so that the cloud learns."""
    shares = vector(answer(f.tasks, f.map_bytes, f.budget), (NODES,))
    if (shares < 0).any() or (shares > 1).any():
        raise Refused(f"shares lie in [0, 1], got {np.round(shares, 3).tolist()}")
    sent = float(f.tasks @ (1 - shares)) * f.map_bytes
    if sent > f.budget * (1 + 1e-9):
        return f"{sent:.0f} byte are sent in the mean, {f.budget:.0f} are allowed"
    by_exit, _ = f.accuracy(np.ones(NODES))
    _, by_cloud = f.accuracy(shares)
    if by_cloud >= by_exit - CLOSE:
        return ""
    return (
        f"the cloud reaches {by_cloud:.3f}; where nothing is sent, the exit head has {by_exit:.3f}"
    )
