"""Figure 18: delay over the number of clients, and which part of it falls."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.environments import METHODS, PARTS_OF_DELAY, stacked
from optedge.papers.eosdnn.runs import CERTIFIED, Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from optedge.formulations.offloading import OffloadingProblem, Schedule

#: Where the first layer runs: the paper's coding leaves it open, its figure seems to need a client.
RULES = {"free": "first layer anywhere", "client": "first layer at the client"}


def client_waiting(problem: OffloadingProblem, plan: Schedule) -> float:
    """Return for how many seconds layers wait at clients, all tasks together."""
    ends = plan.starts + problem.seconds[np.arange(problem.n_subtasks), plan.servers]
    waits = np.maximum(plan.starts - problem.arrivals(plan.servers, ends), 0.0)
    return float(waits[problem.tiers[plan.servers] == 0].sum())


def figure_18(runs: Runs) -> pd.DataFrame:
    """Return delays and their parts, a row a network, rule, number of clients and method; seed 0.

    Clocks of clients stand evenly in their range, so that their mean does not depend on the number
    from two on.
    """
    import pandas as pd

    rows = []
    for network in runs.curves:
        for rule in RULES:
            for clients in runs.clients:
                problem = runs.problem(network, n_clients=clients, first_layer=rule)
                for method in METHODS:
                    certified = method == "lagrangian"
                    result = runs.certified(problem) if certified else runs.search(problem, method)
                    plan = problem.schedule(result.solution)
                    split = problem.delay_split(plan).sum(axis=0)
                    rows.append(
                        {
                            "network": network,
                            "first layer": rule,
                            "clients": clients,
                            "method": method,
                            **dict(zip(PARTS_OF_DELAY, split.tolist(), strict=True)),
                            "at clients (s)": client_waiting(problem, plan),
                            **runs.measured(problem, result),
                        }
                    )
    return pd.DataFrame(rows)


def judge_figure_18(runs: Runs) -> Part:
    """Check that more clients mean less delay, and of which kind."""
    table = figure_18(runs)
    return Part(judge(table), table, functools.partial(draw_figure_18, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return two claims for each rule and method."""
    claims = []
    for rule in RULES:
        for method, label in METHODS.items():
            rows = table[(table["first layer"] == rule) & (table["method"] == method)]
            curves = {str(name): part for name, part in rows.groupby("network", sort=False)}
            words = f"{label}, {RULES[rule]}"
            claims += [_falls(curves, words, method == "lagrangian"), _mainly(curves, words)]
    return claims


def _falls(curves: dict[str, pd.DataFrame], words: str, certified: bool) -> Claim:
    """Judge each step; the optimum falls surely where a delay is below the bound before it."""
    texts, against = [], []
    for network, rows in curves.items():
        delay = rows["delay (s)"].to_numpy()
        texts.append(
            f"{network} {' / '.join(f'{v:.4g}' for v in delay)} s "
            f"({', '.join(map(str, rows['clients']))} clients)"
        )
        if certified and delay[-1] < rows["bound (s)"].iloc[0]:
            texts[-1] += ", a fall that is proved"
        if not _falling(delay):
            against.append(network)
    return Claim(
        f"the delay falls with more clients ({words})",
        "figure 18",
        "falls",
        "; ".join(texts),
        verdict(not against),
        f"not at every step for {', '.join(against)}" if against else "",
    )


def _falling(delay: FloatArray) -> bool:
    """Tell whether a delay falls at every step, by more than certified plans are uncertain."""
    return bool((np.diff(delay) < -CERTIFIED * delay[:-1]).all())


def _mainly(curves: dict[str, pd.DataFrame], words: str) -> Claim:
    """Judge which part falls most from the fewest clients to the most, if the delay falls."""
    texts: list[str] = []
    against: dict[str, str] = {}
    for network, rows in curves.items():
        first, last = rows.iloc[0], rows.iloc[-1]
        falls = {part.split()[0]: float(first[part] - last[part]) for part in PARTS_OF_DELAY}
        at_clients = float(first["at clients (s)"] - last["at clients (s)"])
        texts.append(
            f"{network}: "
            + ", ".join(f"{part} {_sign(-fall)}" for part, fall in falls.items())
            + f" s (waiting at clients {_sign(-at_clients)} s)"
        )
        if falls["transmission"] <= max(falls["execution"], falls["waiting"]):
            against[network] = "another part falls at least as much"
        if not _falling(rows["delay (s)"].to_numpy()):
            against[network] = "the delay itself does not fall at every step"
    return Claim(
        f"mainly the transmission falls with more clients ({words})",
        "figure 18",
        "mainly transmission",
        "; ".join(texts),
        verdict(not against),
        "; ".join(f"{network}: {why}" for network, why in against.items())
        + ("; transfers do not contend, so that clients add no bandwidth" if against else ""),
    )


def _sign(value: float) -> str:
    return f"{0.0 if abs(value) < 5e-4 else value:+.3g}"


# ------------------------------------------------------------------------- drawing


def draw_figure_18(table: pd.DataFrame) -> Figure:
    """Draw the parts of the delay over the clients, a row of panels a rule."""
    import matplotlib.pyplot as plt

    columns = [(network, method) for network in table["network"].unique() for method in METHODS]
    figure, axes = plt.subplots(
        len(RULES), len(columns), figsize=(3.8 * len(columns), 6.2), squeeze=False
    )
    figure.set_layout_engine("constrained")
    for line, rule in zip(axes, RULES, strict=True):
        for ax, (network, method) in zip(line, columns, strict=True):
            rows = table[
                (table["network"] == network)
                & (table["method"] == method)
                & (table["first layer"] == rule)
            ]
            stacked(ax, rows, [str(k) for k in rows["clients"]])
            ax.set_title(f"{network}, {METHODS[method]}\n{RULES[rule]}", fontsize=10)
        line[0].set_ylabel("sum of flow times (s)")
    for ax in axes[-1]:
        ax.set_xlabel("clients")
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    return figure
