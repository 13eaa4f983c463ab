"""Runs side by side: a bounded number of batches under way, refilled as they finish.

Joblib's own ``Parallel`` asks for tasks in a thread of its own and hands out results without
waiting for who takes them; here both happen at the pace of the one writer, so that a study holds a
few batches at any time. Its worker processes are used as they are; on a cluster, dask's.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType
from typing import Any, Protocol, Self

from optedge.solvers.front import solve
from optedge.study.runs import Call, Done, Job, failed, run_batch_of, run_call

BATCH_SECONDS = 0.2  # tiny runs travel together for about so long
MOST = 256  # runs of one batch
IDLE_SECONDS = 300  # after which a process without work ends


class Pool(Protocol):
    """Where batches run."""

    @property
    def deaths(self) -> tuple[type[BaseException], ...]:
        """What a batch raises when its process died."""

    def width(self) -> int:
        """Return how many batches should be under way now."""

    def prepare(self, call: Call) -> None:
        """Do what is better done once here than in every worker."""

    def submit(self, calls: list[Call], job: Job) -> Future[list[Done]]:
        """Run a batch there."""


def in_turn(calls: Iterable[Call], job: Job) -> Generator[Done]:
    """Run the calls here, one after the other."""
    for call in calls:
        yield run_call(call, job)


def side_by_side(calls: Iterable[Call], job: Job, pool: Pool) -> Generator[Done]:
    """Run the calls in a pool and yield each as soon as it is there.

    A process that dies takes its batch with it: those runs are tried again one at a time, and one
    that is alone when a process dies again is an error.
    """
    waiting = _Waiting(calls, pool)
    flying: dict[Future[list[Done]], list[Call]] = {}
    suspects: deque[Call] = deque()
    trial: Future[list[Done]] | None = None
    try:
        while True:
            if suspects and not flying:
                batch = [suspects.popleft()]
                trial = pool.submit(batch, job)
                flying[trial] = batch
            while not suspects and trial is None and len(flying) < pool.width():
                batch = waiting.take()
                if not batch:
                    break
                flying[pool.submit(batch, job)] = batch
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                batch = flying.pop(future)
                try:
                    done = future.result()
                except pool.deaths as error:
                    if future is trial:
                        yield failed(batch[0], error)
                    else:
                        suspects.extend(batch)
                else:
                    waiting.back(batch, len(done))
                    yield from done
                trial = None if future is trial else trial
    finally:
        for future in flying:
            future.cancel()


class _Waiting:
    """The calls that are still to be sent, in batches as long as the last ones allow."""

    def __init__(self, calls: Iterable[Call], pool: Pool) -> None:
        self._calls, self._prepare = iter(calls), pool.prepare
        self._again: deque[Call] = deque()
        self._size = 1

    def take(self) -> list[Call]:
        """Return the next batch; an empty one at the end."""
        batch = [self._again.popleft() for _ in range(min(self._size, len(self._again)))]
        for call in itertools.islice(self._calls, self._size - len(batch)):
            self._prepare(call)
            batch.append(call)
        return batch

    def back(self, batch: list[Call], done: int) -> None:
        """Take back what of a batch was not run, and learn how long batches should be."""
        self._again.extend(batch[done:])
        self._size = done if done < len(batch) else min(MOST, max(self._size, 2 * done))


# --------------------------------------------------------------------------- processes here


class Processes:
    """Joblib's worker processes on this machine; they stay for the next study."""

    def __init__(self, n_jobs: int) -> None:
        from joblib.externals.loky import process_executor

        self.n_jobs = n_jobs
        self.deaths = (process_executor.BrokenProcessPool,)
        self._prepared: set[tuple[str, type]] = set()

    def width(self) -> int:
        """Return two batches a process, so that none waits for the writer."""
        return 2 * self.n_jobs

    def prepare(self, call: Call) -> None:
        """Compile a search's kernels, which the workers then find on disk."""
        kind = (call.solver.name, type(call.problem))
        if call.solver.kind == "metaheuristic" and kind not in self._prepared:
            self._prepared.add(kind)
            with contextlib.suppress(Exception):  # it will be reported by the run itself
                solve(call.problem, call.solver, max_evaluations=1000, bound=False, **call.options)

    def submit(self, calls: list[Call], job: Job) -> Future[list[Done]]:
        """Run a batch in one of the processes."""
        done: Future[list[Done]] = self._executor().submit(
            run_batch_of, os.getpid(), calls, job, BATCH_SECONDS
        )
        return done

    def _executor(self) -> Any:
        from joblib.externals.loky import get_reusable_executor

        return get_reusable_executor(max_workers=self.n_jobs, timeout=IDLE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:  # what is under way is not wanted any more
            self._executor().shutdown(wait=True, kill_workers=True)
