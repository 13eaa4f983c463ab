"""Cells of time, and the tables of pricings: what prices do not change is found once.

The formulas stand in ``certificates``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.prices.certificates import DOWN
from optedge.formulations.offloading.prices.classes import Classes
from optedge.kernels import kernel

KEPT = 8  # paths of earlier pricings, for each class
BEFORE = 1  # spare cell before time 0


class Lattice(NamedTuple):
    """The cells of time, and what can be said of them before prices are known."""

    horizon: float
    buckets: int
    cells: int  # in a bucket
    phase: FloatArray  # (K, J, S), in (-1, 0]
    first: IntArray  # (K, J, S), the first cell that can be reached
    moves: IntArray  # (K, J, S, S), cells from a start of the layer before to one of this; -2 never
    rest: FloatArray  # (K, J, S), s from cell 0 to the completion if all work is free; inf if never


class Store(NamedTuple):
    """Where pricings write: tables, the best task of each class, and paths of earlier ones."""

    paid: FloatArray  # (S, cells), price of working from 0 up to each border
    ready: FloatArray  # (J, S, cells), least cost before the layer
    spent: FloatArray  # (J, S, cells), and with it
    active: BoolArray  # (S,)
    servers: IntArray  # (K, J), of the priced task
    cells: IntArray  # (K, J)
    starts: FloatArray  # (K, J), s
    value: FloatArray  # (K,), s, of it
    kept_servers: IntArray  # (K, KEPT, J)
    kept_cells: IntArray  # (K, KEPT, J)
    n_kept: IntArray  # (K,), paths written so far


def lattice(c: Classes, horizon: float, buckets: int, cells: int) -> Lattice:
    """Return the lattice of ``buckets`` times ``cells`` cells up to ``horizon`` seconds."""
    laid = Lattice(
        horizon=float(horizon),
        buckets=int(buckets),
        cells=int(cells),
        phase=np.zeros(c.seconds.shape),
        first=np.zeros(c.seconds.shape, np.int64),
        moves=np.full(c.travel.shape, -2, np.int64),
        rest=np.full(c.seconds.shape, np.inf),
    )
    _lay(c, laid)
    return laid


def store(c: Classes, laid: Lattice) -> Store:
    """Return empty tables for pricings on a lattice."""
    n_classes, layers, n_servers = c.seconds.shape
    n = laid.buckets * laid.cells
    behind = 8 + layers  # each change of server may round down by a cell
    return Store(
        paid=np.zeros((n_servers, BEFORE + n + behind)),
        ready=np.empty((layers, n_servers, n)),
        spent=np.empty((layers, n_servers, n)),
        active=np.zeros(n_servers, np.bool_),
        servers=np.full((n_classes, layers), -1),
        cells=np.zeros((n_classes, layers), np.int64),
        starts=np.zeros((n_classes, layers)),
        value=np.zeros(n_classes),
        kept_servers=np.zeros((n_classes, KEPT, layers), np.int64),
        kept_cells=np.zeros((n_classes, KEPT, layers), np.int64),
        n_kept=np.zeros(n_classes, np.int64),
    )


@kernel
def _lay(c: Classes, g: Lattice) -> None:
    """Fill in a lattice."""
    n_servers = c.pools.size
    n_cells = g.buckets * g.cells
    step = g.horizon / n_cells
    whole = np.zeros(c.seconds.shape)
    for k in range(c.counts.size):
        n = c.layers[k]
        for s in range(n_servers):
            time = c.entry[k, s] if c.entry[k, s] < np.inf else c.release[k]
            for j in range(n):
                whole[k, j, s] = np.ceil(time / step)
                g.phase[k, j, s] = time / step - whole[k, j, s]
                time += c.seconds[k, j, s]
                g.first[k, j, s] = n_cells
            if c.allowed[k, 0, s] and c.entry[k, s] < np.inf:
                g.first[k, 0, s] = int(min(whole[k, 0, s], float(n_cells)))
        for j in range(1, n):
            for q in range(n_servers):
                for s in range(n_servers):
                    if not c.allowed[k, j, q] or not c.allowed[k, j - 1, s]:
                        continue
                    if c.travel[k, j, s, q] == np.inf:
                        continue
                    if s == q:
                        x = whole[k, j, s] - whole[k, j - 1, s]
                    else:
                        length = (c.seconds[k, j - 1, s] + c.travel[k, j, s, q]) / step
                        x = np.floor(g.phase[k, j - 1, s] - g.phase[k, j, q] + length - DOWN)
                    g.moves[k, j, s, q] = int(min(x, float(n_cells)))
                    reached = max(0, g.first[k, j - 1, s] + g.moves[k, j, s, q])
                    g.first[k, j, q] = min(g.first[k, j, q], reached)
        for j in range(n - 1, -1, -1):
            for s in range(n_servers):
                if j == n - 1:
                    if c.allowed[k, j, s]:
                        end = c.seconds[k, j, s] + c.leave[k, s]
                        g.rest[k, j, s] = g.phase[k, j, s] * step + end
                    continue
                for q in range(n_servers):
                    if g.moves[k, j + 1, s, q] >= -1:
                        rest = g.moves[k, j + 1, s, q] * step + g.rest[k, j + 1, q]
                        g.rest[k, j, s] = min(g.rest[k, j, s], rest)
