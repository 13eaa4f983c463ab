"""Why no schedule ends by a deadline: what the servers can pack against what is to be packed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import IntArray
from optedge.formulations.deadlines.instance import (
    MOST_UNITS,
    common_unit,
    declined,
    whole_tasks,
)
from optedge.formulations.deadlines.prices import evaluate, make_space
from optedge.formulations.makespan import MakespanProblem
from optedge.plots.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PRICES = 1 << 30  # in all: what the knapsacks take
ROUNDED_UNITS = 1 << 16  # about so many to the deadline where times must be rounded, down
EDGE = 0.4  # half the height of a row


def refutation(
    problem: MakespanProblem, deadline: float, prices: npt.ArrayLike, ax: Axes | None = None
) -> Axes:
    """Draw prices of the tasks against the knapsacks of the servers at these prices.

    A row a server: the most valuable tasks that it finishes by the deadline, a bar a task, as wide
    as its price, each row from where the last one ends. Below stand all tasks, each once. If the
    servers end before the tasks do then no schedule ends by the deadline, and what is short is
    hatched. A task that several servers pack, or none, shows by its colour.

    Times without a common unit are rounded down, so that what is short stays a proof.

    Parameters
    ----------
    problem
        The instance, without memory rows.
    deadline
        Seconds, at least the ready time of every server.
    prices
        Whole numbers from 0, one a task ``(n,)``; at most 2^30 in all.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If the problem has memory rows, a server is ready only after the deadline, or prices are
        not of this kind.
    """
    whole = _whole(problem, prices)
    packed = _packed(problem, deadline, whole)
    ax = axes_or_new(ax, (8.0, 1.5 + 0.38 * (problem.n_servers + 1)))
    return _draw(problem, deadline, whole, packed, ax)


def _whole(problem: MakespanProblem, prices: npt.ArrayLike) -> IntArray:
    """Return prices as whole numbers, checked."""
    values = np.asarray(prices, dtype=np.float64)
    if values.shape != (problem.n_tasks,):
        raise ValueError(f"prices must have shape ({problem.n_tasks},), got {values.shape}.")
    wrong = np.flatnonzero(~((values >= 0) & (values == np.floor(values)) & np.isfinite(values)))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(f"prices must be whole numbers from 0, got {values[i]:g} for task {i}.")
    if not 0 < values.sum() <= MOST_PRICES:
        raise ValueError(f"prices must sum to 1 at least and 2^30 at most, got {values.sum():g}.")
    return values.astype(np.int64)


def _packed(problem: MakespanProblem, deadline: float, prices: IntArray) -> npt.NDArray[np.bool_]:
    """Return which tasks the knapsack of each server packs, ``(n, m)``."""
    if (sentence := declined(problem)) is not None:
        raise ValueError(sentence)
    if not math.isfinite(deadline):
        raise ValueError(f"deadline must be finite, got {deadline:g}.")
    late = np.flatnonzero(problem.ready > deadline)
    if late.size:
        j = int(late[0])
        raise ValueError(f"server {j} is ready at {problem.ready[j]:g} s, after the deadline.")
    allowed = problem.eligible & (problem.ready + problem.times <= deadline)
    unit = common_unit(np.concatenate([problem.times[allowed], problem.ready]))
    if unit is None or deadline / unit > MOST_UNITS:
        unit = math.ldexp(1.0, math.frexp(deadline / ROUNDED_UNITS)[1])
    tasks = whole_tasks(problem.times, allowed, problem.ready, unit)
    units = int(np.floor_divide(deadline, unit))
    space = make_space(tasks, units)
    space.left[:] = 2  # no task is bound to a server: these are the knapsacks alone
    space.room[:] = units - tasks.ready
    evaluate(tasks, allowed, prices, space)
    return space.packed


def _draw(
    problem: MakespanProblem,
    deadline: float,
    prices: IntArray,
    packed: npt.NDArray[np.bool_],
    ax: Axes,
) -> Axes:
    """Draw the rows from top to bottom, and say what they prove."""
    n, m = packed.shape
    at = 0
    for j in range(m):
        end = _row(np.flatnonzero(packed[:, j]), prices, at, j, n, ax)
        ax.plot([end, end], [j + EDGE, j + 1 - EDGE], color="0.4", linewidth=0.8)
        at = end
    total = _row(np.arange(n), prices, 0, m, n, ax)
    ax.plot([at, at], [m - EDGE, m + EDGE], color="black", linewidth=1.6)
    if at < total:
        height = (m - 1 - EDGE, 2 * EDGE)
        short = [(at, total - at)]
        ax.broken_barh(short, height, facecolor="none", edgecolor="C3", hatch="////")
    worth = packed.T.astype(np.int64) @ prices
    labels = [f"server {j}: {value}" for j, value in enumerate(worth.tolist())]
    ax.set_yticks(range(m + 1), [*labels, f"all tasks: {total}"])
    ax.set_ylim(m + 0.55, -0.55)
    ax.set_xlim(0, 1.02 * max(at, total))
    ax.set_xlabel("price")
    ending = f"schedule ends by {deadline:g} {problem.unit}"
    if at < total:
        says = f"{total - at} of {total} cannot be packed: no {ending}"
    else:
        says = f"{at - total} more than {total} can be packed: whether a {ending} stays open"
    ax.set_title(says, fontsize="medium")
    return ax


def _row(tasks: IntArray, prices: IntArray, start: int, row: int, n_tasks: int, ax: Axes) -> int:
    """Draw tasks side by side, and return where they end."""
    import matplotlib

    from optedge.plots.lanes import ALPHA, BarLabel

    palette = matplotlib.colormaps["tab10" if n_tasks <= 10 else "tab20"]
    ends = start + np.cumsum(prices[tasks])
    for i, end in zip(tasks.tolist(), ends.tolist(), strict=True):
        width = int(prices[i])
        ax.broken_barh(
            [(end - width, width)],
            (row - EDGE, 2 * EDGE),
            facecolors=palette(i % palette.N),
            alpha=ALPHA,
            edgecolors="white",
        )
        ax.add_artist(BarLabel(end - width, width, row, f"task {i}" if n_tasks <= 10 else str(i)))
    return int(ends[-1]) if tasks.size else start
