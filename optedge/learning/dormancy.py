r"""Dormancy: which tasks end at the edge, because the link is slow just now.

Before an upload the master knows the delay :math:`T_{rd}` of the round. Up to a threshold
:math:`T_0` the task takes the path through the cloud; above it the small exit head at the master
answers, and nothing is sent.

Source: Xu et al. 2020, section 3. The paper calls :math:`T_0` the "average delay"; here it is the
running mean of past delays, a fixed number of seconds, or a quantile of past delays.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Threshold = Literal["mean", "fixed", "quantile"]


@dataclasses.dataclass(frozen=True)
class Dormancy:
    """When a task stays at the edge: if its delay exceeds a threshold.

    Parameters
    ----------
    threshold
        ``"mean"`` of all delays before; ``"fixed"``, that of ``seconds``; ``"quantile"``, that
        which the share ``share`` of delays before exceeds. Without any delay before, a task takes
        the path through the cloud.
    seconds
        The fixed threshold, at least 0.
    share
        Of tasks that are to be dormant, in [0, 1], for the quantile.
    smoothing
        Factor of the newest delay in the exponential mean that is held against the threshold: 1
        takes each delay as it is, 0.1 keeps a node from changing its mind at every step.

    Raises
    ------
    ValueError
        If the threshold is unknown, lacks its number or has one of another's, or a number is out
        of its range.

    Notes
    -----
    The mean is taken of the delays themselves; the quantile of what is compared with it, the
    smoothed delays, which spread less.
    """

    threshold: Threshold = "mean"
    seconds: float | None = None
    share: float | None = None
    smoothing: float = 1.0

    def __post_init__(self) -> None:
        kinds = get_args(Threshold)
        if self.threshold not in kinds:
            raise ValueError(
                f"threshold must be one of {', '.join(kinds)}, got {self.threshold!r}."
            )
        for field, kind in (("seconds", "fixed"), ("share", "quantile")):
            given = getattr(self, field) is not None
            if given != (self.threshold == kind):
                raise ValueError(
                    f"{field} belongs to threshold={kind!r} alone, which needs it; "
                    f"got threshold={self.threshold!r} and {field}={getattr(self, field)!r}."
                )
        if self.seconds is not None and not self.seconds >= 0:
            raise ValueError(f"seconds must be at least 0, got {self.seconds}.")
        if self.share is not None:
            check_share(self.share, "share")
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"smoothing must lie in (0, 1], got {self.smoothing}.")

    def decide(self, delays: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Tell which tasks are dormant, given their delays in seconds one after the other.

        Raises
        ------
        ValueError
            If delays are not a row of numbers, or one is negative or NaN.
        """
        row = np.asarray(delays, dtype=np.float64)
        if row.ndim != 1:
            raise ValueError(f"delays must be a row of numbers, got shape {row.shape}.")
        if (wrong := np.flatnonzero(~(row >= 0))).size:
            raise ValueError(f"delays must be at least 0; entries {wrong.tolist()} are not.")
        watch = Watch(self)
        return np.array([watch.dormant(delay) for delay in row.tolist()], dtype=bool)


class Watch:
    """What one node remembers of its delays."""

    def __init__(self, rule: Dormancy) -> None:
        self._rule = rule
        self._smoothed = math.nan
        self._sum, self._count = 0.0, 0
        self._sorted: list[float] = []

    def dormant(self, delay: float) -> bool:
        """Tell whether a task of this delay is dormant, and remember the delay."""
        rule, first = self._rule, self._count == 0
        if first:
            self._smoothed = delay
        else:
            self._smoothed += rule.smoothing * (delay - self._smoothed)
        # An empty history has no threshold: nothing exceeds infinity.
        threshold = rule.seconds if rule.seconds is not None else math.inf
        if rule.threshold == "mean" and not first:
            threshold = self._sum / self._count
        elif rule.threshold == "quantile" and not first:
            threshold = _quantile(self._sorted, 1 - (rule.share or 0.0))
        self._sum, self._count = self._sum + delay, self._count + 1
        if rule.threshold == "quantile":
            bisect.insort(self._sorted, self._smoothed)
        return self._smoothed > threshold


def check_share(share: Any, name: str) -> float:
    """Return a share as a number, or raise ValueError if it is none in [0, 1]."""
    if not isinstance(share, int | float | np.number) or not 0 <= share <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {share!r}.")
    return float(share)


def _quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of sorted numbers, linear between them; 0 lies below the least.

    All tasks are to be dormant there, and the least delay does not exceed itself.
    """
    if share <= 0:
        return -math.inf
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
