"""Compression at the edge: an autoencoder, and how accurate learning is on what it gives back.

An edge server compresses each sample to a few numbers with the first half of an autoencoder of
three hidden layers; the cloud restores the samples with the second half and learns from these.
The accuracy over the ratio of compressed to raw numbers is the curve that the makespan problem of
collaborative edge learning rests on.

Source: Huang et al. 2018, ICCCN, section V: an autoencoder with three fully connected hidden
layers; their curve is that of 40000 pictures of faces. Their widths and training are not given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.learning.data import Data, Samples, find_data
from optedge.learning.training import train_central
from optedge.nets import Adam, Network, Values

if TYPE_CHECKING:
    import pandas as pd


class Autoencoder:
    """Layers ``features - hidden - size - hidden - features``, trained to give back what goes in.

    Parameters
    ----------
    x
        Samples to learn from, a row each.
    size
        Numbers that a sample is compressed to.
    hidden
        Neurons of the layers before and behind; both have a ReLU, the middle is linear.
    steps, batch, rate
        Steps of Adam, samples in each, learning rate.
    seed
        Of the first parameters and the samples drawn.

    Raises
    ------
    ValueError
        If ``x`` is no table of finite numbers, or a number is out of its range.
    """

    def __init__(
        self,
        x: Samples,
        size: int,
        *,
        hidden: int = 48,
        steps: int = 800,
        batch: int = 64,
        rate: float = 3e-3,
        seed: int = 0,
    ) -> None:
        samples = np.asarray(x, dtype=np.float32)
        if samples.ndim != 2 or not samples.size or not np.isfinite(samples).all():
            raise ValueError(f"x must be a table of finite numbers, got shape {samples.shape}.")
        if min(size, hidden, batch) < 1 or steps < 0 or not rate > 0:
            raise ValueError(
                "size, hidden and batch must be at least 1, steps at least 0 and rate positive, "
                f"got {size}, {hidden}, {batch}, {steps} and {rate}."
            )
        rng, n = np.random.default_rng(seed), samples.shape[1]
        self.ratio = size / n
        self._mean = samples.mean(axis=0)
        self._encoder = Network((n, hidden, size), rng)
        self._decoder = Network((size, hidden, n), rng)
        parts = (self._encoder, self._decoder)
        descents = [Adam(part.parameters.size) for part in parts]
        centred = samples - self._mean
        for _ in range(steps):
            drawn = centred[rng.integers(len(centred), size=batch)]
            codes = self._encoder.forward(drawn)
            restored = self._decoder.forward(codes[-1])
            slope = (restored[-1] - drawn) * np.float32(2 / batch)  # of the mean squared distance
            self._encoder.backward(codes, self._decoder.backward_to_input(restored, slope))
            for part, descent in zip(parts, descents, strict=True):
                descent.step(part.parameters, part.gradient, rate)

    def compress(self, x: Samples) -> Values:
        """Return the numbers that are sent, ``(rows, size)``."""
        return self._encoder.forward(np.asarray(x, np.float32) - self._mean)[-1]

    def restore(self, codes: Values) -> Values:
        """Return the samples that compressed ones stand for."""
        restored = self._decoder.forward(codes)[-1]
        restored += self._mean
        return restored


def measure_ratios(
    data: Data | str | tuple[Any, Any] = "digits",
    sizes: Iterable[int] = (1, 2, 3, 4, 6, 8, 12, 16, 32),
    *,
    seeds: int = 1,
    hidden: Sequence[int] = (32,),
    steps: int = 400,
    **autoencoder: Any,
) -> pd.DataFrame:
    """Return the accuracy of learning on restored samples, a row a seed and a size.

    Parameters
    ----------
    data
        As for :func:`~optedge.learning.train`.
    sizes
        Numbers that samples are compressed to.
    seeds
        Runs of each size; a seed draws the first parameters and all batches.
    hidden, steps
        Hidden layers of the network that learns, and its steps.
    **autoencoder
        Options of :class:`Autoencoder`.

    Returns
    -------
    pandas.DataFrame
        ``size``; ``ratio`` of numbers sent to raw ones; ``seed``; ``lost``, the share of the
        variance of the samples for testing that is not restored; ``accuracy`` on these as they
        are; ``relative``, to that of learning on raw samples with the same seed.

    Examples
    --------
    From samples to the best ratio of a task that demands an accuracy of 0.9:

    >>> import optedge as oe
    >>> from optedge import learning
    >>> table = learning.measure_ratios("prototypes", (1, 2, 4, 16), steps=100)
    >>> curve = oe.AccuracyCurve.fit(table["ratio"], table["relative"])
    >>> best = curve.best_ratio(0.9)
    >>> bool((curve.accuracy(table["ratio"]) - table["relative"]).abs().max() < 0.1)
    True
    >>> 1 / 64 < best.ratio < 4 / 64, best.accuracy >= 0.9
    (True, True)
    """
    import pandas as pd

    found, rows = find_data(data), []
    wanted = list(sizes)
    for seed in range(seeds):
        whole = _learnt(found, found.x_train, hidden, steps, seed)
        for size in wanted:
            machine = Autoencoder(found.x_train, size, seed=seed, **autoencoder)
            again = machine.restore(machine.compress(found.x_test))
            spread = found.x_test - found.x_train.mean(axis=0)
            given = machine.restore(machine.compress(found.x_train))
            accuracy = _learnt(found, given, hidden, steps, seed)
            rows.append(
                {
                    "size": size,
                    "ratio": machine.ratio,
                    "seed": seed,
                    "lost": float(((again - found.x_test) ** 2).sum() / (spread**2).sum()),
                    "accuracy": accuracy,
                    "relative": accuracy / whole,
                }
            )
    return pd.DataFrame(rows)


def _learnt(data: Data, x: Samples, hidden: Sequence[int], steps: int, seed: int) -> float:
    """Return the accuracy, on samples as they are, of a network that learns from ``x``."""
    given = Data(x, data.y_train, data.x_test, data.y_test, data.n_classes)
    return train_central(given, hidden, seed=seed, steps=steps).test().cloud
