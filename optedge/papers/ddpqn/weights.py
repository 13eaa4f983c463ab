"""Figure 7: what the weights of the objective do to its terms."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.ddpqn.measures import INDICATORS, measures, with_proofs
from optedge.papers.ddpqn.runs import SC, Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Weights of delay, energy and cost (a), and of their sum, of H and of Z (b).
INNER = ("theta", "vartheta", "eta")
OUTER = ("phi", "varphi", "xi")
FIGURE_7A = ((0.7, 0.2, 0.1), (0.1, 0.7, 0.2), (0.2, 0.1, 0.7))
FIGURE_7B = ((0.2, 0.3, 0.5), (0.6, 0.2, 0.2), (0.8, 0.1, 0.1))
TERMS = ("SC", "H", "Z")
#: A weight times these, all others as published.
FACTORS = (0.5, 1.0, 2.0)
#: Shares of one weight of three whose others keep their ratio.
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
ROLLOUT = "ddpqn, rollout"
TIE = 1e-7  # relative difference that rounding and the gap of a proof leave open


def figure_7(runs: Runs) -> pd.DataFrame:
    """Return the terms of the objective: a row a panel, network, method and weights.

    Panels a and b: the published triples; ``one weight``: one weight by factors, all others as
    published; ``shares``: one of delay, energy and cost at several shares, the others in their
    ratio, without H and Z. Standardised, summed over layers. Methods: the optimum, and of ``ddpqn``
    (seed 0) its last rollout and the plan that the run keeps.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for network in runs.networks:
        for panel, names, triples in (("a", INNER, FIGURE_7A), ("b", OUTER, FIGURE_7B)):
            for triple in triples:
                weights = dict(zip(names, triple, strict=True))
                rows += _rows(runs, network, panel, weights, network in (runs.curves or ()))
        published = runs.problem(network).weights
        for name in (*INNER, *OUTER):
            for factor in FACTORS:
                weights = {name: factor * getattr(published, name)}
                rows += _rows(runs, network, f"one weight: {name}", weights, False)
        for k, name in enumerate(INNER):
            others = [getattr(published, other) for other in INNER]
            rest = sum(others) - others[k]
            for share in SHARES:
                kept = [(1 - share) * w / rest for w in others]
                kept[k] = share
                weights = {**SC, **dict(zip(INNER, kept, strict=True))}
                rows += _rows(runs, network, f"shares: {name}", weights, False)
    return pd.DataFrame(rows)


def _rows(
    runs: Runs, network: str, panel: str, weights: dict[str, float], learn: bool
) -> list[dict[str, Any]]:
    problem = runs.problem(network, weights=weights)
    exact = runs.exact(problem)
    plans = {"optimum": exact.solution}
    if learn:
        found = runs.learn(problem)
        plans |= {ROLLOUT: found.info["rollout_plan"], "ddpqn, plan kept": found.solution}
    used = problem.weights
    rows = []
    for method, plan in plans.items():
        taken = measures(problem, plan)
        rows.append(
            {
                "panel": panel,
                "network": network,
                "method": method,
                **{name: getattr(used, name) for name in (*INNER, *OUTER)},
                **{name: taken[name] for name in (*INDICATORS, *TERMS)},
                "value": taken["value"],
                "regret": taken["value"] - exact.objective,
                "proved gap": exact.gap,
            }
        )
    return rows


