"""Pricing, compiled: the least completion plus priced work of a task, and how prices should change.

The recursion is that of ``certificates``, where the formulas stand. What makes it quick:

* a ``Lattice`` keeps all that prices do not change: phases, moves between servers, and for
  each layer and server the first cell that can be reached and the least completion from there on;
* the paths of earlier pricings, valued at the new prices, bound the price from above, so that cells
  from which even free work would end later are left out, an exact reduction;
* servers for which another one stands in at these prices are left out (``Classes.better``).
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.prices.classes import Classes
from optedge.formulations.offloading.prices.lattice import BEFORE, KEPT, Lattice, Store
from optedge.kernels import kernel


@kernel
def _up_to(paid: FloatArray, cell: int, part: float) -> float:
    """Return the price of work from 0 up to ``cell + part``, 0 <= part <= 1."""
    last = paid.size - 2
    i = min(max(cell + BEFORE, 0), last)
    return float(paid[i] * (1.0 - part) + paid[i + 1] * part)


@kernel
def _cell_work(
    paid: FloatArray, cell: int, phase: float, length: float, tilt: float
) -> tuple[float, float]:
    """Return the least price of work of ``length`` cells plus ``tilt`` times its start in ``cell``.

    The start is returned too, in cells. Candidates: both ends of the cell, the start on a border of
    the lattice, the end on one.
    """
    low = cell + phase
    best, where = np.inf, low
    for candidate in range(4):
        start = low
        if candidate == 1:
            start = low + 1.0
        elif candidate == 2:
            start = min(max(np.ceil(low), low), low + 1.0)
        elif candidate == 3:
            start = min(max(np.ceil(low + length) - length, low), low + 1.0)
        i, e = np.floor(start), np.floor(start + length)
        work = _up_to(paid, int(e), start + length - e) - _up_to(paid, int(i), start - i)
        cost = max(work, 0.0) + tilt * start
        if cost < best - 1e-13:
            best, where = cost, start
    return best, where


@kernel
def _row_work(
    paid: FloatArray,
    ready: FloatArray,
    spent: FloatArray,
    low: int,
    phase: float,
    length: float,
    tilt: float,
) -> None:
    """Set ``spent`` to ``ready`` plus what :func:`_cell_work` says, for cells from ``low`` on.

    The same four candidates; each is a difference of two interpolations with fixed weights.
    """
    whole = int(np.floor(phase + length))
    f = phase + length - whole  # the part of a cell in which work ends
    i, g = 0, 0.0
    if phase < 0.0:
        i, g = -1, 1.0 + phase  # and that in which it starts
    end = int(np.floor(length))
    h = length - end
    z = 1 + g - f  # start of the work that ends on a border, in cells from low + i
    y = int(np.floor(z))
    z -= y
    n = ready.size
    a = paid[BEFORE + low + i : BEFORE + low + i + n + 3]
    b = paid[BEFORE + low + whole : BEFORE + low + whole + n + 3]
    d = paid[BEFORE + low + i + 1 + end : BEFORE + low + i + 1 + end + n + 3]
    t2, t3 = tilt * (i + 1 - phase), tilt * (i + y + z - phase)
    f1, g1, h1, z1 = 1.0 - f, 1.0 - g, 1.0 - h, 1.0 - z
    for t in range(n):
        a0, a1, a2 = a[t], a[t + 1], a[t + 2]
        b0, b1, b2 = b[t], b[t + 1], b[t + 2]
        x0 = b0 * f1 + b1 * f - a0 * g1 - a1 * g
        x1 = b1 * f1 + b2 * f - a1 * g1 - a2 * g
        x2 = d[t] * h1 + d[t + 1] * h - a1
        x3 = b1 - (a0 * z1 + a1 * z if y == 0 else a1 * z1 + a2 * z)
        if tilt == 0.0:
            spent[t] = ready[t] + max(min(min(x0, x1), min(x2, x3)), 0.0)
        else:
            x0 = max(x0, 0.0)
            x1 = max(x1, 0.0) + tilt
            x2 = max(x2, 0.0) + t2
            x3 = max(x3, 0.0) + t3
            spent[t] = ready[t] + (low + t + phase) * tilt + min(min(x0, x1), min(x2, x3))


@kernel
def _choose_servers(c: Classes, k: int, duals: FloatArray, w: Store, all_servers: bool) -> None:
    """Mark the servers that a pricing needs: those for which no cheaper one stands in."""
    n_servers, buckets = duals.shape
    for s in range(n_servers):
        w.active[s] = c.allowed[k, :, s].any()
    if all_servers:
        return
    for q in range(n_servers):
        for s in range(n_servers):
            if not w.active[q]:
                break
            if w.active[s] and c.better[k, s, q]:
                cheaper = True
                for b in range(buckets):
                    if duals[s, b] > duals[q, b]:
                        cheaper = False
                        break
                if cheaper:
                    w.active[q] = False


@kernel
def _known_price(c: Classes, k: int, g: Lattice, w: Store) -> float:
    """Return the least price of the paths that are kept, an upper bound on the price."""
    n = c.layers[k]
    step = g.horizon / (g.buckets * g.cells)
    best = g.horizon - step
    for m in range(min(w.n_kept[k], KEPT)):
        total = c.entry_cost[k, w.kept_servers[k, m, 0]]
        for j in range(n):
            if j > 0:
                q = w.kept_servers[k, m, j - 1]
                total += c.move_cost[k, j, q, w.kept_servers[k, m, j]]
            s, a = w.kept_servers[k, m, j], w.kept_cells[k, m, j]
            tilt = step if j == n - 1 else 0.0
            length = c.seconds[k, j, s] / step
            cost, _ = _cell_work(w.paid[s], a, g.phase[k, j, s], length, tilt)
            total += cost
        s = w.kept_servers[k, m, n - 1]
        total += c.seconds[k, n - 1, s] + c.leave[k, s]
        best = min(best, total)
    return best


@kernel
def price(
    c: Classes, k: int, g: Lattice, duals: FloatArray, w: Store, all_servers: bool
) -> tuple[float, int]:
    """Return the price of class ``k``, and how many cells were looked at.

    The priced task is left in ``w.servers``, ``w.cells`` and ``w.starts``; its first server is -1
    where no task ends within the horizon for less than the price. ``w.paid`` must be filled in.
    """
    n, n_servers = c.layers[k], c.pools.size
    n_cells = g.buckets * g.cells
    step = g.horizon / n_cells
    _choose_servers(c, k, duals, w, all_servers)
    most = _known_price(c, k, g, w) * (1 + 1e-12) + 1e-9 * step
    work = 0
    w.servers[k, 0] = -1
    high = np.full((n, n_servers), -1)
    for j in range(n):
        for s in range(n_servers):
            if w.active[s] and g.rest[k, j, s] < np.inf:
                x = np.floor((most - g.rest[k, j, s]) / step)
                high[j, s] = int(min(max(x, -1.0), n_cells - 1.0))
    for j in range(n):
        for q in range(n_servers):
            low, top = g.first[k, j, q], high[j, q] + 1
            if low >= top:
                continue
            ready = w.ready[j, q, low:top]
            if j == 0:
                ready[:] = c.entry_cost[k, q]
            else:
                ready[:] = np.inf
                for s in range(n_servers):
                    m = g.moves[k, j, s, q]
                    if m < -1 or high[j - 1, s] < g.first[k, j - 1, s]:
                        continue
                    a, b = g.first[k, j - 1, s], min(high[j - 1, s] + 1, top - m)
                    more = c.move_cost[k, j, s, q]
                    if a + m < 0 and a < b:  # the cell before 0 counts as 0
                        ready[0] = min(ready[0], w.spent[j - 1, s, a] + more)
                        a += 1
                    if a >= b:
                        continue
                    source = w.spent[j - 1, s, a:b]
                    target = ready[a + m - low : b + m - low]
                    for t in range(source.size):
                        target[t] = min(target[t], source[t] + more)
                    work += b - a
                least = np.inf
                for t in range(ready.size):
                    least = min(least, ready[t])
                    ready[t] = least
            length = c.seconds[k, j, q] / step
            tilt = step if j == n - 1 else 0.0
            spent = w.spent[j, q, low:top]
            _row_work(w.paid[q], ready, spent, low, g.phase[k, j, q], length, tilt)
            work += 8 * (top - low)
    best, server, cell = g.horizon - step, -1, -1
    for s in range(n_servers):
        end = c.seconds[k, n - 1, s] + c.leave[k, s]
        for a in range(g.first[k, n - 1, s], high[n - 1, s] + 1):
            total = w.spent[n - 1, s, a] + end
            if total < best:
                best, server, cell = total, s, a
    if server >= 0:
        _trace(c, k, g, w, high, server, cell)
    return best, work


@kernel
def _trace(
    c: Classes, k: int, g: Lattice, w: Store, high: IntArray, server: int, cell: int
) -> None:
    """Write down the priced task, from its last layer back to the first, and keep its path."""
    step = g.horizon / (g.buckets * g.cells)
    row = w.n_kept[k] % KEPT
    s, a = server, cell
    for j in range(c.layers[k] - 1, -1, -1):
        length = c.seconds[k, j, s] / step
        tilt = step if j == c.layers[k] - 1 else 0.0
        _, start = _cell_work(w.paid[s], a, g.phase[k, j, s], length, tilt)
        w.servers[k, j], w.cells[k, j], w.starts[k, j] = s, a, max(0.0, start) * step
        w.kept_servers[k, row, j], w.kept_cells[k, row, j] = s, a
        if j == 0:
            break
        cost = w.ready[j, s, a]
        while a > g.first[k, j, s] and w.ready[j, s, a - 1] <= cost:
            a -= 1
        least, before, at = np.inf, -1, -1
        for q in range(c.pools.size):
            m = g.moves[k, j, q, s]
            if m < -1:
                continue
            for x in range(a - m, a - m - 2, -1):  # the second only where cell -1 counts as 0
                if g.first[k, j - 1, q] <= x <= high[j - 1, q] and max(0, x + m) == a:
                    off = abs(w.spent[j - 1, q, x] + c.move_cost[k, j, q, s] - cost)
                    if off < least:
                        least, before, at = off, q, x
        s, a = before, at
    w.n_kept[k] += 1


@kernel
def evaluate(
    c: Classes, g: Lattice, duals: FloatArray, w: Store, slope: FloatArray, all_servers: bool
) -> tuple[float, int]:
    """Return the bound that ``duals`` prove, but for rounding, and how many cells were looked at.

    In seconds: of the flow times plus the costs of pairs.

    ``slope`` (n_servers, n_buckets) becomes a supergradient: the work of the priced tasks in each
    bucket less what the pools can do.
    """
    n_servers, buckets = duals.shape
    width = g.horizon / buckets
    step = width / g.cells
    total = 0.0
    for s in range(n_servers):
        at = BEFORE
        for b in range(buckets):
            total -= duals[s, b] * c.pools[s] * width
            slope[s, b] = -c.pools[s] * width
            for i in range(1, g.cells + 1):
                w.paid[s, at + i] = w.paid[s, at] + i * (duals[s, b] * step)
            at += g.cells
        w.paid[s, at + 1 :] = w.paid[s, at]
    work = 0
    for k in range(c.counts.size):
        value, looked = price(c, k, g, duals, w, all_servers)
        w.value[k] = value
        work += looked
        total += c.counts[k] * (value - c.release[k])
        if w.servers[k, 0] >= 0:
            for j in range(c.layers[k]):
                s = w.servers[k, j]
                _add_work(slope[s], w.starts[k, j], c.seconds[k, j, s], width, c.counts[k])
    return total, work


@kernel
def _add_work(row: FloatArray, start: float, seconds: float, width: float, count: float) -> None:
    """Add ``count`` times the work from ``start`` on to the buckets of one server."""
    end = start + seconds
    b = int(start / width)
    while b < row.size and b * width < end:
        row[b] += count * max(0.0, min(end, (b + 1) * width) - max(start, b * width))
        b += 1
