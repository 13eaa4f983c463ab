"""The whole paper in one call: servers of all layers, then what each client uploads when.

The system delay of an upload plan knows one client and no pools. Here the uploads of all clients
are also played: whenever a layer becomes usable, one query of every task is put through the
simulator with pools, layers that are not usable yet at their clients, so that waiting counts.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.upload import UploadProblem, evaluation, plans
from optedge.papers.eosdnn.instances import instance
from optedge.papers.eosdnn.runs import CERTIFIED, EVALUATIONS
from optedge.papers.eosdnn.uploads import MIB_AS_MB
from optedge.papers.local_edge_cloud import measured
from optedge.solvers.front import solve
from optedge.solvers.result import OPTIMAL_GAP, Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, eq=False)
class WholeRun:
    """A migration plan, the uploads that it needs, and the delay of queries meanwhile.

    Parameters
    ----------
    problem
        The offloading problem, results returned to the clients.
    migration
        Its result, with the bound and the gap.
    uploads
        The result of each client's upload plan, with bound and gap, by the client's number.
    table
        A row a client and time at which any upload ends: ``time (s)``, ``client``, ``usable
        layers``, and the delay of one query of each task of the client from then on: ``model delay
        (s)`` without pools, ``played delay (s)`` with them, and their difference ``waiting (s)``.
    """

    problem: OffloadingProblem
    migration: Result
    uploads: dict[int, Result]
    table: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Return a row a client: its upload, how good the plan is, and what it means with pools.

        Delays with pools are summed over the client's upload as the model's are, and given before
        it and after all uploads.
        """
        import pandas as pd

        rows = []
        for client, result in self.uploads.items():
            upload = _instance(result)
            mine = self.table[self.table["client"] == client]
            rows.append(
                {
                    "client": client,
                    "GHz": float(self.problem.speeds_ghz[client]),
                    "tasks": int((self.problem.clients == client).sum()),
                    "layers to upload": int((~upload.stays).sum()),
                    "upload (s)": upload.total_seconds,
                    "sum of system delay (s^2)": result.objective,
                    "bound (s^2)": result.bound,
                    "gap": result.gap,
                    "with pools (s^2)": _summed(mine, upload.total_seconds),
                    "delay at first (s)": float(mine["played delay (s)"].iloc[0]),
                    "delay at last (s)": float(mine["played delay (s)"].iloc[-1]),
                    "waiting at last (s)": float(mine["waiting (s)"].iloc[-1]),
                }
            )
        return pd.DataFrame(rows)

    def draw(self) -> Figure:
        """Draw the two delays of each client over the time, a panel a client."""
        return _draw(self)


def run(
    network: str = "alexnet",
    n_tasks: int = 12,
    *,
    plan_solver: str = "lagrangian",
    upload_solver: str = "interval-dp",
    use: Literal["best", "forced"] = "best",
    seed: int = 0,
    time_limit: float = 5.0,
    evaluations: int = EVALUATIONS,
    upload_options: Mapping[str, Any] | None = None,
    **where: Any,
) -> WholeRun:
    """Plan servers and uploads of several tasks of one network, and play queries meanwhile.

    Parameters
    ----------
    network, n_tasks
        As in :func:`instance`; tasks are dealt round robin to the clients.
    plan_solver
        For the servers: ``"lagrangian"`` with a certified gap, ``"pso-ga"`` as the paper, or
        another one for offloading.
    upload_solver
        For the uploads of each client; tasks of one client are chains of one plan, and what they
        have in common is uploaded for each.
    use
        Whether queries use the best part of what is uploaded, or all of it as in the paper.
    seed
        Of both solvers.
    time_limit
        Seconds for the servers with ``lagrangian``, which ends at a gap of 0.2 % before; others
        are limited by ``evaluations``.
    evaluations
        Candidates that other solvers may price.
    upload_options
        Options of the upload solver.
    **where
        Other arguments of :func:`instance`, such as ``environment``, ``first_layer`` and
        ``data_unit``. Results return to the clients, unlike there; modules are single layers.

    Returns
    -------
    WholeRun
        Results, table and figure. Which part of what is usable a query uses is decided without
        waiting, as the upload plan does. Queries are played first come, first served (the field
        ``order``); once all is uploaded that need not be the certified schedule.

    Raises
    ------
    ValueError
        If an argument has no meaning, or a solver returns no plan.
    """
    if where.get("modules", "contracted") != "contracted":
        raise ValueError("modules must be 'contracted': a module is uploaded as one layer.")
    problem = instance(network, n_tasks, **{**where, "return_result": True})
    limits: dict[str, Any] = (
        {"time_limit": time_limit, "target_gap": CERTIFIED}
        if plan_solver == "lagrangian"
        else {"time_limit": math.inf, "max_evaluations": evaluations}
    )
    migration = solve(problem, plan_solver, seed=seed, **limits)
    if migration.solution is None:
        raise ValueError(f"{plan_solver} found no servers ({migration.stop_reason}).")
    servers = problem.encode(migration.solution)
    weights = measured(network, "contracted", "MB", 0.0).parameters[1:]
    uploads: dict[int, Result] = {}
    for client in np.unique(problem.clients).tolist():
        upload = UploadProblem.from_offloading(
            problem, servers, client, MIB_AS_MB / 1e6 * weights, use=use
        )
        uploads[client] = solve(upload, upload_solver, seed=seed, **(upload_options or {}))
        if uploads[client].solution is None:
            raise ValueError(f"{upload_solver} found no upload plan for client {client}.")
    return WholeRun(problem, migration, uploads, play(problem, servers, uploads))


