"""Cuts at clean places: everything up to a layer on one tier, everything after it beyond."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem

BLOCK = 1 << 16  # cuts that are valued at a time


def clean_places(problem: CutProblem) -> IntArray:
    """Return the layers after which the network may be cut clean: cut vertices, and the end.

    On a chain these are all layers.
    """
    return np.array(sorted({*problem.cut_vertices, problem.n_layers - 1}))


def count_clean_cuts(problem: CutProblem) -> int:
    """Return how many clean cuts there are: a place for each hop, none before the one before."""
    return math.comb(len(clean_places(problem)) + problem.n_tiers - 2, problem.n_tiers - 1)


def clean_cuts(problem: CutProblem, block: int = BLOCK) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield all clean cuts in blocks: their places ``(k, n_hops)`` and values ``(k,)``.

    Those with the earliest cut come first: cloud-only at the beginning, edge-only at the end.
    """
    hops = problem.n_tiers - 1
    every = itertools.combinations_with_replacement(clean_places(problem).tolist(), hops)
    while found := list(itertools.islice(every, block)):
        places = np.array(found)
        yield places, place_values(problem, places)


def place_values(problem: CutProblem, places: IntArray) -> FloatArray:
    """Return the objective of cuts given by the last layer before each hop, in O(1) each."""
    tiers, last = problem.n_tiers, problem.n_layers - 1
    until = np.concatenate([np.zeros((tiers, 1)), np.cumsum(problem.times, axis=1)], axis=1)
    ends = np.column_stack([np.full(len(places), -1), places, np.full(len(places), last)]) + 1
    busy = [until[k, ends[:, k + 1]] - until[k, ends[:, k]] for k in range(tiers)]
    sent = [np.where(p < last, problem.sends[k, p], 0.0) for k, p in enumerate(places.T)]
    stages = np.array(busy + sent)
    return np.asarray(stages.sum(axis=0) if problem.goal == "latency" else stages.max(axis=0))


def plans_of(problem: CutProblem, places: IntArray) -> IntArray:
    """Return the tiers of cuts given by their places ``(k, n_hops)``, ``(k, n_layers)``."""
    layers = np.arange(problem.n_layers)
    plans: IntArray = (layers > places[:, :, None]).sum(axis=1)
    return plans


def best_single_cut(problem: CutProblem) -> IntArray:
    """Return the best plan that is cut once and clean, whatever the tiers; edge-only is one."""
    places, last = clean_places(problem), problem.n_layers - 1
    every = np.concatenate(
        [
            np.where(np.arange(problem.n_tiers - 1) < k, places[:, None], last)
            for k in range(1, problem.n_tiers)
        ]
    )
    best = int(np.argmin(place_values(problem, every)))
    plan: IntArray = plans_of(problem, every[best : best + 1])[0]
    return plan
