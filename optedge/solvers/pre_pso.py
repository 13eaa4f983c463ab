"""prePSO: PSO-GA on decisions that are merged before."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.solvers.code import offer_code
from optedge.solvers.pso_ga import PsoGaOptions, swarm
from optedge.solvers.registry import option, register
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrePsoOptions(PsoGaOptions):
    """Options of ``pre-pso``: those of ``pso-ga``, and how far decisions are merged."""

    once: bool = option(False, "merge neighbours in pairs only, not as long as there are any")


class Merged:
    """A problem with one decision for each group of decisions; solutions are those of the problem.

    Parameters
    ----------
    problem
        What is merged; offers a code.
    groups
        The group of each decision, ``(n_decisions,)``, numbered from 0.

    Attributes
    ----------
    choices
        The options that all decisions of a group have, ``(n_groups, n_options)``.
    """

    offers = frozenset({"code"})

    def __init__(self, problem: Any, groups: IntArray) -> None:
        self.problem, self.groups = problem, groups
        self.leaders = np.unique(groups, return_index=True)[1]
        self.choices: BoolArray = np.ones((len(self.leaders), problem.choices.shape[1]), dtype=bool)
        np.logical_and.at(self.choices, groups, problem.choices)
        if hasattr(problem, "start_code"):  # its own first plan, merged
            self.start_code = lambda: self.encode(problem.decode(problem.start_code()))

    def costs(self, codes: IntArray) -> FloatArray:
        """Return the cost of each row of ``codes`` (k, n_groups)."""
        return np.asarray(self.problem.costs(codes[:, self.groups]))

    def decode(self, code: IntArray) -> Any:
        """Return the solution that a code means."""
        return self.problem.decode(code[self.groups])

    def encode(self, x: Any) -> IntArray:
        """Return a code near solution ``x``: of each group what its first decision has.

        Where the group may not have it, the first option that it may have.
        """
        code = np.asarray(self.problem.encode(x))[self.leaders]
        usable = self.choices[np.arange(code.size), code]
        return np.where(usable, code, self.choices.argmax(axis=1))


@register(
    "pre-pso",
    options=PrePsoOptions,
    needs=("code", "merges"),
    kind="metaheuristic",
    source="baseline of EosDNN, sec. VI",
)
def pre_pso(problem: Any, options: PrePsoOptions, run: Run) -> None:
    """Merge what stands in a line into one decision, then search with ``pso-ga``.

    Which decisions are merged the problem says (``merged_decisions``): for offloading, layers along
    edges a -> b where b is all that reads a, and a all that b reads. A merged decision has only the
    options that all of its parts have.

    Notes
    -----
    The paper merges where "the deviation is 1", without a definition. Merging as long as there are
    such edges makes a chain one decision, so that a chain whose first layer is bound to its client
    has one plan; ``once=True`` merges pairs of neighbours. The budget counts as in ``pso-ga``; a
    ``start`` is priced as it is, and once more merged if that is another plan.
    """
    merged = Merged(problem, problem.merged_decisions(once=options.once))
    run.info["decisions"] = len(merged.choices)
    stuck = np.flatnonzero(~merged.choices.any(axis=1))
    if stuck.size:
        run.info["reason"] = f"the decisions merged into group {stuck[0]} have no common option."
        return
    if run.start is not None:
        code = problem.encode(run.start)
        if not np.array_equal(code, merged.encode(run.start)[merged.groups]):
            offer_code(problem, run, code)
            if run.done():
                return
    swarm(merged, options, run)