def play(
    problem: OffloadingProblem, servers: IntArray, uploads: Mapping[int, Result]
) -> pd.DataFrame:
    """Return the table of a :class:`WholeRun`.

    Parameters
    ----------
    problem
        With results that return.
    servers
        Of each layer once all is uploaded, ``(n_subtasks,)``.
    uploads
        The upload plan of each client.
    """
    import pandas as pd

    homes = problem.clients[problem.tasks]
    ends = {client: _instance(r).upload_ends(r.solution) for client, r in uploads.items()}
    delays = {client: _instance(r).delays(r.solution) for client, r in uploads.items()}
    rows = []
    for time in np.unique(np.concatenate([[0.0], *ends.values()])).tolist():
        sent = {client: int((end <= time).sum()) for client, end in ends.items()}
        now = homes.copy()
        for client, result in uploads.items():
            layers = np.flatnonzero(homes == client)
            there = layers[_used(result, sent[client])]
            now[there] = servers[there]
        flows = problem.flows(now)
        for client, result in uploads.items():
            model = float(delays[client][sent[client]])
            played = math.fsum(flows[problem.clients == client])
            rows.append(
                {
                    "time (s)": time,
                    "client": client,
                    "usable layers": sum(map(len, result.solution.partitions[: sent[client]])),
                    "model delay (s)": model,
                    "played delay (s)": played,
                    "waiting (s)": _without_rounding(played - model, played),
                }
            )
    return pd.DataFrame(rows)


def _summed(rows: pd.DataFrame, end: float) -> float:
    """Return the played delay of a client, summed until ``end``, s^2."""
    times = np.append(rows["time (s)"], math.inf).clip(max=end)
    return math.fsum(np.diff(times) * rows["played delay (s)"].to_numpy())


def _instance(result: Result) -> UploadProblem:
    return cast(UploadProblem, result.problem)


def _without_rounding(difference: float, of: float) -> float:
    return 0.0 if abs(difference) < 1e-9 * of else difference


def _used(result: Result, sent: int) -> BoolArray:
    """Return which layers of the chains of a client run on their servers after some uploads."""
    problem, plan = _instance(result), result.solution
    on = plans.switched_on(problem, plan) < sent
    if problem.use == "forced":
        return np.asarray(on)
    return evaluation.best_set(problem.values, problem.savings, on)


# ------------------------------------------------------------------------- drawing


def _draw(found: WholeRun) -> Figure:
    import matplotlib.pyplot as plt

    summary, n = found.summary(), len(found.uploads)
    columns = min(4, n)
    figure, axes = plt.subplots(
        math.ceil(n / columns),
        columns,
        figsize=(3.6 * columns, 3.2 * math.ceil(n / columns)),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    end = float(found.table["time (s)"].max())
    for ax, row in zip(axes.ravel(), summary.to_dict("records"), strict=False):
        mine = found.table[found.table["client"] == row["client"]]
        time = np.append(mine["time (s)"], max(1.05 * end, 1e-9))
        step = functools.partial(_step, ax, time)
        step(mine["played delay (s)"].to_numpy(), "C1", "with pools")
        step(mine["model delay (s)"].to_numpy(), "C0", "model, no pools")
        gap = row["gap"]
        proved = f"proved gap {100 * gap:.2g} %" if gap > OPTIMAL_GAP else "proved optimal"
        ax.set_title(
            f"client {row['client']}, {row['GHz']:.3g} GHz, tasks: {row['tasks']}\nupload {proved}",
            fontsize=10,
        )
        ax.set_xlabel("time (s)")
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    for ax in axes.ravel()[n:]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("delay, one query a task (s)")
    axes[0, 0].legend(frameon=False)
    return figure


def _step(ax: Any, time: FloatArray, delay: FloatArray, colour: str, label: str) -> None:
    ax.step(time, np.append(delay, delay[-1]), where="post", color=colour, label=label)
