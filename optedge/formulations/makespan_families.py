r"""Random instances of unrelated machines: the seven families of the R||Cmax benchmark.

Of n tasks and m servers all times are whole seconds and independent but for what is said:

* ``U1a100``, ``U10a100``, ``U100a120``, ``U100a200``, ``U1000a1100``: uniform between the two
  numbers, both possible. The benchmark's own files of ``U100a200`` hold 100 to 199 and never 200;
  so do the instances here.
* ``JobsCorre``, tasks correlated: :math:`p_{ij} = b_i + d_{ij}`, so that a long task is long
  everywhere.
* ``MaqCorre``, servers ("machines") correlated: :math:`p_{ij} = a_j + d_{ij}`, so that a slow
  server is slow for every task. In both, a and b are uniform on 1..100 and d on 1..20.

The benchmark has n of 100, 200, 500 or 1000 and m of 10, 20, 30, 40 or 50.

References
----------
L. Fanjul-Peyro and R. Ruiz 2010, Iterated greedy local search methods for unrelated parallel
machine scheduling, European Journal of Operational Research 207, 55-69. The definitions are
restated at <https://github.com/Fraunhofer-Chalmers-Centre/RCmax>, ``Summary_of_results.md``.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import IntArray
from optedge.formulations.makespan import MakespanProblem

#: The families by name: the least and the largest time of a pair, in seconds.
FAMILIES: dict[str, tuple[int, int]] = {
    "U1a100": (1, 100),
    "U10a100": (10, 100),
    "U100a120": (100, 120),
    "U100a200": (100, 199),
    "U1000a1100": (1000, 1100),
    "JobsCorre": (2, 120),
    "MaqCorre": (2, 120),
}


def random_rcmax(family: str, n_tasks: int, n_servers: int, seed: int) -> MakespanProblem:
    """Draw an instance of a family of the R||Cmax benchmark.

    Parameters
    ----------
    family
        One of :data:`FAMILIES`.
    n_tasks, n_servers
        The size, from 1 each.
    seed
        A whole number from 0; the same arguments give the same instance.

    Returns
    -------
    MakespanProblem
        Its times are whole seconds; its name tells family, size and seed.

    Raises
    ------
    ValueError
        If there is no such family, or if a size or the seed is too small.
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}.")
    for name, value, least in (
        ("n_tasks", n_tasks, 1),
        ("n_servers", n_servers, 1),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")
    times = _times(family, n_tasks, n_servers, np.random.default_rng(seed))
    return MakespanProblem(
        times.astype(float), name=f"{family} {n_tasks} x {n_servers} seed {seed}"
    )


def _times(family: str, n: int, m: int, rng: np.random.Generator) -> IntArray:
    if family == "JobsCorre":
        return rng.integers(1, 100, (n, 1), endpoint=True) + _noise(n, m, rng)
    if family == "MaqCorre":
        return rng.integers(1, 100, (1, m), endpoint=True) + _noise(n, m, rng)
    low, high = FAMILIES[family]
    return rng.integers(low, high, (n, m), endpoint=True)


def _noise(n: int, m: int, rng: np.random.Generator) -> IntArray:
    return rng.integers(1, 20, (n, m), endpoint=True)
