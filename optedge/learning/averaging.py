r"""Averaging of models, and what it optimises.

Every :math:`\tau` steps the fronts :math:`w_u` of the nodes become their mean with the weights
:math:`U_u`, the tasks that each node has done since the last time:

.. math:: w = \frac{\sum_u U_u w_u}{\sum_u U_u}

With :math:`\tau = 1`, equal rates and the batch sizes as weights this is one step of stochastic
gradient descent on the pooled batch. With :math:`\tau > 1` it solves another problem:
:func:`fixed_point` says which, for quadratic losses.

Source: Xu et al. 2020, eqs. (5) and (6). Departure: nodes that have all done nothing keep their
models (the formula divides by 0 there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Floats = Sequence[float] | npt.NDArray[Any]


def aggregate(models: npt.ArrayLike, weights: Floats) -> npt.NDArray[np.floating[Any]] | None:
    """Return the weighted mean of models, eq. (6).

    Parameters
    ----------
    models
        Parameters of each model a row, ``(n_models, ...)``.
    weights
        Of each model, at least 0.

    Returns
    -------
    ndarray or None
        Of the shape of one model; None if all weights are 0, then every model stays as it is.

    Raises
    ------
    ValueError
        If there are not as many weights as models, or one is negative or not finite.

    Examples
    --------
    >>> float(aggregate([0.0, 4.0], [1, 3]))
    3.0
    """
    rows, shares = np.asarray(models), np.asarray(weights, dtype=np.float64)
    if not np.issubdtype(rows.dtype, np.floating):
        rows = rows.astype(np.float64)
    if rows.ndim < 1 or shares.shape != rows.shape[:1] or not len(shares):
        raise ValueError(
            f"weights must be one a model: models have shape {rows.shape}, weights {shares.shape}."
        )
    if (wrong := np.flatnonzero(~(np.isfinite(shares) & (shares >= 0)))).size:
        raise ValueError(
            f"weights must be finite and at least 0; entries {wrong.tolist()} are not."
        )
    if not shares.any():
        return None
    # Deviations from the first model, so that the mean of equal models is that model to the digit.
    shares = (shares / shares.max() / np.sum(shares / shares.max())).astype(rows.dtype)
    mean: npt.NDArray[np.floating[Any]] = rows[0] + np.tensordot(shares, rows - rows[0], axes=1)
    return mean


def fixed_point(
    curvatures: Floats,
    targets: Floats,
    *,
    rate: float,
    period: int = 1,
    weights: Floats | None = None,
) -> float:
    r"""Return where averaging settles when node u goes down :math:`c_u (w - t_u)^2 / 2`.

    A local step takes :math:`w - t_u` to :math:`(1 - \eta c_u)(w - t_u)`, so with
    :math:`q_u = (1 - \eta c_u)^\tau` averaging every :math:`\tau` steps settles at

    .. math:: w = \frac{\sum_u U_u (1 - q_u) t_u}{\sum_u U_u (1 - q_u)}.

    For :math:`\tau = 1` this is the minimum of the weighted sum of losses; as :math:`\tau` grows it
    becomes the weighted mean of the targets: local steps forget curvature.

    Parameters
    ----------
    curvatures, targets
        Positive :math:`c_u`, and :math:`t_u`, one a node.
    rate
        Learning rate; ``rate * curvature`` must lie below 2, or the node's steps diverge.
    period
        Local steps between two averagings.
    weights
        Of the nodes, at least 0 and not all 0; equal ones if left out.

    Raises
    ------
    ValueError
        If a number is out of its range, or there are not equally many of them.

    Examples
    --------
    >>> [round(fixed_point([1, 4], [0, 4], rate=0.2, period=k), 4) for k in (1, 2, 5, 50)]
    [3.2, 2.9091, 2.3916, 2.0]
    """
    c, t = np.asarray(curvatures, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    u = np.ones_like(c) if weights is None else np.asarray(weights, dtype=np.float64)
    if c.ndim != 1 or not c.size or t.shape != c.shape or u.shape != c.shape:
        raise ValueError(
            "curvatures, targets and weights must be equally long and not empty, got shapes "
            f"{c.shape}, {t.shape} and {u.shape}."
        )
    if not (c > 0).all() or not (rate > 0 and (rate * c < 2).all()):
        raise ValueError(
            "curvatures and rate must be positive with rate * curvature below 2, "
            f"got rate {rate} and curvatures {c.tolist()}."
        )
    if period < 1:
        raise ValueError(f"period must be at least 1, got {period}.")
    if not (u >= 0).all() or not u.any():
        raise ValueError(f"weights must be at least 0 and not all 0, got {u.tolist()}.")
    pull = u * (1 - (1 - rate * c) ** period)
    return float(pull @ t / pull.sum())
