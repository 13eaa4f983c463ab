"""Every split of the network that is trained: what it costs, whether it may be, how it learns.

Memory, delay and energy of a position are those of :class:`~optedge.SplitProblem`, of the very
network that is trained; its accuracy and its bytes are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.split import SplitProblem, split_table
from optedge.learning.data import Data, find_data
from optedge.learning.graph import layer_graph
from optedge.learning.options import LearningOptions
from optedge.learning.training import train

if TYPE_CHECKING:
    import pandas as pd

    from optedge.formulations.split.table import Aim
    from optedge.platforms import Platform


def measure_splits(
    data: Data | str | tuple[Any, Any],
    hidden: Sequence[int],
    platform: Platform,
    *,
    aim: Aim = "delay",
    limits: Mapping[str, Any] | None = None,
    seeds: int = 1,
    **training: Any,
) -> pd.DataFrame:
    """Train the network at every feasible split, and hold its accuracy against what it costs.

    Parameters
    ----------
    data, hidden
        As for :func:`~optedge.learning.train`.
    platform
        Nodes (tier 0) and cloud.
    aim
        What the optimum is optimal in: ``"delay"``, ``"depth"`` (the paper's), ``"energy"``, ...,
        as :meth:`optedge.SplitProblem.from_network` has it.
    limits
        Its other options, such as ``{"deadline": 0.1, "usable_memory": 0.8}``.
    seeds
        Runs of each split; means of these are told.
    **training
        Options of :func:`~optedge.learning.train` beside the split and the seed. Unless they give
        ``nodes``, there are as many as on the platform.

    Returns
    -------
    pandas.DataFrame
        A row a split 0..N: ``split``; ``memory (kB)`` of the front; ``sent (byte)`` of a task;
        ``delay (ms)`` of a task on the worst node; ``feasible``; ``blocked by``, the limits that
        are missed; ``optimum`` (several if they tie); ``upload (MB)`` in training and ``accuracy``
        on samples not seen, NaN where the split is not feasible. ``attrs["problem"]`` is the
        :class:`~optedge.SplitProblem`.

    Notes
    -----
    Memory is that of weights and of the maps of one sample; biases are left out, as in eq. (10).

    Raises
    ------
    ValueError
        If the platform, a limit, the data or an option of the training are refused.
    """
    import pandas as pd

    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}.")
    found = find_data(data)
    sizes = (found.x_train.shape[1], *hidden, found.n_classes)
    width = training.get("bytes_per_element", LearningOptions.bytes_per_element)
    graph, given = layer_graph(sizes, width), dict(limits or {})
    problem = SplitProblem.from_network(graph, platform, aim=aim, **given)
    table = split_table(graph, platform, **given)
    training = {"nodes": len(table.nodes), **training}
    least = problem.position_costs.min()
    rows = []
    for j in range(problem.n_positions):
        may = bool(problem.feasible[j])
        runs = list(_runs(found, hidden, j, seeds, training)) if may else [(np.nan, np.nan)]
        sent, accuracy = np.mean(runs, axis=0).tolist()
        missed = [problem.limit_names[c] for c in np.flatnonzero(problem.excess[:, j] > 0)]
        rows.append(
            {
                "split": j,
                "memory (kB)": table.memory[j] / 1e3,
                "sent (byte)": table.sent[j],
                "delay (ms)": 1e3 * table.latency[j],
                "feasible": may,
                "blocked by": ", ".join(missed),
                "optimum": may and bool(problem.position_costs[j] == least),
                "upload (MB)": sent / 1e6,
                "accuracy": accuracy,
            }
        )
    frame = pd.DataFrame(rows)
    frame.attrs["problem"] = problem
    return frame


def _runs(
    data: Data, hidden: Sequence[int], split: int, seeds: int, training: Mapping[str, Any]
) -> Iterator[tuple[float, float]]:
    """Train once a seed; yield byte sent up and accuracy on samples not seen."""
    for seed in range(seeds):
        run = train(data, hidden, split, seed=seed, **training)
        yield run.uploaded, run.test().mixed
