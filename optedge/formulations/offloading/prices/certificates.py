r"""Certificates of offloading bounds: prices on server time, valued in plain NumPy.

Time up to a horizon :math:`H` is cut into B buckets of :math:`D = H / B` seconds, and a second of
work on server s in bucket b costs :math:`\pi_{sb} \ge 0`. No schedule works more than
:math:`K_s D` seconds in a bucket, so for all prices (with :math:`n_k` tasks in class k, born at
:math:`r_k`)

.. math::

   \text{bound} = \sum_k n_k \big( \min(p_k, H - \delta) - r_k \big) - \sum_{s, b} \pi_{sb} K_s D,

where :math:`p_k` is the least completion plus priced work of one task of class k alone, and
:math:`\delta = H / T` the length of one of :math:`T = B r` cells (a schedule that leaves the cells
starts a layer after :math:`H - \delta`). A weighted objective adds costs of pairs to the price, in
seconds, and the bound is then in its unit (``classes``).

The price comes from a recursion over (layer j, server s, cell a of the start). With :math:`t_{js}`,
the earliest start of layer j if all layers are on s, :math:`n_{js} = \lceil t_{js} / \delta \rceil`
and the phase :math:`\phi_{js} = t_{js} / \delta - n_{js}`, cell a holds the starts in
:math:`[(a + \phi_{js}) \delta, (a + 1 + \phi_{js}) \delta]`. A task that stays moves on by
:math:`n_{j+1,s} - n_{js}` cells, without any rounding; one that changes from s to q, in u seconds
from start to arrival, by at least :math:`\lfloor \phi_{js} - \phi_{j+1,q} + u / \delta \rfloor`;
waiting is free. In a cell the work costs the least over its starts, one of four: the ends of the
cell, the start on a border of cells, the end on one; of the last layer work and end together.

Nothing here is shared with the compiled search (``pricing``) but the arrays of the classes.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, Certificate, FloatArray
from optedge.formulations.offloading.costs import block_costs
from optedge.formulations.offloading.prices import classes
from optedge.formulations.offloading.prices.classes import Classes

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

KIND = "server prices"
MOST_CELLS = 2**20  # in the whole horizon
SAFE = 1e-12  # how far a start may be off by rounding, relative to the horizon
SHORTEST = 1e-9  # horizon in units of the longest layer
DOWN = 1e-9  # cells by which a change of server is rounded down more than it need be


def certify(problem: OffloadingProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance; its tasks are chains.
    certificate
        Of kind ``"server prices"`` with the arrays ``duals`` (n_servers, n_buckets), not negative,
        ``horizon`` (1,) in seconds, ``cells`` (1,), the number in a bucket, and ``merged`` (1,), 1
        if all clients are taken for one, else 0.

    Raises
    ------
    ValueError
        If the kind is another, a task is no chain, the weighted objective cannot be priced, or an
        array is missing, of the wrong shape or out of its range.
    """
    if certificate.kind != KIND:
        raise ValueError(f"this bound needs a certificate {KIND!r}, got {certificate.kind!r}.")
    duals = certificate.arrays.get("duals")
    if duals is None or duals.ndim != 2 or len(duals) != problem.n_servers or duals.size == 0:
        raise ValueError(
            f"certificate array 'duals' must have shape ({problem.n_servers}, n_buckets)."
        )
    if not np.isfinite(duals).all() or (duals < 0).any():
        raise ValueError("certificate array 'duals' must be non-negative and finite.")
    horizon = _number(certificate, "horizon")
    cells, merged = _number(certificate, "cells"), _number(certificate, "merged")
    if not 0 < horizon < math.inf:
        raise ValueError("certificate array 'horizon' must be positive and finite.")
    if not (cells >= 1 and cells == math.floor(cells) and cells * duals.shape[1] <= MOST_CELLS):
        raise ValueError(
            "certificate array 'cells' must be a whole number of at least 1, and with the buckets "
            f"give at most {MOST_CELLS} cells."
        )
    if merged not in (0, 1):
        raise ValueError("certificate array 'merged' must be 0 or 1.")
    c = classes.make(problem, merged=bool(merged))
    proved = math.nan
    if horizon >= SHORTEST * float(c.seconds.max()):
        with np.errstate(over="ignore", invalid="ignore"):
            proved = classes.to_objective(c, value(c, duals, horizon, int(cells)))
        if problem.weights is not None:  # the constant, and what makes costs of pairs reduced ones
            size = float(block_costs.size(problem, np.array(proved)))
            proved -= SAFE * abs(proved) + 2.0**-50 * size
    if not math.isfinite(proved):
        raise ValueError("certificate arrays 'duals' or 'horizon' are out of range.")
    return proved


def _number(certificate: Certificate, name: str) -> float:
    array = certificate.arrays.get(name)
    if array is None or array.shape != (1,):
        raise ValueError(f"certificate array {name!r} must have shape (1,).")
    return float(array[0])


def make(
    problem: OffloadingProblem, duals: FloatArray, horizon: float, cells: int, *, merged: bool
) -> Certificate:
    """Return the certificate of these prices, valued."""
    arrays = {
        "duals": duals,
        "horizon": np.array([horizon]),
        "cells": np.array([float(cells)]),
        "merged": np.array([float(merged)]),
    }
    bare = Certificate(KIND, 0.0, arrays)
    return dataclasses.replace(bare, value=certify(problem, bare))


