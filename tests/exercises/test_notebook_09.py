"""Exercises of notebook 09: right answers, and those that are typically wrong."""

import numpy as np
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong


def aggregate(models, weights):
    """Give every node the weighted mean, if there is one."""
    if not weights.any():
        return models
    return np.tile(weights @ models / weights.sum(), (len(models), 1))


def plain(models, weights):
    """Forget the weights."""
    return np.tile(models.mean(axis=0), (len(models), 1))


def undivided(models, weights):
    """Forget to divide by their sum."""
    return np.tile(weights @ models, (len(models), 1))


def divided_by_nothing(models, weights):
    """Divide by 0 when nobody did a task."""
    with np.errstate(invalid="ignore"):
        return np.tile(weights @ models / weights.sum(), (len(models), 1))


def only_who_worked(models, weights):
    """Leave the models of those that did no task."""
    return np.where(weights[:, None] > 0, aggregate(models, weights), models)


def as_many_each(tasks, map_bytes, budget):
    """Let every node send as many maps, or all that it has."""
    low, high = 0.0, float(tasks.max())
    for _ in range(60):
        middle = (low + high) / 2
        fits = np.minimum(tasks, middle).sum() * map_bytes <= budget
        low, high = (middle, high) if fits else (low, middle)
    return 1 - np.minimum(tasks, low) / tasks


def busiest_first(tasks, map_bytes, budget):
    """Let the node with most tasks send what it can, then the next one."""
    shares, left = np.ones(len(tasks)), budget / map_bytes
    for u in np.argsort(-tasks):
        sent = min(left, tasks[u])
        shares[u], left = 1 - sent / tasks[u], left - sent
    return shares


def test_predictions():
    """Two local steps settle at 32/11, fifty at the mean of the targets; no split saves."""
    guess_right("09-p1", (32 / 11, 2))
    guess_right("09-p1", [2.91, 2.0])
    guess_wrong("09-p1", (3.2, 3.2), "it is 2.909090909, 2.0")
    guess_right("09-p2", [])
    guess_wrong("09-p2", [7, 13, 20], "it is []")
    guess_wrong("09-p2", 20, "it is []")


def test_shares():
    """0.625 for images of 224 x 224, nearly all for those of 32 x 32."""
    right("09-1", (0.625, 1 - 3072 / 401_408))
    right("09-1", [5 / 8, 0.9923])
    wrong("09-1", (0.375, 0.9923), "the first one, 0.375, is too small")
    wrong("09-1", (0.625, 1.0), "the second one, 1, is too large")
    wrong("09-1", 0.625, "an array of shape (2,) is expected")


def test_fixed_points():
    """32/11, and weight 3/2: pulls .36 and .96 become 1 to 4 again."""
    right("09-2", (32 / 11, 1.5))
    wrong("09-2", (3.2, 1.5), "the first one, 3.2, is too large")
    wrong("09-2", (2.4, 1.5), "the first one, 2.4, is too small")
    wrong("09-2", (32 / 11, 4), "with weights 1 and 4 it settles at 3.657, not at 3.2")
    wrong("09-2", (32 / 11, 1), "it settles at 2.909")
    wrong("09-2", (32 / 11, -1), "a weight above 0")
    wrong("09-2", (32 / 11, 0), "a weight above 0")


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_aggregate(seed):
    """All nodes get the weighted mean, or keep what they have if nobody did a task."""
    right("09-3", aggregate, seed)
    wrong("09-3", plain, "of node", seed)
    wrong("09-3", undivided, "of node 0 becomes", seed)
    wrong("09-3", divided_by_nothing, "is NaN", seed)
    wrong("09-3", only_who_worked, "; the weighted mean is", seed)
    wrong("09-3", lambda models, weights: weights @ models, "of shape", seed)
    wrong("09-3", lambda models, weights: aggregate(models, weights + 1), "node", seed)


@pytest.mark.parametrize("seed", seeds(8, 1))
def test_shares_under_a_budget(seed):
    """Maps of all nodes teach the cloud; those of two busy ones, or none, do not."""
    right("09-4", as_many_each, seed)
    wrong("09-4", busiest_first, "the cloud reaches 0.", seed)
    wrong("09-4", lambda tasks, size, budget: np.zeros(5), "are allowed", seed)


def test_shares_refused():
    """What is no share is told before anything is trained, and nothing sent teaches nothing."""
    wrong("09-4", lambda tasks, size, budget: np.full(5, 1.5), "shares lie in [0, 1], got [1.5")
    wrong("09-4", lambda tasks, size, budget: 0.6, "of shape (5,) is expected")
    wrong("09-4", lambda tasks, size, budget: np.ones(5), "the cloud reaches 0.")
