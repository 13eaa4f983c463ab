"""What an answer may do: it ends, it leaves its input alone, and its errors become sentences."""

from __future__ import annotations

import _thread
import dataclasses
import signal
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import numpy as np

from optedge.exercises.answers import Refused

T = TypeVar("T")

#: Seconds that a function may take, all its calls together.
SECONDS = 10.0


class TimeUp(KeyboardInterrupt):
    """The time of an answer is up; no ``except Exception`` of the answer catches it."""


def can_limit() -> bool:
    """Tell whether a loop can be stopped: only what runs in the main thread is interrupted."""
    return threading.current_thread() is threading.main_thread()


class _Watch:
    """A timer in a thread of its own, whose interrupt the main thread sees as :class:`TimeUp`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.running = True  # False: an interrupt that comes late is dropped
        self.fired = False
        self.expired = False
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._wait, daemon=True)

    def _wait(self) -> None:
        wait = self.seconds
        while not self.stopped.wait(wait):
            self.fired = self.expired = True
            _thread.interrupt_main()
            wait = 0.5  # an answer that swallows the interrupt gets another one

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle Ctrl-C and the timer, which differ by a mark."""
        if not self.fired:
            raise KeyboardInterrupt
        self.fired = False
        if self.running:
            raise TimeUp


def run_limited(work: Callable[[], T], seconds: float) -> T:
    """Return what ``work`` returns.

    Python code is stopped between two of its instructions; a call into compiled code is waited for.
    Off the main thread there is no limit.

    Raises
    ------
    TimeUp
        If it takes longer, even if it catches the interrupt and ends later.
    """
    if not can_limit():
        return work()
    watch = _Watch(seconds)
    before = signal.signal(signal.SIGINT, watch.on_interrupt)
    try:
        watch.thread.start()
        try:
            result = work()
        finally:
            watch.running = False
    finally:  # entered a second time, as it were, if the interrupt falls into the inner one
        watch.running = False
        watch.stopped.set()
        watch.thread.join()
        # `signal` first handles what is pending, so that no late interrupt meets the old handler.
        # A handler that was not set from Python reads as None and cannot be set back.
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if watch.expired:
        raise TimeUp
    return result


class Guarded:
    """A function that was handed in, called with frozen arguments; what goes wrong is a sentence.

    All its calls together have ``seconds``; oracles, and kernels that they compile, do not count.

    Raises
    ------
    Refused
        If the function raises, changes an argument, or returns nothing.
    TimeUp
        If it has used up its time.
    """

    def __init__(self, function: Callable[..., Any], seconds: float) -> None:
        self.function = function
        self.left = seconds

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns."""
        _freeze(arguments)
        before, start = _fingerprint(arguments), time.monotonic()
        try:
            result = run_limited(lambda: self.function(*arguments), max(self.left, 0.01))
        except (Exception, SystemExit) as error:
            if isinstance(error, ValueError) and "read-only" in str(error):
                raise Refused("your function changes its input; work on a copy") from error
            raise Refused(_told(error, self.function)) from error
        finally:
            self.left -= time.monotonic() - start
        if _fingerprint(arguments) != before:
            raise Refused("your function changes its input; work on a copy")
        if result is None:
            raise Refused("your function returns nothing (None)")
        return result


def _told(error: BaseException, function: Callable[..., Any]) -> str:
    """Return a sentence of an exception, with the last line of the answer that led to it."""
    if isinstance(error, NotImplementedError) and not str(error):
        return "your function is not written yet (NotImplementedError)"
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if code is not None and f.filename == code.co_filename]
    where = f" in line {lines[-1]} of its cell or file" if lines else ""
    text = f": {error}".rstrip(".: ").replace("\n", " ")
    return f"your function raises {type(error).__name__}{where}{text[:300]}"


def _freeze(value: Any) -> None:
    """Make the arrays in tuples, lists, dictionaries and dataclasses read-only."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    for part in _parts(value):
        _freeze(part)


def _fingerprint(value: Any) -> Any:
    """Return something that changes when an argument is changed."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, int | float | complex | str | bytes | bool | None):
        return repr(value)
    return (type(value).__name__, [_fingerprint(part) for part in _parts(value)])


def _parts(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return []
