"""A linear program that is put together block by block, and the exact floors that it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.bridge import Arrays

NONE = -1  # in place of a column: the variable is 0
FINE = 2.0**-36  # relative to the unit of time: overlaps are rounded down to multiples of it


class Program:
    """Columns and rows in the order in which they are added; every column has finite bounds."""

    def __init__(self) -> None:
        self._lower: list[FloatArray] = []
        self._upper: list[FloatArray] = []
        self._row_lower: list[FloatArray] = []
        self._row_upper: list[FloatArray] = []
        self._entries: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.n_columns = self.n_rows = 0

    def columns(self, shape: int | tuple[int, ...], lower: float, upper: float) -> IntArray:
        """Add columns with common bounds; return their numbers in the given shape."""
        size = math.prod(shape) if isinstance(shape, tuple) else shape
        first = self.n_columns
        self.n_columns += size
        self._lower.append(np.full(size, lower))
        self._upper.append(np.full(size, upper))
        return np.arange(first, first + size).reshape(shape)

    def rows(
        self,
        terms: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
        lower: npt.ArrayLike = -math.inf,
        upper: npt.ArrayLike = math.inf,
    ) -> None:
        """Add rows.

        Parameters
        ----------
        terms
            Pairs of columns, shape (n,) or (n, k), and coefficients that broadcast with them; the
            sum of all is bounded. Entries of a column ``NONE`` are left out, as are rows that
            have none and hold anyway.
        lower, upper
            Bounds of the rows, (n,) or one for all.
        """
        pieces = []
        for columns, coefficients in terms:
            index = np.asarray(columns, dtype=np.int64)
            value = np.broadcast_to(coefficients, index.shape)
            index = index.reshape(len(index), math.prod(index.shape[1:]))
            where = np.repeat(np.arange(len(index)), index.shape[1])
            pieces.append((where, index.ravel(), value.ravel()))
        n = len(np.asarray(terms[0][0]))
        row, column, entry = (np.concatenate(part) for part in zip(*pieces, strict=True))
        used = (column != NONE) & (entry != 0)
        row, column, entry = row[used], column[used], entry[used]
        low, high = (np.broadcast_to(np.asarray(s, dtype=float), n) for s in (lower, upper))
        # A row whose entries cancel, such as that of a count that no longer grows, says nothing.
        keep = np.bincount(row, minlength=n) > 0
        keep |= (low > 0) | (high < 0)
        number = np.cumsum(keep) - 1 + self.n_rows
        self.n_rows += int(keep.sum())
        self._row_lower.append(low[keep])
        self._row_upper.append(high[keep])
        self._entries.append((number[row], column, entry))

    def arrays(self, cost: FloatArray, integer: Any = False, offset: float = 0.0) -> Arrays:
        """Return the program that minimises ``cost``."""
        from scipy import sparse

        from optedge.bridge import Arrays

        row, column, entry = (np.concatenate(p) for p in zip(*self._entries, strict=True))
        shape = (self.n_rows, self.n_columns)
        return Arrays(
            cost=cost,
            matrix=sparse.coo_array((entry, (row, column)), shape=shape).tocsc(),
            row_lower=np.concatenate(self._row_lower),
            row_upper=np.concatenate(self._row_upper),
            lower=np.concatenate(self._lower),
            upper=np.concatenate(self._upper),
            integer=integer,
            offset=offset,
        )


def steps(seconds: Fraction, step: float) -> int:
    """Return how many whole steps lie in a time, exactly."""
    return math.floor(seconds / Fraction(step))


def steps_over(seconds: Fraction, step: float) -> int:
    """Return the least number of steps that reach a time, exactly."""
    return math.ceil(seconds / Fraction(step))
