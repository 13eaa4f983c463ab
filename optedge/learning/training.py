"""Training over cloud and edge, step by step, with everything that is sent counted."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.learning.data import Data, IntArray, Samples, Shares, find_data, share_out
from optedge.learning.dormancy import Dormancy, check_share
from optedge.learning.links import Link, check_links
from optedge.learning.model import SplitModel
from optedge.learning.options import LearningOptions
from optedge.learning.steps import Gate, batch_sizes, check_counts
from optedge.learning.testing import Accuracy, measure

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]

#: Columns of :attr:`Training.history`; all but the losses, accuracies and the step are sums so far.
COLUMNS = (
    "step",
    "tasks",
    "dormant",
    "maps",
    "labels",
    "gradients",
    "averaging",
    "upload_seconds",
    "exit_loss",
    "cloud_loss",
    "exit_accuracy",
    "cloud_accuracy",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """What :func:`train` returns.

    Parameters
    ----------
    model
        The trained parts, fronts averaged.
    data
        What it was trained on.
    dormancy
        The rule, or the share of dormant steps of each node.
    history
        A row an averaging, columns :data:`COLUMNS`: tasks, byte and seconds so far; mean losses of
        the tasks since the row before (NaN without any); accuracies if asked for, else NaN.
    counts
        Tasks of each node in each step, ``(steps, nodes)``.
    delays
        Seconds that the upload of each takes, or would take if it were not dormant,
        ``(steps, nodes)``; 0 without tasks or link.
    asleep
        Which of them were dormant, ``(steps, nodes)``.
    seed, seconds
        Of the run.
    links
        Of each node, if there are any.
    """

    model: SplitModel
    data: Data
    dormancy: Dormancy | FloatArray
    history: npt.NDArray[Any]
    counts: IntArray
    delays: FloatArray
    asleep: npt.NDArray[np.bool_]
    seed: int
    seconds: float
    links: list[Link] | None = None

    @property
    def uploaded(self) -> float:
        """Byte of all maps that were sent to the cloud."""
        return self.model.traffic.maps

    @property
    def downloaded(self) -> float:
        """Byte of all derivatives that came back."""
        return self.model.traffic.gradients

    def frame(self) -> pd.DataFrame:
        """Return the history as a table."""
        import pandas as pd

        return pd.DataFrame(self.history)

    def test(self, seed: int | None = None) -> Accuracy:
        """Measure accuracy and upload on the samples for testing, dormant as in training.

        Parameters
        ----------
        seed
            Draws which samples are dormant, or their delays; that of the run if left out.

        Notes
        -----
        Samples go round the nodes. A share is drawn anew for every sample. A rule sees the delays
        that a node would have from step 0 on, for uploads as large as those of the training are in
        the mean; it remembers nothing of the training.
        """
        rng = np.random.default_rng(self.seed if seed is None else seed).spawn(6)[5]
        n, nodes = len(self.data.y_test), len(self.model.fronts)
        options = self.model.options
        if isinstance(self.dormancy, Dormancy):
            gate = Gate(self.dormancy, self.links, nodes, rng, rng)
            bits = np.full(nodes, 8.0 * self.model.map_bytes * options.mean_tasks)
            steps = range(-(-n // nodes))
            rounds = [gate.dormant(bits, k * options.step_seconds) for k in steps]
            dormant = np.concatenate(rounds)[:n]
        else:
            dormant = rng.random(n) < np.resize(self.dormancy, n)
        return measure(self.model, self.data.x_test, self.data.y_test, dormant)


def train(
    data: Data | str | tuple[Any, Any],
    hidden: Sequence[int] = (8, 64),
    split: int = 1,
    *,
    nodes: int = 5,
    shares: Shares = "iid",
    dormancy: Dormancy | float | Sequence[float] = 0.0,
    link: Link | Sequence[Link] | None = None,
    counts: npt.ArrayLike | None = None,
    seed: int = 0,
    trace: bool = False,
    dtype: npt.DTypeLike = np.float32,
    **options: Any,
) -> Training:
    """Train a network whose first layers run on the nodes and whose last ones in the cloud.

    Parameters
    ----------
    data
        :class:`~optedge.learning.Data`, arrays ``(X, y)``, ``"digits"`` (extra ``learn``) or
        ``"prototypes"``.
    hidden
        Neurons of the hidden layers; with inputs and classes they make the network.
    split
        Layers on the nodes.
    nodes, shares
        Number of nodes, and which samples they hold (:func:`~optedge.learning.share_out`).
    dormancy
        The rule by which a node's step stays at the edge, which needs a link; or the share of
        steps that do, at random, one for all nodes or one each.
    link
        One for all nodes, or one each: an object with ``seconds(bits, start, rng)``.
    counts
        Tasks of each node in each step, ``(steps, nodes)``, where a schedule tells who does how
        many; in place of ``steps``, ``batch`` and ``poisson``, which becomes their means.
    seed
        Of everything that is drawn. Batches are the same whatever the split and the dormancy.
    trace
        Whether the accuracies are measured at every averaging.
    dtype
        Of the parameters.
    **options
        Fields of :class:`~optedge.learning.LearningOptions`.

    Raises
    ------
    ValueError
        If the data, the split, the nodes or an option are refused; the sentence says which.
    TypeError
        If there is no such option.
    """
    began = time.perf_counter()
    given = None if counts is None else check_counts(counts, nodes, options)
    if given is not None:
        options |= {"steps": len(given), "poisson": tuple(given.mean(axis=0).tolist())}
    set_to, found = LearningOptions(**options), find_data(data)
    first, dealing, tasks, sleeping, sending = np.random.default_rng(seed).spawn(5)
    links = check_links(link, nodes)
    if isinstance(dormancy, Dormancy) and links is None:
        raise ValueError("a rule of dormancy compares delays: give link=, or a share.")
    rule = dormancy if isinstance(dormancy, Dormancy) else _shares_of(dormancy, nodes)
    sizes = (found.x_train.shape[1], *hidden, found.n_classes)
    model = SplitModel(sizes, split, nodes, first, set_to, dtype)
    held = share_out(found.y_train, shares, nodes, dealing)
    x = found.x_train.astype(dtype)
    gate = Gate(rule, links, nodes, sleeping, sending)
    history = _History(model, found if trace else None, gate)
    sizes_of = batch_sizes(set_to, nodes, tasks) if given is None else given
    for k in range(set_to.steps):
        batches = [_draw(x, found.y_train, held[u], n, tasks) for u, n in enumerate(sizes_of[k])]
        bits = 8.0 * model.map_bytes * sizes_of[k]
        dormant = gate.dormant(bits, k * set_to.step_seconds)
        history.count(model.step(batches, dormant, set_to.rate_at(k)))
        if (k + 1) % set_to.period == 0 or k + 1 == set_to.steps:
            model.average()
            history.write(k + 1)
    seconds = time.perf_counter() - began
    told = (sizes_of, *gate.told())
    return Training(model, found, rule, history.table(), *told, seed, seconds, links)


def train_central(
    data: Data | str | tuple[Any, Any],
    hidden: Sequence[int] = (8, 64),
    *,
    nodes: int = 5,
    seed: int = 0,
    trace: bool = False,
    **options: Any,
) -> Training:
    """Train the whole network in the cloud on raw samples: the baseline without collaboration.

    Parameters
    ----------
    data, hidden, seed, trace, **options
        As for :func:`train`; the joint loss has no part of the exit head.
    nodes
        As many batches are pooled in a step.

    Returns
    -------
    Training
        Its answers are those of the cloud.
    """
    options = {"exit_weight": 0.0, "cloud_weight": 1.0, **options}
    return train(data, hidden, 0, nodes=nodes, seed=seed, trace=trace, **options)


def _shares_of(dormancy: float | Sequence[float], nodes: int) -> FloatArray:
    """Return the dormant share of every node."""
    given = list(dormancy) if isinstance(dormancy, Sequence | np.ndarray) else [dormancy] * nodes
    if len(given) != nodes:
        raise ValueError(f"dormancy must be one, or one a node: {len(given)} for {nodes} nodes.")
    return np.array([check_share(share, "dormancy") for share in given])


def _draw(
    x: Samples, y: IntArray, held: IntArray, n: int, rng: np.random.Generator
) -> tuple[Samples, IntArray]:
    rows = held[rng.integers(len(held), size=n)]
    return x[rows], y[rows]


class _History:
    """Writes a row an averaging."""

    def __init__(self, model: SplitModel, data: Data | None, gate: Gate) -> None:
        self._model, self._data, self._gate = model, data, gate
        self._tasks = self._dormant = 0
        self._exit, self._cloud = np.zeros(2), np.zeros(2)  # sums of losses and of tasks
        self._rows: list[tuple[float, ...]] = []

    def count(self, step: Any) -> None:
        self._tasks += step.tasks
        self._dormant += step.dormant
        self._exit += step.exit_loss, step.tasks
        self._cloud += step.cloud_loss, step.tasks - step.dormant

    def write(self, step: int) -> None:
        sent = dataclasses.astuple(self._model.traffic)
        losses = [loss / n if n else np.nan for loss, n in (self._exit, self._cloud)]
        accuracies = (np.nan, np.nan)
        if self._data is not None:
            x, y = self._data.x_test, self._data.y_test
            found = measure(self._model, x, y)
            accuracies = (found.exit, found.cloud)
        seconds = self._gate.seconds
        row = (step, self._tasks, self._dormant, *sent, seconds, *losses, *accuracies)
        self._rows.append(row)
        self._exit[:], self._cloud[:] = 0, 0

    def table(self) -> npt.NDArray[Any]:
        kinds = [np.int64] * 3 + [np.float64] * (len(COLUMNS) - 3)
        return np.array(self._rows, dtype=list(zip(COLUMNS, kinds, strict=True)))