def value(c: Classes, duals: FloatArray, horizon: float, cells: int) -> float:
    """Return the bound of ``duals`` on flow times plus costs of pairs, in seconds, rounded down.

    Parameters
    ----------
    c
        The classes.
    duals
        Price of a second of work on each server in each bucket, ``(n_servers, n_buckets)``.
    horizon
        Seconds.
    cells
        Cells in a bucket.
    """
    paid = float(np.sum(duals * c.pools[:, None])) * horizon / duals.shape[1]
    prices = [price(c, k, duals, horizon, cells) for k in range(len(c.counts))]
    counts, born = c.counts.tolist(), c.release.tolist()
    flows = [n * (p - r) for n, p, r in zip(counts, prices, born, strict=True)]
    return float(math.fsum([*flows, -paid]) - SAFE * (1 + paid + math.fsum(map(abs, flows))))


def price(c: Classes, k: int, duals: FloatArray, horizon: float, cells: int) -> float:
    """Return the least completion, priced work and costs of one task of class ``k``, rounded down.

    Not more than a cell less than the horizon. Parameters as for :func:`value`.
    """
    n, n_servers = int(c.layers[k]), len(duals)
    n_cells = duals.shape[1] * cells
    step = horizon / n_cells
    seconds = c.seconds[k, :n]
    usable = c.allowed[k, :n].copy()
    usable[0] &= np.isfinite(c.entry[k])
    earliest = np.where(np.isfinite(c.entry[k]), c.entry[k], c.release[k]) + np.concatenate(
        [np.zeros((1, n_servers)), np.cumsum(seconds, axis=0)[:-1]]
    )
    whole = np.ceil(earliest / step)
    phase = earliest / step - whole
    paid = np.zeros((n_servers, n_cells + 1))  # from 0 up to each border of cells
    np.cumsum(np.repeat(duals * step, cells, axis=1), axis=1, out=paid[:, 1:])

    cost = np.full((n_servers, n_cells), np.inf)
    for s in np.flatnonzero(usable[0]):
        cost[s, int(min(whole[0, s], n_cells)) :] = c.entry_cost[k, s]
    for j in range(n):
        if j > 0:
            cost = _moved(c, k, j, cost, usable, whole, phase, step)
        tilt = step if j == n - 1 else 0.0
        for s in np.flatnonzero(usable[j]):
            cost[s] += _work(paid[s], phase[j, s], seconds[j, s] / step, tilt)
    total = cost + (seconds[-1] + c.leave[k])[:, None]
    least = min(float(total[usable[-1]].min(initial=np.inf)), horizon - step)
    dearest, most = float(duals.max()), float(paid[:, -1].max())
    starts_off = SAFE * max(1.0, horizon) * (1 + 2 * n * dearest)
    sums_off = max(SAFE, n_cells * 2.0**-52) * 2 * n * most
    charged = float(c.entry_cost[k].max()) + float(c.move_cost[k].max(axis=(1, 2)).sum())
    return float(least - starts_off - sums_off - SAFE * (1 + horizon + charged))


def _moved(
    c: Classes,
    k: int,
    j: int,
    cost: FloatArray,
    usable: BoolArray,
    whole: FloatArray,
    phase: FloatArray,
    step: float,
) -> FloatArray:
    """Return the least cost before layer ``j`` in each cell, from that after the layer before."""
    n_cells = cost.shape[1]
    found = np.full(cost.shape, np.inf)
    for q in np.flatnonzero(usable[j]):
        for s in np.flatnonzero(usable[j - 1] & np.isfinite(c.travel[k, j, :, q])):
            if s == q:
                moves = whole[j, q] - whole[j - 1, q]
            else:
                spent = c.seconds[k, j - 1, s] + c.travel[k, j, s, q]
                moves = np.floor(phase[j - 1, s] - phase[j, q] + spent / step - DOWN)
            if moves >= n_cells:
                continue
            m, spent_s = int(moves), cost[s] + c.move_cost[k, j, s, q]
            if m >= 0:
                np.minimum(found[q, m:], spent_s[: n_cells - m], out=found[q, m:])
            else:  # phases differ by less than one cell: m = -1
                np.minimum(found[q, :m], spent_s[-m:], out=found[q, :m])
                found[q, 0] = min(found[q, 0], spent_s[: 1 - m].min())
        np.minimum.accumulate(found[q], out=found[q])
    return found


def _work(paid: FloatArray, phase: float, length: float, tilt: float) -> FloatArray:
    """Return the least price of work of ``length`` cells plus ``tilt`` times its start, by cell."""
    n_cells = paid.size - 1
    # No price before 0 and behind the horizon.
    padded = np.concatenate([np.zeros(2), paid, np.full(n_cells + 2, paid[-1])])

    def up_to(offset: float) -> FloatArray:
        """Return the price of work from 0 up to ``offset`` cells behind each cell's number."""
        left = math.floor(offset)
        part, at = offset - left, min(left, n_cells) + 2
        found = padded[at : at + n_cells] * (1 - part)
        found += padded[at + 1 : at + 1 + n_cells] * part
        return np.asarray(found)

    on_border = math.ceil(phase)
    ends_on_border = min(max(math.ceil(phase + length) - length, phase), phase + 1)
    begun = np.arange(n_cells) * tilt
    least = np.full(n_cells, np.inf)
    for start in (phase, phase + 1, on_border, ends_on_border):
        work = np.maximum(up_to(start + length) - up_to(start), 0.0)
        np.minimum(least, work + tilt * start, out=least)
    return np.asarray(least + begun)
