"""Figure 3: learning rate, epsilon, batch and discount, one at a time; the ripple of the target."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.ddpqn.measures import listed, normalised_regret
from optedge.papers.ddpqn.runs import SC, Runs
from optedge.solvers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Values of each sweep and the published one; epsilon is the share of greedy actions.
SWEEPS: dict[str, tuple[tuple[float, ...], float]] = {
    "learning rate": ((0.1, 0.01, 0.001, 0.0001), 0.001),
    "epsilon": ((0.5, 0.7, 0.9, 0.99), 0.9),
    "batch": ((32, 64, 128, 256), 256),
    "discount": ((0.6, 0.8, 0.9, 1.0), 0.8),
}
LATE = 0.25  # the last part of a curve, of which means are taken
#: A run with an update for every second transition: its loss is written down every few updates.
FINE: dict[str, Any] = {"rows": 2, "steps_per_update": 2}
PERIOD = 100  # updates between two copies to the target net
POINTS = 20  # losses that a wave can be told from
PERIODS = np.arange(60.0, 181.0, 2.0)


def options_of(sweep: str, value: float) -> dict[str, Any]:
    """Return the option of the solver that a value of a sweep stands for."""
    if sweep == "epsilon":
        return {"explore": round(1.0 - value, 10)}
    if sweep == "batch":
        return {"batch": int(value)}
    return {sweep.replace(" ", "_"): value}


def late(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the last quarter of a curve, what is not known left out."""
    known = values[np.isfinite(values)]
    return float(known[-max(1, int(LATE * known.size)) :].mean()) if known.size else float("nan")


def figure_3(runs: Runs) -> pd.DataFrame:
    """Return the loss and the regret of each setting: a row a network, sweep, value and seed.

    Delay, energy and cost alone, sizes in Mb: there the greedy baseline is not optimal. ``loss`` is
    the mean of the last quarter of the run, ``regret`` that of its greedy rollouts.
    """
    import pandas as pd

    rows = []
    for network in runs.curves or ():
        problem = runs.problem(network, data_unit="Mb", weights=SC)
        best = runs.exact(problem).objective
        at_home = problem.objective(np.zeros(problem.n_subtasks, dtype=np.int64))
        for sweep, (values, published) in SWEEPS.items():
            for value in values:
                # The published value is the same run in all sweeps.
                options = {} if value == published else options_of(sweep, value)
                for seed in range(runs.others):
                    found = runs.learn(problem, seed=seed, **options)
                    curve = found.info["learning"]
                    regret = late(curve["rollout"]) - best
                    rows.append(
                        {
                            "network": network,
                            "sweep": sweep,
                            "value": value,
                            "published": value == published,
                            "seed": seed,
                            "loss": late(curve["loss"]),
                            "regret": regret,
                            "normalised regret": normalised_regret(best + regret, best, at_home),
                            "regret, last rollout": found.info["rollout"] - best,
                            "regret, best played": found.info["best_played"] - best,
                        }
                    )
    return pd.DataFrame(rows)


def judge_figure_3(runs: Runs) -> Part:
    """Check the best value of each sweep by loss and by regret, and the ripple."""
    table = figure_3(runs)
    claims = [c for sweep in SWEEPS for c in _best(table, sweep)]
    ripple = ripples(runs)
    claims.append(_ripple(ripple))
    curves = {
        (network, sweep, value): runs.learn(
            runs.problem(network, data_unit="Mb", weights=SC),
            **({} if value == published else options_of(sweep, value)),
        )
        for network in (runs.curves or ())[:1]
        for sweep, (values, published) in SWEEPS.items()
        for value in values
    }
    return Part(claims, table, functools.partial(draw_figure_3, table, curves))


def _best(table: pd.DataFrame, sweep: str) -> list[Claim]:
    rows = table[table["sweep"] == sweep]
    published, runs = SWEEPS[sweep][1], rows["seed"].nunique()
    means = rows.groupby("value", sort=False)[["loss", "regret"]].mean()
    claims = []
    for column, words in (("loss", "has the least loss"), ("regret", "leads to the best plans")):
        mean: dict[float, float] = {float(str(v)): x for v, x in means[column].to_dict().items()}
        if not math.isfinite(mean[published]):
            where = (f"{sweep} {published:g} {words}", "figure 3", f"{published:g}", "no updates")
            claims.append(Claim(*where, "cannot be checked", "runs ended before learning started"))
            continue
        best = min(mean, key=lambda v: mean[v])
        holds = mean[published] <= mean[best] + 1e-9
        named = {f"{v:g}": x for v, x in mean.items()}
        reason = "" if holds else f"least with {best:g}"
        if sweep == "discount" and column == "loss":
            reason += "; the discount changes the size of targets: losses are not comparable"
        claims.append(
            Claim(
                f"{sweep} {published:g} {words}",
                "figure 3",
                f"{published:g}",
                f"{column}: {listed(named, '.3g')} (means of {runs} seeds)",
                verdict(holds),
                reason.removeprefix("; "),
            )
        )
    return claims


