"""Workers on other machines: a dask cluster, whose address is the user's (extra ``dist``).

Joblib's own dask backend is not used: a batch whose worker died too often never comes back from it,
and it does not wait for the writer. Dask itself sends the batches of a lost worker to another one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from optedge.study.pools import BATCH_SECONDS
from optedge.study.runs import Call, Done, Job, run_batch

PATIENCE = 10.0  # seconds to find the scheduler, and for a first worker to be there
COUNT_EVERY = 1.0  # seconds between two looks at how many workers there are

LOST = "the dask cluster was lost in the middle of the study."


class Cluster:
    """The workers of a dask cluster; each runs one task at a time.

    Parameters
    ----------
    address
        Of the scheduler, such as ``"tcp://10.0.0.1:8786"``; None for the client that this process
        has already.

    Raises
    ------
    ImportError
        Without ``dask.distributed`` here, or if a worker cannot import this package.
    ValueError
        If there is neither an address nor a client, or if a worker has another version.
    ConnectionError
        If nobody answers at the address, or if there is no worker.
    """

    def __init__(self, address: str | None) -> None:
        distributed = _dask()
        self._own = address is not None
        self._client = _connected(distributed, address)
        self._counted, self._workers = -COUNT_EVERY, 0
        try:
            self._check_workers()
            self._executor = self._client.get_executor(pure=False)
            self.deaths: tuple[type[BaseException], ...] = (distributed.KilledWorker,)
        except BaseException:
            self._close()
            raise

    def _check_workers(self) -> None:
        where = self._client.scheduler.address
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ConnectionError(f"the dask cluster at {where} has no workers.") from None
        here = version("optedge")
        for worker, found in self._client.run(_probe(), on_error="return").items():
            if isinstance(found, BaseException):
                raise ImportError(f"the dask worker {worker} cannot import optedge: {found}.")
            if found != here:
                raise ValueError(
                    f"the dask worker {worker} has optedge {found}, here it is {here}; install the"
                    " same version there."
                )

    def width(self) -> int:
        """Return two batches a worker; workers may come and go."""
        now = time.monotonic()
        if now - self._counted >= COUNT_EVERY:
            try:
                self._counted, self._workers = now, len(self._client.nthreads())
            except OSError:
                raise ConnectionError(LOST) from None
        return 2 * max(1, self._workers)

    def prepare(self, call: Call) -> None:
        """Leave kernels to the workers: they have disks of their own."""

    def submit(self, calls: list[Call], job: Job) -> Future[list[Done]]:
        """Run a batch on one of the workers."""
        done: Future[list[Done]] = self._executor.submit(run_batch, calls, job, BATCH_SECONDS)
        return done

    def _close(self) -> None:
        if self._own:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        if kind is CancelledError:
            raise ConnectionError(LOST) from None


def _dask() -> Any:
    try:
        import distributed
    except ImportError:
        raise ImportError(
            'backend="dask" needs dask.distributed: pip install "optedge[dist]".'
        ) from None
    return distributed


def _connected(distributed: Any, address: str | None) -> Any:
    if address is None:
        with contextlib.suppress(ValueError):
            return distributed.get_client()
        raise ValueError(
            'backend="dask" needs a cluster: give its address, or make a dask.distributed.Client'
            " before."
        )
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConnectionError(f"no dask scheduler answers at {address!r}: {reason}.") from None


def _probe() -> Callable[[], str]:
    def found() -> str:  # travels as code: there may be no optedge to find it in
        from importlib.metadata import version

        import optedge.study  # noqa: F401

        return version("optedge")

    return found
