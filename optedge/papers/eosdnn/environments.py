"""Figure 15: delay in three environments, split into execution, transmission and waiting."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, get_args

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.instances import Environment
from optedge.papers.eosdnn.runs import CERTIFIED, Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
PARTS_OF_DELAY = ("execution (s)", "transmission (s)", "waiting (s)")
#: The method of the paper, first come first served, and the plan with a certified bound.
METHODS = {"pso-ga": "PSO-GA", "lagrangian": "certified plan"}


def figure_15(runs: Runs) -> pd.DataFrame:
    """Return the delay of all tasks and its parts, a row a network, environment and method.

    ``L-E`` has no clouds, ``L-C`` no edges. Seed 0.
    """
    import pandas as pd

    rows = []
    for network in runs.networks:
        for environment in ENVIRONMENTS:
            problem = runs.problem(network, environment=environment)
            for method in METHODS:
                certified = method == "lagrangian"
                result = runs.certified(problem) if certified else runs.search(problem, method)
                split = problem.delay_split(result.solution).sum(axis=0)
                rows.append(
                    {
                        "network": network,
                        "environment": environment,
                        "method": method,
                        **dict(zip(PARTS_OF_DELAY, split.tolist(), strict=True)),
                        **runs.measured(problem, result),
                    }
                )
    return pd.DataFrame(rows)


def judge_figure_15(runs: Runs) -> Part:
    """Check which environment has most execution, most transmission and the least delay."""
    table = figure_15(runs)
    return Part(judge(table), table, functools.partial(draw_figure_15, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return three claims for each of the two methods."""
    claims = []
    for method, label in METHODS.items():
        rows = table[table["method"] == method]
        claims += [
            _highest(rows, label, "execution (s)", "L-E"),
            _highest(rows, label, "transmission (s)", "L-C"),
            _least_certified(rows) if method == "lagrangian" else _least(rows, label),
        ]
    return claims


def _by_environment(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a row a network and a column an environment."""
    return rows.pivot(index="network", columns="environment", values=column).loc[
        rows["network"].unique(), list(ENVIRONMENTS)
    ]


def _in_words(wide: pd.DataFrame) -> str:
    values = "; ".join(
        f"{network} {' / '.join(f'{v:.3g}' for v in row)}"
        for network, row in zip(wide.index, wide.to_numpy(), strict=True)
    )
    return f"{values} s ({', '.join(wide.columns)})"


def _highest(rows: pd.DataFrame, label: str, column: str, where: str) -> Claim:
    wide = _by_environment(rows, column)
    rest = wide.drop(columns=where).max(axis=1)
    above = wide[where] > rest * (1 + CERTIFIED)
    below = wide[where] < rest * (1 - CERTIFIED)
    reasons = []
    if below.any():
        top = wide.idxmax(axis=1)[below]
        found = (f"{network} (higher in {place})" for network, place in top.items())
        reasons.append(f"not so for {', '.join(found)}")
    if (~above & ~below).any():
        reasons.append(f"as high elsewhere for {_names(~above & ~below)}")
    return Claim(
        f"the {column.split()[0]} delay is highest in {where} ({label})",
        "figure 15",
        f"highest in {where}, all networks",
        _in_words(wide),
        verdict(not below.any()),
        "; ".join(reasons),
    )


def _least(rows: pd.DataFrame, label: str) -> Claim:
    """Judge the plans that a search found: they need not be best in any environment."""
    wide = _by_environment(rows, "delay (s)")
    above = wide["L-E-C"] > wide.drop(columns="L-E-C").min(axis=1)
    return Claim(
        f"the total delay is lowest in L-E-C ({label})",
        "figure 15",
        "lowest in L-E-C, all networks",
        _in_words(wide),
        verdict(not above.any()),
        f"not so for {_names(above)}: more servers are a larger space to search"
        if above.any()
        else "",
    )


def _least_certified(rows: pd.DataFrame) -> Claim:
    """Judge optima by bounds: a plan below the bounds of the others is lower, whatever they are.

    The optimum of L-E-C cannot be higher, as its plans include those of the others: a bound of
    L-E-C above another plan would refute that.
    """
    delay, bound = (_by_environment(rows, column) for column in ("delay (s)", "bound (s)"))
    others = delay.columns.drop("L-E-C")
    proved = delay["L-E-C"] < bound[others].min(axis=1)
    refuted = bound["L-E-C"] > delay[others].min(axis=1)
    ours = [
        f"{network} {delay.loc[network, 'L-E-C']:.4g} s, others at least "
        + " / ".join(f"{bound.loc[network, e]:.4g} s ({e})" for e in others)
        for network in delay.index
    ]
    reasons = [f"proved to be lower for {_names(proved)}"] if proved.any() else []
    if (~proved & ~refuted).any():
        reasons.append(f"equal up to the proved gap for {_names(~proved & ~refuted)}")
    if refuted.any():
        reasons.append(f"refuted for {_names(refuted)}")
    return Claim(
        "the total delay is lowest in L-E-C (optimum)",
        "figure 15",
        "lowest in L-E-C, all networks",
        "; ".join(ours),
        verdict(not refuted.any()),
        "; ".join(reasons),
    )


def _names(mask: pd.Series) -> str:
    return ", ".join(str(name) for name in mask.index[mask])


# ------------------------------------------------------------------------- drawing


def draw_figure_15(table: pd.DataFrame) -> Figure:
    """Draw the parts of the delay as stacked bars: a column a network, a row a method.

    Scales differ between panels: lines are proved bounds, the same in both rows.
    """
    import matplotlib.pyplot as plt

    names = table["network"].unique()
    size = (2.7 * len(names) + 0.6, 6.4)
    figure, axes = plt.subplots(len(METHODS), len(names), figsize=size, squeeze=False)
    figure.set_layout_engine("constrained")
    for line, (method, label) in zip(axes, METHODS.items(), strict=True):
        for ax, network in zip(line, names, strict=True):
            rows = table[(table["network"] == network) & (table["method"] == method)]
            stacked(ax, rows, list(rows["environment"]))
            ax.set_title(f"{network}, {label}", fontsize=10)
        line[0].set_ylabel("sum of flow times (s)")
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    return figure


def stacked(ax: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    """Draw a bar a row: execution, transmission, waiting; a line at the proved bound."""
    places = range(len(rows))
    foot = rows[PARTS_OF_DELAY[0]] * 0
    for part, colour in zip(PARTS_OF_DELAY, ("C0", "C1", "0.75"), strict=True):
        ax.bar(places, rows[part], bottom=foot, color=colour, label=part.split()[0])
        foot = foot + rows[part]
    left, right = [k - 0.45 for k in places], [k + 0.45 for k in places]
    ax.hlines(rows["bound (s)"], left, right, color="black", linewidth=1.4, label="proved bound")
    ax.set_xticks(places, labels)
    ax.set_ylim(0, 1.06 * float(foot.max()))
    ax.grid(alpha=0.3, axis="y")