def judge_figure_7(runs: Runs) -> Part:
    """Check that larger weights mean better terms: as published, and as the theory has it."""
    table = figure_7(runs)
    return Part(with_proofs(judge(table), table), table, functools.partial(draw_figure_7, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return six claims a method on the published triples, and two that hold for optima."""
    claims = []
    for method in ("optimum", ROLLOUT):
        rows = table[table["method"] == method]
        for name, weight in zip(INDICATORS, INNER, strict=True):
            claims.append(_best(rows[rows["panel"] == "a"], weight, name, method))
        for name, weight in zip(TERMS, OUTER, strict=True):
            claims.append(_ordered(rows[rows["panel"] == "b"], weight, name, method))
    claims.append(_monotone(table, "one weight", (*INNER, *OUTER), (*INDICATORS, *TERMS)))
    claims.append(_monotone(table, "shares", INNER, INDICATORS))
    return claims


def _best(rows: pd.DataFrame, weight: str, name: str, label: str) -> Claim:
    """Judge whether the term is best where its weight is largest."""
    texts, against = [], []
    for network, of in rows.groupby("network", sort=False):
        own = float(of[name].to_numpy()[of[weight].to_numpy().argmax()])
        texts.append(f"{network} " + " / ".join(f"{v:.4g}" for v in of[name]))
        if own > of[name].min() * (1 + TIE):
            against.append(str(network))
    ratios = ", ".join(":".join(f"{10 * w:g}" for w in triple) for triple in FIGURE_7A)
    return Claim(
        f"{name} is least where its weight is largest ({label})",
        "figure 7a",
        f"least at {weight} .7 of {ratios}",
        "; ".join(texts),
        verdict(not against),
        f"not so for {', '.join(against)}" if against else "",
    )


def _ordered(rows: pd.DataFrame, weight: str, name: str, label: str) -> Claim:
    """Judge whether the term gets better with each rise of its own weight."""
    sign = -1.0 if name == "H" else 1.0
    texts, against = [], []
    for network, of in rows.groupby("network", sort=False):
        values = of.sort_values(weight)[name]
        texts.append(f"{network} " + " / ".join(f"{v:.4g}" for v in values))
        if not _falls([sign * v for v in values]):
            against.append(str(network))
    weights = " / ".join(f"{w:g}" for w in sorted(rows[weight].unique()))
    why = ": the other weights change their ratio" if label == "optimum" else ""
    return Claim(
        f"{name} {'rises' if name == 'H' else 'falls'} with its own weight {weight} ({label})",
        "figure 7b",
        f"{'rises' if name == 'H' else 'falls'} at {weight} {weights}",
        "; ".join(texts),
        verdict(not against),
        f"not so for {', '.join(against)}{why}" if against else "",
    )


def _falls(values: Sequence[float]) -> bool:
    """Tell whether no value is above the one before."""
    return all(b <= a + TIE * max(abs(a), abs(b), 1.0) for a, b in itertools.pairwise(values))


def _monotone(
    table: pd.DataFrame, panel: str, weights: Sequence[str], names: Sequence[str]
) -> Claim:
    """Judge what a weighted sum implies: its own weight alone never makes a term worse."""
    held, against = 0, []
    for weight, name in zip(weights, names, strict=True):
        sign = -1.0 if name == "H" else 1.0
        rows = table[table["panel"] == f"{panel}: {weight}"]
        for network, of in rows.groupby("network", sort=False):
            values = [sign * v for v in of.sort_values(weight)[name]]
            if _falls(values):
                held += 1
            else:
                against.append(f"{name} of {network}")
    words = (
        "its own weight alone, all others fixed, never makes a term of an optimum worse"
        if panel == "one weight"
        else "the own weight of T, E, U, the others in their ratio, never makes it worse (no H, Z)"
    )
    return Claim(
        words,
        "figures 7a, 7b" if panel == "one weight" else "figure 7a",
        "none; implied by a weighted sum",
        f"{held} of {held + len(against)} curves over {len(names)} weights",
        verdict(not against),
        f"not so: {', '.join(against)}" if against else "what does hold of figure 7",
    )


# ---------------------------------------------------------------------- drawing


def draw_figure_7(table: pd.DataFrame) -> Figure:
    """Draw the terms under the published weights: row a T, E, U, row b SC, H, Z; optima as bars."""
    import matplotlib.pyplot as plt
    import numpy as np

    networks = list(table["network"].unique())
    figure, axes = plt.subplots(2, 3, figsize=(11.4, 6.6))
    figure.set_layout_engine("constrained")
    for line, panel, names, weights, triples in (
        (axes[0], "a", INDICATORS, INNER, FIGURE_7A),
        (axes[1], "b", TERMS, OUTER, FIGURE_7B),
    ):
        for ax, name in zip(line, names, strict=True):
            for k, triple in enumerate(triples):
                mask = table["panel"] == panel
                for weight, value in zip(weights, triple, strict=True):
                    mask &= np.isclose(table[weight], value)
                rows = table[mask]
                at = np.arange(len(networks)) + 0.27 * (k - 1)
                best = rows[rows["method"] == "optimum"].set_index("network")[name]
                label = ":".join(f"{10 * w:g}" for w in triple)
                ax.bar(at, best[networks], 0.25, color=f"C{k}", label=label)
                own = rows[rows["method"] == ROLLOUT].set_index("network")[name]
                where = [i for i, network in enumerate(networks) if network in own.index]
                ax.plot(
                    at[where],
                    own[[networks[i] for i in where]],
                    "kx",
                    label=ROLLOUT if k == 2 else None,
                )
            ax.set_xticks(range(len(networks)), networks, fontsize=8)
            ax.set_title(f"{name}, sum over layers" if name != "Z" else "Z, running sum")
            ax.grid(alpha=0.3, axis="y")
        words = "theta:vartheta:eta" if panel == "a" else "phi:varphi:xi"
        handles, texts = line[0].get_legend_handles_labels()
        line[2].legend(
            handles, texts, frameon=False, title=words, loc="center left", bbox_to_anchor=(1, 0.5)
        )
        line[0].set_ylabel("standardised, normalised")
    return figure
