"""What is heard from HiGHS while it runs, and how it is told to stop."""

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

OnIncumbent = Callable[[float, npt.NDArray[np.float64]], object]
OnBound = Callable[[float], object]
ShouldStop = Callable[[], bool]


class Monitor:
    """Pass the progress of a run on to the caller's functions and collect reasons to stop.

    Everything is kept as if the problem were a minimisation (``sense`` = -1 flips the sign), and
    only strict improvements are passed on, so callers see monotone sequences.

    Parameters
    ----------
    sense
        1 to minimise, -1 to maximise.
    on_incumbent, on_bound, should_stop
        The caller's functions as in `solve_arrays`; None if not wanted.
    """

    def __init__(
        self,
        sense: int,
        on_incumbent: OnIncumbent | None,
        on_bound: OnBound | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self.stop_reason = ""
        self._error: BaseException | None = None
        self._sense = sense
        self._objective = math.inf
        self._bound = -math.inf
        self._on_incumbent = on_incumbent
        self._on_bound = on_bound
        self._should_stop = should_stop

    def watch(self, highs: Any, *, quiet: bool = False) -> None:
        """Listen to ``highs``; a ``quiet`` run can be stopped but its progress is not passed on.

        HiGHS solves helper problems (a restriction that completes a start, say) whose bounds
        would be false for the problem at hand: those runs are quiet.
        """
        highs.cbSimplexInterrupt.subscribe(self._poll)
        highs.cbMipInterrupt.subscribe(self._poll if quiet else self._poll_mip)
        if self._on_incumbent is not None and not quiet:
            highs.cbMipImprovingSolution.subscribe(self._improved)

    def stop(self, reason: str) -> None:
        """Ask HiGHS to stop at its next poll; the first reason given is kept."""
        self.stop_reason = self.stop_reason or reason

    def offer(self, objective: float, x: npt.NDArray[np.float64]) -> None:
        """Pass an incumbent on if it is better than all before."""
        value = self._sense * objective
        # The final value may differ from the callback's by rounding: not a new incumbent.
        if value < self._objective - 1e-9 * max(1.0, abs(value)):
            self._objective = value
            if self._on_incumbent is not None:
                self._call(self._on_incumbent, objective, x)

    def raise_bound(self, bound: float) -> None:
        """Pass a dual bound on if it is better than all before."""
        if self._sense * bound > self._bound:
            self._bound = self._sense * bound
            if self._on_bound is not None:
                self._call(self._on_bound, bound)

    def raise_error(self) -> None:
        """Re-raise what one of the caller's functions raised, now that C++ is behind us."""
        if self._error is not None:
            raise self._error

    def ask(self) -> bool:
        """Tell whether there is a reason to stop, asking the caller if none stands yet."""
        if not self.stop_reason and self._should_stop is not None and self._call(self._should_stop):
            self.stop("callback")
        return bool(self.stop_reason)

    def _poll(self, event: Any) -> None:
        if self.ask():
            event.interrupt()

    def _poll_mip(self, event: Any) -> None:
        self.raise_bound(float(event.data_out.mip_dual_bound))
        self._poll(event)

    def _improved(self, event: Any) -> None:
        # A copy: HiGHS owns the memory and reuses it after the callback.
        x = np.array(event.data_out.mip_solution, dtype=np.float64)
        self.offer(float(event.data_out.objective_function_value), x)
        if self.stop_reason:
            event.interrupt()

    def _call(self, function: Callable[..., object], *arguments: object) -> object:
        """Call one of the caller's functions; an exception is kept and never enters C++."""
        if self._error is not None:
            return None
        try:
            return function(*arguments)
        except BaseException as error:
            self._error = error
            self.stop("error")
            return None


@contextmanager
def interruptible(monitor: Monitor) -> Iterator[None]:
    """Let Ctrl-C stop HiGHS through ``monitor`` instead of raising `KeyboardInterrupt`.

    Only the main thread may set signal handlers; elsewhere, or where SIGINT is ignored or handled
    outside Python (then the handler could not be restored), nothing is changed.
    """
    previous = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or previous is None or previous == signal.SIG_IGN:
        yield
        return
    try:
        signal.signal(signal.SIGINT, lambda number, frame: monitor.stop("interrupted"))
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
