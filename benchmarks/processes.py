"""Rows that are measured in a process of their own: by themselves, or several side by side."""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import reporting


def in_a_process(script: str, task: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return what ``python script --row TASK`` prints in its last line, both in JSON.

    Parameters
    ----------
    script
        The file of the benchmark.
    task
        What to measure.
    seconds
        After which the process is ended.

    Returns
    -------
    dict
        With a sentence under ``state`` alone if it was ended or failed; that of a failure begins
        with ERROR.
    """
    command = [sys.executable, script, "--row", json.dumps(task)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"state": f"ended after {seconds:g} s: it did not look at its limit"}
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return {"state": f"ERROR: {last[0]}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured_row(row: str | None, measures: Mapping[str, Callable[..., Any]]) -> bool:
    """Measure the task of ``--row``, if there is one, and print what was found, in JSON.

    Parameters
    ----------
    row
        The task, as :func:`in_a_process` writes it; None if the script was started by a user.
    measures
        Functions by name; the task's entry ``measure`` names one, the others are its parameters.

    Returns
    -------
    bool
        Whether there was a task.
    """
    if not row:
        return False
    task = json.loads(row)
    reporting.one_core(task.pop("core"))
    print(json.dumps(measures[task.pop("measure")](**task)))
    return True


def cores(jobs: int) -> list[int | None]:
    """Return a core for each of so many processes; None where the system cannot pin.

    Raises
    ------
    ValueError
        If this process may not use as many.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [None] * jobs
    usable = sorted(os.sched_getaffinity(0), reverse=True)
    if not 1 <= jobs <= len(usable):
        raise ValueError(f"jobs must be 1 to {len(usable)}, the number of cores, got {jobs}.")
    return list(usable[:jobs])


def cores_used(chosen: list[int | None]) -> str:
    """Say in a sentence what :func:`side_by_side` does with these cores."""
    if chosen[0] is None:
        return f"{len(chosen)} processes, one thread a library (this system pins no process)"
    if len(chosen) == 1:
        return f"one, all processes pinned to core {chosen[0]}"
    numbers = " and ".join(str(core) for core in chosen)
    return (
        f"one a run; {len(chosen)} runs at a time, side by side in processes pinned to the cores "
        f"{numbers}, which share caches and memory"
    )


def side_by_side(
    script: str, tasks: Iterable[dict[str, Any]], chosen: list[int | None], seconds: float
) -> Iterator[dict[str, Any]]:
    """Return what :func:`in_a_process` does for each task, in their order, as soon as it is known.

    Each task gets an entry ``core``, one of ``chosen`` that no other one has at that time.
    """
    idle: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for core in chosen:
        idle.put(core)

    def measured(task: dict[str, Any]) -> dict[str, Any]:
        core = idle.get()
        try:
            return in_a_process(script, {**task, "core": core}, seconds)
        finally:
            idle.put(core)

    pool = ThreadPoolExecutor(len(chosen))
    try:
        waiting = [pool.submit(measured, task) for task in tasks]
        for future in waiting:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def finished(
    script: str,
    tasks: Iterable[tuple[str, dict[str, Any]]],
    chosen: list[int | None],
    seconds: float,
    failed: list[str],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Run labelled tasks :func:`side_by_side`; yield each with what was found.

    A task that failed or was ended is a sentence in ``failed`` instead.
    """
    labelled = list(tasks)
    done = side_by_side(script, [task for _, task in labelled], chosen, seconds)
    for (label, task), found in zip(labelled, done, strict=True):
        reporting.progress(f"{label}: done")
        if "state" in found:
            failed.append(f"{label}: {found['state']}.")
        else:
            yield task, found


def peak_memory() -> float:
    """Return the most memory that this process has held, in MB."""
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6
