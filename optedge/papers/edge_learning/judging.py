"""What the paper claims, and our verdict on each claim."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optedge.formulations.makespan import MakespanProblem
from optedge.papers.claims import Claim, verdict
from optedge.papers.edge_learning.instances import (
    CURVE,
    SERVERS,
    SETTINGS,
    TASKS,
    counterexample,
    instance,
)
from optedge.papers.edge_learning.measures import cuts
from optedge.solvers.front import solve

if TYPE_CHECKING:
    import pandas as pd

#: Published cuts of the makespan against random choice, figure 4.
PUBLISHED_CUTS = {1: (0.08, 0.24), 2: (0.20, 0.30), 3: (0.30, 0.50)}


def _span(values: Iterable[float]) -> str:
    listed = list(values)
    return f"{100 * min(listed):.0f} to {100 * max(listed):.0f} %"


def judge_abstract(table: pd.DataFrame) -> list[Claim]:
    """Compare the largest cut, at the published size."""
    cut = {}
    for stage, part in table.groupby("stage"):
        value = part.set_index("solver")["makespan (s)"]
        drawn = value[[s for s in value.index if s.startswith("random")]].mean()
        cut[stage] = 1 - value[["lp-rounding", "sa-rearranging"]].min() / drawn
    ours = ", ".join(f"stage {stage} {100 * c:.0f} %" for stage, c in cut.items())
    return [
        Claim(
            "the makespan is cut by up to one half against random choice (n = 600)",
            "abstract",
            "up to 50 %",
            ours,
            verdict(0.4 <= max(cut.values()) <= 0.55),
            "bandwidths uniform on 100 to 1000 Mbit/s punish random choice more",
        )
    ]


def judge_figure_4(measured: pd.DataFrame) -> list[Claim]:
    """Compare the makespan with random choice and with the multi-phase heuristic."""
    table, claims = cuts(measured), []
    wide = "slow servers of 100 Mbit/s punish random choice; the law of the bandwidths is not given"
    for setting in SETTINGS:
        for stage, (low, high) in PUBLISHED_CUTS.items():
            part = table[(table["setting"] == setting) & (table["stage"] == stage)]
            ours = part[part["method"] != "multiphase"]["cut"]
            middle = float(ours.mean())
            inside = low <= middle <= high
            claims.append(
                Claim(
                    f"stage {stage}: makespan cut against random choice ({setting})",
                    "figure 4",
                    f"{100 * low:.0f} to {100 * high:.0f} %",
                    f"{_span(ours)}, mean {100 * middle:.0f} %",
                    verdict(inside),
                    "" if inside else wide if setting == "described" else "the paper gives no law",
                )
            )
    for stage, published in ((1, 0.0), (2, 0.10), (3, 0.0)):
        part = measured[(measured["setting"] == "described") & (measured["stage"] == stage)]
        mean = part.groupby("method")["makespan"].mean()
        best = min(mean["algorithm 1"], mean["algorithm 2"])
        cut = 1 - best / mean["multiphase"]
        close = abs(cut - published) <= 0.03
        claims.append(
            Claim(
                f"stage {stage}: cut against the multi-phase heuristic",
                "figure 4",
                f"about {100 * published:.0f} %",
                f"{100 * cut:.1f} %",
                verdict(close),
                "" if close else "that heuristic is not described; ours is a reconstruction",
            )
        )
    return claims


def judge_figure_5(measured: pd.DataFrame) -> list[Claim]:
    """Compare the spread of the loads."""
    table = cuts(measured, "loads_std")
    part = table[(table["setting"] == "described") & (table["method"] != "multiphase")]
    highest = float(part["cut"].max())
    near = 0.6 <= highest <= 0.75
    small, large = (
        float(part[part["n"] == n]["cut"].mean()) for n in (part["n"].min(), part["n"].max())
    )
    return [
        Claim(
            "standard deviation of the loads, largest cut against random choice",
            "figure 5",
            "about 2/3",
            f"{highest:.2f}",
            verdict(near),
            "" if near else "nearly balanced loads are possible in stages 2 and 3, and found",
        ),
        Claim(
            "the cut of the standard deviation grows with the number of tasks",
            "figure 5",
            "grows",
            f"{small:.2f} at the fewest tasks, {large:.2f} at the most (mean of the stages)",
            verdict(large > small),
            "" if large > small else "it is near its limit from the start",
        ),
    ]


def judge_figure_6(measured: pd.DataFrame) -> list[Claim]:
    """Compare the number of tasks on the busiest server."""
    part = measured[measured["setting"] == "described"]
    mean = part.groupby(["stage", "method"])["tasks_on_busiest"].mean().unstack()
    others = mean[["random", "multiphase"]].min(axis=1)
    held = all((mean[name] <= others + 1e-9).all() for name in ("algorithm 1", "algorithm 2"))
    ours = "; ".join(
        f"stage {stage}: {row['algorithm 1']:.0f} and {row['algorithm 2']:.0f},"
        f" random {row['random']:.0f}, multi-phase {row['multiphase']:.0f}"
        for stage, row in mean.iterrows()
    )
    return [
        Claim(
            "both algorithms put the fewest tasks on the most loaded server",
            "figure 6",
            "fewest of all methods",
            ours,
            verdict(held),
            "" if held else "not implied by a small makespan: a fast server gets more tasks",
        )
    ]


def judge_theorem_1() -> list[Claim]:
    """Check the factor 2 of the published rounding."""
    problem = counterexample()
    rounded = solve(problem, "lp-rounding").objective
    best = solve(problem, "highs").objective
    repaired = solve(problem, "lst").objective
    return [
        Claim(
            "largest-share rounding is within twice the optimum",
            "theorem 1",
            "2",
            f"{rounded / best:.3f} (makespan {rounded:g}, optimum {best:g})",
            verdict(rounded <= 2 * best),
            "a split task may last longer than W_LP on the server of its largest share;"
            f" pruning such pairs and matching the split tasks (lst) gives {repaired:g}",
        )
    ]


def judge_algorithm_2() -> list[Claim]:
    """Check the acceptance rule of the published annealing."""
    problem = MakespanProblem.related([6, 4, 4, 2], [2, 1], name="S1")
    result = solve(problem, "sa-rearranging", variant="published")
    return [
        Claim(
            "annealing escapes local optima and improves the schedule",
            "algorithm 2",
            "improves",
            f"makespan {result.objective:g} where the optimum is 6",
            verdict(result.objective <= 6),
            "exp(Tp) > random always holds for Tp > 0: all tasks end on the last server",
        )
    ]


def judge_complexity() -> list[Claim]:
    """Measure the time of the linear program."""
    result = solve(instance(3, TASKS[-1]), "highs", kind="lp", bound=False)
    return [
        Claim(
            "the linear program is too slow for real sizes",
            "section IV",
            "exponential in the worst case",
            f"{result.runtime:.2f} s at n = {TASKS[-1]}, m = {SERVERS}, model building included",
            verdict(result.runtime >= 5),
            "linear programs are polynomial; worst cases of one pivot rule do not show here",
        )
    ]


def judge_section_3() -> list[Claim]:
    """State the best space-remaining ratio, of which the paper prints no value."""
    best = CURVE.best_ratio()
    return [
        Claim(
            "best space-remaining ratio of the published curve",
            "section III",
            "not printed",
            f"{best.ratio:.10f}, accuracy {best.accuracy:.6f}",
            "cannot be checked",
            "it lies 5.6e-5 right of the pole of the fitted logarithm: an artefact of the fit",
        )
    ]
