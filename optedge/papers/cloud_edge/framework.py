r"""The framework as a whole (figure 1): a split, tasks in windows, training with dormancy.

1. The split of the very network that is trained is the deepest that the nodes' memory, energy and
   queue, and the deadline, allow (``tmoa``).
2. Tasks, each a batch of samples, arrive as a Poisson process, are collected in windows and placed
   on nodes by ants (``atsa``); a node runs the front of the network on its tasks in order.
3. What a node has finished when a step of the training begins is sent together, if the node is
   not dormant, and the cloud goes on. The samples that each node has done since the last
   averaging are the weights :math:`U_u` of eq. (6).

The paper shows each of these alone; the way they meet in time is ours. As there, time and energy
count the forward pass, which is about a third of what a step of training costs.

Source: Xu et al. 2020, figure 1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from optedge.formulations.accuracy import InfeasibleError
from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.split import Aim, SplitProblem, SplitTable, split_problem, split_table
from optedge.formulations.split.parts import nodes_and_cloud
from optedge.learning import Data, Dormancy, ExponentialLink, TraceLink, layer_graph
from optedge.learning.data import Shares, find_data
from optedge.learning.links import Link
from optedge.learning.options import LearningOptions
from optedge.learning.steps import REPLACED
from optedge.learning.training import train
from optedge.online import poisson, schedule
from optedge.papers.cloud_edge.framework_run import (
    FrameworkRun,
    count_samples,
    delays_of,
    history_of,
)
from optedge.papers.cloud_edge.instances import small_environment
from optedge.platforms import Platform
from optedge.solvers.front import solve
from optedge.solvers.registry import Solver
from optedge.solvers.result import Result

if TYPE_CHECKING:
    import pandas as pd

Entry = str | Solver | Callable[..., Any]
Chosen = Entry | tuple[Entry, Mapping[str, Any]]


def run(
    data: Data | str | tuple[Any, Any] = "digits",
    hidden: Sequence[int] = (8, 64),
    platform: Platform | None = None,
    *,
    tasks: int = 1500,
    arrival_rate: float = 50.0,
    samples: tuple[int, int] = (8, 32),
    split: Entry | int = "tmoa",
    aim: Aim = "depth",
    deadline: float = math.inf,
    solver: Chosen = "atsa",
    window: int | None = 20,
    window_seconds: float | None = None,
    max_evaluations: int | None = 1200,
    dormancy: Dormancy | float | Sequence[float] = 0.0,
    link: Link | Sequence[Link] | None = None,
    shares: Shares = "iid",
    step_seconds: float = 0.1,
    seed: int = 0,
    **options: Any,
) -> FrameworkRun:
    """Split a network, place the tasks that arrive, and train it from what was placed.

    Parameters
    ----------
    data, hidden
        As for :func:`optedge.learning.train`: samples and labels, neurons of the hidden layers.
    platform
        Nodes (the lowest tier) and a cloud; :func:`small_environment` if left out.
    tasks, arrival_rate
        Tasks in all, and how many arrive a second in the mean (Poisson).
    samples
        Least and most samples of a task, all numbers between equally likely; (1, 1) is the paper's
        reading, where tasks are alike.
    split
        Solver of the :class:`~optedge.SplitProblem`, or a position that it is to be.
    aim, deadline
        What the split is chosen for, and most seconds of a task of mean size
        (:func:`optedge.formulations.split.split_problem`).
    solver
        Of a window, a :class:`~optedge.MakespanProblem`: a name, a function, or one of them with a
        dict of its options.
    window, window_seconds, max_evaluations
        Tasks and seconds that close a window, evaluations in each
        (:func:`optedge.online.schedule`).
    dormancy, shares
        The rule, or the share of uploads that stay away, one or one a node; which samples a node
        holds.
    link
        What the uploads of the run meet: one link, or one a node. If left out, the bandwidth of the
        platform, which the split is chosen for in any case.
    step_seconds
        Time between two steps of the training.
    seed
        Of everything that is drawn; the same seed gives the same numbers.
    **options
        Further fields of :class:`~optedge.learning.LearningOptions`, but for those that tell how
        many tasks there are.

    Raises
    ------
    ValueError
        If a number is out of its range; as an ``InfeasibleError`` if no split meets the limits.
    TypeError
        If there is no such option, or a solver does not take such problems.

    Examples
    --------
    >>> import optedge as oe
    >>> r = oe.papers.cloud_edge.run("prototypes", tasks=100, dormancy=0.3, solver="lpt")
    >>> r.position, r.split.gap, r.online.makespan >= r.online.bound, len(r.frame())
    (1, 0.0, True, 2)
    """
    _check(tasks, arrival_rate, samples, step_seconds, seed, options)
    platform = small_environment() if platform is None else platform
    if not isinstance(platform, Platform):
        raise TypeError(f"platform must be an oe.platforms.Platform, got {platform!r}.")
    given = LearningOptions(step_seconds=step_seconds, **options)
    found = find_data(data)
    sizes = (found.x_train.shape[1], *hidden, found.n_classes)
    chosen, table, joule = _choose_split(
        sizes,
        platform,
        split,
        given,
        samples,
        aim=aim,
        n_tasks=tasks,
        arrival_rate=arrival_rate,
        deadline=deadline,
    )
    position = int(np.asarray(chosen.solution).item())
    sizing, arriving, placing, learning = np.random.SeedSequence(seed).generate_state(4).tolist()
    batches = np.random.default_rng(sizing).integers(*samples, size=tasks, endpoint=True)
    relative = batches / (sum(samples) / 2)
    online = schedule(
        MakespanProblem(np.outer(relative, table.execution[:, position]), name="tasks"),
        solver,
        arrivals=poisson(tasks, arrival_rate, arriving),
        window=window,
        window_seconds=window_seconds,
        max_evaluations=max_evaluations,
        seed=placing,
        bound=False,
    )
    counts, step_of = count_samples(online, batches, step_seconds)
    training = train(
        found,
        hidden,
        position,
        nodes=len(table.nodes),
        shares=shares,
        dormancy=dormancy,
        link=_links_of(platform) if link is None else link,
        counts=counts,
        seed=learning,
        trace=True,
        step_seconds=step_seconds,
        **options,
    )
    delays = delays_of(online, training, step_of, relative * table.cloud[position])
    energies = np.where(online.done, relative * joule[online.nodes, position], np.nan)
    history = history_of(training, online.done, step_of, delays, energies)
    return FrameworkRun(chosen, table, online, training, batches, delays, energies, history)


def each_split(
    data: Data | str | tuple[Any, Any] = "digits",
    hidden: Sequence[int] = (8, 64),
    platform: Platform | None = None,
    **given: Any,
) -> pd.DataFrame:
    """Return what a run gives at every split that the limits allow, and at the one that is chosen.

    Parameters
    ----------
    data, hidden, platform, **given
        As for :func:`run`; ``split`` is the solver that chooses.

    Returns
    -------
    pandas.DataFrame
        A row a position: whether it is ``chosen``; ``delay_s`` (mean), ``energy_j``, ``up_bytes``,
        ``down_bytes``, ``accuracy``, NaN where the limits do not allow it; ``misses`` says which.
    """
    import pandas as pd

    best, rows = run(data, hidden, platform, **given), []
    for position in range(best.table.n_positions):
        row: dict[str, Any] = {"position": position, "chosen": position == best.position}
        try:
            found = (
                best
                if row["chosen"]
                else run(data, hidden, platform, **{**given, "split": position})
            )
        except InfeasibleError as error:
            rows.append({**row, "misses": str(error)})
            continue
        last = found.history[-1]
        told = {name: float(last[name]) for name in ("up_bytes", "down_bytes", "accuracy")}
        rows.append({**row, "delay_s": found.delay, "energy_j": found.energy, **told})
    names = ("delay_s", "energy_j", "up_bytes", "down_bytes", "accuracy", "misses")
    table = pd.DataFrame(rows, columns=["position", "chosen", *names])
    return table.assign(misses=table["misses"].fillna(""))


# ----------------------------------------------------------------------------- the split


def _choose_split(
    sizes: Sequence[int],
    platform: Platform,
    split: Entry | int,
    options: LearningOptions,
    samples: tuple[int, int],
    *,
    aim: Aim,
    **limits: Any,
) -> tuple[Result, SplitTable, FloatArray]:
    """Return the split, what every position costs, and the joule of a task on each node there.

    A node holds the maps of the largest task; time and energy are those of the mean one.
    """
    plain, mean = layer_graph(sizes), sum(samples) / 2
    graph = dataclasses.replace(
        plain, flops=mean * plain.flops, output_bytes=samples[1] * plain.output_bytes
    )
    costs: dict[str, Any] = {
        "sent_bytes": mean * options.bytes_per_element * np.array(sizes, dtype=np.float64),
        **limits,
    }
    problem = split_problem(graph, platform, aim=aim, **costs)
    found = solve(problem, _solver_of(split, problem))
    if found.solution is None:
        raise InfeasibleError(f"the network cannot be split: {problem.explain()}")
    table = split_table(graph, platform, **costs)
    one_each = {"n_tasks": len(table.nodes), "sharing": "equal"}  # whose joule is that of a task
    return found, table, split_table(graph, platform, **costs | one_each).energy


def _solver_of(split: Entry | int, problem: SplitProblem) -> Entry:
    """Return what solves the split; of a position, a function that returns it."""
    if isinstance(split, bool) or not isinstance(split, int | np.integer):
        return cast(Entry, split)
    if not 0 <= split < problem.n_positions:
        raise ValueError(
            f"split must be a solver or one of 0..{problem.n_positions - 1}, got {split!r}."
        )
    position = np.array([split], dtype=np.int64)
    if broken := problem.violations(position):
        raise InfeasibleError(f"the network cannot be split there: {broken[0]}.")

    def given(problem: Any, run: Any) -> IntArray:
        return position

    return given


def _links_of(platform: Platform) -> list[Link]:
    """Return links of the platform's bandwidth, one a node."""
    _, rates, _ = nodes_and_cloud(platform)
    return [
        TraceLink([0.0], [rate / 1e6]) if rate < math.inf else ExponentialLink(0.0)
        for rate in rates.tolist()
    ]


# -------------------------------------------------------------------------------- checks


def _check(
    tasks: Any,
    arrival_rate: Any,
    samples: Any,
    step_seconds: Any,
    seed: Any,
    options: Mapping[str, Any],
) -> None:
    """Refuse what nothing below would refuse by its name."""
    if not isinstance(tasks, int | np.integer) or tasks < 1:
        raise ValueError(f"tasks must be an integer, at least 1, got {tasks!r}.")
    pair = isinstance(samples, tuple) and len(samples) == 2
    if not pair or not all(isinstance(n, int | np.integer) for n in samples):
        raise ValueError(f"samples must be a least and a most whole number, got {samples!r}.")
    if not 1 <= samples[0] <= samples[1]:
        raise ValueError(f"samples must be at least 1, the least first, got {samples!r}.")
    for name, value in (("arrival_rate", arrival_rate), ("step_seconds", step_seconds)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, got {value!r}.")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed!r}.")
    for name in REPLACED:
        if name in options:
            raise ValueError(f"the schedule tells how many tasks there are: {name} is no option.")
