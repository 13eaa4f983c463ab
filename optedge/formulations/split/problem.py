r"""Where to split a network under limits: the deepest position that memory, delay and energy allow.

Position j runs layers 1..j on the edge and the rest in the cloud. With :math:`f_j` what it earns,
:math:`u_{cj}` what it uses of limit c and :math:`L_c` that limit, one position is chosen,

.. math::

   \max \sum_j f_j y_j \quad\text{s.t.}\quad \sum_j y_j = 1, \quad y_j \in \{0, 1\},

under one row a limit (AGG), :math:`\sum_j u_{cj} y_j \le L_c`, or one row for each position that
breaks a limit (DIS), :math:`y_j \le 0`. Both have the same integer points. The relaxation of DIS
is a face of the simplex: its vertices are integral and its value is the optimum. That of AGG mixes
positions; its value is that of the Lagrangian dual (``dual``), never better.

Source: Xu, Zhang, Kadoch, Cheriet, "A collaborative cloud-edge computing framework in distributed
neural network", EURASIP J. Wireless Com. Network. 2020:211, P1, eqs. (22)-(23) (TMOA). Departures:
the paper leaves f open and differentiates by the integer j; here f is data (the deepest split is
f = j), multipliers belong to the relaxation above, their terms are subtracted where f is
maximised, and there is one multiplier a limit, not one a layer.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    BoolArray,
    Bound,
    Certificate,
    FloatArray,
    IntArray,
    Problem,
    array_field,
)
from optedge.formulations.split import certificates, dual, models, relaxation, shortfall

if TYPE_CHECKING:
    from optedge.formulations.split.table import Aim
    from optedge.networks.graph import LayerGraph
    from optedge.platforms import Platform

T = TypeVar("T", bound=np.generic)


@dataclasses.dataclass(frozen=True, eq=False)
class SplitProblem(Problem):
    """One position to be chosen such that it earns most and meets all limits.

    A solution is an integer array of shape ``(1,)``: the position. The objective is what it earns,
    negated, since everything is minimised here. Limits are compared exactly, without tolerance.

    Parameters
    ----------
    value
        What a split at each position earns, shape ``(n_positions,)``; may be negative. The deepest
        feasible split is ``range(n_positions)``, the shortest delay is the negated delay.
    usage
        What each position uses of each limit, shape ``(n_limits, n_positions)``, in the unit of
        that limit; may be negative. ``inf`` where the position is impossible (an unstable queue),
        whatever the limit.
    limits
        The most that may be used, shape ``(n_limits,)``; may be negative; ``inf`` for no limit.
    limit_names
        A name for each limit, all different, such as ``("memory", "latency")``; by default
        ``"limit 0"`` and so on.
    name
        Label used in tables and plots.

    Raises
    ------
    ValueError
        If an array has the wrong shape, a NaN, ``-inf`` or (``value``) ``inf``, or if the names are
        not as many different strings as there are limits.
    """

    value: FloatArray = array_field("n_positions", negative=True)
    usage: FloatArray = array_field("n_limits", "n_positions", infinite=True, negative=True)
    limits: FloatArray = array_field("n_limits", infinite=True, negative=True)
    limit_names: tuple[str, ...] = ()
    name: str = ""

    kinds: ClassVar[tuple[str, ...]] = ("agg", "dis")
    bound_names: ClassVar[tuple[str, ...]] = ("LP", "rounded", "DIS")
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        names: Any = self.limit_names
        if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"limit_names must be a tuple of non-empty strings, got {names!r}.")
        names = tuple(names) or tuple(f"limit {c}" for c in range(self.n_limits))
        if len(names) != self.n_limits:
            raise ValueError(f"limit_names must hold {self.n_limits} names, got {len(names)}.")
        for c, name in enumerate(names):
            if name in names[:c]:
                raise ValueError(f"limit_names[{c}] repeats {name!r}.")
        object.__setattr__(self, "limit_names", names)

    @classmethod
    def from_network(
        cls, graph: LayerGraph, platform: Platform, *, aim: Aim = "depth", **options: Any
    ) -> SplitProblem:
        """Build the problem of a network on a pool of nodes (tier 0) and a cloud (the last tier).

        Parameters
        ----------
        graph
            The network; a chain is split after each layer, another one along its weighted chain.
        platform
            Nodes and cloud.
        aim
            What a position earns; ``"depth"`` is the paper's.
        **options
            Of :func:`optedge.formulations.split.split_problem`: arrival rate, waiting rule,
            samples of the uplink, deadline, usable memory, ...
        """
        from optedge.formulations.split.construction import split_problem

        return split_problem(graph, platform, aim=aim, **options)

    # ---- data

    @property
    def n_positions(self) -> int:
        """Number of positions."""
        return int(self.value.size)

    @property
    def n_limits(self) -> int:
        """Number of limits."""
        return int(self.limits.size)

    @functools.cached_property
    def possible(self) -> BoolArray:
        """The positions of finite usage, shape ``(n_positions,)``."""
        return _frozen(np.isfinite(self.usage).all(axis=0))

    @functools.cached_property
    def excess(self) -> FloatArray:
        """What each position uses above each limit, ``(n_limits, n_positions)``; at most 0 is fine.

        ``inf`` where the usage is infinite, ``-inf`` elsewhere in a row without limit.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            excess = self.usage - self.limits[:, None]
        return _frozen(np.where(np.isinf(self.usage), np.inf, excess))

    @functools.cached_property
    def feasible(self) -> BoolArray:
        """The positions that meet all limits, shape ``(n_positions,)``."""
        return _frozen((self.excess <= 0).all(axis=0))

    @functools.cached_property
    def position_costs(self) -> FloatArray:
        """The objective of each position, shape ``(n_positions,)``; ``inf`` if infeasible."""
        return _frozen(np.where(self.feasible, 0.0 - self.value, np.inf))

    def limit_index(self, limit: int | str) -> int:
        """Return the number of a limit given by name or number; ValueError if there is none."""
        if isinstance(limit, str):
            if limit not in self.limit_names:
                raise ValueError(f"there is no limit {limit!r}; there are {self.limit_names}.")
            return self.limit_names.index(limit)
        if not 0 <= limit < self.n_limits:
            raise ValueError(f"there is no limit {limit}; there are {self.n_limits}, from 0.")
        return int(limit)

    # ---- evaluation

    def _refusal(self, x: npt.ArrayLike) -> str:
        """Return why ``x`` is no position at all; empty if it is one."""
        x = np.asarray(x)
        if x.shape not in ((), (1,)) or not np.issubdtype(x.dtype, np.integer):
            return f"a solution holds 1 integer, the position, got {x.dtype} of shape {x.shape}."
        if not 0 <= int(x.reshape(())) < self.n_positions:
            return f"there is no position {x.reshape(())}; there are {self.n_positions}, from 0."
        return ""

    def position(self, x: npt.ArrayLike) -> int:
        """Return the position of solution ``x`` as a plain integer.

        Raises
        ------
        ValueError
            If ``x`` is no integer, no array of one, or out of range.
        """
        refusal = self._refusal(x)
        if refusal:
            raise ValueError(refusal)
        return int(np.asarray(x).reshape(()))

    def objective(self, x: npt.ArrayLike) -> float:
        """Return what position ``x`` earns, negated; ``inf`` if ``x`` is infeasible."""
        return math.inf if self._refusal(x) else float(self.position_costs[self.position(x)])

    def violations(self, x: npt.ArrayLike) -> list[str]:
        """Return a sentence for each limit that ``x`` breaks, with the amount."""
        refusal = self._refusal(x)
        if refusal:
            return [refusal]
        j = self.position(x)
        return [f"position {j}: {missed}." for missed in shortfall.sentences(self, j)]

    def slack(self, x: npt.ArrayLike) -> FloatArray:
        """Return what ``x`` leaves of each limit, ``(n_limits,)``; negative where it breaks one."""
        return np.asarray(0.0 - self.excess[:, self.position(x)])

    def blocking(self, x: npt.ArrayLike) -> dict[str, float]:
        """Return what blocks position ``x + 1``: each limit it breaks, and by how much.

        Empty if nothing does, or if ``x`` is the last position.
        """
        deeper = self.position(x) + 1
        if deeper == self.n_positions:
            return {}
        above = self.excess[:, deeper]
        return {self.limit_names[c]: float(above[c]) for c in np.flatnonzero(above > 0)}

    def metrics(self, x: npt.ArrayLike) -> dict[str, float]:
        """Return the position, its value, and what it leaves of each limit."""
        j = self.position(x)
        left = {
            f"{name}_slack": float(s)
            for name, s in zip(self.limit_names, self.slack(x), strict=True)
        }
        return {"position": float(j), "value": float(self.value[j]), **left}

    @functools.cached_property
    def nearest(self) -> int:
        """The position whose largest excess, relative to its limit, is least; ties to the first.

        A limit of 0 counts as the largest usage of its row; a position that meets all limits has
        an excess of at most 0, one of infinite usage ``inf``.
        """
        return int(np.argmin(shortfall.largest_excess(self)))

    def explain(self, conflict: Any = ()) -> str:
        """Say which position comes nearest to all limits, and what it misses by how much.

        Nearest is :attr:`nearest`: the largest excess, each relative to its limit, is least.
        """
        if self.feasible.any():
            return super().explain(conflict)
        return shortfall.explanation(self)

    # ---- code of metaheuristics

    @property
    def choices(self) -> BoolArray:
        """The one decision may be any position, shape ``(1, n_positions)``."""
        return np.ones((1, self.n_positions), dtype=bool)

    def costs(self, codes: IntArray) -> FloatArray:
        """Return the objective of each row of ``codes``, shape ``(k, 1)``."""
        return np.asarray(self.position_costs[np.asarray(codes)[:, 0]])

    def decode(self, code: IntArray) -> IntArray:
        """Return the solution of a code: the code itself."""
        return np.array(code, dtype=np.int64).reshape(1)

    def encode(self, x: npt.ArrayLike) -> IntArray:
        """Return the code of a solution."""
        return np.array([self.position(x)], dtype=np.int64)

    # ---- explicit models

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return the explicit model: ``"agg"``, one row a limit, or ``"dis"``, one a bad position.

        See :func:`optedge.formulations.split.models.build` for its components and their duals.
        """
        return models.build(self, self.check_kind(kind), relax)

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return how many rows and columns the model has."""
        bad = int((~self.feasible).sum())
        rows = bad if self.check_kind(kind) == "dis" else int(np.isfinite(self.limits).sum())
        return 1 + rows, self.n_positions

    def extract(self, model: Any) -> IntArray | None:
        """Return the position whose ``y`` is 1; None at a fractional point of a relaxation."""
        chosen = [j for j, y in model.y.items() if (y.value or 0.0) > 1 - 1e-6]
        return np.array(chosen, dtype=np.int64) if chosen else None

    def fill(self, model: Any, x: npt.ArrayLike) -> None:
        """Write position ``x`` into the variables of ``model``."""
        chosen = self.position(x)
        for j, y in model.y.items():
            if not y.fixed:
                y.set_value(int(j == chosen))

    def scaled(self) -> tuple[SplitProblem, float]:
        """Return an instance with the same feasible positions, in units near one; and the unit.

        Its limits are 0 and its usage is the excess over the limit; violations too small for the
        tolerances of a solver are enlarged. Only its integer solutions are those of this instance.
        """
        return models.scaled(self)

    # ---- duality

    def theta(self, alpha: npt.ArrayLike) -> float:
        """Return the dual function at prices ``alpha`` (n_limits,): no position earns more."""
        return dual.theta(self, alpha)

    def support(self, alpha: npt.ArrayLike) -> tuple[int, ...]:
        """Return the positions that earn most at prices ``alpha``, ties included."""
        return dual.support(self, alpha)

    def subgradient(self, alpha: npt.ArrayLike) -> FloatArray:
        """Return a subgradient of :meth:`theta` at ``alpha``, shape ``(n_limits,)``."""
        return dual.subgradient(self, alpha)

    @functools.cached_property
    def _dual(self) -> dual.DualMinimum:
        return dual.minimise(self)

    def minimise_dual(self) -> dual.DualMinimum:
        """Return the prices at which :meth:`theta` is least, exactly, and the gap that is left."""
        return self._dual

    def hull_positions(self, limit: int | str = 0) -> tuple[int, ...]:
        """Return the positions that some price of one limit alone can propose."""
        return dual.hull_positions(self, limit)

    @property
    def price_units(self) -> FloatArray:
        """A typical price of each limit, shape ``(n_limits,)``, for searches over prices."""
        return dual.price_units(self)

    def priced(self, alpha: npt.ArrayLike) -> dual.Priced:
        """Return the best positions at prices ``alpha`` and the bound that these prove."""
        return dual.priced(self, alpha)

    def repaired(self, x: npt.ArrayLike) -> IntArray | None:
        """Return the nearest feasible position before ``x`` (or at it), else after it, if any."""
        j, feasible = self.position(x), np.flatnonzero(self.feasible)
        if not feasible.size:
            return None
        before = feasible[feasible <= j]
        return feasible[:1] if not before.size else before[-1:]

    def relaxation(
        self, encoding: str = "agg", row: str = "usage <= limit"
    ) -> relaxation.KktReport:
        """Solve the relaxation with cvxpy; see ``split.relaxation.relaxation``."""
        return relaxation.relaxation(self, encoding, row)

    # ---- bounds

    @property
    def cheap_bounds(self) -> tuple[str, ...]:
        """``"LP"`` and ``"rounded"``, so that a gap is left to see; all if nothing is feasible."""
        return ("LP", "rounded") if self.feasible.any() else self.bound_names

    def compute_bound(self, name: str) -> Bound:
        """Return one of the bounds of ``certificates``."""
        return certificates.bound(self, name)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound that ``certificate`` proves (``split.certificates``)."""
        return certificates.certify(self, certificate)


def _frozen(array: npt.NDArray[T] | T) -> npt.NDArray[T]:
    frozen = np.asarray(array)
    frozen.setflags(write=False)
    return frozen
