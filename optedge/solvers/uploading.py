"""Heuristics for the upload plan: that of EosDNN, its baselines, and Sidney's decomposition."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from optedge.formulations.upload import UploadPlan, UploadProblem, coding
from optedge.formulations.upload.heuristics import blocks, efficiency, merging, paths
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class LmuOptions(Options):
    """Options of ``lmu``."""

    zero_rule: str = option(
        "safe",
        "size 0 executed at once; safe: what slows no query; paper: all of parts that earn",
        choices=merging.ZERO_RULES,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class IonnOptions(Options):
    """Options of ``ionn``."""

    factors: str | None = option(
        None, "what upload times count, falling, such as '1, 0.1, 0'; None: 1, 1/2, ..., 2^-11, 0"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        k = self.values()
        falling = all(a > b for a, b in itertools.pairwise(k))
        if not (falling and 0 <= k[-1] <= k[0] < math.inf):
            raise ValueError(f"option factors must fall and not be negative, got {self.factors!r}.")

    def values(self) -> tuple[float, ...]:
        """Return the values of K."""
        if self.factors is None:
            return paths.FACTORS
        try:
            return tuple(float(word) for word in self.factors.split(","))
        except ValueError:
            raise ValueError(
                f"option factors must be numbers between commas, got {self.factors!r}."
            ) from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EfficiencyOptions(Options):
    """Options of ``recursive-efficiency``."""

    zeros: str = option(
        "last", "when layers of size 0 are sent; last: as published", choices=("last", "first")
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SidneyOptions(Options):
    """Options of ``sidney``."""

    split: bool = option(True, "whether the densest part of a block is sent first, and so on")


@register(
    "whole-upload",
    problems=(UploadProblem,),
    kind="heuristic",
    source="baseline of EosDNN (non-uploading)",
    deterministic=True,
)
def send_at_once(problem: UploadProblem, run: Run) -> None:
    """Send all layers as one partition: queries run at the client until the last byte is there."""
    everything = tuple(np.flatnonzero(~problem.stays).tolist())
    if not run.done():
        run.evaluate(UploadPlan((everything,) if everything else ()))


@register(
    "lmu",
    options=LmuOptions,
    problems=(UploadProblem,),
    kind="heuristic",
    source="EosDNN (Xue et al.), algorithm 2",
    deterministic=True,
)
def merge_and_upload(problem: UploadProblem, options: LmuOptions, run: Run) -> None:
    """Merge layers that do not earn on their own, send the part that earns most a second, split it.

    The steps, and what differs from the paper, stand in
    :mod:`optedge.formulations.upload.heuristics.merging`.
    """
    if not run.done():
        run.evaluate(merging.plan(problem, options.zero_rule))


@register(
    "ionn",
    options=IonnOptions,
    problems=(UploadProblem,),
    kind="heuristic",
    source="Jeong et al., SoCC 2018",
    deterministic=True,
)
def follow_paths(problem: UploadProblem, options: IonnOptions, run: Run) -> None:
    """Send what is new on shortest paths through the layers, while upload times count less.

    See :mod:`optedge.formulations.upload.heuristics.paths`.
    """
    if not run.done():
        run.evaluate(paths.plan(problem, options.values()))


@register(
    "recursive-efficiency",
    options=EfficiencyOptions,
    problems=(UploadProblem,),
    kind="heuristic",
    source="Shin, Jeong, Moon, EMDL 2019, as EosDNN describes it",
    deterministic=True,
)
def split_by_efficiency(problem: UploadProblem, options: EfficiencyOptions, run: Run) -> None:
    """Send the run of layers that earns most a second, its parts by the same rule.

    See :mod:`optedge.formulations.upload.heuristics.efficiency`.
    """
    if not run.done():
        run.evaluate(efficiency.plan(problem, options.zeros))


@register(
    "sidney",
    options=SidneyOptions,
    problems=(UploadProblem,),
    kind="approximation",
    guarantee="variable part at most twice the optimum's if no saving is negative",
    source="own, after Sidney 1975; Fokkink, Lidbetter, Vegh 2019",
    deterministic=True,
)
def send_blocks(problem: UploadProblem, options: SidneyOptions, run: Run) -> None:
    """Send blocks of largest density one after the other.

    The proof of the factor stands in :mod:`optedge.formulations.upload.heuristics.blocks`. With a
    negative saving there is no guarantee; ``run.info["note"]`` says so.
    """
    if not problem.is_supermodular:
        run.info["note"] = "a saving is negative: the factor is not guaranteed."
    if run.done():
        return
    found = blocks.split_blocks(problem) if options.split else blocks.blocks(problem)
    run.evaluate(coding.plan_of_parts(problem, found))
