"""Figure 7: ants in a sliding window beside FCFS and a particle swarm, and beside a list rule.

The paper gives neither task sizes nor speeds, and does not say what FCFS is. Here: 200 tasks of
work U(0.5, 1.5) on 10 nodes of speed U(10, 60), windows of 20 tasks, 20 ants x 60 iterations.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.formulations.makespan import MakespanProblem
from optedge.online import Outcome, schedule
from optedge.papers.claims import Claim, Part, verdict
from optedge.solvers.front import solve
from optedge.solvers.registry import find_solver
from optedge.solvers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WINDOW = 20  # tasks
EVALUATIONS = 1200  # of each window: 20 ants x 60 iterations
CURVE = EVALUATIONS  # of the curves over all tasks at once

#: Name in tables to the solver of a window and its options; the first is the published ATSA.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "ATSA, as published": ("atsa", {"deposit": "sum"}),
    "ATSA, makespan": ("atsa", {}),
    "ATSA, completion": ("atsa", {"heuristic": "completion"}),
    "basic ant colony": ("atsa", {"heuristic": "inverse_et"}),
    "particle swarm": ("particle-swarm", {}),
    "random": ("random", {"draws": 1}),
    "round robin": ("round-robin", {}),
    "FCFS": ("fcfs", {}),
    "earliest completion": ("lpt", {}),
}
ALL_AT_ONCE = "earliest completion, one window"
CURVES: dict[str, tuple[str, dict[str, Any]]] = {
    "ATSA, as published": METHODS["ATSA, as published"],
    "ATSA, makespan": METHODS["ATSA, makespan"],
    "ant-colony": ("ant-colony", {}),
    "particle swarm": METHODS["particle swarm"],
}
#: Times of four tasks on two nodes, by hand: the least total time is far from the least makespan.
FOUR_TASKS = ((2, 4), (3, 6), (4, 8), (5, 10))


def window_instance(tasks: int = 200, nodes: int = 10, seed: int = 3) -> MakespanProblem:
    """Return tasks of work U(0.5, 1.5) and nodes of speed U(10, 60), drawn in this order."""
    rng = np.random.default_rng(seed)
    work = rng.uniform(0.5, 1.5, tasks)
    name = f"cloud-edge, {tasks} tasks on {nodes} nodes"
    return MakespanProblem.related(work, rng.uniform(10, 60, nodes), name=name)


def figure_7(seeds: int = 5, time_limit: float | None = None) -> pd.DataFrame:
    """Return the whole run of every method: makespan (s) and its ratio to the proved bound.

    A row a method and seed; rules have one. All tasks are there at time 0, windows of 20 tasks
    follow each other, and what is busy stays busy.
    """
    import pandas as pd

    rows = []
    for method in (*METHODS, ALL_AT_ONCE):
        runs = windowed(method, seeds, time_limit)
        rows += [
            {"method": method, "seed": k, "makespan (s)": r.makespan, "ratio": r.ratio}
            for k, r in enumerate(runs)
        ]
    return pd.DataFrame(rows)


def windowed(method: str, seeds: int = 5, time_limit: float | None = None) -> list[Outcome]:
    """Return the runs of a method of :data:`METHODS`, one a seed if chance plays a part."""
    problem = _instance()
    solver, options = METHODS.get(method, METHODS["earliest completion"])
    return [
        schedule(
            problem,
            (solver, options),
            window=problem.n_tasks if method == ALL_AT_ONCE else WINDOW,
            seed=seed,
            max_evaluations=None if find_solver(solver).deterministic else EVALUATIONS,
            time_limit=60.0 if time_limit is None else time_limit,
            bound=False,
        )
        for seed in range(1 if find_solver(solver).deterministic else seeds)
    ]


def below_fcfs(draws: int = 20) -> FloatArray:
    """Return by which share the published ants are below FCFS, on draws 0, 1, ... (draws,)."""
    margins = []
    for seed in range(draws):
        problem = window_instance(seed=seed)
        ants, fcfs = (
            schedule(problem, METHODS[name], window=WINDOW, bound=False).makespan
            for name in ("ATSA, as published", "FCFS")
        )
        margins.append(1 - ants / fcfs)
    return np.array(margins)


@functools.cache
def _instance() -> MakespanProblem:
    return window_instance()  # whose bounds are computed once


def convergence(seeds: int = 5, time_limit: float | None = None) -> pd.DataFrame:
    """Return the best ratio to the bound over evaluations, all 200 tasks in one window.

    A row a number of evaluations, a column a method: the median over seeds, ``inf`` before the
    first assignment.
    """
    import pandas as pd

    problem = _instance()
    bound = problem.bound("LP").value
    counts = np.unique(np.geomspace(20, CURVE, 40).astype(int))
    columns = {}
    for name, (solver, options) in CURVES.items():
        limit = 60.0 if time_limit is None else time_limit
        found = [
            solve(
                problem,
                solver,
                seed=seed,
                max_evaluations=CURVE,
                time_limit=limit,
                bound=False,
                **options,
            )
            for seed in range(seeds)
        ]
        best = [best_after(result, counts) for result in found]
        columns[name] = np.median(best, axis=0) / bound
    return pd.DataFrame(columns, index=pd.Index(counts, name="evaluations"))


def best_after(result: Result, counts: FloatArray | Any) -> FloatArray:
    """Return the best objective after each number of evaluations; ``inf`` before the first."""
    history = result.history[np.isfinite(result.history["objective"])]
    last = np.searchsorted(history["evaluations"], counts, side="right") - 1
    values = np.append(history["objective"], np.inf)
    return np.asarray(values[last], dtype=np.float64)  # place -1 is the inf at the end


# ------------------------------------------------------------------------------- claims


def judge_figure_7(seeds: int = 5, time_limit: float | None = None) -> Part:
    """Check what figure 7 says of ants, and what it leaves out."""
    table, curves = figure_7(seeds, time_limit), convergence(seeds, time_limit)
    margins = below_fcfs(4 * seeds)
    ratios = table.groupby("method", sort=False)["ratio"]
    low, middle, high = ratios.min(), ratios.median(), ratios.max()
    claims = [
        *_against_fcfs(low, middle, high, margins),
        _against_rules(low, middle, high),
        _convergence(curves),
        _deposit(),
    ]
    return Part(claims, table, functools.partial(draw_figure_7, table, curves))


def _against_fcfs(
    low: pd.Series, middle: pd.Series, high: pd.Series, margins: FloatArray
) -> list[Claim]:
    ants, fcfs = "ATSA, as published", middle["FCFS"]
    told = f"{low[ants]:.3f} to {high[ants]:.3f} times the bound, FCFS {fcfs:.3f}"
    less = 1 - middle[ants] / fcfs
    turns = 1 - middle[ants] / middle["round robin"]
    return [
        Claim(
            "ATSA is below FCFS",
            "figure 7",
            "well below",
            f"{told}: {less:.0%} less",
            verdict(bool(high[ants] < fcfs)),
            "FCFS read as the earliest free node; the margin depends on the draw of the nodes",
        ),
        Claim(
            "by how much ATSA is below FCFS",
            "figure 7",
            "a curve, no numbers",
            f"{turns:.0%} less than round robin, {less:.0%} less than the earliest free node; on "
            f"{margins.size} draws of tasks and nodes {100 * margins.min():.1f} to "
            f"{100 * margins.max():.1f} % less, median {100 * float(np.median(margins)):.1f} %",
            "cannot be checked",
            "the paper defines neither FCFS nor tasks and nodes; a rule that ignores speed is easy "
            "to beat",
        ),
    ]


def _against_rules(low: pd.Series, middle: pd.Series, high: pd.Series) -> Claim:
    ants = [name for name in METHODS if name.startswith("ATSA") or "ant colony" in name]
    rule = "earliest completion"
    good = [name for name in ants if name != "basic ant colony"]
    return Claim(
        "ants are what brings the makespan down",
        "figure 7",
        "ATSA best of those shown; no list rule is shown",
        f"{rule} {middle[rule]:.4f} in windows, {middle[ALL_AT_ONCE]:.4f} in one; medians of ants "
        + ", ".join(f"{middle[name]:.4f}" for name in good)
        + f"; basic ants {middle['basic ant colony']:.2f}",
        verdict(bool(max(high[good]) < middle[rule])),
        "a one-line rule is below the median of every variant, over all tasks below every run",
    )


def _convergence(curves: pd.DataFrame) -> Claim:
    ants, swarm = curves["ATSA, as published"], curves["particle swarm"]
    shown = [int(c) for c in curves.index[np.searchsorted(curves.index, (60, 300, CURVE))]]
    told = ", ".join(f"{ants[c]:.3f} and {swarm[c]:.3f} after {c}" for c in shown)
    return Claim(
        "ATSA converges faster than PSO",
        "figure 7",
        "faster",
        f"{told} evaluations (times the bound, medians)",
        verdict(bool((ants <= swarm).all())),
        "ants draw by a heuristic, the swarm starts anywhere; an evaluation of ants takes longer",
    )


def _deposit() -> Claim:
    """Hold the published deposit against the makespan, on four tasks and two nodes."""
    p = MakespanProblem(np.array(FOUR_TASKS))
    plans = np.array(np.meshgrid(*[range(2)] * 4)).reshape(4, -1).T
    totals, makespans = p.times[np.arange(4), plans].sum(axis=1), p.costs(plans)
    least = int(totals.argmin())
    best = totals[makespans == makespans.min()].min()
    return Claim(
        "the less the total execution time, the more pheromone: the load is balanced",
        "eq. (3)",
        "Q / total time",
        f"four tasks, two nodes: total {totals[least]:g} s has makespan {makespans[least]:g} s, "
        f"makespan {makespans.min():g} s has total {best:g} s",
        verdict(bool(makespans[least] == makespans.min())),
        "the total is least with every task on its fastest node, which balances nothing",
    )


def draw_figure_7(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw the ratio of every run, a dot a seed, and the best value over evaluations."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    medians = table.groupby("method")["ratio"].median().sort_values(ascending=False)
    for row, method in enumerate(medians.index):
        values = table.loc[table["method"] == method, "ratio"]
        left.plot(values - 1, np.full(len(values), row), "o", alpha=0.6)
    left.set_yticks(range(len(medians)), medians.index)
    left.set_xscale("log")
    left.set_xlabel("makespan above the proved bound, as a share of it")
    left.set_title("200 tasks on 10 nodes in windows of 20")
    for k, (name, column) in enumerate(curves.items()):
        shown = column[np.isfinite(column)]
        right.plot(shown.index, shown, color=f"C{k}", label=name, drawstyle="steps-post")
    rule = float(medians[ALL_AT_ONCE])
    right.axhline(rule, color="black", linestyle=":", label="earliest completion, one pass")
    right.set_xscale("log")
    right.set_xlabel("evaluations")
    right.set_ylabel("best makespan / proved bound (median)")
    right.set_title("all 200 tasks at once")
    right.legend(frameon=False)
    for ax in (left, right):
        ax.grid(alpha=0.3)
    return figure
