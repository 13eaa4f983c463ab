"""What follows from the fields of an upload plan: what layers gain, and what a set of them does.

A base of ``UploadProblem`` that holds no data of its own: the fields stand in ``problem``, where
the maths is, and are named here for what reads them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray, Problem
from optedge.formulations.upload import evaluation

_Array = TypeVar("_Array", bound=npt.NDArray[Any])


def frozen(array: _Array) -> _Array:
    """Return an array that nobody can write to any more."""
    array.setflags(write=False)
    return array


class DerivedData(Problem):
    """What ``UploadProblem`` knows beside its fields, found when first asked for."""

    client_times: FloatArray
    server_times: FloatArray
    sends_in: FloatArray
    sends_out: FloatArray
    hops: FloatArray
    upload_times: FloatArray
    stays: BoolArray
    chain: IntArray
    input_sizes: FloatArray

    @property
    def n_layers(self) -> int:
        """Number of layers of all chains."""
        return int(self.client_times.size)

    @functools.cached_property
    def values(self) -> FloatArray:
        """What executing each layer alone saves, :math:`a_j`, ``(n_layers,)``, s; 0 if it stays."""
        a = self.client_times - self.server_times - self.sends_in - self.sends_out
        return frozen(np.where(self.stays, 0.0, a))

    @functools.cached_property
    def is_linked(self) -> BoolArray:
        """Whether layers j and j + 1 are of one chain and have servers, ``(n_layers - 1,)``."""
        return frozen((np.diff(self.chain) == 0) & ~self.stays[:-1] & ~self.stays[1:])

    @functools.cached_property
    def savings(self) -> FloatArray:
        """What executing layers j and j + 1 saves besides, :math:`s_j`, ``(n_layers - 1,)``, s.

        What is negative within rounding counts as 0.
        """
        over = self.sends_out[:-1] + self.sends_in[1:]
        s = over - self.hops[1:]
        s[(s < 0) & (s > -1e-12 * over)] = 0.0
        return frozen(np.where(self.is_linked, s, 0.0))

    @functools.cached_property
    def seconds(self) -> FloatArray:
        """Upload time of each layer, ``(n_layers,)``; 0 if it stays."""
        return frozen(np.where(self.stays, 0.0, self.upload_times))

    @functools.cached_property
    def layers(self) -> IntArray:
        """The layers whose upload takes time: those that an order decides, ``(m,)``."""
        return frozen(np.flatnonzero(self.seconds > 0).astype(np.int64))

    @functools.cached_property
    def is_free(self) -> BoolArray:
        """Which layers have a server and size 0: usable from the beginning, ``(n_layers,)``."""
        return frozen(~self.stays & (self.seconds == 0))

    @property
    def is_supermodular(self) -> bool:
        """Whether no saving is negative; guarantees of orders rest on it."""
        return bool((self.savings >= 0).all())

    @functools.cached_property
    def base_delay(self) -> float:
        """Delay of a query while nothing is uploaded, s."""
        return math.fsum(self.client_times)

    @functools.cached_property
    def total_seconds(self) -> float:
        """Time of all uploads, s."""
        return math.fsum(self.seconds)

    # ---- what a set of layers is worth

    def mask(self, layers: Iterable[int]) -> BoolArray:
        """Return a set of layers as an array of bool, ``(n_layers,)``.

        Raises
        ------
        ValueError
            If a layer does not exist or stays at the client.
        """
        chosen = np.zeros(self.n_layers, dtype=bool)
        for j in layers:
            if not 0 <= j < self.n_layers:
                raise ValueError(f"there is no layer {j}, layers are 0 to {self.n_layers - 1}.")
            if self.stays[j]:
                raise ValueError(f"layer {j} stays at the client.")
            chosen[j] = True
        return chosen

    def tda(self, layers: Iterable[int]) -> float:
        """Return the total delay advantage of executing exactly ``layers`` on servers, s."""
        return evaluation.forced_benefit(self.values, self.savings, self.mask(layers))

    def lda(self, part: Iterable[int], layers: Iterable[int] = ()) -> float:
        """Return what ``part`` adds to the TDA of ``layers``, s; may be negative."""
        before, added = list(layers), list(part)
        return self.tda([*before, *added]) - self.tda(before)

    def elda(self, part: Iterable[int], layers: Iterable[int] = ()) -> float:
        """Return LDA a second of upload and unit of input of the task of the first layer in part.

        Without upload time it is ``inf`` if LDA is not negative, else ``-inf``.

        Raises
        ------
        ValueError
            If ``part`` is empty.
        """
        added = list(part)
        if not added:
            raise ValueError("part holds no layer.")
        gain, seconds = self.lda(added, layers), math.fsum(self.seconds[added])
        if seconds == 0:
            return math.inf if gain >= 0 else -math.inf
        return gain / seconds / float(self.input_sizes[self.chain[min(added)]])

    def forced_delay(self, layers: Iterable[int]) -> float:
        """Return f: the delay of a query that executes exactly ``layers`` on servers, s."""
        return self.base_delay - self.tda(layers)

    def best_delay(self, layers: Iterable[int]) -> float:
        """Return g: the delay of a query that makes the best of usable ``layers``, s."""
        return self.base_delay - evaluation.best_benefit(
            self.values, self.savings, self.mask(layers)
        )

    @functools.cached_property
    def least_delay(self) -> float:
        """Delay of a query once all is uploaded, under best use, s."""
        return self.best_delay(np.flatnonzero(~self.stays))
