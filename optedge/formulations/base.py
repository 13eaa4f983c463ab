"""What every problem is: validated read-only data, exact evaluation, models, proved bounds.

A problem class is a frozen dataclass that inherits from :class:`Problem` and declares its arrays
with :func:`array_field`; construction then casts, checks and freezes them once.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from optedge import kernels

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


# ------------------------------------------------------------------------- bounds


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


@dataclasses.dataclass(frozen=True)
class Lane:
    """One row of a Gantt chart.

    Parameters
    ----------
    label
        Written at the left, once for neighbouring lanes that share it.
    bars
        ``(start, length, label)``, in seconds.
    groups
        A number a bar, such as its task: bars of one number share a colour in all lanes. Without
        them neighbours differ.
    link
        Whether the bars are transfers rather than work; such lanes are shaded.

    Raises
    ------
    ValueError
        If there are groups, but not one a bar.
    """

    label: str
    bars: tuple[tuple[float, float, str], ...]
    groups: tuple[int, ...] = ()
    link: bool = False

    def __post_init__(self) -> None:
        if self.groups and len(self.groups) != len(self.bars):
            raise ValueError(
                f"lane {self.label!r}: groups must hold {len(self.bars)} numbers, one a bar, "
                f"got {len(self.groups)}."
            )


def power_of_two(size: float) -> float:
    """Return the power of two nearest to ``size``; 1 for 0 and inf. Dividing by it is exact."""
    return 2.0 ** round(math.log2(size)) if 0 < size < math.inf else 1.0


# -------------------------------------------------------------------- fields of a problem


def array_field(
    *axes: str,
    dtype: type = np.float64,
    infinite: bool = False,
    negative: bool = False,
    default: Any = dataclasses.MISSING,
) -> Any:
    """Declare an array of a problem class.

    Parameters
    ----------
    *axes
        Names of the axes, e.g. ``"n_tasks", "n_servers"``; arrays that share an axis must agree
        on its length.
    dtype
        Type that the entries are cast to.
    infinite, negative
        Whether entries may be ``inf`` or below zero.
    default
        Value where the field is left out; None is allowed only if it is the default.
    """
    metadata = {"axes": axes, "dtype": dtype, "infinite": infinite, "negative": negative}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _checked(field: dataclasses.Field[Any], value: Any, lengths: dict[str, int]) -> Any:
    """Return ``value`` as the read-only array that ``field`` declares."""
    name, axes = field.name, field.metadata["axes"]
    try:
        array = np.array(value, dtype=field.metadata["dtype"])
        if array.dtype.kind == "i" and np.any(array != np.asarray(value)):
            raise ValueError("some are no integers")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}.") from None
    wanted = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
    if array.ndim != len(axes) or array.size == 0:
        raise ValueError(f"{name} must have shape {wanted} and be non-empty, got {array.shape}.")
    for axis, length in zip(axes, array.shape, strict=True):
        if lengths.setdefault(axis, length) != length:
            expected = tuple(lengths.get(a, "any") for a in axes)
            raise ValueError(f"{name} must have shape {wanted} = {expected}, got {array.shape}.")
    for wrong, what in (
        (np.isnan(array), "is NaN"),
        (np.isneginf(array) if field.metadata["infinite"] else np.isinf(array), "is infinite"),
        (array < 0 if not field.metadata["negative"] else np.zeros(1, bool), "is negative"),
    ):
        if wrong.any():
            index = [int(k) for k in np.argwhere(wrong)[0]]
            raise ValueError(f"{name}{index} {what}.")
    array.setflags(write=False)
    return array


# ------------------------------------------------------------------------- the problem


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """An instance; the base of all problem classes.

    A subclass gives ``objective``, ``violations``, ``model``, ``extract``, ``fill``, the names of
    its bounds with :meth:`_compute_bound`, and :meth:`certify`. Everything is minimised.
    """

    #: Names of the explicit models, the default first.
    kinds: ClassVar[tuple[str, ...]] = ()
    #: Names of the bounds that need no search, weakest first.
    bound_names: ClassVar[tuple[str, ...]] = ()
    #: Libraries that bounds and solvers import when first used; `solve` does so off the clock.
    imports: ClassVar[tuple[str, ...]] = ()
    #: Rows or columns of a model that is still built; 2 million are about 10 GB of Pyomo objects.
    largest_model: ClassVar[int] = 2_000_000
    #: Whether some code decodes to an optimal solution, so that enumerating codes proves it.
    complete_code: ClassVar[bool] = True
    #: Unit of the objective, for tables and plots.
    unit: ClassVar[str] = "s"
    #: What the objective is called in figures.
    objective_name: ClassVar[str] = "objective"
    #: Whether the objective is a point of the time axis of a Gantt chart.
    objective_is_time: ClassVar[bool] = True

    def __post_init__(self) -> None:
        lengths: dict[str, int] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "axes" in field.metadata and not (value is None and field.default is None):
                object.__setattr__(self, field.name, _checked(field, value, lengths))
        if not isinstance(getattr(self, "name", ""), str):
            raise ValueError("name must be a string.")

    def __getstate__(self) -> dict[str, Any]:
        # Fields and bounds travel to other processes; what is quickly derived does not.
        names = {field.name for field in dataclasses.fields(self)}
        return {k: v for k, v in self.__dict__.items() if k in names or k.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays come out of a pickle writeable.
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(state)

    # ---- evaluation

    def objective(self, x: Any) -> float:
        """Return the exact value of solution ``x``; ``inf`` if it is infeasible."""
        raise NotImplementedError

    def violations(self, x: Any) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        raise NotImplementedError

    def metrics(self, x: Any) -> dict[str, float]:
        """Return further numbers of a feasible solution that tables may show."""
        return {}

    def lanes(self, x: Any) -> list[Lane]:
        """Return what a Gantt chart of ``x`` shows, a lane a server, from top to bottom."""
        raise NotImplementedError

    # ---- explicit models

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return the explicit model as a ``pyomo.environ.ConcreteModel``."""
        raise NotImplementedError

    def extract(self, model: Any) -> Any:
        """Return the solution that stands in the variables of a solved ``model``."""
        raise NotImplementedError

    def fill(self, model: Any, x: Any) -> None:
        """Write solution ``x`` into the variables of ``model`` (as a start of the search)."""
        raise NotImplementedError

    def check_kind(self, kind: str | None) -> str:
        """Return ``kind``, or the default kind for None; ValueError for an unknown one."""
        if not self.kinds:
            raise ValueError(f"this {type(self).__name__} has no explicit model.")
        if kind is None:
            return self.kinds[0]
        if kind not in self.kinds:
            raise ValueError(f"{type(self).__name__} has no model {kind!r}; it has {self.kinds}.")
        return kind

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return about how many rows and columns :meth:`model` would have, without building it."""
        raise NotImplementedError

    def scaled(self) -> tuple[Problem, float]:
        """Return the instance in units that suit a solver's tolerances, and the objective's unit.

        Solutions are the same; objectives and bounds are to be multiplied by the unit.
        """
        return self, 1.0

    def dual_certificate(self, kind: str, solution: Any, unit: float = 1.0) -> Certificate | None:
        """Return the certificate in the duals of a solved linear model, if the kind gives one.

        ``unit`` is that of :meth:`scaled`, whose model was solved.
        """
        return None

    def explain(self, conflict: Iterable[str] = ()) -> str:
        """Say in the words of the problem what a conflict of model rows means."""
        rows = ", ".join(conflict)
        return f"these rows cannot hold together: {rows}." if rows else "no solution exists."

    @property
    def moves_per_chunk(self) -> int:
        """Moves that compiled loops price between two looks at the clock; about 50 ms of them."""
        return 20_000

    # ---- bounds

    @functools.cached_property
    def _bounds(self) -> dict[str, Bound]:
        return {}

    def bound(self, name: str) -> Bound:
        """Return one of the bounds that need no search, computed at the first call.

        Raises
        ------
        ValueError
            If ``name`` is none of ``bound_names``.
        """
        if name not in self.bound_names:
            choices = ", ".join(self.bound_names)
            raise ValueError(f"{type(self).__name__} has no bound {name!r}; it has {choices}.")
        if name not in self._bounds:
            began = time.perf_counter()
            bound = self._compute_bound(name)
            spent = time.perf_counter() - began
            self._bounds[name] = dataclasses.replace(bound, seconds=spent)
        return self._bounds[name]

    def _compute_bound(self, name: str) -> Bound:
        raise NotImplementedError

    def bounds(self) -> dict[str, float]:
        """Return every proved lower bound that needs no search: name to value."""
        return {name: self.bound(name).value for name in self.bound_names}

    @property
    def cheap_bounds(self) -> tuple[str, ...]:
        """The bounds that :func:`optedge.solve` computes unasked for an instance of this size."""
        return self.bound_names

    def best_cheap_bound(self) -> Bound | None:
        """Return the largest of the cheap bounds, with the seconds that all of them took."""
        found = [self.bound(name) for name in self.cheap_bounds]
        if not found:
            return None
        largest = max(b.value for b in found)
        # The simplest among equals; two ways to the same number differ in its last digits.
        best = next(b for b in found if math.isclose(b.value, largest, rel_tol=1e-12))
        return dataclasses.replace(best, seconds=sum(b.seconds for b in found))

    def certify(self, certificate: Certificate) -> float:
        """Return the bound that ``certificate`` proves, recomputed from its arrays in NumPy.

        Raises
        ------
        ValueError
            If the certificate is malformed or of a kind that this problem does not know.
        """
        raise ValueError(f"{type(self).__name__} knows no certificate {certificate.kind!r}.")

    # ---- copies and identity

    def replace(self, **changes: Any) -> Self:
        """Return a newly validated copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    @functools.cached_property
    def key(self) -> str:
        """A hash of the data (all fields but the name): equal data, equal key."""
        digest = hashlib.sha256(type(self).__name__.encode())
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "name":
                continue
            digest.update(field.name.encode())
            if isinstance(value, np.ndarray):
                digest.update(str((value.dtype.str, value.shape)).encode())
                digest.update(np.ascontiguousarray(value).tobytes())
            else:
                digest.update(repr(value).encode())
        return digest.hexdigest()

    @property
    def label(self) -> str:
        """The name, or the class and the start of the key where there is none."""
        return getattr(self, "name", "") or f"{type(self).__name__} {self.key[:8]}"

    @property
    def offers(self) -> frozenset[str]:
        """What this problem gives to solvers that are made for no class of problems.

        Some of ``code``, ``partial``, ``moves`` (metaheuristics), ``enumerable`` (all solutions can
        be listed), ``prices`` (a Lagrangian dual), ``tiers`` (all may be put on one tier),
        ``merges`` (which decisions a coarser search takes for one).
        """
        offered = set()
        if hasattr(self, "choices") and hasattr(self, "costs"):
            offered.add("code")
        if hasattr(self, "solutions") or "code" in offered:
            offered.add("enumerable")
        if hasattr(self, "priced") or hasattr(self, "price_classes"):
            offered.add("prices")
        if hasattr(self, "everything_on"):
            offered.add("tiers")
        if hasattr(self, "merged_decisions"):
            offered.add("merges")
        if hasattr(self, "partial"):
            offered.add("partial")
        if hasattr(self, "data") and kernels.gives(type(self.data), kernels.price):
            offered.add("moves")
        return frozenset(offered)
