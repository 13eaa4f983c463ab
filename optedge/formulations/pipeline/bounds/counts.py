r"""Bounds on the makespan from counts alone: how many tasks take each cut, not when.

``ceiling``: if k tasks are sent, some slot serves :math:`\lceil k / C \rceil` of them one after the
other, each for at least :math:`l = \min_i (\tau_i + c_i)`, the first from :math:`\min_j r_j +
\min_{i < N} a_i` on; if the other n - k stay, the devices need the (n - k)-th earliest of the times
:math:`r_e + q a_N`, in which device e can be done with q tasks. The least over k is a bound.

``assignment``: :math:`x_{gi}` tasks of devices g take cut i, on :math:`y_{gi}` of them as the last
one, and :math:`z_i = 1` if the first task that the cloud serves takes it, w = 1 if there is none:

.. math::

   &s_g T \ge s_g r_g + \textstyle\sum_i a_i x_{gi} + \sum_i (\tau_i + c_i) y_{gi}, \quad
     T \ge \sum_i (r + a_i + \tau_i) z_i + \sum_{g, i} c_i x_{gi}, \\
   &C T \ge C r + \textstyle\sum (\tau_i + c_i) x_{gi}, \quad
     T \ge r + \sum \tau_i x_{gi} \ \text{(shared)}, \quad
     s_g T \ge s_g r_g + \sum \tau_i x_{gi} \ \text{(device)}, \\
   &\textstyle\sum_i x_{gi} = n_g, \ \sum_i y_{gi} = s_g, \ y \le x, \quad
     \sum_i z_i + w = 1, \ z_i \le \sum_g x_{gi}, \ \sum_{i \ne N} x_{gi} \le n (1 - w),

with :math:`s_g` devices alike in first arrival and number of tasks of each type (in the rows i runs
over types and cuts). Shares of x and y are allowed, z and w are not: there is a program for each
cut that the cloud may serve first, and the least of their values is the bound. It holds for every
link, service and hold, because each row counts work or time of its own.

Source: ``migration.md`` 3d; the cases of z are own.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optedge.formulations.base import Bound, Certificate, power_of_two
from optedge.formulations.base.rows import dual_value
from optedge.formulations.pipeline.bounds.programs import Program

if TYPE_CHECKING:
    from optedge.bridge import Arrays
    from optedge.formulations.pipeline.problem import PipelineProblem

KIND = "assignment"
MOST_CASES = 100  # programs; with more first cuts one program has shares of all of them
DOWN = 1 - 2.0**-50  # sums of a few numbers are rounded down by this


class Counts(NamedTuple):
    """The program with whole numbers, in units of a power of two, and where its cases are."""

    arrays: Arrays
    unit: float  # seconds
    cases: list[int]  # columns of z, then that of w


def ceiling(problem: PipelineProblem) -> Bound:
    """Return the bound ``ceiling``."""
    value = _ceiling(problem)
    return Bound("ceiling", value, Certificate("ceiling", value, {}))


def _ceiling(problem: PipelineProblem) -> float:
    n, kinds = problem.n_tasks, np.unique(problem.kind)
    rows = problem.chains[kinds]
    sent = rows[:, :-1].reshape(-1, 3)
    sent = sent[np.isfinite(sent[:, 0])]
    stay = float(rows[:, -1, 0].min())
    finishes = np.sort(
        np.concatenate(
            [row[0] + stay * np.arange(1, len(row) + 1) for row in problem.arrivals if row]
        )
    )
    at_home = np.append(0.0, finishes)[::-1]  # for k = 0, ..., n tasks sent
    slots = np.zeros(n + 1)
    if sent.size:
        head = float(problem.release.min() + sent[:, 0].min())
        rounds = np.ceil(np.arange(1, n + 1) / problem.capacity)
        slots[1:] = head + np.maximum(rounds, 1) * float((sent[:, 1] + sent[:, 2]).min())
    else:
        slots[1:] = math.inf
    return _safe(problem, float(np.maximum(at_home, slots).min()))


def bound(problem: PipelineProblem) -> Bound:
    """Return the bound ``assignment`` with its certificate."""
    from optedge.bridge import solve_arrays

    counts = make(problem)
    found, values = [], []
    for arrays in _programs(counts):
        y = solve_arrays(arrays).row_duals
        y = np.zeros(arrays.matrix.shape[0]) if y is None else y
        found.append(y)
        values.append(dual_value(arrays, y))
    value = _safe(problem, max(0.0, min(values)) * counts.unit)
    certificate = Certificate(KIND, value, {"multipliers": np.array(found)})
    return Bound(KIND, value, certificate, info={"programs": len(found)})


def certify(problem: PipelineProblem, certificate: Certificate) -> float:
    """Return the bound in seconds that multipliers of the rows prove, a line for each case.

    Raises
    ------
    ValueError
        If there is not one finite multiplier a row and case.
    """
    counts = make(problem)
    programs = _programs(counts)
    shape = (len(programs), counts.arrays.matrix.shape[0])
    lines = certificate.arrays.get("multipliers")
    if lines is None or lines.shape != shape or not np.isfinite(lines).all():
        raise ValueError(f"certificate {KIND!r} needs the array 'multipliers' of finite {shape}.")
    least = min(dual_value(arrays, y) for arrays, y in zip(programs, lines, strict=True))
    return _safe(problem, max(0.0, least) * counts.unit)


def size(problem: PipelineProblem) -> int:
    """Return about how many variables all programs of ``assignment`` have together."""
    cuts = np.unique(problem.kind).size * problem.n_cuts
    cases = cuts if cuts < MOST_CASES else 1
    return len(_alike(problem, apart=False)) * cuts * cases


def make(problem: PipelineProblem, apart: bool = False) -> Counts:
    """Return the program.

    Parameters
    ----------
    problem
        An instance whose goal is the makespan.
    apart
        Whether every device has its own counts, so that all of them are whole numbers.
    """
    unit = power_of_two(float(problem.chains.sum(axis=2).min(axis=1).mean()))
    groups, kinds = _alike(problem, apart), np.unique(problem.kind)
    cuts = [
        (t, i) for t in kinds.tolist() for i in range(problem.n_cuts)
        if np.isfinite(problem.chains[t, i, 0])
    ]  # fmt: skip
    kind = np.array([t for t, _ in cuts])
    device, link, cloud = (problem.chains[tuple(zip(*cuts, strict=True))] / unit).T
    sends = np.array([i < problem.n_cuts - 1 for _, i in cuts])
    held = (link + cloud) * DOWN
    latest = problem.release.max() + problem.chains[np.isfinite(problem.chains)].max() * 3 * (
        problem.n_tasks + 1
    )
    program, n, shape = Program(), problem.n_tasks, (len(groups), len(cuts))
    end = program.columns(1, 0.0, float(latest) / unit)
    x, y = program.columns(shape, 0.0, n), program.columns(shape, 0.0, n)
    z, w = program.columns(int(sends.sum()), 0.0, 1.0), program.columns(1, 0.0, 1.0)
    rows, begun = program.rows, float(problem.release.min()) / unit * DOWN
    heads = np.full(len(cuts), math.inf)
    for g, (devices, first, sizes) in enumerate(groups):
        r = first / unit
        for t in kinds.tolist():
            rows([(x[g, kind == t][None], 1.0)], lower=sizes[t], upper=sizes[t])
            if sizes[t]:
                here = kind == t
                heads[here] = np.minimum(heads[here], (r + device[here] + link[here]) * DOWN)
        rows([(end, devices), (x[g][None], -device), (y[g][None], -held)], lower=devices * r * DOWN)
        rows([(y[g][None], 1.0)], lower=devices, upper=devices)
        rows([(y[g], 1.0), (x[g], -1.0)], upper=0.0)
        if problem.link == "device":
            rows([(end, devices), (x[g][None], -link)], lower=devices * r * DOWN)
    rows(
        [(end, 1.0), (z[None], -heads[sends]), (x.T.ravel()[None], -np.repeat(cloud, len(x)))],
        lower=0.0,
    )
    if problem.capacity < n:
        slots = problem.capacity
        rows([(end, slots), (x.T.ravel()[None], -np.repeat(held, len(x)))], lower=slots * begun)
    if problem.link == "shared":
        rows([(end, 1.0), (x.T.ravel()[None], -np.repeat(link, len(x)))], lower=begun)
    rows([(z, 1.0), (x[:, sends].T, -1.0)], upper=0.0)
    rows([(z[None], 1.0), (w, 1.0)], lower=1.0, upper=1.0)
    rows([(x[:, sends].ravel()[None], 1.0), (w, n)], upper=n)
    cost = np.zeros(program.n_columns)
    cost[end] = 1.0
    integer = np.ones(program.n_columns, dtype=bool)
    integer[end] = False
    return Counts(program.arrays(cost, integer), unit, [*z.tolist(), *w.tolist()])


def _programs(counts: Counts) -> list[Arrays]:
    """Return the program without whole numbers for every case."""
    free = dataclasses.replace(counts.arrays, integer=np.zeros(counts.arrays.cost.size, bool))
    if len(counts.cases) > MOST_CASES:
        return [free]
    found = []
    for case in counts.cases:
        lower, upper = free.lower.copy(), free.upper.copy()
        upper[counts.cases] = 0.0
        lower[case] = upper[case] = 1.0
        found.append(dataclasses.replace(free, lower=lower, upper=upper))
    return found


def _alike(problem: PipelineProblem, apart: bool) -> list[tuple[int, float, Any]]:
    """Return groups of devices: how many, their first arrival, and tasks of each type in all."""
    found: dict[Any, int] = {}
    for e, row in enumerate(problem.arrivals):
        if row:
            kinds = problem.kind[problem.first[e] : problem.first[e + 1]]
            sizes = np.bincount(kinds, minlength=len(problem.chains))
            key = (row[0], tuple(sizes.tolist()), e if apart else -1)
            found[key] = found.get(key, 0) + 1
    return [(count, first, count * np.array(sizes)) for (first, sizes, _), count in found.items()]


def _safe(problem: PipelineProblem, value: float) -> float:
    """Return a value less what the simulator's sums may round off."""
    return max(0.0, value * (1 - 8 * (problem.n_tasks + 4) * 2.0**-53))
