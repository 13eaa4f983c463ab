r"""Waiting times of tasks at the nodes: M/M/1, M/M/c, and the published formula.

Tasks arrive as a Poisson stream of rate :math:`\lambda`, a node serves :math:`\mu` of them a second
(exponential times). With the load :math:`a = \lambda/\mu` of :math:`c` nodes that share one queue,

.. math:: B_0 = 1,\quad B_k = \frac{a B_{k-1}}{k + a B_{k-1}},\quad
          C = \frac{c B_c}{c - a (1 - B_c)},\quad W_q = \frac{C}{c\mu - \lambda}

:math:`B_k` (Erlang B) is the share that :math:`k` nodes without a queue would lose, :math:`C`
(Erlang C) the share that waits. The recursion forms no factorial and no power, so thousands of
nodes do not overflow. A queue that is not stable, :math:`\lambda \ge c\mu`, never ends: ``inf``.

Source: Xu et al. 2020, eq. (12). Departures: that formula is M/M/1 although the text says M/M/N,
and lacks one factor of the work: its unit is s/MAC (:func:`literal_wait`).
"""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class UnitWarning(UserWarning):
    """A published formula whose unit is not the one that it is used in."""


def erlang_b(servers: int, load: npt.ArrayLike) -> Any:
    """Return the share of tasks lost if nobody may wait (Erlang B).

    Parameters
    ----------
    servers
        Number of servers, at least 0.
    load
        Arrival rate / service rate of one server, at least 0 and finite; one or an array.

    Returns
    -------
    float or ndarray
        In [0, 1]; an array of the shape of ``load`` if that is one.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    count = _servers(servers, 0)
    a = _rate(load, "load")
    if np.isinf(a).any():
        raise ValueError("load must be finite.")
    lost = np.ones_like(a)
    for k in range(1, count + 1):
        lost = a * lost / (k + a * lost)
    return _like(lost)


def erlang_c(servers: int, load: npt.ArrayLike) -> Any:
    """Return the share of tasks that wait in a shared queue (Erlang C); 1 if it is not stable.

    Parameters
    ----------
    servers
        Number of servers, at least 1.
    load
        Arrival rate / service rate of one server, at least 0; one or an array.
    """
    c = _servers(servers)
    a = _rate(load, "load")
    stable = np.where(a < c, a, 0.0)
    lost = np.asarray(erlang_b(c, stable))
    return _like(np.where(a < c, c * lost / (c - stable * (1 - lost)), 1.0))


def mm1_wait(arrival_rate: npt.ArrayLike, service_rate: npt.ArrayLike) -> Any:
    r"""Return the mean time in the queue of one server, :math:`\lambda/(\mu(\mu-\lambda))`.

    Parameters
    ----------
    arrival_rate
        Tasks a second, at least 0; one or an array.
    service_rate
        Tasks a second that the server can do, at least 0; ``inf`` if a task takes no time.

    Returns
    -------
    float or ndarray
        Seconds; ``inf`` where ``arrival_rate >= service_rate`` and somebody arrives, 0 where
        nobody does.

    Notes
    -----
    With service rate F/Z (speed over work) this is lambda Z^2 / (F (F - lambda Z)): eq. (12) of
    the paper with the missing factor Z.
    """
    return mmc_wait(arrival_rate, service_rate, 1)


def mmc_wait(arrival_rate: npt.ArrayLike, service_rate: npt.ArrayLike, servers: int) -> Any:
    r"""Return the mean time in the queue that equal servers share, :math:`C/(c\mu-\lambda)`.

    Parameters
    ----------
    arrival_rate
        Tasks a second of all servers together, at least 0; one or an array.
    service_rate
        Tasks a second that *one* server can do, at least 0; ``inf`` if a task takes no time.
    servers
        Number of servers, at least 1.

    Returns
    -------
    float or ndarray
        Seconds; ``inf`` where the queue is not stable (never a negative number), 0 where nobody
        arrives.
    """
    c = _servers(servers)
    arrive, serve = np.broadcast_arrays(
        _rate(arrival_rate, "arrival_rate"), _rate(service_rate, "service_rate")
    )
    if np.isinf(arrive).any():
        raise ValueError("arrival_rate must be finite.")
    idle = (arrive == 0) | np.isinf(serve)
    stable = ~idle & (arrive < c * serve)
    rate = np.where(stable, serve, 1.0)  # a stable stand-in: nothing is divided by zero below
    some = np.where(stable, arrive, 0.0)
    share = np.asarray(erlang_c(c, some / rate))
    wait = share / np.where(stable, c * rate - some, 1.0)
    return _like(np.where(stable, wait, np.where(idle, 0.0, np.inf)))


def literal_wait(arrival_rate: npt.ArrayLike, work: npt.ArrayLike, speed: npt.ArrayLike) -> Any:
    r"""Return eq. (12) as it is printed, :math:`\lambda Z/(F(F-\lambda Z))`, and warn.

    Parameters
    ----------
    arrival_rate
        Tasks a second, at least 0.
    work
        Z, MAC of a task on the node, at least 0.
    speed
        F of the node in MAC/s, positive.

    Returns
    -------
    float or ndarray
        In s/MAC, *not* seconds: of the order of 1e-11 where the corrected wait is a tenth of a
        second. ``inf`` where the queue is not stable.

    Warns
    -----
    UnitWarning
        Always.
    """
    warnings.warn(
        "eq. (12) as printed is in s/MAC, not in seconds: one factor of the work is missing.",
        UnitWarning,
        stacklevel=2,
    )
    arrive, mac = _rate(arrival_rate, "arrival_rate"), _rate(work, "work")
    rate = _rate(speed, "speed")
    if (rate == 0).any():
        raise ValueError("speed must be positive.")
    spare = rate - arrive * mac
    safe = np.where(spare > 0, spare, 1.0)
    return _like(np.where(spare > 0, arrive * mac / (rate * safe), np.inf))


def _servers(servers: int, least: int = 1) -> int:
    try:
        count = operator.index(servers)
    except TypeError:
        raise ValueError(f"servers must be an integer, got {servers!r}.") from None
    if count < least:
        raise ValueError(f"servers must be at least {least}, got {count}.")
    return count


def _rate(value: npt.ArrayLike, name: str) -> FloatArray:
    try:
        rate = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number or an array of numbers.") from None
    if not (rate >= 0).all():
        raise ValueError(f"{name} must be at least 0 and not NaN.")
    return rate


def _like(value: FloatArray) -> Any:
    return np.asarray(value) if np.ndim(value) else float(value)
