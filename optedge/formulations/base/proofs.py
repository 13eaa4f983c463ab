"""What proves a bound: multipliers that anybody can value without a solver."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from optedge.formulations.base.arrays import FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class Certificate:
    """What proves a bound without the solver that found it: a few arrays of multipliers.

    Parameters
    ----------
    kind
        Which rule of :meth:`Problem.certify` values the arrays.
    value
        The bound that the arrays are claimed to prove, in the unit of the objective.
    arrays
        Name to array; which names and shapes a kind wants, the problem's ``certify`` says.
    """

    kind: str
    value: float
    arrays: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        frozen = {name: np.array(a, dtype=np.float64) for name, a in self.arrays.items()}
        for a in frozen.values():
            a.setflags(write=False)
        object.__setattr__(self, "arrays", frozen)


@dataclasses.dataclass(frozen=True, eq=False)
class Bound:
    """A proved lower bound on the objective of every solution.

    Parameters
    ----------
    name
        Its name in :meth:`Problem.bounds`.
    value
        In the unit of the objective; ``inf`` proves that there is no solution.
    certificate
        What proves it; None where nothing small does.
    seconds
        What computing it took.
    info
        Counts of the computation, such as the number of linear programs.
    """

    name: str
    value: float
    certificate: Certificate | None = None
    seconds: float = 0.0
    info: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def simplex_weights(certificate: Certificate, shapes: Mapping[str, tuple[int, ...]]) -> FloatArray:
    """Return the arrays of a certificate as one vector of weights, if they are weights.

    Parameters
    ----------
    certificate
        The certificate to read.
    shapes
        The arrays that together must be non-negative and sum to 1, with the shape each must have.

    Returns
    -------
    ndarray
        All weights, concatenated in the order of ``shapes``.

    Raises
    ------
    ValueError
        If an array is missing, has another shape, holds a NaN, an infinite or negative entry,
        or if all entries together do not sum to 1 (to 1e-9).
    """
    for name, shape in shapes.items():
        if name not in certificate.arrays:
            raise ValueError(f"certificate {certificate.kind!r} lacks the array {name!r}.")
        array = certificate.arrays[name]
        if array.shape != shape:
            got = array.shape
            raise ValueError(f"certificate array {name!r} must have shape {shape}, got {got}.")
        if not np.isfinite(array).all() or (array < 0).any():
            raise ValueError(f"certificate array {name!r} must be non-negative and finite.")
    weights = np.concatenate([certificate.arrays[name].ravel() for name in shapes])
    total = math.fsum(weights)
    if abs(total - 1.0) > 1e-9:
        raise ValueError(f"the weights of the certificate must sum to 1, they sum to {total!r}.")
    return weights
