r"""QDMP: a minimum cut in each block between two neighbouring cut vertices.

Cloud sets are closed under successors, so either everything stays on the device or there is one
block with its first cut vertex :math:`a_k` on the device and its last :math:`a_{k+1}` in the cloud:

.. math::

   \min\Big( \sum_v t^0_v, \; \min_k \sum_{v \le a_k} t^0_v + \text{mincut}(k)
   + \sum_{v \ge a_{k+1}} t^1_v \Big)
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.cut import CutProblem
from optedge.formulations.cut.flow import minimum_cut
from optedge.formulations.cut.positions import best_single_cut
from optedge.networks import dag
from optedge.solvers.registry import register
from optedge.solvers.run import Run


def _only_two_tiers(problem: CutProblem, options: None) -> str | None:
    if problem.n_tiers > 2:
        return f"it has {problem.n_tiers} tiers, blocks are for two."
    if problem.goal != "latency":
        return "blocks minimise the latency; the slowest stage needs highs."
    return None


@register(
    "block-cut",
    problems=(CutProblem,),
    kind="exact",
    guarantee="the optimum, to rounding of about 1e-8",
    source="Zhang et al., IMWUT 4(2), 2020 (QDMP)",
    deterministic=True,
    declines=_only_two_tiers,
)
def block_cut(problem: CutProblem, run: Run) -> None:
    """Start from the best clean cut; then cut the blocks that could hold a better one."""
    device, cloud = problem.times
    sends = problem.sends[0]
    before = np.cumsum(device)  # everything up to a layer on the device
    after = np.append(np.cumsum(cloud[::-1])[::-1], 0.0)  # everything from a layer on in the cloud
    run.evaluate(problem.everything_on(0))
    bound, flows = run.objective, 0
    if run.done():
        return
    run.evaluate(best_single_cut(problem))
    starts = problem.cut_vertices
    for a, b in zip(starts, [*starts[1:], problem.n_layers], strict=True):
        if run.done():
            return
        if a == problem.n_layers - 1:  # nothing comes after it
            continue
        fixed = before[a] + after[b]
        least = np.minimum(device, cloud)[a + 1 : b].sum() + sends[a:b].min()
        if b == a + 1 or not fixed + least < run.objective:  # clean, or no better than that
            bound = min(bound, fixed + least)
            continue
        block, least = _cut_block(problem, a, b)
        flows += 1
        bound = min(bound, fixed + least)
        x = np.ones(problem.n_layers, dtype=np.int64)
        x[: a + 1], x[a + 1 : b] = 0, block
        run.evaluate(x)  # infeasible if no output of the block can cross
    run.info["flows"] = flows
    run.raise_bound(min(bound, run.objective))


def _cut_block(problem: CutProblem, a: int, b: int) -> tuple[IntArray, float]:
    """Return the tiers of the layers strictly between a and b, and a bound on their cost.

    Layer ``b`` is in the cloud; it is ``n_layers`` where the network has several ends.
    """
    stop = min(b + 1, problem.n_layers)
    successors: dag.Successors = tuple(
        tuple(w - a for w in problem.successors[v]) if v < b else () for v in range(a, stop)
    )
    times: FloatArray = problem.times[:, a:stop].copy()
    times[:, 0] = 0.0
    if b < problem.n_layers:
        # On the device, layer b costs more than any plan that has it in the cloud.
        sends = problem.sends[0, a:b]
        dearest = times[:, :-1].sum() + sends[np.isfinite(sends)].sum()
        times[:, -1] = 2 * dearest, 0.0
    cut = minimum_cut(CutProblem(successors, times, problem.sends[:, a:stop]))
    return cut.tiers[1 : b - a], cut.certificate.value
