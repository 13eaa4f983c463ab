"""What one can see of a plan: delays, waits, busy shares, lanes of a Gantt chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Lane

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem


def metrics(problem: PipelineProblem, x: PipelinePlan) -> dict[str, float]:
    """Return makespan, mean, total and largest delay, waits and busy shares.

    ``mean_wait`` is from the end of a transmission to the start in the cloud, ``blocked`` the mean
    from leaving the device to admission, both over the tasks that are sent; shares are of the
    makespan, that of devices on average.
    """
    times = problem.times(x)
    delay = times.done - problem.release
    seconds = problem.chains[problem.kind, x.cuts]
    sent = x.cuts < problem.n_cuts - 1
    makespan = float(times.done.max())
    arrived = times.sent + seconds[:, 1]
    share = 1 / makespan if makespan > 0 else 0.0
    return {
        "makespan": makespan,
        "mean_delay": float(delay.mean()),
        "total_delay": float(delay.sum()),
        "max_delay": float(delay.max()),
        "mean_wait": float((times.served - arrived)[sent].mean()) if sent.any() else 0.0,
        "blocked": float((times.admitted - times.finish)[sent].mean()) if sent.any() else 0.0,
        "device_busy": float(seconds[:, 0].sum() * share / problem.n_devices),
        "cloud_busy": float(seconds[sent, 2].sum() * share),
        "sent_tasks": float(sent.sum()),
    }


def lanes(problem: PipelineProblem, x: PipelinePlan) -> list[Lane]:
    """Return the lanes from the devices to the cloud; the bars of a device share a colour."""
    times = problem.times(x)
    seconds = problem.chains[problem.kind, x.cuts]
    sent = np.flatnonzero(x.cuts < problem.n_cuts - 1)
    drawn: list[Lane] = []
    for e in range(problem.n_devices):
        own = np.flatnonzero(problem.device == e)
        bars = [(times.start[j], seconds[j, 0], str(j)) for j in own if seconds[j, 0] > 0]
        drawn.append(Lane(f"device {e}", _plain(bars), tuple([e] * len(bars))))
    for title, begins, length, link in (
        ("link", times.sent, seconds[:, 1], True),
        ("queue", times.sent + seconds[:, 1], times.served - times.sent - seconds[:, 1], True),
        ("cloud", times.served, seconds[:, 2], False),
    ):
        for row in _apart(begins[sent], length[sent]):
            tasks = sent[row]
            bars = [(begins[j], length[j], str(j)) for j in tasks]
            groups = tuple(problem.device[tasks].tolist())
            drawn.append(Lane(title, _plain(bars), groups, link))
    return drawn


def _plain(bars: list[tuple[float, float, str]]) -> tuple[tuple[float, float, str], ...]:
    return tuple((float(start), float(length), label) for start, length, label in bars)


def _apart(start: np.ndarray, length: np.ndarray) -> list[list[int]]:
    """Return bars divided into rows without overlap, the earliest first; empty bars left out."""
    rows: list[list[int]] = []
    ends: list[float] = []
    for k in np.argsort(start, kind="stable").tolist():
        if not length[k] > 1e-12:
            continue
        for row, end in enumerate(ends):
            if end <= start[k] + 1e-12:
                rows[row].append(k)
                ends[row] = start[k] + length[k]
                break
        else:
            rows.append([k])
            ends.append(start[k] + length[k])
    return rows
