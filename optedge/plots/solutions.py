"""Figures of one solution: who runs what and when, and where the time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Problem
from optedge.formulations.upload import UploadPlan, UploadProblem
from optedge.plots.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def gantt(
    problem: Problem,
    x: Any,
    ax: Axes | None = None,
    *,
    bound: float | Mapping[str, float] | None = None,
) -> Axes:
    """Draw a schedule: a lane a server, a bar a task, the objective and a bound as lines.

    If lanes say which bars belong together (:class:`Lane`), colours tell tasks or devices apart,
    named up to ten; lanes of transfers are shaded, what waits is pale and hatched, and more than
    three lanes of one label are thinner. An objective that is no time, such as a sum of flow times,
    is written above with its bounds. Labels of bars stand where they fit, in charts of up to 60
    bars.

    Parameters
    ----------
    problem, x
        The instance and a feasible solution.
    ax
        Where to draw; a new figure by default.
    bound
        A proved lower bound to draw, or several: name to value.
    """
    from optedge.plots.lanes import draw, heights

    lanes = problem.lanes(x)
    bounds = bound if isinstance(bound, Mapping) else {} if bound is None else {"bound": bound}
    words = 0.8 if problem.objective_is_time else 1.5  # inches for the axis and what stands above
    size = (8.0, words + 0.38 * sum(heights(lanes)))
    return draw(problem, x, lanes, bounds, axes_or_new(ax, size))


def delay_split(
    problem: Any | Mapping[str, Any], solutions: Mapping[str, Any], ax: Axes | None = None
) -> Axes:
    """Draw what a task's flow time is made of, on average: a stacked bar a solution.

    Seconds of execution, transmission and waiting of offloaded tasks, as in figure 15 of "EosDNN".

    Parameters
    ----------
    problem
        The instance, or an instance for each label (such as one for each environment).
    solutions
        Label to feasible solution.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there is no solution, one is infeasible, or a label has no instance.
    """
    if not solutions:
        raise ValueError("there is no solution to draw.")
    of = problem if isinstance(problem, Mapping) else dict.fromkeys(solutions, problem)
    missing = [label for label in solutions if label not in of]
    if missing:
        raise ValueError(f"solution {missing[0]!r} has no instance.")
    means = np.array([of[label].delay_split(x).mean(axis=0) for label, x in solutions.items()])
    ax = axes_or_new(ax, (max(5.0, 1.5 + 0.9 * len(means)), 3.8))
    base, at = np.zeros(len(means)), np.arange(len(means))
    for k, name in enumerate(("execution", "transmission", "waiting")):
        ax.bar(at, means[:, k], 0.6, bottom=base, color=f"C{k}", alpha=0.75, label=name)
        base = base + means[:, k]
    for k, total in enumerate(base):
        ax.text(k, total, f"{total:.3g}", ha="center", va="bottom", fontsize=9)
    ax.set_xticks(at, list(solutions))
    if max(map(len, solutions)) > 9:
        for label in ax.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    ax.set_ylabel("mean flow time of a task (s)")
    ax.set_ylim(0, 1.1 * base.max())
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return ax


def loads(problem: Any, x: Any, ax: Axes | None = None, *, bound: float | None = None) -> Axes:
    """Draw when each server is done, as bars; the bound as a line."""
    done = problem.loads(x)
    ax = axes_or_new(ax, (6, 3.5))
    ax.bar(range(done.size), done, color="C0")
    if bound is not None and math.isfinite(bound):
        ax.axhline(bound, color="C3", linestyle="--", label=f"bound {bound:.6g} {problem.unit}")
        ax.legend(frameon=False, loc="lower right")
    ax.set_xlabel("server")
    ax.set_ylabel(f"done at ({problem.unit})")
    return ax


def upload(
    problem: UploadProblem,
    plans: UploadPlan | Mapping[str, UploadPlan],
    ax: Axes | None = None,
    *,
    bound: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    names: Sequence[str] | None = None,
) -> Axes:
    """Draw the system delay over the upload time, as in figures 13 and 14 of "EosDNN".

    The area below a staircase is the sum of system delay. Below the axis stand the partitions of
    the first plan, each in the colour of the area that it costs; labels stand where they fit.

    Parameters
    ----------
    problem
        The instance.
    plans
        Label to feasible plan, or one plan.
    ax
        Where to draw; a new figure by default.
    bound
        Steps below which no plan is: seconds, rising from 0, and the least delay from each on,
        ``(k,)`` both, such as ``problem.stairs()``. What the first plan is above them is hatched.
    names
        Of the layers, ``(n_layers,)``; their numbers by default.

    Raises
    ------
    ValueError
        If there is no plan, one is infeasible, names are too many or too few, or the seconds of
        the bound do not rise from 0.
    """
    from optedge.plots import staircases

    drawn = {"": plans} if isinstance(plans, UploadPlan) else dict(plans)
    if not drawn:
        raise ValueError("there is no plan to draw.")
    for label, x in drawn.items():
        for fault in problem.violations(x)[:1]:
            raise ValueError(f"plan {label!r}: {fault}" if label else fault)
    if names is not None and len(names) != problem.n_layers:
        raise ValueError(f"names must name {problem.n_layers} layers, got {len(names)}.")
    steps = None if bound is None else staircases.floor(bound)
    return staircases.draw(problem, drawn, steps, names, axes_or_new(ax, (7.5, 4.2)))