# ---------------------------------------------------------------------- ripple


def ripples(runs: Runs) -> dict[str, float]:
    """Return how much of the late loss a wave of the period of the copies explains.

    ``at 100``: its share of the variance about the trend; ``others``: the median of the shares of
    other periods, ``best``: the period of the largest.
    """
    network = (runs.curves or ())[0]
    problem = runs.problem(network, data_unit="Mb", weights=SC)
    curve = runs.learn(problem, **FINE).info["learning"]
    return wave(curve["updates"], curve["loss"])


def wave(updates: npt.ArrayLike, loss: npt.ArrayLike) -> dict[str, float]:
    """Return shares of the variance of log loss that waves of several periods explain.

    As :func:`ripples` does; NaN with fewer than ``POINTS`` losses.
    """
    u, y = np.asarray(updates, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    kept = np.isfinite(y) & (y > 0)
    u, y = u[kept], np.log(y[kept])
    shares = np.zeros(PERIODS.size)
    if u.size < POINTS:
        return {"at 100": math.nan, "others": math.nan, "best": math.nan}
    base = np.vander((u - u.mean()) / np.ptp(u), 6)
    rest = y - base @ np.linalg.lstsq(base, y, rcond=None)[0]
    total = float(rest @ rest)
    for k, period in enumerate(PERIODS):
        waves = np.stack([np.sin(2 * np.pi * u / period), np.cos(2 * np.pi * u / period)], 1)
        left = rest - waves @ np.linalg.lstsq(waves, rest, rcond=None)[0]
        shares[k] = 1.0 - float(left @ left) / total if total > 0 else 0.0
    own = np.abs(PERIODS - PERIOD) <= 4
    return {
        "at 100": float(shares[own].max()),
        "others": float(np.median(shares[~own])),
        "best": float(PERIODS[shares.argmax()]),
    }


def _ripple(found: dict[str, float]) -> Claim:
    claim = "the loss ripples every 100 steps, when the target is copied"
    if not math.isfinite(found["at 100"]):
        why = "the run has too few updates to tell a period"
        return Claim(claim, "figure 3", "every 100", "no period", "cannot be checked", why)
    holds = found["at 100"] > 3 * found["others"] and abs(found["best"] - PERIOD) <= 4
    return Claim(
        claim,
        "figure 3",
        "every 100",
        f"a wave of period 100 explains {100 * found['at 100']:.2g} % of the variance about the "
        f"trend, other periods {100 * found['others']:.2g} % (median); most: {found['best']:g}",
        verdict(holds),
        "updates, which are every second transition here" if holds else "no such wave stands out",
    )


# ---------------------------------------------------------------------- drawing


def draw_figure_3(table: pd.DataFrame, curves: dict[tuple[str, str, float], Result]) -> Figure:
    """Draw the loss over updates (seed 0), and below it the regret of each setting, all seeds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(SWEEPS), figsize=(13, 6.4), squeeze=False)
    figure.set_layout_engine("constrained")
    network = next(iter(curves))[0]
    for k, sweep in enumerate(SWEEPS):
        published = SWEEPS[sweep][1]
        for (_, of, value), result in curves.items():
            if of == sweep:
                curve = result.info["learning"]
                width = 2.2 if value == published else 1.0
                label = f"{value:g}" + (" (published)" if value == published else "")
                axes[0, k].plot(curve["updates"], curve["loss"], linewidth=width, label=label)
        axes[0, k].set_yscale("log")
        axes[0, k].set_title(sweep)
        axes[0, k].set_xlabel("updates")
        axes[0, k].legend(frameon=False, fontsize=8)
        _regrets(axes[1, k], table[(table["sweep"] == sweep) & (table["network"] == network)])
        axes[1, k].set_xlabel(sweep)
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("regret of late rollouts")
    figure.suptitle(f"{network}, one task, delay, energy and cost, sizes in Mb")
    return figure


def _regrets(ax: Axes, rows: pd.DataFrame) -> None:
    values = list(dict.fromkeys(rows["value"]))
    for at, value in enumerate(values):
        regret = rows["regret"][rows["value"] == value]
        ax.plot([at] * len(regret), regret, "o", color=f"C{at}", alpha=0.6)
        ax.plot([at], [regret.mean()], "_", color=f"C{at}", markersize=20, markeredgewidth=2)
    ax.set_xticks(range(len(values)), [f"{v:g}" for v in values])
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.grid(alpha=0.3, axis="y")
