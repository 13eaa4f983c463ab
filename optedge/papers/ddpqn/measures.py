"""What figures show of a plan: delay, energy, cost, coordination H and balance Z."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs.pair_costs import balance_unit
from optedge.formulations.offloading.simulation.weighing import unevenness
from optedge.papers.claims import Claim

if TYPE_CHECKING:
    import pandas as pd

PROVED = 1e-6  # gap of a proof that is complete, rounding aside
#: Indicators in their units, and the standardised totals that the objective weighs.
RAW = {"T": "delay (s)", "E": "energy (J)", "U": "cost ($)"}
INDICATORS = ("T", "E", "U")


def measures(problem: OffloadingProblem, plan: Any) -> dict[str, float]:
    """Return what a plan makes of each term of the objective.

    Parameters
    ----------
    problem
        With weights.
    plan
        A schedule, or the server of each layer.

    Returns
    -------
    dict
        ``delay (s)``, ``energy (J)``, ``cost ($)``; ``T``, ``E``, ``U``: standardised, summed over
        layers; ``SC``: their weighted sum; ``H``: summed over layers; ``Z``: the running balance,
        ``Z final``: that of all layers, both normalised; ``value``: the objective.
    """
    weights = problem.weights
    if weights is None:
        raise ValueError("the problem has no weights: there is nothing to measure.")
    found = problem.indicators(plan)
    totals = [float(found[name].sum()) for name in ("seconds", "joule", "dollar")]
    shifts, scales = problem.standards[::2], problem.standards[1::2]
    hats = [
        (total - shift * problem.n_subtasks) / scale if scale > 0 else 0.0
        for total, shift, scale in zip(totals, shifts, scales, strict=True)
    ]
    running, final = balances(problem, problem.encode(plan))
    factors = (weights.theta, weights.vartheta, weights.eta)
    return {
        **dict(zip(RAW.values(), totals, strict=True)),
        **dict(zip(INDICATORS, hats, strict=True)),
        "SC": sum(w * x for w, x in zip(factors, hats, strict=True)),
        "H": float(found["coordination"].sum()),
        "Z": running,
        "Z final": final,
        "value": problem.objective(plan),
    }


def balances(problem: OffloadingProblem, servers: npt.ArrayLike) -> tuple[float, float]:
    """Return the balance Z of a plan, summed after each layer and of all layers, normalised."""
    unit, x = balance_unit(problem), np.asarray(servers, dtype=np.int64)
    return unit * unevenness(problem.tiers, x, True), unit * unevenness(problem.tiers, x, False)


def normalised_regret(value: float, best: float, at_home: float) -> float:
    """Return (v - v*) / (v_ref - v*), v_ref of all layers on the client; 0 if both are one."""
    spread = at_home - best
    return (value - best) / spread if spread > 0 else 0.0


def in_percent(after: float, before: float) -> float:
    """Return by how many percent a positive total changes."""
    return 100.0 * (after / before - 1.0) if before > 0 else float("nan")


def with_proofs(claims: list[Claim], table: pd.DataFrame) -> list[Claim]:
    """Return claims on optima with a word on those that are not proved within the limits."""
    open_ = table[(table["method"] == "optimum") & (table["proved gap"] > PROVED)]
    names = ", ".join(dict.fromkeys(str(name) for name in open_["network"]))
    if not names:
        return claims
    note = f"not all optima are proved for {names}"
    return [
        dataclasses.replace(c, reason="; ".join(filter(None, (c.reason, note))))
        if "optim" in c.claim
        else c
        for c in claims
    ]


def listed(values: Mapping[str, float], form: str = ".4g") -> str:
    """Return names and numbers as words."""
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())
