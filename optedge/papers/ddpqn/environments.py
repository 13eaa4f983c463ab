"""Figures 12 and 13: without edges, without clouds, and with more and more edges."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from optedge.formulations.offloading import OffloadingProblem
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.ddpqn.measures import RAW, measures, with_proofs
from optedge.papers.ddpqn.runs import SC, Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ENVIRONMENTS = ("L-E-C", "L-E", "L-C")
#: Edges to five clouds; the last has five edges and no clouds.
RATIOS: dict[str, dict[str, Any]] = {
    "0": {"n_edges": 0},
    "0.2": {"n_edges": 1},
    "0.6": {"n_edges": 3},
    "1": {"n_edges": 5},
    "1.8": {"n_edges": 9},
    "inf": {"n_edges": 5, "n_clouds": 0},
}
#: The published objective, and without H and Z.
OBJECTIVES: dict[str, dict[str, float]] = {"published": {}, "SC": SC}
ROLLOUT, KEPT = "ddpqn, rollout", "ddpqn, plan kept"
TIE = 1e-7


def _rows(
    runs: Runs, network: str, places: dict[str, dict[str, Any]], key: str
) -> list[dict[str, Any]]:
    """Return plans of all places, standardised as L-E-C with five edges and five clouds."""
    rows = []
    for objective, weights in OBJECTIVES.items():
        standards = runs.problem(network, weights=weights).standards
        for place, servers in places.items():
            problem = runs.problem(network, weights={**weights, "standards": standards}, **servers)
            exact = runs.exact(problem)
            plans: list[tuple[str, int, Any]] = [("optimum", 0, exact.solution)]
            if objective == "published" and network in (runs.curves or ()):
                for seed in range(runs.others):
                    found = runs.learn(problem, seed=seed)
                    plans.append((ROLLOUT, seed, found.info["rollout_plan"]))
                    plans.append((KEPT, seed, found.solution))
            for method, seed, plan in plans:
                rows.append(
                    {
                        "network": network,
                        "objective": objective,
                        key: place,
                        "method": method,
                        "seed": seed,
                        **_taken(problem, plan),
                        "regret": problem.objective(plan) - exact.objective,
                        "proved gap": exact.gap,
                    }
                )
    return rows


def _taken(problem: OffloadingProblem, plan: Any) -> dict[str, float]:
    """Return indicators and objective, and which tiers have the layers, in percent."""
    taken = measures(problem, plan)
    shares = 100 * problem.tier_shares(plan)
    columns = [*RAW.values(), "SC", "value"]
    return {
        **{column: taken[column] for column in columns},
        **dict(zip(("client (%)", "edges (%)", "clouds (%)"), shares.tolist(), strict=True)),
    }


def figure_12(runs: Runs) -> pd.DataFrame:
    """Return what plans take in three environments: a row a network, objective, place, method.

    All with the standardisation of L-E-C. Of ``ddpqn``, its last rollout and the plan that a run
    keeps.
    """
    import pandas as pd

    places = {name: {"environment": name} for name in ENVIRONMENTS}
    rows = [row for n in runs.networks for row in _rows(runs, n, places, "environment")]
    return pd.DataFrame(rows)


def figure_13(runs: Runs) -> pd.DataFrame:
    """Return what plans take with more and more edges: a row a network, objective, ratio, method.

    The ratio of edges to clouds: 0, 1, 3, 5 and 9 edges to five clouds; ``inf``: five edges and no
    clouds, our reading.
    """
    import pandas as pd

    return pd.DataFrame([row for n in runs.networks for row in _rows(runs, n, RATIOS, "ratio")])


def judge_figure_12(runs: Runs) -> Part:
    """Check which environment has the least delay, cost and energy."""
    table = figure_12(runs)
    claims = []
    for words, rows in _cases(table):
        claims += [
            _least(rows, "delay (s)", words),
            _least(rows, "cost ($)", words),
            _pair(rows, "energy (J)", "L-C", "L-E", words),
            _pair(rows, "delay (s)", "L-E", "L-C", words),
        ]
    for objective in OBJECTIVES:
        rows = table[(table["objective"] == objective) & (table["method"] == "optimum")]
        claims.append(_objective(rows, objective, "environment", "L-E-C"))
    draw = functools.partial(draw_places, table, "environment")
    return Part(with_proofs(claims, table), table, draw)


def judge_figure_13(runs: Runs) -> Part:
    """Check that more edges mean less delay, less cost and more energy."""
    table = figure_13(runs)
    claims = []
    for words, rows in _cases(table):
        claims += [
            _trend(rows, "delay (s)", "falls", words),
            _trend(rows, "cost ($)", "falls", words),
            _trend(rows, "energy (J)", "rises", words),
        ]
    for objective in OBJECTIVES:
        rows = table[(table["objective"] == objective) & (table["method"] == "optimum")]
        claims.append(_objective(rows, objective, "ratio", "1.8"))
    return Part(with_proofs(claims, table), table, functools.partial(draw_places, table, "ratio"))


def _cases(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    found = []
    for objective in OBJECTIVES:
        for method in ("optimum", ROLLOUT):
            rows = table[(table["objective"] == objective) & (table["method"] == method)]
            if len(rows):
                found.append((f"{method}, {objective} objective", rows))
    return found


def _wide(rows: pd.DataFrame, key: str, column: str) -> pd.DataFrame:
    """Return means of the seeds: a row a network, a column a place."""
    wide = rows.groupby(["network", key], sort=False)[column].mean().unstack(key)
    return wide.loc[rows["network"].unique(), list(rows[key].unique())]


def _in_words(wide: pd.DataFrame) -> str:
    values = "; ".join(
        f"{network} " + " / ".join(f"{v:.3g}" for v in row)
        for network, row in zip(wide.index, wide.to_numpy(), strict=True)
    )
    return f"{values} ({', '.join(wide.columns)})"


def _least(rows: pd.DataFrame, column: str, words: str) -> Claim:
    wide = _wide(rows, "environment", column)
    rest = wide.drop(columns="L-E-C").min(axis=1)
    against = wide.index[wide["L-E-C"] > rest * (1 + TIE)]
    equal = wide.index[(wide["L-E-C"] - rest).abs() <= TIE * rest.abs()]
    reasons = []
    if len(against):
        why = ": L-E-C is best in the objective, not in each term"
        of_optima = words.startswith("optimum")
        reasons.append(f"not so for {', '.join(against)}{why if of_optima else ''}")
    if len(equal):
        reasons.append(f"as good elsewhere for {', '.join(equal)}")
    return Claim(
        f"L-E-C has the least {column.split()[0]} ({words})",
        "figure 12",
        "least in L-E-C",
        _in_words(wide),
        verdict(not len(against)),
        "; ".join(reasons),
    )


def _pair(rows: pd.DataFrame, column: str, low: str, high: str, words: str) -> Claim:
    wide = _wide(rows, "environment", column)
    against = wide.index[wide[low] >= wide[high]]
    return Claim(
        f"the {column.split()[0]} is lower in {low} than in {high} ({words})",
        "figure 12",
        f"lower in {low}",
        _in_words(wide),
        verdict(not len(against)),
        f"not so for {', '.join(against)}" if len(against) else "",
    )


def _trend(rows: pd.DataFrame, column: str, word: str, words: str) -> Claim:
    """Judge steps between finite ratios: none the other way, some the right way."""
    wide = _wide(rows, "ratio", column)
    sign = 1.0 if word == "rises" else -1.0
    finite = wide.drop(columns="inf")
    steps = sign * finite.diff(axis=1).iloc[:, 1:]
    slack = TIE * finite.max(axis=1)
    against = [
        f"{network} ({', '.join(steps.columns[steps.loc[network] < -slack[network]])})"
        for network in finite.index
        if (steps.loc[network] < -slack[network]).any()
    ]
    flat = [n for n in finite.index if (steps.loc[n].abs() <= slack[n]).all()]
    reasons = []
    if against:
        reasons.append(f"the other way at {', '.join(against)}")
    if flat:
        reasons.append(f"constant for {', '.join(flat)}")
    reasons.append("finite ratios; inf, read as five edges and no clouds, has other servers")
    return Claim(
        f"more edges: the {column.split()[0]} {word} ({words})",
        "figure 13",
        word,
        _in_words(wide),
        verdict(not against and len(flat) < len(finite)),
        "; ".join(reasons),
    )


def _objective(rows: pd.DataFrame, objective: str, key: str, best: str) -> Claim:
    """Judge what must hold of optima: with more servers to choose from none is worse."""
    wide = _wide(rows, key, "value")
    if key == "ratio":
        wide = wide.drop(columns="inf")
    slack = TIE * wide.abs().max(axis=1) + 1e-9
    if key == "ratio":
        off = [n for n in wide.index if (wide.loc[n].diff().iloc[1:] > slack[n]).any()]
    else:
        off = [n for n in wide.index if wide.loc[n, best] > wide.loc[n].min() + slack[n]]
    words = "L-E-C is best" if key == "environment" else "more edges are never worse"
    reason = "optima; the plans of fewer servers are among those of more"
    if off:
        reason = f"not so for {', '.join(off)}"
        if objective == "published" and key == "ratio":
            reason += ": Z is divided by one less than the larger number of edges or clouds, and "
            reason += "more idle edges are more unevenness"
    return Claim(
        f"{words} in the {objective} objective",
        "figure 12" if key == "environment" else "figure 13",
        "none; implied by the model" if objective == "SC" or key != "ratio" else "none",
        _in_words(wide),
        verdict(not off),
        reason,
    )


# ---------------------------------------------------------------------- drawing


def draw_places(table: pd.DataFrame, key: str) -> Figure:
    """Draw delay, energy and cost of the optima: a row an objective, a line or mark a network."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(OBJECTIVES), 3, figsize=(12.6, 6.8), squeeze=False)
    figure.set_layout_engine("constrained")
    networks = list(table["network"].unique())
    places = list(table[key].unique())
    for line, objective in zip(axes, OBJECTIVES, strict=True):
        rows = table[(table["objective"] == objective) & (table["method"] == "optimum")]
        learnt = table[(table["objective"] == objective) & (table["method"] == ROLLOUT)]
        for ax, column in zip(line, RAW.values(), strict=True):
            wide = _wide(rows, key, column)
            for k, network in enumerate(networks):
                if key == "environment":
                    at = [i + 0.2 * (k - (len(networks) - 1) / 2) for i in range(len(places))]
                    ax.plot(at, wide.loc[network], "osD^"[k % 4], color=f"C{k}", label=network)
                else:
                    at = list(range(len(places)))
                    ax.plot(at[:-1], wide.loc[network].iloc[:-1], "o-", color=f"C{k}")
                    ax.plot(at[-1:], wide.loc[network].iloc[-1:], "o", color=f"C{k}", label=network)
                own = learnt[learnt["network"] == network]
                if len(own):
                    values = _wide(own, key, column).loc[network]
                    ax.plot(at, values, "kx", label=f"{ROLLOUT} ({network})")
            ax.set_xticks(range(len(places)), places)
            ax.set_ylabel(column)
            ax.set_yscale("log")
            ax.set_title(f"{objective} objective, optimum", fontsize=10)
            ax.grid(alpha=0.3, axis="y")
            if key == "ratio":
                ax.set_xlabel("edges to clouds")
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure
