"""Figures 8 to 11: the objective with and without the coordination H (B) and the balance Z (X)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.ddpqn.measures import INDICATORS, RAW, in_percent, measures, with_proofs
from optedge.papers.ddpqn.runs import Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: What is left out of the objective; phi stays.
VARIANTS: dict[str, dict[str, float]] = {
    "A": {"varphi": 0.0, "xi": 0.0},
    "A-B": {"xi": 0.0},
    "A-X": {"varphi": 0.0},
    "A-B-X": {},
}
#: How H is read: of costs with a square root, as printed, or of benefits with a cube root.
READINGS: dict[str, dict[str, Any]] = {
    "printed": {"coupling_root": 2, "h_indicators": "cost"},
    "benefit": {"coupling_root": 3, "h_indicators": "benefit"},
}
#: By how many percent A-B-X is above A in H, and below A in Z.
FIGURE_9 = {"googlenet": 44.29, "resnet101": 59.13, "alexnet": 117.53, "vgg19": 84.08}
FIGURE_10 = {"googlenet": 11.82, "resnet101": 9.77, "alexnet": 13.70, "vgg19": 7.51}
OPTIMUM, KEPT, ROLLOUT = "optimum", "ddpqn, plan kept", "ddpqn, rollout"
#: Methods that claims are about. The plan kept may be the greedy one, from which runs start.
JUDGED = (OPTIMUM, ROLLOUT)
TIE = 1e-7


def variants(runs: Runs) -> pd.DataFrame:
    """Return the terms of every variant: a row a network, reading, method, variant and seed.

    ``H`` is summed over layers and read as the row says, ``Z`` is the running balance. Of ``ddpqn``
    its last rollout, and the plan that a run keeps, the best it has seen, the greedy one included;
    with the printed reading alone.
    """
    import pandas as pd

    rows = []
    for network in runs.networks:
        for reading, options in READINGS.items():
            measured = runs.problem(network, weights=options)
            for variant, weights in VARIANTS.items():
                problem = runs.problem(network, weights={**options, **weights})
                exact = runs.exact(problem)
                plans = [(OPTIMUM, 0, exact.solution)]
                for seed in range(runs.others if reading == "printed" else 0):
                    found = runs.learn(problem, seed=seed)
                    plans.append((KEPT, seed, found.solution))
                    plans.append((ROLLOUT, seed, found.info["rollout_plan"]))
                for method, seed, plan in plans:
                    value = problem.objective(plan)
                    rows.append(
                        {
                            "network": network,
                            "reading": reading,
                            "method": method,
                            "variant": variant,
                            "seed": seed,
                            **measures(measured, plan),
                            "value": value,
                            "regret": value - exact.objective,
                            "proved gap": exact.gap,
                        }
                    )
    return pd.DataFrame(rows)


def _wide(table: pd.DataFrame, reading: str, method: str, column: str) -> pd.DataFrame:
    """Return means of the seeds: a row a network, a column a variant."""
    rows = table[(table["reading"] == reading) & (table["method"] == method)]
    wide = rows.groupby(["network", "variant"], sort=False)[column].mean().unstack("variant")
    return wide.loc[rows["network"].unique(), list(VARIANTS)]


def _cases(table: pd.DataFrame, column: str) -> list[tuple[str, str, pd.DataFrame]]:
    """Return what claims are about: words, the method, and means by network and variant."""
    found = []
    for reading in READINGS:
        for method in JUDGED:
            if ((table["reading"] == reading) & (table["method"] == method)).any():
                words = f"{method}, H {'as printed' if reading == 'printed' else 'of benefits'}"
                found.append((words, method, _wide(table, reading, method, column)))
    return found


def _in_words(wide: pd.DataFrame, form: str = ".4g") -> str:
    return (
        "; ".join(
            f"{network} " + " / ".join(f"{v:{form}}" for v in row)
            for network, row in zip(wide.index, wide.to_numpy(), strict=True)
        )
        + f" ({', '.join(wide.columns)})"
    )


def _order(
    wide: pd.DataFrame, claim: str, where: str, better: str, worse: str, *, sign: float, note: str
) -> Claim:
    """Judge whether one variant is above (sign 1) or below (-1) another one, on all networks."""
    away = sign * (wide[better] - wide[worse])
    same = away.abs() <= TIE * wide[worse].abs()
    against = wide.index[(away < 0) & ~same]
    reasons = []
    if len(against):
        reasons.append(f"not so for {', '.join(against)}")
    if same.any():
        reasons.append(f"equal for {', '.join(wide.index[same])}")
    if note:
        reasons.append(note)
    return Claim(
        claim,
        where,
        "all networks",
        _in_words(wide),
        verdict(not len(against) and not same.all()),
        "; ".join(reasons),
    )


# ---------------------------------------------------------------------- figures 8 and 9: H


def judge_figure_8(runs: Runs) -> Part:
    """Check which variants raise the coordination."""
    table = variants(runs)
    claims = []
    for words, _, wide in _cases(table, "H"):
        claims += [
            _order(
                wide,
                f"B raises H: A-B above A ({words})",
                "figure 8",
                "A-B",
                "A",
                sign=1.0,
                note="H in the objective cannot lower that of an optimum"
                if words.startswith(OPTIMUM)
                else "",
            ),
            _order(
                wide,
                f"X alone also raises H: A-X above A ({words})",
                "figure 8",
                "A-X",
                "A",
                sign=1.0,
                note="the model does not imply it",
            ),
        ]
    return Part(with_proofs(claims, table), table, functools.partial(draw_terms, table, "H"))


def judge_figure_9(runs: Runs) -> Part:
    """Check by how much A-B-X raises H above A: the percentages that the paper prints."""
    table = variants(runs)
    claims = [
        _percent(words, wide, network, published, "H")
        for words, _, wide in _cases(table, "H")
        for network, published in FIGURE_9.items()
        if network in wide.index
    ]
    changes = _changes(table, "H", FIGURE_9)
    return Part(with_proofs(claims, table), changes, functools.partial(draw_changes, changes))


def _percent(words: str, wide: pd.DataFrame, network: str, published: float, name: str) -> Claim:
    """Judge the direction of a printed percentage; its size follows from what is not given."""
    sign = 1.0 if name == "H" else -1.0
    before, after = _at(wide, network, "A"), _at(wide, network, "A-B-X")
    ours = sign * in_percent(after, before)
    near = abs(ours - published) <= 0.1 * published
    return Claim(
        f"A-B-X {'raises H above' if name == 'H' else 'improves Z over'} that of A "
        f"on {network} ({words})",
        "figure 9" if name == "H" else "figure 10",
        f"{published:+.2f} %",
        f"{ours:+.2f} % ({before:.4g} to {after:.4g})",
        verdict(ours > 0),
        "the size is within a tenth of it"
        if near
        else "the direction alone: servers, standardisation and number of tasks are not given"
        if ours > 0
        else "the other direction"
        if ours < 0
        else "no difference",
    )


def _at(wide: pd.DataFrame, network: Any, variant: str) -> float:
    return float(wide[variant].to_dict()[network])


def _changes(table: pd.DataFrame, column: str, published: dict[str, float]) -> pd.DataFrame:
    """Return by how many percent each variant is better than A, beside the printed number."""
    import pandas as pd

    sign = 1.0 if column == "H" else -1.0
    rows = []
    for words, _, wide in _cases(table, column):
        for network in wide.index:
            before = _at(wide, network, "A")
            row: dict[str, Any] = {"network": network, "method": words, "A": before}
            for variant in list(VARIANTS)[1:]:
                change = in_percent(_at(wide, network, variant), before)
                row[f"{variant} (%)"] = sign * change
            row["published A-B-X (%)"] = published.get(str(network), float("nan"))
            rows.append(row)
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------- figure 10: Z


def judge_figure_10(runs: Runs) -> Part:
    """Check by how much A-B-X improves the balance, and whether it is the best variant."""
    table = variants(runs)
    claims = []
    for words, method, wide in _cases(table, "Z"):
        claims += [
            _percent(words, wide, network, published, "Z")
            for network, published in FIGURE_10.items()
            if network in wide.index
        ]
        claims += [
            _order(
                wide,
                f"X improves Z: A-X below A ({words})",
                "figure 10",
                "A-X",
                "A",
                sign=-1.0,
                note="Z in the objective cannot raise that of an optimum"
                if method == OPTIMUM
                else "",
            ),
            _order(
                wide,
                f"A-B-X has the best Z, better than A-X ({words})",
                "figure 10",
                "A-B-X",
                "A-X",
                sign=-1.0,
                note="the model does not imply it: A-X weighs Z against fewer terms",
            ),
        ]
    changes = _changes(table, "Z", FIGURE_10)
    return Part(with_proofs(claims, table), changes, functools.partial(draw_terms, table, "Z"))


# ---------------------------------------------------------------------- figure 11: T, E, U


def judge_figure_11(runs: Runs) -> Part:
    """Check that B and X cost some delay, energy or money."""
    table = variants(runs)
    claims = []
    for method in JUDGED:
        for name in INDICATORS:
            claims.append(_dearer(_wide(table, "printed", method, name), method, name))
        claims.append(_least_sum(_wide(table, "printed", method, "SC"), method))
    columns = ["network", "reading", "method", "variant", "seed", *RAW.values(), *INDICATORS, "SC"]
    return Part(
        with_proofs(claims, table), table[columns], functools.partial(draw_figure_11, table)
    )


def _dearer(wide: pd.DataFrame, method: str, name: str) -> Claim:
    """Judge whether A has the least of an indicator on all networks."""
    others = wide.drop(columns="A")
    lower = [
        f"{variant} ({network})"
        for network in wide.index
        for variant in others.columns
        if others.loc[network, variant] < wide.loc[network, "A"] * (1 - TIE)
    ]
    return Claim(
        f"B and X cost some {name} ({method})",
        "figure 11",
        "A least",
        _in_words(wide),
        verdict(not lower),
        f"lower: {', '.join(lower)}; only the sum of T, E and U is implied" if lower else "",
    )


def _least_sum(wide: pd.DataFrame, method: str) -> Claim:
    against = [
        str(network)
        for network, row in wide.iterrows()
        if row.drop("A").min() < row["A"] - TIE * abs(row["A"])
    ]
    return Claim(
        f"B and X cost some of the weighted sum of T, E and U ({method})",
        "figure 11",
        "A least",
        _in_words(wide),
        verdict(not against),
        f"not so for {', '.join(against)}"
        if against
        else "implied for optima: A minimises this sum alone"
        if method == OPTIMUM
        else "",
    )


# ---------------------------------------------------------------------- drawing


def draw_terms(table: pd.DataFrame, column: str) -> Figure:
    """Draw H or Z of the four variants, a panel a reading and method; seeds as dots."""
    import matplotlib.pyplot as plt

    cases = [("printed", OPTIMUM), ("benefit", OPTIMUM), ("printed", ROLLOUT), ("printed", KEPT)]
    figure, axes = plt.subplots(1, len(cases), figsize=(15, 4.2), squeeze=False)
    figure.set_layout_engine("constrained")
    for ax, (reading, method) in zip(axes[0], cases, strict=True):
        _grouped(ax, table[(table["reading"] == reading) & (table["method"] == method)], column)
        words = "H as printed" if reading == "printed" else "H of benefits, cube root"
        ax.set_title(f"{method}\n{words}", fontsize=10)
    label = "coordination H, sum over layers" if column == "H" else "balance Z, running sum"
    axes[0, 0].set_ylabel(label)
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=len(VARIANTS), frameon=False)
    return figure


def _grouped(ax: Any, rows: pd.DataFrame, column: str) -> None:
    """Draw a group of bars a network, a bar a variant; a dot a seed where there are several."""
    networks = list(rows["network"].unique())
    for k, variant in enumerate(VARIANTS):
        of = rows[rows["variant"] == variant]
        means = of.groupby("network", sort=False)[column].mean()
        at = [i + 0.2 * (k - 1.5) for i in range(len(networks))]
        ax.bar(at, means[networks], 0.18, color=f"C{k}", label=variant)
        if of["seed"].nunique() > 1:
            for place, network in zip(at, networks, strict=True):
                values = of[column][of["network"] == network]
                ax.plot([place] * len(values), values, "k.", markersize=4)
    ax.set_xticks(range(len(networks)), networks)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(alpha=0.3, axis="y")


def draw_changes(changes: pd.DataFrame) -> Figure:
    """Draw by how many percent variants are better than A, and what is published of A-B-X."""
    import matplotlib.pyplot as plt

    methods = list(changes["method"].unique())
    figure, axes = plt.subplots(1, len(methods), figsize=(4.6 * len(methods), 4.2), squeeze=False)
    figure.set_layout_engine("constrained")
    for ax, method in zip(axes[0], methods, strict=True):
        rows = changes[changes["method"] == method]
        for k, variant in enumerate(list(VARIANTS)[1:]):
            at = [i + 0.25 * (k - 1) for i in range(len(rows))]
            ax.bar(at, rows[f"{variant} (%)"], 0.23, color=f"C{k + 1}", label=variant)
        at = [i + 0.25 for i in range(len(rows))]
        ax.plot(at, rows["published A-B-X (%)"], "kD", markersize=5, label="A-B-X, published")
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set_xticks(range(len(rows)), rows["network"])
        ax.set_title(method, fontsize=10)
        ax.grid(alpha=0.3, axis="y")
    axes[0, 0].set_ylabel("better than A by (%)")
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_figure_11(table: pd.DataFrame) -> Figure:
    """Draw delay, energy and cost of the variants: a row a method, with H as printed."""
    import matplotlib.pyplot as plt

    rows = table[table["reading"] == "printed"]
    figure, axes = plt.subplots(len(JUDGED), 3, figsize=(13, 6.6), squeeze=False)
    figure.set_layout_engine("constrained")
    for line, method in zip(axes, JUDGED, strict=True):
        for ax, column in zip(line, RAW.values(), strict=True):
            _grouped(ax, rows[rows["method"] == method], column)
            ax.set_ylabel(column)
            ax.set_title(method, fontsize=10)
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=len(VARIANTS), frameon=False)
    return figure
