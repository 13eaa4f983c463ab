r"""Many devices, one cloud: where to cut every inference, and in which order the cloud admits them.

Device e runs the layers before the cut of its tasks, first come first served; what crosses the cut
is sent; the cloud runs the rest, one task at a time. With seconds :math:`a_i, \tau_i, c_i` on the
device, on the link and in the cloud of cut i, task j that starts at :math:`s_j` has

.. math::

   f_j = s_j + a_i, \qquad A_p = \max(f_j, A_{p-1}, D_{p-C}), \qquad
   D_p = \max(A_p + \tau_i, D_{p-1}) + c_i,

where p is its place in the order of admission and C the number of slots: from its admission to its
completion a task holds one. The last cut, edge-only, takes no slot and is done at :math:`f_j`.
With ``hold`` a task that waits for a slot keeps its device.

Source: Zhang et al., "An Adaptive Task Migration Scheduling Approach for Edge-Cloud Collaborative
Inference", WCMC 2022, sections 3 and 4. Departures: its listings contradict its text in seventeen
places, among them that slots are never released, and that the returned time leaves out tasks that
end on their device; what is simulated here follows the text. Own fields: links with capacity,
service in order of arrival in the cloud, tasks of several types.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    BoolArray,
    Bound,
    Certificate,
    FloatArray,
    IntArray,
    Lane,
    Problem,
    array_field,
)
from optedge.formulations.pipeline import coding, moves, simulation, views
from optedge.formulations.pipeline.bounds import named as bounds
from optedge.formulations.pipeline.construction import network_cuts
from optedge.formulations.pipeline.models import explicit as models
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

Link = Literal["delay", "device", "shared"]
Service = Literal["admission", "arrival"]
Goal = Literal["makespan", "mean delay"]
_Array = TypeVar("_Array", bound=npt.NDArray[Any])

_CHOICES = {
    "link": simulation.LINKS,
    "service": ("admission", "arrival"),
    "goal": ("makespan", "mean delay"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class PipelinePlan:
    """A solution: the cut of every task, and which device commits next.

    Parameters
    ----------
    cuts
        Cut of each task, shape ``(n_tasks,)``; tasks are numbered device by device, in order of
        arrival.
    order
        Devices in the order in which their next tasks are committed, shape ``(n_tasks,)``; tasks
        that are sent are admitted in this order.
    """

    cuts: IntArray
    order: IntArray

    def __post_init__(self) -> None:
        for name in ("cuts", "order"):
            array = np.array(getattr(self, name), dtype=np.int64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)


class Times(NamedTuple):
    """What happens to each task, in seconds, shape ``(n_tasks,)`` each; NaN where it stays."""

    start: FloatArray
    finish: FloatArray  # on the device
    admitted: FloatArray
    sent: FloatArray  # start of the transmission
    served: FloatArray  # start in the cloud
    done: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class PipelineProblem(Problem):
    """Inferences of many devices that share a cloud with a bounded queue.

    A solution is a :class:`PipelinePlan`.

    Parameters
    ----------
    arrivals
        Seconds at which the tasks of each device arrive, a row a device, rising in each row.
    chains
        Seconds on the device, on the link and in the cloud of each cut, shape ``(n_cuts, 3)``, or
        ``(n_types, n_cuts, 3)`` for tasks of several types. Cut 0 is cloud-only, the last one
        edge-only, whose last two entries are 0. From cut to cut the seconds on the device do not
        fall and those in the cloud do not rise. A cut with an infinite entry is not used.
    capacity
        Slots of the cloud: tasks in transit, waiting and in service; ``inf`` for no limit.
    types
        Type of each task, rows as in ``arrivals``; all 0 by default.
    link
        ``"delay"`` (default): transmissions overlap. ``"device"``: one at a time on each device.
        ``"shared"``: one at a time in all.
    service
        ``"admission"`` (default): the cloud serves in order of admission. ``"arrival"``: in order
        of arrival there, ties by admission.
    hold
        Whether a task that waits for a slot keeps its device; else it waits in its memory.
    goal
        ``"makespan"`` (default): the time at which all is done. ``"mean delay"``: the mean of
        completion minus arrival.
    name
        Label used in tables and plots.

    Raises
    ------
    ValueError
        If there is no task, arrivals fall or are negative, a table has another shape or a NaN, a
        type does not exist or has no cut, edge-only uses link or cloud, seconds fall on the device
        or rise in the cloud from cut to cut, or the capacity is below 1.
    """

    arrivals: tuple[tuple[float, ...], ...]
    chains: FloatArray = array_field("n_types", "n_cuts", "parts", infinite=True)
    capacity: float = 20
    types: tuple[tuple[int, ...], ...] | None = None
    link: Link = "delay"
    service: Service = "admission"
    hold: bool = True
    goal: Goal = "makespan"
    name: str = ""

    solution_types: ClassVar[tuple[type, ...]] = (PipelinePlan,)
    complete_code: ClassVar[bool] = False  # levels of delay do not give every order

    def __post_init__(self) -> None:
        chains = np.asarray(self.chains, dtype=np.float64)
        object.__setattr__(self, "chains", chains[None] if chains.ndim == 2 else chains)
        super().__post_init__()
        self._check_chains()
        self._check_tasks()
        for field, known in _CHOICES.items():
            if getattr(self, field) not in known:
                raise ValueError(f"{field} must be one of {known}, got {getattr(self, field)!r}.")
        if not isinstance(self.hold, bool):
            raise ValueError(f"hold must be True or False, got {self.hold!r}.")
        capacity = self.capacity
        if not (capacity >= 1 and (math.isinf(capacity) or float(capacity).is_integer())):
            raise ValueError(f"capacity must be a whole number from 1, or inf, got {capacity!r}.")
        object.__setattr__(self, "capacity", float(capacity))

    @classmethod
    def from_network(
        cls,
        graph: LayerGraph,
        platform: Platform,
        arrivals: Sequence[Sequence[float]],
        *,
        bandwidth: float | None = None,
        **fields: Any,
    ) -> Self:
        """Build the problem of inferences of one network on equal devices and a cloud.

        Parameters
        ----------
        graph
            The network; its layer 0 is the input tensor. A chain has every cut; another graph
            those of least latency at some bandwidth (``construction.network_cuts``).
        platform
            With two tiers; the first server of each is the device and the cloud.
        arrivals
            As in the class.
        bandwidth
            Bit/s of the link in place of the platform's; 0 leaves only edge-only.
        **fields
            Other fields of the problem.

        Raises
        ------
        ValueError
            If the platform has not two tiers, or the bandwidth is negative.
        """
        _, chains = network_cuts(graph, platform, bandwidth=bandwidth)
        return cls(tuple(map(tuple, arrivals)), chains, **{"name": graph.name, **fields})

    def _check_chains(self) -> None:
        if self.chains.shape[2] != 3:
            raise ValueError(
                "chains must hold three seconds a cut (device, link, cloud), shape (n_cuts, 3) or "
                f"(n_types, n_cuts, 3), got {self.chains.shape}."
            )
        chains = self.chains.copy()
        chains[np.isinf(chains).any(axis=2)] = np.inf, 0.0, 0.0  # what cannot be used in one part
        chains.setflags(write=False)
        object.__setattr__(self, "chains", chains)
        for t, rows in enumerate(chains):
            last, usable = rows[-1], np.flatnonzero(np.isfinite(rows[:, 0]))
            if not usable.size:
                raise ValueError(f"chains: every cut of type {t} is infinite, edge-only too.")
            if not np.isfinite(last[0]) or last[1:].any():
                raise ValueError(
                    f"chains: the last cut of type {t} is edge-only, (seconds, 0, 0), got "
                    f"{self.chains[t, -1].tolist()}."
                )
            for column, what, wrong in ((0, "device", "fall"), (2, "cloud", "rise")):
                steps = np.diff(rows[usable, column]) * (1 if wrong == "fall" else -1)
                # Sums of layers differ by their rounding where a layer takes no time.
                for k in np.flatnonzero(steps < -1e-9 * rows[usable, column].max())[:1]:
                    raise ValueError(
                        f"chains: seconds on the {what} may not {wrong} from cut to cut; those of "
                        f"type {t} are {rows[usable[k], column]:g} at cut {usable[k]} and "
                        f"{rows[usable[k + 1], column]:g} at cut {usable[k + 1]}."
                    )

    def _check_tasks(self) -> None:
        try:
            rows = tuple(tuple(float(r) for r in row) for row in self.arrivals)
        except (TypeError, ValueError):
            raise ValueError("arrivals must hold a row of seconds for each device.") from None
        object.__setattr__(self, "arrivals", rows)
        if not any(rows):
            raise ValueError("arrivals must hold at least one task.")
        for e, row in enumerate(rows):
            for k, r in enumerate(row):
                if not 0 <= r < math.inf:
                    raise ValueError(f"arrivals[{e}][{k}] must be a number of seconds, got {r!r}.")
                if k and r < row[k - 1]:
                    raise ValueError(f"arrivals[{e}] must rise, entry {k} is {r:g}.")
        if self.types is None:
            return
        try:
            types = tuple(tuple(operator.index(t) for t in row) for row in self.types)
        except TypeError:
            raise ValueError("types must hold a row of whole numbers for each device.") from None
        object.__setattr__(self, "types", types)
        if [len(row) for row in types] != [len(row) for row in rows]:
            raise ValueError("types must have as many entries in each row as arrivals.")
        for e, row_of_types in enumerate(types):
            for k, t in enumerate(row_of_types):
                if not 0 <= t < len(self.chains):
                    raise ValueError(f"types[{e}][{k}]: there is no type {t}.")

    # ---- data

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return len(self.arrivals)

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return int(self.first[-1])

    @property
    def n_cuts(self) -> int:
        """Number of cuts, edge-only included."""
        return int(self.chains.shape[1])

    @functools.cached_property
    def first(self) -> IntArray:
        """First task of each device, and the number of tasks, shape ``(n_devices + 1,)``."""
        return _frozen(np.cumsum([0, *map(len, self.arrivals)]).astype(np.int64))

    @functools.cached_property
    def release(self) -> FloatArray:
        """When each task arrives, shape ``(n_tasks,)``, s."""
        return _frozen(np.array([r for row in self.arrivals for r in row], dtype=np.float64))

    @functools.cached_property
    def kind(self) -> IntArray:
        """Type of each task, shape ``(n_tasks,)``."""
        if self.types is None:
            return _frozen(np.zeros(self.n_tasks, dtype=np.int64))
        return _frozen(np.array([t for row in self.types for t in row], dtype=np.int64))

    @functools.cached_property
    def device(self) -> IntArray:
        """Device of each task, shape ``(n_tasks,)``."""
        return _frozen(np.repeat(np.arange(self.n_devices), np.diff(self.first)).astype(np.int64))

    @functools.cached_property
    def options(self) -> npt.NDArray[np.bool_]:
        """Which cuts each task may take, shape ``(n_tasks, n_cuts)``."""
        return np.asarray(np.isfinite(self.chains[self.kind, :, 0]))

    @functools.cached_property
    def shortest(self) -> IntArray:
        """The cut of least latency of each type, alone; ties to the smallest, ``(n_types,)``."""
        return np.asarray(self.chains.sum(axis=2).argmin(axis=1), dtype=np.int64)

    @functools.cached_property
    def arrays(self) -> simulation.PipelineData:
        """The arrays that the simulator reads."""
        return simulation.make_data(self)

    # ---- plans and codes that solvers ask for

    def everything_on(self, tier: int) -> PipelinePlan:
        """Return the plan with every task edge-only (tier 0) or cloud-only (tier 1, or -1)."""
        return self.first_finished((self.n_cuts - 1, 0)[tier])

    @functools.cached_property
    def choices(self) -> BoolArray:
        """The cuts of each task, then the levels of its delay, ``(2 * n_tasks, n_options)``."""
        return coding.choices(self)

    @functools.cached_property
    def data(self) -> moves.CodeData:
        """The arrays that the compiled moves read."""
        return coding.make_data(self)

    @property
    def moves_per_chunk(self) -> int:
        """Moves that compiled loops price between two looks at the clock."""
        return max(100, 500_000 // self.n_tasks)

    def costs(self, codes: npt.ArrayLike) -> FloatArray:
        """Return the objective of each row of codes (k, 2 * n_tasks); ``inf`` if infeasible."""
        return coding.costs(self, codes)

    def decode(self, code: npt.ArrayLike) -> PipelinePlan:
        """Return the plan of a code: its cuts, and who leaves first, levels counted, first."""
        return coding.decode(self, code)

    def encode(self, x: PipelinePlan) -> IntArray:
        """Return a code of a plan; where no levels give its order, that of a near one."""
        return coding.encode(self, x)

    def start_code(self) -> IntArray:
        """Return the code of Single Cutting: the cut of least latency, nobody delayed."""
        cuts = self.shortest[self.kind]
        return np.concatenate([cuts, np.zeros_like(cuts)])

    # ---- evaluation

    def times(self, x: PipelinePlan) -> Times:
        """Return what happens to each task of a feasible plan."""
        out, placed = np.empty((self.n_tasks, 6)), np.empty(self.n_tasks, dtype=np.int64)
        simulation.serve(self.arrays, x.cuts, np.zeros(0), x.order, out, placed)
        return Times(*out.T)

    def first_finished(self, cuts: npt.ArrayLike, offsets: npt.ArrayLike = 0.0) -> PipelinePlan:
        """Return the plan of given cuts whose order is: who leaves its device first.

        Parameters
        ----------
        cuts
            Cut of each task, ``(n_tasks,)``, or one for all.
        offsets
            Seconds by which a task counts as later, ``(n_tasks,)`` or one for all; at least 0.
        """
        n = self.n_tasks
        full = np.array(np.broadcast_to(np.asarray(cuts, dtype=np.int64), n))
        later = np.array(np.broadcast_to(np.asarray(offsets, dtype=np.float64), n))
        out, order = np.empty((n, 6)), np.empty(n, dtype=np.int64)
        simulation.serve(self.arrays, full, later, np.zeros(0, dtype=np.int64), out, order)
        return PipelinePlan(full, order)

    def objective(self, x: PipelinePlan) -> float:
        """Return the makespan or the mean delay of ``x`` in s; ``inf`` if ``x`` is infeasible."""
        if self.violations(x):
            return math.inf
        done = self.times(x).done
        return float(done.max() if self.goal == "makespan" else (done - self.release).mean())

    def violations(self, x: Any) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        if not isinstance(x, PipelinePlan):
            return [f"a solution is a PipelinePlan, got {type(x).__name__}."]
        for name in ("cuts", "order"):
            if getattr(x, name).shape != (self.n_tasks,):
                shape = getattr(x, name).shape
                return [f"{name} must hold {self.n_tasks} integers, got shape {shape}."]
        outside = np.flatnonzero((x.cuts < 0) | (x.cuts >= self.n_cuts))
        if outside.size:
            return [f"task {outside[0]}: there is no cut {x.cuts[outside[0]]}."]
        wrong = np.flatnonzero(~self.options[np.arange(self.n_tasks), x.cuts])
        found = [f"task {j}: its type has no cut {x.cuts[j]}." for j in wrong.tolist()]
        inside = (x.order >= 0) & (x.order < self.n_devices)
        counts = np.bincount(x.order[inside], minlength=self.n_devices)
        for e in np.flatnonzero(counts != np.diff(self.first)).tolist():
            found.append(
                f"order names device {e} {counts[e]} times, it has {np.diff(self.first)[e]} tasks."
            )
        return found

    def metrics(self, x: PipelinePlan) -> dict[str, float]:
        """Return the delays, waits and busy shares of a feasible plan (``views``)."""
        return views.metrics(self, x)

    def lanes(self, x: PipelinePlan) -> list[Lane]:
        """Return lanes of the devices, the links, the queue and the cloud (``views``)."""
        return views.lanes(self, x)

    # ---- explicit models

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]  # here it depends on the fields
        """The explicit models that state this instance exactly; none may (``models``)."""
        return models.kinds(self)

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return the explicit model of a kind (``pipeline.models``).

        Parameters
        ----------
        kind
            ``"position"`` (default): who is admitted at which place; not where the cloud serves in
            order of arrival, unless the link is shared. ``"disjunctive"``: who comes before whom;
            where the slots never run out (capacity at least the number of tasks), and in order of
            arrival for the makespan only.
        relax
            Whether shares replace the binary decisions.

        Returns
        -------
        pyomo.environ.ConcreteModel
            Of kind ``"position"`` with variables ``q[j, i, p]``, ``z[j]``, ``s[j]``, ``f[j]``,
            ``A[p]``, ``U[p]`` (on links with capacity), ``D[p]``, and ``T`` or ``fin[j]``; of kind
            ``"disjunctive"`` with ``x[j, i]``, ``o[j, k]``, ``s``, ``f``, ``A``, ``U``, ``b`` of
            each task, and ``T`` for the makespan.
        """
        return models.build(self, self.check_kind(kind), relax)

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return about how many rows and columns the model has."""
        rows, columns = models.MODELS[self.check_kind(kind)].size(self)
        return int(rows), int(columns)

    def extract(self, model: Any) -> PipelinePlan | None:
        """Return the plan in the variables of a solved model; None if they are fractions."""
        return models.extract(self, model)

    def fill(self, model: Any, x: PipelinePlan) -> None:
        """Write a plan into the variables of ``model``, in the form in which the model has it.

        Devices with equal tasks may change names, and cuts that are left out are replaced by
        better ones: the value is that of ``x`` or less.
        """
        models.of(model).fill(self, model, x)

    def scaled(self) -> tuple[PipelineProblem, float]:
        """Return the same instance in units near one, and the unit in seconds (a power of two)."""
        return models.scaled(self)

    # ---- bounds

    @property
    def bound_names(self) -> tuple[str, ...]:  # type: ignore[override]  # counts have no delays
        """The bounds that need no search: fewer for the mean delay (``bounds``)."""
        return bounds.NAMES[self.goal]

    @property
    def cheap_bounds(self) -> tuple[str, ...]:
        """All but the grid; very many unlike devices have no assignment either."""
        return bounds.cheap(self)

    def compute_bound(self, name: str) -> Bound:
        """Return one of the bounds of ``bounds``."""
        return bounds.compute(self, name)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound in seconds that ``certificate`` proves (``bounds``)."""
        return bounds.certify(self, certificate)


def _frozen(array: _Array) -> _Array:
    array.setflags(write=False)
    return array
