"""How long an upload takes: links of random delay, and links whose bandwidth follows a trace."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Link(Protocol):
    """What sends bits and takes its time."""

    def seconds(self, bits: float, start: float, rng: np.random.Generator) -> float:
        """Return the seconds of an upload of so many bits that starts at a time in seconds."""
        ...


class ExponentialLink:
    """A link whose delay is exponential, whatever is sent.

    Parameters
    ----------
    mean
        Mean delay in seconds, at least 0.

    Raises
    ------
    ValueError
        If the mean is negative or not finite.
    """

    def __init__(self, mean: float) -> None:
        if not 0 <= mean < math.inf:
            raise ValueError(f"the mean delay must be finite and at least 0 s, got {mean}.")
        self.mean = float(mean)

    def seconds(self, bits: float, start: float, rng: np.random.Generator) -> float:
        """Return a draw."""
        return float(rng.exponential(self.mean))


class TraceLink:
    """A link whose bandwidth is constant from one time of a trace to the next.

    After its last time the trace holds as long as between the two times before, then it begins
    again. What is sent meets the bandwidth of every moment while it is sent.

    Parameters
    ----------
    times
        Seconds, rising; the first one counts as 0.
    mbit_s
        Bandwidth from each time on in Mbit/s, at least 0 and not always 0.
    latency
        Seconds that each upload takes beside, at least 0.

    Raises
    ------
    ValueError
        If times go backwards, or a number is out of its range.
    """

    def __init__(self, times: npt.ArrayLike, mbit_s: npt.ArrayLike, latency: float = 0.0) -> None:
        at, rates = np.array(times, dtype=np.float64), np.array(mbit_s, dtype=np.float64)
        if at.ndim != 1 or not at.size or at.shape != rates.shape:
            raise ValueError(
                "times and mbit_s must be equally long and not empty, "
                f"got shapes {at.shape} and {rates.shape}."
            )
        if not np.isfinite(at).all():
            raise ValueError(f"times must be finite, got {at[~np.isfinite(at)][0]}.")
        if (back := np.flatnonzero(np.diff(at) <= 0)).size:
            k = int(back[0])
            raise ValueError(f"times must rise: entry {k + 1}, {at[k + 1]}, follows {at[k]}.")
        if (wrong := np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))).size:
            raise ValueError(
                f"mbit_s must be finite and at least 0; entry {int(wrong[0])} is {rates[wrong[0]]}."
            )
        if not rates.any():
            raise ValueError("mbit_s is 0 at all times: nothing would ever arrive.")
        if not 0 <= latency < math.inf:
            raise ValueError(f"latency must be finite and at least 0 s, got {latency}.")
        self.latency = float(latency)
        last = at[-1] - at[-2] if at.size > 1 else 1.0
        self.times: FloatArray = np.append(at - at[0], at[-1] - at[0] + last)
        self.mbit_s: FloatArray = rates
        self._sent = np.append(0.0, np.cumsum(1e6 * rates * np.diff(self.times)))  # bits by then

    @classmethod
    def read(cls, path: str | Path, latency: float = 0.0) -> TraceLink:
        """Read a CSV of two columns: time in seconds, bandwidth in Mbit/s; a header is optional.

        Raises
        ------
        ValueError
            If a line has no two numbers, or the trace is refused; the sentence names the file.
        """
        rows = []
        with Path(path).open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not any(cell.strip() for cell in row):
                    continue
                try:
                    time, rate = (float(cell) for cell in row)
                except ValueError:
                    if number == 1:
                        continue
                    raise ValueError(
                        f"{path}, line {number}: a time and a bandwidth are needed, got {row}."
                    ) from None
                rows.append((time, rate))
        if not rows:
            raise ValueError(f"{path} holds no line with a time and a bandwidth.")
        times, rates = np.transpose(rows)
        try:
            return cls(times, rates, latency)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def seconds(
        self, bits: float, start: float = 0.0, rng: np.random.Generator | None = None
    ) -> float:
        """Return the time of an upload that starts at ``start``, by integrating the bandwidth."""
        if bits < 0 or start < 0:
            raise ValueError(f"bits and start must be at least 0, got {bits} and {start}.")
        if bits == 0:
            return self.latency
        at = start % float(self.times[-1])
        goal = float(np.interp(at, self.times, self._sent)) + bits
        rounds, rest = divmod(goal, float(self._sent[-1]))
        if rest == 0:  # it ends with the last bit of a round, not with the first of the next one
            rounds, rest = rounds - 1, float(self._sent[-1])
        k = int(np.searchsorted(self._sent, rest, side="left"))  # the first time it has arrived
        rate = 1e6 * self.mbit_s[k - 1]
        end = float(self.times[k] - (self._sent[k] - rest) / rate)
        return self.latency + rounds * float(self.times[-1]) + end - at


def markov_trace(
    n: int,
    seed: int,
    *,
    rates: tuple[float, ...] = (2.0, 10.0, 30.0),
    stay: float = 0.9,
    step: float = 1.0,
) -> TraceLink:
    """Return a trace that stays at one of some bandwidths or goes to one of the others.

    Parameters
    ----------
    n, seed
        Number of times, and of the random draw.
    rates
        Bandwidths in Mbit/s, in the long run equally frequent.
    stay
        Probability of the same bandwidth a step later, in [0, 1].
    step
        Seconds between two times, positive.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    if not 0 <= stay <= 1 or not rates:
        raise ValueError(f"stay must lie in [0, 1] and rates hold one, got {stay} and {rates}.")
    times, rng = _times(n, step), np.random.default_rng(seed)
    state, states = int(rng.integers(len(rates))), []
    for _ in range(n):
        states.append(state)
        if rng.random() >= stay and len(rates) > 1:
            state = (state + int(rng.integers(1, len(rates)))) % len(rates)
    return TraceLink(times, np.array(rates)[states])


