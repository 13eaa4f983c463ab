"""When tasks arrive, and which of them make up a window."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray


def poisson(n_tasks: int, rate: float, seed: int = 0) -> FloatArray:
    """Draw the arrival times of a Poisson process.

    Parameters
    ----------
    n_tasks
        How many tasks arrive.
    rate
        Tasks a second in the mean, positive.
    seed
        Of the draws.

    Returns
    -------
    ndarray
        Seconds, increasing, shape ``(n_tasks,)``.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    check_whole("n_tasks", n_tasks)
    if not 0 < rate < math.inf:
        raise ValueError(f"rate must be a positive number of tasks a second, got {rate!r}.")
    gaps = np.random.default_rng(seed).exponential(1.0 / rate, n_tasks)
    return np.asarray(np.cumsum(gaps))


def arrival_times(arrivals: npt.ArrayLike | None, n_tasks: int) -> FloatArray:
    """Return checked arrival times (n_tasks,), read-only; zeros if there are none.

    Raises
    ------
    ValueError
        If there is not one a task, if one is negative or no number, or if they decrease.
    """
    if arrivals is None:
        arrivals = np.zeros(n_tasks)
    try:
        times = np.array(arrivals, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("arrivals must be a list of seconds, one a task.") from None
    if times.shape != (n_tasks,):
        raise ValueError(f"arrivals must hold {n_tasks} seconds, one a task, got {times.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(f"arrivals[{i}] must be a number of seconds, at least 0, got {times[i]}.")
    early = np.flatnonzero(np.diff(times) < 0)
    if early.size:
        i = int(early[0]) + 1
        raise ValueError(
            f"arrivals[{i}] is earlier than arrivals[{i - 1}]; tasks come in order of arrival."
        )
    times.setflags(write=False)
    return times


def check_whole(name: str, value: object) -> None:
    """Refuse what is no positive integer; the sentence names it."""
    if not isinstance(value, int | np.integer) or value is True or value < 1:
        raise ValueError(f"{name} must be an integer, at least 1, got {value!r}.")


def next_window(
    arrivals: FloatArray,
    waiting: Sequence[int],
    following: int,
    now: float,
    size: int | None,
    seconds: float | None,
) -> tuple[list[int], float]:
    """Return the tasks of the next window and when it closes.

    It opens with its first task. It closes when it holds ``size`` tasks or ``seconds`` after it
    opened; without ``seconds`` the last one closes with the last arrival.

    Parameters
    ----------
    arrivals
        Of all tasks, increasing.
    waiting
        Tasks that an earlier window had no room for.
    following
        The first task that was in no window yet.
    now
        When the window before was closed.
    size, seconds
        The two limits; None for none.
    """
    n = len(arrivals)
    opened = now if waiting else max(now, float(arrivals[following]))
    end = math.inf if seconds is None else opened + seconds
    last = int(np.searchsorted(arrivals, end, side="right"))
    if size is not None:
        last = min(last, following + size - len(waiting))
    tasks = [*waiting, *range(following, max(last, following))]
    if len(tasks) == size or (seconds is None and last == n):
        return tasks, max(opened, float(arrivals[tasks[-1]]))
    return tasks, end
