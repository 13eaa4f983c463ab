"""What one can see of a plan: delays, waits, busy shares, lanes of a Gantt chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray, Lane

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

SHORT = 1e-12  # seconds up to which a bar counts as empty


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


class _Spans(NamedTuple):
    """Bars: a task each, numbered as in the problem."""

    start: FloatArray
    length: FloatArray
    tasks: IntArray
    waiting: BoolArray


def lanes(problem: PipelineProblem, x: PipelinePlan) -> list[Lane]:
    """Return the lanes from the devices to the cloud; the bars of a device share a colour.

    A device, an own link, the shared link and the cloud have a lane each. Where tasks are in one
    place together there are as many lanes as tasks at a time: on links without capacity, in the
    queue of what has arrived and waits for the server, before a link, and in the memory of devices
    that do not hold a task until it has a slot. A device that does hold it has the wait in its own
    lane. Waits are marked as such; what takes no time has no bar.
    """
    times = problem.times(x)
    device, link, cloud = problem.chains[problem.kind, x.cuts].T
    sent = np.flatnonzero(x.cuts < problem.n_cuts - 1)
    arrived = times.sent + link
    everyone = np.arange(problem.n_tasks)

    def spans(start: FloatArray, end: FloatArray, of: IntArray, waiting: bool) -> _Spans:
        return _Spans(start[of], (end - start)[of], of, np.full(of.size, waiting))

    def each(label: str, of: _Spans, link: bool) -> list[Lane]:
        on = [_of(of, problem.device[of.tasks] == e) for e in range(problem.n_devices)]
        return [_lane(problem, f"{label} {e}", own, link) for e, own in enumerate(on)]

    work = spans(times.start, times.start + device, everyone, False)
    blocked = spans(times.finish, times.admitted, sent, True)
    drawn = each("device", _both(work, blocked) if problem.hold else work, False)
    if not problem.hold:
        drawn += _rows(problem, "memory", blocked, False)
    drawn += _rows(problem, "before the link", spans(times.admitted, times.sent, sent, True), True)
    moved = spans(times.sent, arrived, sent, False)
    own_links = problem.link == "device"
    drawn += each("link", moved, True) if own_links else _rows(problem, "link", moved, True)
    drawn += _rows(problem, "queue", spans(arrived, times.served, sent, True), True)
    served = spans(times.served, times.served + cloud, sent, False)
    return [*drawn, _lane(problem, "cloud", served, False)]


def _both(a: _Spans, b: _Spans) -> _Spans:
    return _Spans(
        np.concatenate([a.start, b.start]),
        np.concatenate([a.length, b.length]),
        np.concatenate([a.tasks, b.tasks]),
        np.concatenate([a.waiting, b.waiting]),
    )


def _of(spans: _Spans, kept: BoolArray | list[int]) -> _Spans:
    return _Spans(spans.start[kept], spans.length[kept], spans.tasks[kept], spans.waiting[kept])


def _lane(problem: PipelineProblem, label: str, spans: _Spans, link: bool) -> Lane:
    """Return the bars that take time as one lane."""
    spans = _of(spans, spans.length > SHORT)
    numbers = [str(j) for j in spans.tasks.tolist()]
    bars = tuple(zip(spans.start.tolist(), spans.length.tolist(), numbers, strict=True))
    groups = tuple(problem.device[spans.tasks].tolist())
    return Lane(label, bars, groups, link, tuple(spans.waiting.tolist()), "device")


def _rows(problem: PipelineProblem, label: str, spans: _Spans, link: bool) -> list[Lane]:
    """Return as many lanes of one label as bars that overlap need."""
    rows = _apart(spans.start, spans.length)
    return [_lane(problem, label, _of(spans, row), link) for row in rows]


def _apart(start: FloatArray, length: FloatArray) -> list[list[int]]:
    """Return bars divided into rows without overlap, the earliest first; empty bars left out."""
    rows: list[list[int]] = []
    ends: list[float] = []
    for k in np.argsort(start, kind="stable").tolist():
        if not length[k] > SHORT:
            continue
        for row, end in enumerate(ends):
            if end <= start[k] + SHORT:
                rows[row].append(k)
                ends[row] = start[k] + length[k]
                break
        else:
            rows.append([k])
            ends.append(start[k] + length[k])
    return rows