def ar1_trace(
    n: int,
    seed: int,
    *,
    median: float = 10.0,
    spread: float = 0.5,
    correlation: float = 0.9,
    step: float = 1.0,
) -> TraceLink:
    """Return a trace whose logarithm is autoregressive of first order.

    Parameters
    ----------
    n, seed
        Number of times, and of the random draw.
    median
        Median bandwidth in Mbit/s, positive.
    spread
        Standard deviation of the natural logarithm, at least 0.
    correlation
        Of two logarithms a step apart, in (-1, 1).
    step
        Seconds between two times, positive.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    if not (median > 0 and spread >= 0 and -1 < correlation < 1):
        raise ValueError(
            "median must be positive, spread at least 0 and correlation in (-1, 1), "
            f"got {median}, {spread} and {correlation}."
        )
    times, rng = _times(n, step), np.random.default_rng(seed)
    noise = spread * rng.standard_normal(n)
    noise[1:] *= math.sqrt(1 - correlation**2)
    for k in range(1, n):
        noise[k] += correlation * noise[k - 1]
    return TraceLink(times, median * np.exp(noise))


def _times(n: int, step: float) -> FloatArray:
    if n < 1 or not step > 0:
        raise ValueError(f"n must be at least 1 and step positive, got {n} and {step}.")
    return step * np.arange(n, dtype=np.float64)


def check_links(link: Any, nodes: int) -> list[Link] | None:
    """Return a link for every node: one for all, or one each; None stays None."""
    if link is None:
        return None
    links = list(link) if isinstance(link, list | tuple) else [link] * nodes
    if len(links) != nodes:
        raise ValueError(f"link must be one, or one a node: {len(links)} for {nodes} nodes.")
    for k, one in enumerate(links):
        if not callable(getattr(one, "seconds", None)):
            raise ValueError(f"link {k} has no method seconds(bits, start, rng): {one!r}.")
    return links
