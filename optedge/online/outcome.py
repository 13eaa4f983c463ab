"""What came out of a run over time: nodes, starts and ends, its measures, a proved bound."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.makespan import LP_BOUNDS_UP_TO, MakespanProblem
from optedge.solvers.front import AGREEMENT
from optedge.solvers.result import SolverError

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-12  # relative: more than the rounding of a sum of all tasks


class WindowRow(NamedTuple):
    """One window; objective and bound are seconds after it closed."""

    closed_s: float
    tasks: int
    postponed: int  # tasks that wait for the next window: memory left no room
    objective_s: float  # until the last node is free
    bound_s: float  # proved, of this window with these ready times
    gap: float
    status: str
    evaluations: int
    seconds: float  # that the solver took


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """The whole run; made by :func:`optedge.online.schedule`.

    Parameters
    ----------
    problem
        All tasks and nodes.
    arrivals
        Seconds, ``(n_tasks,)``.
    solver
        Name of the solver of the windows.
    nodes, starts, ends, window
        Of each task, ``(n_tasks,)``: its node (-1 if the run was interrupted before), when it
        starts and ends (seconds; NaN), and the number of its window (-1).
    rows
        A :class:`WindowRow` a window.
    interrupted
        Whether Ctrl-C ended the run; what is measured then is what was finished.
    """

    problem: MakespanProblem
    arrivals: FloatArray
    solver: str
    nodes: IntArray
    starts: FloatArray
    ends: FloatArray
    window: IntArray
    rows: tuple[WindowRow, ...]
    interrupted: bool = False

    @property
    def done(self) -> BoolArray:
        """Which tasks were placed: all, unless the run was interrupted."""
        return np.asarray(self.nodes >= 0)

    @property
    def makespan(self) -> float:
        """When the last task ends, in seconds from time 0."""
        return float(self.ends[self.done].max())

    @property
    def mean_response(self) -> float:
        """Mean seconds from the arrival of a task to its end."""
        return float((self.ends - self.arrivals)[self.done].mean())

    @property
    def busy(self) -> FloatArray:
        """Seconds that each node works, ``(n_nodes,)``."""
        done = np.flatnonzero(self.done)
        at = self.nodes[done]
        spent = np.bincount(at, self.problem.times[done, at], self.problem.n_servers)
        return np.asarray(spent, dtype=np.float64)

    @property
    def utilisation(self) -> float:
        """Share of the nodes' time from the first arrival to the makespan that is work."""
        span = self.makespan - float(self.arrivals[0])
        return float(self.busy.sum() / (self.problem.n_servers * span)) if span > 0 else 0.0

    @property
    def windows(self) -> pd.DataFrame:
        """A table with a row a window: the fields of :class:`WindowRow`."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=WindowRow._fields).rename_axis("window")

    @property
    def tasks(self) -> pd.DataFrame:
        """A table with a row a task: arrival, window, node, start, end, response in seconds."""
        import pandas as pd

        columns = {
            "arrival_s": self.arrivals,
            "window": self.window,
            "node": self.nodes,
            "start_s": self.starts,
            "end_s": self.ends,
            "response_s": self.ends - self.arrivals,
        }
        return pd.DataFrame(columns).rename_axis("task")

    @functools.cached_property
    def bounds(self) -> dict[str, float]:
        r"""Proved lower bounds on the makespan of these tasks, whoever decides and when.

        All allow any node for a task whose memory it can hold alone; what a window holds together
        is relaxed.

        ``"at once"``: release times are relaxed, all tasks are there at the first arrival.
        ``"late arrivals"``: for weights w of the nodes that sum to 1, what arrives from
        :math:`a_k` on needs :math:`a_k + \sum_{i \ge k} \min_j w_j t_{ij}`; the largest over k,
        with the weights of the linear program (related nodes: their shares of the speed).
        ``"single task"``: the largest :math:`a_i + \min_j t_{ij}`.
        """
        done = self.done
        arrivals = self.arrivals[done]
        ready = np.maximum(self.problem.ready, self.arrivals[0])
        relaxed = _all_at_once(self.problem, ready, done)
        at_once = relaxed.best_cheap_bound()
        shares = weighted_least(relaxed)
        late = arrivals + np.cumsum(shares[::-1])[::-1]
        single = arrivals + np.where(relaxed.eligible, relaxed.times, np.inf).min(axis=1)
        return {
            "at once": 0.0 if at_once is None else at_once.value,
            "late arrivals": float(late.max()) * (1 - ROUNDING),
            "single task": float(single.max()) * (1 - ROUNDING),
        }

    @property
    def bound(self) -> float:
        """The largest of :attr:`bounds`: no schedule of these tasks has a smaller makespan.

        Raises
        ------
        SolverError
            If it is above the makespan by more than what rounding explains.
        """
        name, proved = max(self.bounds.items(), key=lambda item: item[1])
        return checked_bound(proved, self.makespan, f"the bound {name!r} of the whole run")

    @property
    def ratio(self) -> float:
        """Makespan over bound, at least 1; ``inf`` where only the bound is 0."""
        if self.makespan == self.bound:
            return 1.0
        return self.makespan / self.bound if self.bound > 0 else np.inf

    def __repr__(self) -> str:
        cut = ", interrupted" if self.interrupted else ""
        return (
            f"Outcome({self.solver}: {int(self.done.sum())} of {len(self.nodes)} tasks in "
            f"{len(self.rows)} windows, makespan {self.makespan:.6g} s, {self.ratio:.4f} times the "
            f"bound, mean response {self.mean_response:.4g} s, utilisation "
            f"{self.utilisation:.1%}{cut})"
        )


def checked_bound(bound: float, value: float, what: str) -> float:
    """Return a bound, at most the value of a solution that it is a bound of.

    Raises
    ------
    SolverError
        If it is above that value by more than 1e-6 of it: then one of them is wrong.
    """
    if bound > value + AGREEMENT * abs(value):
        raise SolverError(f"{what} is {bound!r}, but a schedule of {value!r} exists.")
    return min(bound, value)


def weighted_least(problem: MakespanProblem) -> FloatArray:
    """Return the least weighted seconds of each task, ``(n_tasks,)``: their sum is a bound.

    The weights of the nodes sum to 1; they are those of the linear program, where it is small.
    """
    small = int(problem.eligible.sum()) <= LP_BOUNDS_UP_TO
    found = problem.bound("LP" if small else "prices").certificate
    even = np.ones(problem.n_servers)
    weights = even if found is None else found.arrays.get("servers", even)
    weights = weights / weights.sum() if weights.sum() > 0 else even / even.sum()
    with np.errstate(invalid="ignore"):  # 0 * inf where a pair is not allowed anyway
        weighted = np.where(problem.eligible, weights * problem.times, np.inf)
    return np.asarray(weighted.min(axis=1))


def most_per_second(problem: MakespanProblem) -> float:
    """Return how many tasks like these all nodes together can serve a second; ``inf`` if any."""
    need = float(weighted_least(_all_at_once(problem, np.zeros(problem.n_servers))).sum())
    return problem.n_tasks / need if need > 0 else np.inf


def _all_at_once(
    problem: MakespanProblem, ready: FloatArray, tasks: BoolArray | slice = slice(None)
) -> MakespanProblem:
    """Return some tasks, all there at once, each with room where it has room alone."""
    times = np.where(problem.eligible, problem.times, np.inf)[tasks]
    if len(times) == problem.n_tasks and problem.memory is None and (ready == problem.ready).all():
        return problem  # whose bounds may be known already
    return MakespanProblem(times, ready=ready)
