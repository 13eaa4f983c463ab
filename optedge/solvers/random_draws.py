"""Random draws: the baseline of the papers, and a floor for every other method."""

from __future__ import annotations

import dataclasses
from typing import Any

from optedge.solvers.code import offer_codes, random_codes
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

BATCH_ENTRIES = 1 << 18


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomOptions(Options):
    """Options of ``random``."""

    draws: int | None = option(None, "draws in all; None: until a budget ends", low=1)


@register(
    "random",
    options=RandomOptions,
    needs=("code",),
    kind="heuristic",
    source="baseline of all five papers; draws=1 is one run of theirs",
)
def draw(problem: Any, options: RandomOptions, run: Run) -> None:
    """Draw every decision evenly among its options and keep the best draw."""
    most = max(1, BATCH_ENTRIES // problem.choices.shape[0])
    rows = 1
    left = options.draws
    while not run.done() and left != 0:
        take = min(rows, run.evaluations_left, rows if left is None else left)
        offer_codes(problem, run, random_codes(problem, run.rng, take))
        left = None if left is None else left - take
        rows = min(2 * rows, most)
