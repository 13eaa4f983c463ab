"""The table of a study, its summary, and its results."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optedge.solvers.result import OPTIMAL_GAP, Result, relative_gap
from optedge.study.outcomes import Outcome, Outcomes, Results

if TYPE_CHECKING:
    import pandas as pd


class Study:
    """The outcomes of :func:`compare`.

    Parameters
    ----------
    outcomes
        One a task, in the order of problems, solvers, seeds. Those of a study with a store are read
        from there when they are asked for.
    """

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = outcomes if isinstance(outcomes, Outcomes) else list(outcomes)

    @property
    def results(self) -> Sequence[Result]:
        """The results of all runs that finished; with a store each is read when it is reached."""
        if isinstance(self.outcomes, Outcomes):
            return Results(self.outcomes.with_results())
        return Results([o for o in self.outcomes if o.kept is not None])

    @functools.cached_property
    def best_bounds(self) -> dict[str, float]:
        """The largest proved bound of each instance (by its key) over all runs."""
        best: dict[str, float] = {}
        for outcome in self.outcomes:
            if outcome.kept is not None:
                key = outcome.task.instance.key
                best[key] = max(best.get(key, -math.inf), outcome.row.bound)
        return best

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """One row a run: instance, solver, seed, status, objective, bound, gap, seconds, ...

        ``gap`` is to the bound of the run itself, ``gap_to_best`` to the best proved bound of the
        instance over all runs. Columns given beside the problems and the problem's metrics follow.
        """
        import pandas as pd

        # Column by column: a dict a row would be most of the memory of a long study.
        columns: dict[str, list[Any]] = {}
        for number, outcome in enumerate(self.outcomes):
            row = self._row(outcome)
            for name, value in row.items():
                column = columns.setdefault(name, [])
                column.extend([math.nan] * (number - len(column)))
                column.append(value)
        for column in columns.values():
            column.extend([math.nan] * (len(self.outcomes) - len(column)))
        return pd.DataFrame(columns)

    def _row(self, outcome: Outcome) -> dict[str, Any]:
        task, row = outcome.task, outcome.row
        best = self.best_bounds.get(task.instance.key, -math.inf)
        shown: dict[str, Any] = {
            "instance": task.instance.label,
            **task.columns,
            "solver": task.label,
            "seed": task.seed,
            "status": row.status,
            "stop_reason": row.stop_reason,
            "objective": row.objective,
            "bound": row.bound,
            "gap": relative_gap(row.objective, row.bound),
            "best_bound": best,
            "gap_to_best": relative_gap(row.objective, best),
            "proof": row.proof,
            "runtime": row.runtime,
            "evaluations": row.evaluations,
            "message": row.message,
        }
        if outcome.kept is not None:
            shown["compile_seconds"] = row.compile_seconds
            shown["bound_seconds"] = row.bound_seconds
            shown.update(row.metrics)
        return shown

    def summary(self, by: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table of all solvers, best median first.

        Parameters
        ----------
        by
            Column or columns of :attr:`runs` to divide by, before the solver.

        Returns
        -------
        pandas.DataFrame
            Per solver: runs, how many found a solution, how many are proved optimal, the median,
            mean and worst gap to the best proved bound of the instance (``inf`` for a run without
            a solution), median seconds and evaluations, and how many were skipped or failed.
        """
        import pandas as pd

        groups = [*([by] if isinstance(by, str) else by or []), "solver"]
        rows = []
        for key, part in self.runs.groupby(groups, sort=False):
            ran = part[~part["status"].isin(["SKIPPED", "ERROR"])]
            gaps = ran["gap_to_best"]
            rows.append(
                {
                    **dict(zip(groups, key if isinstance(key, tuple) else (key,), strict=True)),
                    "runs": len(ran),
                    "solved": int(ran["objective"].lt(math.inf).sum()),
                    "optimal": int(gaps.le(OPTIMAL_GAP).sum()),
                    "gap_median": gaps.median() if len(ran) else math.nan,
                    "gap_mean": gaps.mean() if len(ran) else math.nan,
                    "gap_worst": gaps.max() if len(ran) else math.nan,
                    "seconds_median": ran["runtime"].median(),
                    "evaluations_median": ran["evaluations"].median(),
                    "skipped": int(part["status"].eq("SKIPPED").sum()),
                    "errors": int(part["status"].eq("ERROR").sum()),
                }
            )
        table = pd.DataFrame(rows)
        return table.sort_values([*groups[:-1], "gap_median"], kind="stable", ignore_index=True)
