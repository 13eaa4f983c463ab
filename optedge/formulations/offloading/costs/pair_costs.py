"""Delay, energy and cost of a layer on each pair of servers, and how they are standardised."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.offloading.costs.weighting import Weighting
    from optedge.formulations.offloading.derived import DerivedData

SAME = 1e-12  # relative difference of the largest and the least value of what does not vary


class Indicators(NamedTuple):
    """One indicator of all pairs; ``inf`` where a pair is not allowed."""

    entry: FloatArray  # (n_tasks, S), of the first layer, read from the client
    edge: FloatArray  # (n_edges, S, S), of the layer that is read by, its execution included
    run: FloatArray  # (n_subtasks, S), of the execution alone

    def map(self, shift: float, scale: float) -> Indicators:
        """Return (X - shift) / scale everywhere; 0 if ``scale`` is."""
        if scale == 0:
            return Indicators(*(np.where(np.isfinite(x), 0.0, np.inf) for x in self))
        return Indicators(*((x - shift) / scale for x in self))


class Pairs(NamedTuple):
    """Delay (s), energy (J) and cost ($) of all pairs, and how each is standardised."""

    raw: tuple[Indicators, Indicators, Indicators]
    standards: tuple[tuple[float, float], ...]  # shift and scale; a scale of 0: it does not vary


def measure(problem: DerivedData) -> Pairs:
    """Return the indicators of all pairs, without waiting."""
    w = weighting_of(problem)
    raw = _indicators(problem, w)
    if w.standards is not None:
        shifts, scales = w.standards[::2], w.standards[1::2]
        return Pairs(raw, tuple(zip(shifts, scales, strict=True)))
    return Pairs(raw, tuple(_standard(w, x) for x in raw))


def _indicators(problem: DerivedData, w: Weighting) -> tuple[Indicators, Indicators, Indicators]:
    run = np.where(problem.allowed, problem.seconds, np.inf)
    v, u = problem.edges.T  # v is read by u
    first, home = problem.first, problem.clients
    into = sending(problem, problem.inputs_mb[:, None], home)
    sent = sending(problem, problem.outputs_mb[v, None, None], slice(None))
    sent = sent + np.where(problem.allowed[v], 0.0, np.inf)[:, :, None]
    entries = spent(problem, w, into, problem.inputs_mb[:, None], home, run[first])
    edges = spent(
        problem, w, sent, problem.outputs_mb[v, None, None], slice(None), run[u][:, None, :]
    )
    alone = spent(problem, w, np.zeros_like(run), np.zeros((1, 1)), np.zeros(1, np.int64), run)
    delay, energy, cost = (Indicators(*x) for x in zip(entries, edges, alone, strict=True))
    return delay, energy, cost


def sending(problem: DerivedData, size_mb: FloatArray, a: IntArray | slice) -> FloatArray:
    """Return the seconds that sizes travel from servers ``a``; ``inf`` without a connection."""
    pace = problem.seconds_per_mb[a]
    return np.asarray(np.where(np.isfinite(pace), _times(size_mb, pace), np.inf))


def spent(
    problem: DerivedData,
    w: Weighting,
    sent: FloatArray,
    size_mb: FloatArray,
    a: IntArray | slice,
    run: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return delay, energy and cost of what travels from servers ``a``, then runs."""
    is_client = problem.tiers == 0
    watt = np.where(is_client, w.client_watt, w.idle_watt)
    radio = np.where(is_client[:, None] != is_client, w.radio_watt, 0.0)
    hourly, per_gb = np.zeros(problem.n_servers), np.zeros_like(radio)
    if problem.price_per_hour is not None:
        hourly = problem.price_per_hour
    if problem.price_per_gb is not None:
        per_gb = problem.price_per_gb * (1 - np.eye(problem.n_servers))
    energy = _times(radio[a], sent) + _times(watt, run)
    bought = np.where(np.isfinite(sent), size_mb / 1000 * per_gb[a], np.inf)
    return sent + run, energy, bought + _times(hourly / 3600, run)


def _times(factor: FloatArray, amount: FloatArray) -> FloatArray:
    """Return the product; ``inf`` where the amount is, whatever the factor."""
    finite = np.isfinite(amount)
    return np.asarray(np.where(finite, factor * np.where(finite, amount, 0.0), np.inf))


def _standard(w: Weighting, x: Indicators) -> tuple[float, float]:
    """Return shift and scale of an indicator; a scale of 0 if it does not vary."""
    values = np.concatenate([x.entry.ravel(), x.edge.ravel()])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if w.standardisation == "max":
        return 0.0, high
    if high - low <= SAME * high:
        return low, 0.0
    return (0.0, float(values.std())) if w.standardisation == "std" else (low, high - low)


def weighting_of(problem: DerivedData) -> Weighting:
    """Return the weights of a problem that has some; ValueError if it has none."""
    if problem.weights is None:
        raise ValueError("the problem has no weights: its objective is the sum of flow times.")
    return problem.weights


def balance_unit(problem: DerivedData) -> float:
    """Return by what Z is multiplied so that it is normalised; 0 where it is always 0."""
    w = weighting_of(problem)
    most = max(int((problem.tiers == 1).sum()), int((problem.tiers == 2).sum()))
    if most < 2:
        return 0.0
    return 1.0 / (problem.n_subtasks * (most - 1)) if w.z_normalised else 1.0
