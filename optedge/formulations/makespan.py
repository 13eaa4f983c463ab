r"""Edge-learning task scheduling: minimise the makespan (:math:`R \| C_{\max}` with eligibility).

Every learning task sends its (compressed) data to one edge server; a server takes its tasks one
after the other. With :math:`v_{ij}` the seconds that task :math:`i` keeps server :math:`j` busy and
:math:`r_j` the time at which server :math:`j` becomes free,

.. math::

   \min C \quad\text{s.t.}\quad
   r_j + \sum_{i:(i,j)\in E} v_{ij} x_{ij} \le C \;\;\forall j, \qquad
   \sum_{j:(i,j)\in E} x_{ij} = 1 \;\;\forall i, \qquad
   \sum_{i:(i,j)\in E} q_i x_{ij} \le P_j \;\;\forall j, \qquad x_{ij} \in \{0, 1\},

where :math:`E` holds the pairs that may be used; the memory rows are there only if memory is given.

Source: Huang et al., "Task Scheduling with Optimized Transmission Time in Collaborative Cloud-Edge
Learning", ICCCN 2018, eqs. (10)-(14). Departures: a pair that cannot be used is left out where the
paper writes an infinite time; the times are weighted by the accuracy, as eqs. (2) and (8) say and
eq. (14) forgets. Ready times and memory: Xu et al., EURASIP J. Wireless Com. Network. 2020:211,
the tasks of one window.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from optedge.formulations import makespan_bounds as bounds
from optedge.formulations import makespan_certificates as certificates
from optedge.formulations import makespan_moves as moves
from optedge.formulations import makespan_relaxations as relaxations
from optedge.formulations.base import (
    BoolArray,
    Bound,
    Certificate,
    FloatArray,
    IntArray,
    Lane,
    Problem,
    array_field,
    power_of_two,
)

LP_BOUNDS_UP_TO = 50_000  # pairs: above, `solve` attaches the bound that needs no linear program


@dataclasses.dataclass(frozen=True, eq=False)
class MakespanProblem(Problem):
    """Tasks to be placed on servers such that the last server is done as early as possible.

    A solution is an integer array ``x`` of shape ``(n_tasks,)``: the server of each task.

    Parameters
    ----------
    times
        Seconds that each task keeps each server busy, shape ``(n_tasks, n_servers)``,
        non-negative; ``inf`` where the task cannot use the server.
    ready
        Time in seconds at which each server becomes free, shape ``(n_servers,)``; 0 if left out.
        The objective is the largest ``ready + load`` over all servers, idle ones too.
    memory
        Memory that each task occupies, shape ``(n_tasks,)``, in the unit of ``capacity``.
    capacity
        Memory of each server, shape ``(n_servers,)``; given exactly if ``memory`` is.
    work
        Size of each task, shape ``(n_tasks,)``, by which the list rules sort; any unit. If left
        out, the least time of the task over its servers.
    name
        Label used in tables and plots.

    Raises
    ------
    ValueError
        If an array has the wrong shape, holds a NaN or a negative entry, if a task can use no
        server, or if no server that a task can use has the memory for it.
    """

    times: FloatArray = array_field("n_tasks", "n_servers", infinite=True)
    ready: FloatArray = array_field("n_servers", default=None)  # zeros once constructed
    memory: FloatArray | None = array_field("n_tasks", default=None)
    capacity: FloatArray | None = array_field("n_servers", default=None)
    work: FloatArray | None = array_field("n_tasks", default=None)
    name: str = ""

    kinds: ClassVar[tuple[str, ...]] = ("assignment", "pruned", "lp", "dual")
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)
    bound_names: ClassVar[tuple[str, ...]] = ("prices", "LP", "preemptive", "pruned", "T*")

    def __post_init__(self) -> None:
        super().__post_init__()
        if getattr(self, "ready", None) is None:
            ready = np.zeros(self.n_servers)
            ready.setflags(write=False)
            object.__setattr__(self, "ready", ready)
        stranded = np.flatnonzero(~np.isfinite(self.times).any(axis=1))
        if stranded.size:
            raise ValueError(f"times: {_tasks(stranded)} can use no server.")
        if (self.memory is None) != (self.capacity is None):
            missing = "memory" if self.memory is None else "capacity"
            raise ValueError(f"memory and capacity belong together; {missing} is missing.")
        stranded = np.flatnonzero(~self.eligible.any(axis=1))
        if stranded.size:
            raise ValueError(
                f"memory: no server that {_tasks(stranded)} can use has capacity for it."
            )

    @classmethod
    def related(
        cls,
        work: npt.ArrayLike,
        speeds: npt.ArrayLike,
        eligible: npt.ArrayLike | None = None,
        **fields: Any,
    ) -> Self:
        """Build an instance of servers that differ by speed only.

        Parameters
        ----------
        work
            Size of each task, shape ``(n_tasks,)``.
        speeds
            Work done per second by each server, shape ``(n_servers,)``, positive.
        eligible
            True where a task may use a server, shape ``(n_tasks, n_servers)``; all by default.
        **fields
            Other fields of the problem.
        """
        size, speed = np.asarray(work, dtype=np.float64), np.asarray(speeds, dtype=np.float64)
        if speed.ndim != 1 or not (speed > 0).all():
            raise ValueError("speeds must be a list of positive numbers.")
        times = size[:, None] / speed
        if eligible is not None:
            mask = np.asarray(eligible, dtype=bool)
            if mask.shape != times.shape:
                raise ValueError(f"eligible must have shape {times.shape}, got {mask.shape}.")
            times = np.where(mask, times, np.inf)
        return cls(times, work=size, **fields)

    # ---- data

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return int(self.times.shape[0])

    @property
    def n_servers(self) -> int:
        """Number of servers."""
        return int(self.times.shape[1])

    @functools.cached_property
    def eligible(self) -> BoolArray:
        """True where a task may use a server: reachable, with memory for it."""
        eligible = np.isfinite(self.times)
        if self.memory is not None and self.room is not None:
            eligible &= self.memory[:, None] <= self.room
        eligible.setflags(write=False)
        return eligible

    @functools.cached_property
    def room(self) -> FloatArray | None:
        """``capacity`` with the rounding error that sums of sizes are forgiven; None without."""
        if self.capacity is None:
            return None
        return np.asarray(self.capacity * (1 + moves.SLACK))

    @functools.cached_property
    def sizes(self) -> FloatArray:
        """Size of each task for the list rules: ``work``, or its least time."""
        if self.work is not None:
            return self.work
        return np.asarray(np.where(self.eligible, self.times, np.inf).min(axis=1))

    @functools.cached_property
    def integral(self) -> bool:
        """Whether all times and ready times are whole numbers, and so every makespan."""
        times = self.times[self.eligible]
        return bool((times == np.rint(times)).all() and (self.ready == np.rint(self.ready)).all())

    def pruned(self, deadline: float) -> MakespanProblem:
        """Return the copy without the pairs that alone overrun ``deadline`` (seconds).

        Every schedule with a makespan of at most ``deadline`` stays feasible.

        Raises
        ------
        ValueError
            If some task has no pair left.
        """
        return self.replace(times=np.where(self.ready + self.times <= deadline, self.times, np.inf))

    @classmethod
    def read(cls, path: Any) -> MakespanProblem:
        """Return the instance in a text file of the benchmark set (``makespan_rcmax``)."""
        from optedge.formulations.makespan_rcmax import read_rcmax

        return read_rcmax(path)

    # ---- evaluation

    def loads(self, x: npt.ArrayLike) -> FloatArray:
        """Return when each server is done, ``ready`` included, in seconds, ``(n_servers,)``."""
        x = np.asarray(x)
        chosen = self.times[np.arange(self.n_tasks), x]
        return np.asarray(self.ready + np.bincount(x, chosen, self.n_servers))

    def objective(self, x: npt.ArrayLike) -> float:
        """Return the makespan of ``x`` in seconds; ``inf`` if ``x`` is infeasible."""
        if self.violations(x):
            return np.inf
        return float(self.loads(x).max())

    def violations(self, x: npt.ArrayLike) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        x = np.asarray(x)
        if x.shape != (self.n_tasks,) or not np.issubdtype(x.dtype, np.integer):
            return [f"a solution holds {self.n_tasks} integers, got {x.dtype} of shape {x.shape}."]
        outside = np.flatnonzero((x < 0) | (x >= self.n_servers))
        if outside.size:
            return [f"{_tasks(outside)}: there is no server {x[outside[0]]}."]
        found = []
        wrong = np.flatnonzero(~np.isfinite(self.times[np.arange(self.n_tasks), x]))
        if wrong.size:
            found.append(f"{_tasks(wrong)} cannot use the server chosen.")
        if self.memory is not None and self.capacity is not None and self.room is not None:
            used = np.bincount(x, self.memory, self.n_servers)
            for j in np.flatnonzero(used > self.room):
                short = used[j] - self.capacity[j]
                found.append(f"server {j}: memory short by {short:g}.")
        return found

    def metrics(self, x: npt.ArrayLike) -> dict[str, float]:
        """Return the standard deviation of the loads and the most tasks on a busiest server.

        As in figures 5 and 6 of the paper: all servers count, divided by their number; among
        servers that are equally busy the largest count.
        """
        loads = self.loads(x)
        counts = np.bincount(np.asarray(x), minlength=self.n_servers)
        busiest = np.isclose(loads, loads.max(), rtol=1e-12, atol=0)
        return {
            "loads_std": float(loads.std()),
            "tasks_on_busiest": float(counts[busiest].max()),
        }

    def lanes(self, x: npt.ArrayLike) -> list[Lane]:
        """Return a lane a server: its tasks one after the other in the order of their index."""
        x = np.asarray(x)
        lanes = []
        for j in range(self.n_servers):
            tasks = np.flatnonzero(x == j)
            ends = self.ready[j] + np.cumsum(self.times[tasks, j])
            bars = [
                (float(end - self.times[i, j]), float(self.times[i, j]), str(i))
                for i, end in zip(tasks.tolist(), ends.tolist(), strict=True)
            ]
            lanes.append(Lane(f"server {j}", tuple(bars)))
        return lanes

    # ---- explicit models

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return an explicit model.

        Parameters
        ----------
        kind
            ``"assignment"`` (default): the model of this module. ``"pruned"``: the same without
            the pairs that overrun the makespan of the longest-first list rule; no optimum is lost.
            ``"lp"``: the assignment model with shares ``x >= 0``. ``"dual"``: the dual of
            that, whose variables ``w`` are weights of the servers.
        relax
            Whether shares replace the binary decisions of the first two.

        Returns
        -------
        pyomo.environ.ConcreteModel
            With variables ``x[i, j]`` and ``C``, rows ``capacity[j]``, ``assign[i]`` and, with
            memory, ``memory[j]``.
        """
        import pyomo.environ as pyo

        kind = self.check_kind(kind)
        if kind == "dual":
            return self._dual_model()
        if kind == "pruned":
            m = self.pruned(moves.longest_first_makespan(self)).model(relax=relax)
            m.name = "makespan, pruned"
            return m

        v, r, eligible = self.times.tolist(), self.ready.tolist(), self.eligible
        servers_of = [np.flatnonzero(row).tolist() for row in eligible]
        tasks_of = [np.flatnonzero(column).tolist() for column in eligible.T]
        # The rows `assign` keep a share at most 1; a bound of its own would only slow the simplex.
        share = pyo.NonNegativeReals if relax or kind == "lp" else pyo.Binary

        m = pyo.ConcreteModel(name="makespan")
        m.I = pyo.RangeSet(0, self.n_tasks - 1)
        m.J = pyo.RangeSet(0, self.n_servers - 1)
        m.E = pyo.Set(dimen=2, initialize=[(i, j) for i in m.I for j in servers_of[i]])
        m.x = pyo.Var(m.E, domain=share, doc="1 if task i goes to server j")
        # Sums of whole numbers are whole: saying so rounds every bound of the search up.
        whole = self.integral and share is pyo.Binary
        m.C = pyo.Var(
            domain=pyo.NonNegativeIntegers if whole else pyo.NonNegativeReals, doc="makespan, s"
        )

        m.makespan = pyo.Objective(expr=m.C)
        m.capacity = pyo.Constraint(
            m.J, rule=lambda m, j: r[j] + sum(v[i][j] * m.x[i, j] for i in tasks_of[j]) <= m.C
        )
        m.assign = pyo.Constraint(m.I, rule=lambda m, i: sum(m.x[i, j] for j in servers_of[i]) == 1)
        if self.memory is not None and self.room is not None:
            q, p = self.memory.tolist(), self.room.tolist()
            m.memory = pyo.Constraint(
                [j for j in m.J if tasks_of[j]],
                rule=lambda m, j: sum(q[i] * m.x[i, j] for i in tasks_of[j]) <= p[j],
            )
        return m

    def _dual_model(self) -> Any:
        r"""Return :math:`\max \sum_j (r_j w_j - P_j \mu_j) + \sum_i u_i`.

        Subject to :math:`u_i \le v_{ij} w_j + q_i \mu_j` on :math:`E` and :math:`\sum_j w_j = 1`.
        """
        import pyomo.environ as pyo

        memory = np.zeros(self.n_tasks) if self.memory is None else self.memory
        capacity = np.zeros(self.n_servers) if self.room is None else self.room
        v, q = self.times.tolist(), memory.tolist()

        m = pyo.ConcreteModel(name="makespan, dual")
        m.I = pyo.RangeSet(0, self.n_tasks - 1)
        m.J = pyo.RangeSet(0, self.n_servers - 1)
        m.E = pyo.Set(dimen=2, initialize=[(int(i), int(j)) for i, j in np.argwhere(self.eligible)])
        m.w = pyo.Var(m.J, domain=pyo.NonNegativeReals, doc="weight of server j")
        m.mu = pyo.Var(m.J, domain=pyo.NonNegativeReals, doc="price of memory on server j")
        m.u = pyo.Var(m.I, domain=pyo.Reals, doc="weighted seconds of task i, at its cheapest")
        if self.memory is None:
            m.mu.fix(0)

        m.bound = pyo.Objective(
            expr=sum(self.ready[j] * m.w[j] - capacity[j] * m.mu[j] for j in m.J)
            + sum(m.u[i] for i in m.I),
            sense=pyo.maximize,
        )
        m.cheapest = pyo.Constraint(
            m.E, rule=lambda m, i, j: m.u[i] <= v[i][j] * m.w[j] + q[i] * m.mu[j]
        )
        m.simplex = pyo.Constraint(expr=sum(m.w[j] for j in m.J) == 1)
        return m

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return how many rows and columns the model has (of ``"pruned"`` at most)."""
        n, m, pairs = self.n_tasks, self.n_servers, int(self.eligible.sum())
        if self.check_kind(kind) == "dual":
            return pairs + 1, n + m
        return n + m * (1 if self.memory is None else 2), pairs + 1

    def extract(self, model: Any) -> IntArray | None:
        """Return the server of each task that a solved model holds.

        None if a task is split, or if the model is the dual.
        """
        if not hasattr(model, "x"):
            return None
        x = np.full(self.n_tasks, -1)
        for (i, j), variable in model.x.items():
            if variable.value is not None and variable.value > 0.5:
                x[i] = j
        split = any(1e-4 < (v.value or 0.0) < 1 - 1e-4 for v in model.x.values())
        return None if split or (x < 0).any() else x

    def fill(self, model: Any, x: npt.ArrayLike) -> None:
        """Write assignment ``x`` into the variables of ``model``."""
        x = np.asarray(x)
        for (i, j), variable in model.x.items():
            variable.set_value(1 if x[i] == j else 0)
        model.C.set_value(self.objective(x))

    def scaled(self) -> tuple[MakespanProblem, float]:
        """Return the same instance in units near one, and the unit in seconds (a power of two)."""
        typical = relaxations.longest_least_end(self)
        if not typical > 0:
            return self, 1.0
        whole = self.integral and typical < 1e6  # they are to stay whole numbers
        unit = 1.0 if whole else power_of_two(typical)
        cut = np.minimum(self.times, relaxations.LONGEST * typical)
        times = np.where(np.isfinite(self.times), cut, np.inf) / unit
        changes: dict[str, Any] = {"times": times, "ready": self.ready / unit}
        if self.memory is not None and self.capacity is not None:
            changes["memory"] = self.memory / self._memory_unit
            changes["capacity"] = self.capacity / self._memory_unit
        return self.replace(**changes), unit

    @property
    def _memory_unit(self) -> float:
        return 1.0 if self.capacity is None else power_of_two(float(self.capacity.max()))

    def dual_certificate(self, kind: str, solution: Any, unit: float = 1.0) -> Certificate | None:
        """Return the weights of the servers in the solution of ``"lp"`` or ``"dual"``."""
        servers = range(self.n_servers)
        if kind == "dual":
            weights, prices = (solution.values[name] for name in ("w", "mu"))
        else:
            weights, prices = solution.duals["capacity"], solution.duals.get("memory", {})
        return certificates.weights_certificate(
            self,
            np.array([abs(weights[j]) for j in servers]),
            unit / self._memory_unit * np.array([abs(prices.get(j, 0.0)) for j in servers]),
        )

    def explain(self, conflict: Iterable[str] = ()) -> str:
        """Say which servers are short of memory, if that is what the conflict comes from."""
        over = relaxations.memory_overload(self)
        if over is None and self.memory is not None and not list(conflict):
            return "whole tasks cannot be packed into the memory of the servers."
        if over is None:
            return super().explain(conflict)
        servers, short = over
        which = "server" if len(servers) == 1 else "servers"
        return f"{which} {_list(servers)}: memory short by {short:g}."

    # ---- bounds

    def compute_bound(self, name: str) -> Bound:
        """Return one of the bounds of ``makespan_bounds``."""
        return bounds.COMPUTE[name](self)

    @property
    def cheap_bounds(self) -> tuple[str, ...]:
        """All bounds up to 50 000 pairs, beyond that the one without a linear program."""
        if int(self.eligible.sum()) <= LP_BOUNDS_UP_TO:
            return ("LP", "preemptive", "T*")
        return ("prices",)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound in seconds that ``certificate`` proves (``makespan_certificates``)."""
        return certificates.certify(self, certificate)

    # ---- what metaheuristics need

    @property
    def moves_per_chunk(self) -> int:
        """Moves that compiled loops price between two looks at the clock."""
        return max(100_000, 10_000_000 // self.n_servers)

    @property
    def choices(self) -> BoolArray:
        """Which server each task may use, shape ``(n_tasks, n_servers)``."""
        return self.eligible

    @functools.cached_property
    def data(self) -> moves.MakespanData:
        """The arrays that the compiled moves read."""
        return moves.make_data(self)

    def costs(self, codes: npt.ArrayLike) -> FloatArray:
        """Return the makespan of each row of ``codes`` (k, n_tasks); ``inf`` if infeasible."""
        return moves.costs(self.data, np.require(codes, np.int64, ["C", "W"]))

    def decode(self, code: npt.ArrayLike) -> IntArray:
        """Return the solution of a code: a copy, for they are the same here."""
        return np.array(code, dtype=np.int64)

    def encode(self, x: npt.ArrayLike) -> IntArray:
        """Return the code of a solution."""
        return np.array(x, dtype=np.int64)

    def start_code(self) -> IntArray | None:
        """Return the longest-first schedule for searches to start from; None if memory stops it."""
        x = moves.longest_first(self)
        return x if (x >= 0).all() else None

    def partial(self, code: IntArray, i: int) -> FloatArray:
        """Return the completion time of task ``i`` on each server, given the tasks before it.

        ``inf`` where it may not go or its memory no longer fits; shape ``(n_servers,)``.
        """
        before = np.arange(i)
        placed = code[:i]
        busy = np.bincount(placed, self.times[before, placed], self.n_servers)
        done = np.where(self.eligible[i], self.ready + busy + self.times[i], np.inf)
        if self.memory is not None and self.room is not None:
            used = np.bincount(placed, self.memory[:i], self.n_servers)
            done[used + self.memory[i] > self.room] = np.inf
        return done


def _list(numbers: Iterable[int]) -> str:
    words = [str(k) for k in numbers]
    if len(words) > 6:
        words = [*words[:5], f"{len(words) - 5} more"]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _tasks(numbers: IntArray) -> str:
    return ("task " if numbers.size == 1 else "tasks ") + _list(numbers.tolist())
