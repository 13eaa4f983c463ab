"""What can be set about collaborative learning."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

#: Byte of a number that is sent: 8 bit in even steps, half precision, as it is.
SENT = (1, 2, 4)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearningOptions:
    """Options of :func:`~optedge.learning.train`.

    Parameters
    ----------
    steps, period
        Steps of every node, and steps between two averagings (the paper's tau).
    rate, momentum, decay
        Learning rate, share of the velocity that is kept, weight decay.
    milestones, factor
        Steps from which on the rate is multiplied by the factor (once more each).
    exit_weight, cloud_weight
        Weights a and b of the joint loss ``a F_e + b F_c``, eq. (7); the paper gives none.
    batch
        Least and most tasks of a node in a step, all numbers between equally likely.
    poisson
        Mean number of tasks of a node in a step, or one a node, in place of ``batch``.
    bytes_per_element
        Of a number that is sent: 4 as it is, 2 in half precision, 1 in 255 even steps from the
        least to the largest of what is sent; maps and gradients are rounded accordingly.
    label_bytes
        Of a label that is sent with a map.
    exit_hidden
        Neurons of hidden layers of the exit head; none by default.
    step_seconds
        Time from one step to the next, for links that follow a trace.

    Raises
    ------
    ValueError
        If a number is out of its range; the sentence names it.

    References
    ----------
    Xu et al. 2020, section 5: momentum 0.9, weight decay 1e-4, rate 0.1, a tenth of it from
    iterations 32000 and 48000 of 64000 on, batches of 128.
    """

    steps: int = 600
    period: int = 10
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4
    milestones: tuple[int, ...] = ()
    factor: float = 0.1
    exit_weight: float = 0.3
    cloud_weight: float = 0.7
    batch: tuple[int, int] = (8, 32)
    poisson: float | Sequence[float] | None = None
    bytes_per_element: int = 4
    label_bytes: int = 1
    exit_hidden: tuple[int, ...] = ()
    step_seconds: float = 1.0

    def __post_init__(self) -> None:
        for field, least in (("steps", 0), ("period", 1), ("label_bytes", 0)):
            value = getattr(self, field)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{field} must be an integer, at least {least}, got {value!r}.")
        for field in ("rate", "factor", "step_seconds"):
            if not 0 < getattr(self, field) < math.inf:
                raise ValueError(f"{field} must be positive, got {getattr(self, field)!r}.")
        for field in ("decay", "exit_weight", "cloud_weight"):
            if not 0 <= getattr(self, field) < math.inf:
                raise ValueError(f"{field} must be at least 0, got {getattr(self, field)!r}.")
        if self.exit_weight + self.cloud_weight == 0:
            raise ValueError("exit_weight and cloud_weight are both 0: nothing would be learnt.")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum!r}.")
        least, most = self.batch
        if not 0 <= least <= most:
            raise ValueError(f"batch must be a least and a most number, got {self.batch!r}.")
        rates = np.asarray(0.0 if self.poisson is None else self.poisson, dtype=np.float64)
        if rates.ndim > 1 or not rates.size or not ((rates >= 0) & (rates < math.inf)).all():
            raise ValueError(f"poisson must be at least 0, got {self.poisson!r}.")
        if self.bytes_per_element not in SENT:
            raise ValueError(
                f"bytes_per_element must be 1, 2 or 4, got {self.bytes_per_element!r}."
            )
        if any(n < 1 for n in self.exit_hidden):
            raise ValueError(f"exit_hidden must be positive numbers, got {self.exit_hidden!r}.")

    @property
    def mean_tasks(self) -> float:
        """Tasks of a node in a step, in the mean over nodes."""
        if self.poisson is None:
            return sum(self.batch) / 2
        return float(np.mean(self.poisson))

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, the first one being 0."""
        return self.rate * self.factor ** sum(step >= at for at in self.milestones)
