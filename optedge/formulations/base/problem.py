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
from collections.abc import Iterable
from typing import Any, ClassVar, Self, cast

import numpy as np

from optedge import kernels
from optedge.formulations.base import contract, offers, rows
from optedge.formulations.base.arrays import FloatArray, IntArray, checked
from optedge.formulations.base.lanes import Lane
from optedge.formulations.base.proofs import Bound, Certificate


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """An instance; the base of all problem classes. Everything is minimised.

    A subclass is a dataclass (``frozen=True, eq=False``) with an ``objective``; all else joins it
    to more of the package:

    * ``violations`` says why a solution is infeasible;
    * ``model``, ``extract`` and ``fill``: the solver ``highs``, and the bound of the model without
      integrality, with its certificate;
    * ``choices``: all metaheuristics and ``enumeration``. A solution is then an integer array, one
      option a decision, unless ``decode`` and ``encode`` say otherwise, and ``costs`` prices many
      codes at once, quicker than one by one; ``partial``, ``start_code`` and ``heuristic`` guide;
      ``data`` with compiled kernels (:mod:`optedge.kernels`) makes searches much quicker;
    * ``bound_names``, ``compute_bound`` and ``certify``: bounds of its own;
    * ``lanes`` and ``metrics``: charts and columns of tables.
    """

    #: Names of the explicit models, the default first; ``("model",)`` if there is one without name.
    kinds: ClassVar[tuple[str, ...]] = ()
    #: Names of the bounds that need no search, weakest first; ``("LP",)`` if there is a model.
    bound_names: ClassVar[tuple[str, ...]] = ()
    #: Dataclasses that solutions may be, beside arrays, for files.
    solution_types: ClassVar[tuple[type, ...]] = ()
    #: Endings of files, such as ".txt", that :meth:`read` understands beside optedge's own format.
    suffixes: ClassVar[tuple[str, ...]] = ()
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

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.model is not Problem.model and not cls.kinds:
            cls.kinds = ("model",)
        if cls.kinds and not cls.bound_names and cls.compute_bound is Problem.compute_bound:
            cls.bound_names = ("LP",)

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Make an instance of a class that has what a problem needs, else raise TypeError."""
        contract.check_class(cast(Any, cls), Problem)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        lengths: dict[str, int] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "axes" in field.metadata and not (value is None and field.default is None):
                object.__setattr__(self, field.name, checked(field, value, lengths))
            elif isinstance(value, float) and math.isnan(value):
                raise ValueError(f"{field.name} is NaN.")
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

    @classmethod
    def read(cls, path: Any) -> Self:
        """Return the instance in a file of one of the formats that ``suffixes`` lists."""
        raise ValueError(f"{cls.__name__} reads no files but those of optedge.")

    # ---- evaluation

    def objective(self, x: Any) -> float:
        """Return the exact value of solution ``x``; ``inf`` if it is infeasible."""
        raise NotImplementedError  # never reached: a class without one is refused when made

    def violations(self, x: Any) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        return [] if math.isfinite(self.objective(x)) else ["the solution is infeasible."]

    def metrics(self, x: Any) -> dict[str, float]:
        """Return further numbers of a feasible solution that tables may show."""
        return {}

    def lanes(self, x: Any) -> list[Lane]:
        """Return what a Gantt chart of ``x`` shows, a lane a server, from top to bottom."""
        raise ValueError(f"{type(self).__name__} has no lanes to draw.")

    # ---- explicit models

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return the explicit model as a ``pyomo.environ.ConcreteModel``."""
        raise ValueError(f"{type(self).__name__} has no explicit model.")

    def extract(self, model: Any) -> Any:
        """Return the solution that stands in the variables of a solved ``model``."""
        raise ValueError(f"{type(self).__name__} has no explicit model.")

    def fill(self, model: Any, x: Any) -> None:
        """Write solution ``x`` into the variables of ``model`` (as a start of the search)."""
        raise ValueError(f"{type(self).__name__} has no explicit model.")

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
        """Return about how many rows and columns :meth:`model` would have, without building it.

        Zeros where a class does not say: no model is then declined as too large.
        """
        return 0, 0

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
        """Moves that loops price between two looks at the clock; about 50 ms of them."""
        return 1000 if isinstance(self.data, kernels.Plain) else 20_000

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
            began, compiled = time.perf_counter(), kernels.compile_seconds()
            bound = self.compute_bound(name)
            if not isinstance(bound, Bound):
                raise TypeError(f"{type(self).__name__}.compute_bound must return a Bound.")
            spent = time.perf_counter() - began - (kernels.compile_seconds() - compiled)
            self._bounds[name] = dataclasses.replace(bound, seconds=max(0.0, spent))
        return self._bounds[name]

    def compute_bound(self, name: str) -> Bound:
        """Return one of the bounds anew; :meth:`bound` keeps what this returns.

        Unless a class says otherwise it is that of the first explicit model without integrality.
        """
        return rows.lp_bound(self)

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
        if certificate.kind == rows.KIND and self.kinds:
            return rows.certify(self, certificate)
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
        """What this problem gives to solvers made for no class of problems: words of ``OFFERS``."""
        return offers.offered_by(cast(Any, type(self))) | ({"model"} if self.kinds else set())

    # ---- codes: what a class with ``choices`` (bool, n_decisions x n_options) has for nothing

    def decode(self, code: Any) -> Any:
        """Return the solution of a code (n_decisions,): the code itself unless a class differs."""
        return np.array(code, dtype=np.int64)

    def encode(self, x: Any) -> IntArray:
        """Return a code of solution ``x``, for searches that start there."""
        if type(self).decode is not Problem.decode:
            raise ValueError(f"{type(self).__name__} has no encode: a search cannot start there.")
        return np.array(x, dtype=np.int64)

    def costs(self, codes: Any) -> FloatArray:
        """Return the objective of each row of ``codes`` (k, n_decisions); ``inf`` if infeasible."""
        return np.array([contract.value_of(self, self.decode(code)) for code in codes])

    @functools.cached_property
    def data(self) -> Any:
        """What moves priced by difference read; without kernels of its own: the costs of codes."""
        return kernels.Plain(self.costs)
