"""What a run of the framework returns, and how it follows from the schedule and the training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.split import SplitTable
from optedge.learning import Training
from optedge.online import Outcome
from optedge.solvers.result import Result

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS = 100_000  # of a training: more is a slip of the unit
#: Columns of :attr:`FrameworkRun.history`.
COLUMNS = (
    "step",
    "time_s",
    "tasks",
    "samples",
    "dormant",
    "delay_s",
    "energy_j",
    "up_bytes",
    "down_bytes",
    "exit_accuracy",
    "cloud_accuracy",
    "accuracy",
)


@dataclasses.dataclass(frozen=True, eq=False)
class FrameworkRun:
    """What :func:`~optedge.papers.cloud_edge.run` returns.

    Parameters
    ----------
    split
        Of the network, with its bound and gap; ``split.solution`` holds the position.
    table
        What every position costs a task of mean size.
    online
        Windows, nodes, starts and ends of the tasks, with a proved bound on the makespan.
    training
        Model, traffic, and what each node did in each step.
    samples
        Of each task, ``(n_tasks,)``.
    delays
        Seconds from the arrival of each task to its answer, ``(n_tasks,)``; NaN if the run over
        time was interrupted before.
    energies
        Joule that the front of each task takes, ``(n_tasks,)``; NaN likewise.
    history
        A row an averaging, columns :data:`COLUMNS`. So far: ``tasks``, ``samples``, the share of
        samples that were ``dormant``, ``energy_j``, byte up (maps and labels) and down. ``delay_s``
        is the mean over the tasks since the row before (NaN without any). ``accuracy``: the exit
        head answers the dormant share, the cloud the rest.
    """

    split: Result
    table: SplitTable
    online: Outcome
    training: Training
    samples: IntArray
    delays: FloatArray
    energies: FloatArray
    history: npt.NDArray[Any]

    @property
    def position(self) -> int:
        """Layers on the nodes."""
        return self.training.model.split

    @property
    def delay(self) -> float:
        """Mean seconds from the arrival of a task to its answer."""
        return float(np.nanmean(self.delays))

    @property
    def energy(self) -> float:
        """Joule that all fronts take."""
        return float(np.nansum(self.energies))

    @property
    def accuracy(self) -> float:
        """On samples not seen, when all tasks are done."""
        return float(self.history["accuracy"][-1])

    def frame(self) -> pd.DataFrame:
        """Return the history as a table."""
        import pandas as pd

        return pd.DataFrame(self.history)

    def __repr__(self) -> str:
        last = self.history[-1]
        return (
            f"FrameworkRun(split {self.position} of {self.training.model.n_layers}, "
            f"{last['tasks']} tasks of {last['samples']} samples by {self.online.solver}: "
            f"mean delay {self.delay:.4g} s, {self.energy:.4g} J, {last['up_bytes'] / 1e6:.4g} MB "
            f"up, {last['down_bytes'] / 1e6:.4g} MB down, accuracy {self.accuracy:.3f})"
        )


def count_samples(online: Outcome, samples: IntArray, seconds: float) -> tuple[IntArray, IntArray]:
    """Return the samples of each step and node, and the step of each task.

    Step k begins ``k * seconds`` after time 0, with what was finished since the step before.
    """
    done = online.done
    last = float(online.ends[done].max()) / seconds
    if last > MOST_STEPS:
        raise ValueError(
            f"step_seconds {seconds:g} makes {last:.3g} steps until the last task ends, at most "
            f"{MOST_STEPS} are trained."
        )
    step_of = np.ceil(np.where(done, online.ends, 0.0) / seconds).astype(np.int64)
    counts = np.zeros((int(step_of.max()) + 1, online.problem.n_servers), dtype=np.int64)
    np.add.at(counts, (step_of[done], online.nodes[done]), samples[done])
    return counts, step_of


def delays_of(
    online: Outcome, training: Training, step_of: IntArray, in_cloud: FloatArray
) -> FloatArray:
    """Return the seconds from each task's arrival to its answer.

    It waits for its window, its node and the next step; then the exit head answers, or the cloud.
    """
    at = (step_of, online.nodes)
    beyond = np.where(training.asleep[at], 0.0, training.delays[at] + in_cloud)
    until = step_of * training.model.options.step_seconds - online.arrivals
    return np.where(online.done, until + beyond, np.nan)


def history_of(
    training: Training,
    done: BoolArray,
    step_of: IntArray,
    delays: FloatArray,
    energies: FloatArray,
) -> npt.NDArray[Any]:
    """Return a row an averaging."""
    told = training.history
    row_of = np.searchsorted(told["step"], step_of[done], side="right")
    tasks = np.bincount(row_of, minlength=len(told))
    waited = np.bincount(row_of, delays[done], minlength=len(told))
    spent = np.bincount(row_of, energies[done], minlength=len(told))
    dormant = told["dormant"] / np.maximum(told["tasks"], 1)
    by_exit, by_cloud = told["exit_accuracy"], told["cloud_accuracy"]
    columns = (
        told["step"],
        (told["step"] - 1) * training.model.options.step_seconds,
        np.cumsum(tasks),
        told["tasks"],
        dormant,
        np.divide(waited, tasks, out=np.full(len(told), np.nan), where=tasks > 0),
        np.cumsum(spent),
        told["maps"] + told["labels"],
        told["gradients"],
        by_exit,
        by_cloud,
        dormant * by_exit + (1 - dormant) * by_cloud,
    )
    whole = {"step", "tasks", "samples"}
    kinds = [(name, np.int64 if name in whole else np.float64) for name in COLUMNS]
    return np.array(list(zip(*columns, strict=True)), dtype=kinds)
