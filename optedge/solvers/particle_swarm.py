"""Particle swarm optimisation on codes: continuous positions, rounded down to options."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.solvers.populations import Genes, first_population, generations_within, price
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParticleSwarmOptions(Options):
    """Options of ``particle-swarm``."""

    particles: int = option(30, "codes of the swarm", low=2)
    iterations: int = option(
        2167,
        "swarms priced, the random first one among them, unless max_evaluations is given",
        low=1,
    )
    inertia: float = option(0.7, "share of its velocity that a particle keeps", low=0)
    own: float = option(1.5, "pull of the particle's best position", low=0)
    all: float = option(1.5, "pull of the swarm's best position", low=0)


@register(
    "particle-swarm",
    options=ParticleSwarmOptions,
    needs=("code",),
    kind="metaheuristic",
    source="Kennedy, Eberhart 1995; Shi, Eberhart 1998",
)
def swarm(problem: Any, options: ParticleSwarmOptions, run: Run) -> None:
    """Let particles fly in [0, number of options) per decision; option = position rounded down.

    Notes
    -----
    The baseline of the cloud-edge paper, which gives no parameters: 30 particles, inertia 0.7,
    pulls 1.5, particles at rest at first are ours. A position counts the options that its decision
    may take, so that each is reached; positions are clipped to that range. The default length is
    that of ``pso-ga``, 65 000 candidates; the swarm stands still long before.
    """
    genes = Genes.of(problem.choices)
    codes, costs = first_population(problem, run, options.particles)
    if not genes.movable.size or len(codes) < options.particles:
        return
    x = genes.ranks(codes) + run.rng.random(codes.shape)
    velocity = np.zeros(x.shape)
    own, own_costs = x.copy(), costs.copy()
    for _ in range(generations_within(run, options.particles, options.iterations) - 1):
        if run.done():
            return
        best = own[int(np.argmin(own_costs))]
        pulls = run.rng.random((2, *x.shape))
        velocity *= options.inertia
        velocity += options.own * pulls[0] * (own - x) + options.all * pulls[1] * (best - x)
        x = clipped(x + velocity, genes.counts)
        priced = price(problem, run, genes.codes(x.astype(np.int64)))
        better = np.flatnonzero(priced < own_costs[: len(priced)])
        own[better], own_costs[better] = x[better], priced[better]


def clipped(x: FloatArray, counts: IntArray) -> FloatArray:
    """Return positions (rows, n_decisions) brought into [0, number of options)."""
    return np.clip(x, 0.0, np.nextafter(counts.astype(np.float64), 0.0))
