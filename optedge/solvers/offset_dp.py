r"""The weighted objective with the node balance Z: proved optima from count offsets.

Each round takes a cap on the offsets of edges and one on those of clouds. The backward recursion
(``offsets``) proves a bound; from its tables plans are made in forward order (``offset_labels``),
which finds good ones, and if no label has to be left out for want of room, the best one. If not,
the next round has a higher cap: for the group whose differences the best path of the relaxation
pays least of. Once no higher cap fits into memory, more labels are kept.
"""

from __future__ import annotations

import dataclasses
import math

from optedge.formulations.base import FloatArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.balance import offset_certificates, offsets
from optedge.formulations.offloading.balance.offset_labels import Labels, RelaxedPath
from optedge.formulations.offloading.balance.retracing import ascending
from optedge.formulations.offloading.costs import decisions
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

FEWEST_TABLES = 8  # that must fit into memory
FEWEST_LABELS, LABELS_PER_PAIR = 100, 1 / 64  # a label takes about as long as 64 pairs of offsets
WIDER = 4
CLOSE = 1e-9  # plans must be better than the best by this, relatively


@dataclasses.dataclass(frozen=True, kw_only=True)
class OffsetDpOptions(Options):
    """Options of ``offset-dp``."""

    max_cap: int = option(8, "largest offset of a count that is told from larger ones", low=0)
    max_labels: int = option(100_000, "plans kept at a decision, at most", low=1)
    memory_mb: int = option(1000, "memory for tables", low=1)


class _Ended(Exception):
    """The run is over in the middle of a recursion."""


def _unfit(problem: OffloadingProblem, options: OffsetDpOptions) -> str | None:
    """Say why the recursion does not fit an instance."""
    if reason := decisions.why_not(problem):
        return reason
    if not problem.data.weights.balance > 0:
        return "Z has no weight, or nothing to compare: the solver dp is exact then."
    if not _fits(decisions.make(problem), (0, 0), options):
        return f"its smallest tables do not fit into {options.memory_mb} MB (memory_mb)."
    return None


@register(
    "offset-dp",
    options=OffsetDpOptions,
    problems=[OffloadingProblem],
    kind="exact",
    guarantee="the optimum where no pool is ever busy, once caps and labels suffice; else a bound",
    source="own: DP over count offsets, then labels (Morin, Marsten 1976)",
    deterministic=True,
    declines=_unfit,
)
def offset_dp(problem: OffloadingProblem, options: OffsetDpOptions, run: Run) -> None:
    """Raise the caps until the bound is met; pools only add waiting, so that it stays a bound.

    ``run.info`` holds the last ``caps``, their ``states`` a decision, and ``rounds``: caps, bound,
    value, the most labels at a decision and whether all of them fitted.
    """
    if run.start is not None:
        run.evaluate(run.start)
    steps = decisions.make(problem)
    caps: tuple[int, int] = (0, 0)
    width, run.info["rounds"] = 0, []
    while not run.done():
        relaxed = offsets.Offsets(steps, caps)
        pairs = relaxed.charge.size
        width = min(options.max_labels, max(FEWEST_LABELS, int(pairs * LABELS_PER_PAIR), width))
        try:
            unpaid = _round(problem, relaxed, width, options, run)
        except _Ended:
            return
        if unpaid is None:
            return
        higher = _higher(steps, caps, unpaid, options)
        if higher is None:
            if width == options.max_labels:
                return
            width *= WIDER
        else:
            caps, width = higher, 0


def _round(
    problem: OffloadingProblem,
    relaxed: offsets.Offsets,
    width: int,
    options: OffsetDpOptions,
    run: Run,
) -> list[float] | None:
    """Bound and search with given caps; None if nothing is left to prove.

    Else return what the best path of the relaxation does not pay for, of edges and of clouds.
    """
    steps = relaxed.decisions

    def back(k: int, after: FloatArray) -> FloatArray:
        if run.done():
            raise _Ended
        return relaxed.back(k, after)

    n, last = steps.n_decisions, relaxed.last()
    tables = ascending(0, n, last, back, _kept(relaxed.decisions, relaxed.caps, options))
    root = relaxed.root(next(tables))
    proof = offset_certificates.make(problem, steps, relaxed.caps, root)
    run.raise_bound(proof.value, proof)
    row = {"caps": list(relaxed.caps), "bound": proof.value, "value": run.objective}
    run.info.update(caps=list(relaxed.caps), states=int(last.size))
    run.info["rounds"].append(row)
    if run.done():
        return None
    cutoff = run.objective  # inf until there is a plan
    if cutoff < math.inf:
        cutoff -= CLOSE * abs(cutoff)
    labels, path = Labels(relaxed, cutoff, width), RelaxedPath(relaxed)
    for k in range(n):
        if run.done():
            raise _Ended
        after = next(tables, last)
        labels.step(k, after)
        if labels.complete and not labels.cost.size:  # nothing is better than the incumbent
            break
        path.step(k, after)
    found = labels.best()
    if found is not None:
        run.evaluate(problem.decode(found[0]))
    if labels.complete:
        least = cutoff if found is None else found[1]
        proof = offset_certificates.make(problem, steps, relaxed.caps, least, least)
        run.raise_bound(proof.value, proof if _can_be_checked(labels) else None)
    paid = len(path.plan) == n and not any(path.unpaid)  # then it is a plan, and none is better
    if paid and not run.done():
        run.evaluate(problem.decode(path.plan))
    row.update(value=run.objective, labels=labels.most, complete=labels.complete)
    return None if labels.complete or paid else path.unpaid


def _higher(
    steps: decisions.Decisions,
    caps: tuple[int, int],
    unpaid: list[float],
    options: OffsetDpOptions,
) -> tuple[int, int] | None:
    """Return the next caps: that of the group that pays least first; None if none fits."""
    order = (0, 1) if unpaid[0] >= unpaid[1] else (1, 0)
    for i in order:
        higher = (caps[0] + (i == 0), caps[1] + (i == 1))
        if unpaid[i] > 0 and higher[i] <= options.max_cap and _fits(steps, higher, options):
            return higher
    return None


def _can_be_checked(labels: Labels) -> bool:
    """Tell whether the certificate of all labels can be valued."""
    few = labels.most <= offset_certificates.MOST_LABELS // 2
    return few and labels.total <= offset_certificates.MOST_IN_ALL // 2


def _kept(steps: decisions.Decisions, caps: tuple[int, int], options: OffsetDpOptions) -> int:
    """Return how many tables fit into memory."""
    return int(1e6 * options.memory_mb) // offsets.bytes_of(steps, caps)


def _fits(steps: decisions.Decisions, caps: tuple[int, int], options: OffsetDpOptions) -> bool:
    fits = _kept(steps, caps, options) >= FEWEST_TABLES
    return fits and offset_certificates.why_too_large(steps, caps) is None
