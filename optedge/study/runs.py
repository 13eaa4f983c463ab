"""One run, where it happens: in this process, in another one, or on another machine."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optedge.formulations.base import Problem
from optedge.solvers.front import solve
from optedge.solvers.registry import Solver
from optedge.solvers.result import Result
from optedge.store import Row, encode_bare, row_of

_log = logging.getLogger("optedge")
_alone = threading.Lock()  # a clock is fair to one run a process, however many threads it has


class Call(NamedTuple):
    """What a worker is sent: a task with its data and its place in the study."""

    place: int
    problem: Problem
    solver: Solver
    options: Mapping[str, Any]
    seed: int


class Done(NamedTuple):
    """What it sends back: the row, and the result or the text of it that the store keeps."""

    place: int
    row: Row
    result: Result | None = None
    document: bytes | None = None


class Job(NamedTuple):
    """What all runs of a study share: budgets, and whether results come as the store keeps them."""

    budgets: Mapping[str, Any]
    encoded: bool


def run_call(call: Call, job: Job) -> Done:
    """Run one task; an exception of the solver becomes its row."""
    try:
        result = solve(call.problem, call.solver, seed=call.seed, **job.budgets, **call.options)
        row = row_of(result)
        if job.encoded and result.stop_reason != "interrupted":
            return Done(call.place, row, document=encode_bare(result))
        return Done(call.place, row, result)
    except Exception as error:
        _log.info("%s failed on %s", call.solver.name, call.problem.label, exc_info=True)
        return failed(call, error)


def failed(call: Call, error: BaseException) -> Done:
    """Return the row of a run that raised."""
    return Done(call.place, Row("ERROR", message=f"{type(error).__name__}: {error}"))


def run_batch(calls: Sequence[Call], job: Job, seconds: float) -> list[Done]:
    """Run the first of these calls, and more until the seconds have passed; the rest is not run.

    What comes back has no problems in it: they are known where the study is.
    """
    from threadpoolctl import threadpool_limits

    done: list[Done] = []
    nothing: Any = None
    with _alone, threadpool_limits(1):
        began = time.perf_counter()
        for call in calls:
            one = run_call(call, job)
            if one.result is not None:
                one = one._replace(result=dataclasses.replace(one.result, problem=nothing))
            done.append(one)
            if time.perf_counter() - began > seconds:
                break
    return done


def run_batch_of(parent: int, calls: Sequence[Call], job: Job, seconds: float) -> list[Done]:
    """Do as :func:`run_batch` in a process that is not to outlive ``parent``."""
    _end_with(parent)
    return run_batch(calls, job, seconds)


@functools.cache
def _end_with(parent: int) -> None:
    # A parent that was killed says nothing: its processes would wait for work for ever.
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
