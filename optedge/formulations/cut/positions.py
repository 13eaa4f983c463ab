"""Cuts at cut vertices: everything up to a layer on one tier, everything after it beyond."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


def clean_places(problem: CutProblem) -> IntArray:
    """Return the layers after which the network may be cut clean: cut vertices, and the end.

    On a chain these are all layers.
    """
    return np.array(sorted({*problem.cut_vertices, problem.n_layers - 1}))


def count_clean_cuts(problem: CutProblem) -> int:
    """Return how many rows :func:`clean_cuts` has."""
    return math.comb(len(clean_places(problem)) + problem.n_tiers - 2, problem.n_tiers - 1)


def some_cuts(problem: CutProblem) -> FloatArray:
    """Return the values of some plans, edge-only among them, such as those with one clean cut."""
    places, layers = clean_places(problem), np.arange(problem.n_layers)
    beyond = layers > places[:, None]
    tiers = range(1, problem.n_tiers)
    return np.concatenate([problem.values(np.where(beyond, k, 0)) for k in tiers])


def clean_cuts(problem: CutProblem) -> IntArray:
    """Return every plan whose tiers change at clean places only, shape ``(k, n_layers)``.

    The plans with the earliest cut come first: cloud-only at the beginning, edge-only at the end.
    """
    hops = problem.n_tiers - 1
    cuts = itertools.combinations_with_replacement(clean_places(problem).tolist(), hops)
    places = np.array(list(cuts))
    layers = np.arange(problem.n_layers)
    plans: IntArray = (layers > places[:, :, None]).sum(axis=1)
    return plans
