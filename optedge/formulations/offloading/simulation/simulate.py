"""From an assignment to a schedule, compiled: which simulation runs, and the price of moves.

A layer sends its output when it ends; a layer whose inputs have all arrived takes a pool of its
server if one is free, else it waits. Who of those that wait goes first is the problem's ``order``.
By rank is told by ``events``; by arrival no list of events is needed (``first_come``, ``chains``);
and one order knows no events: ``planning`` books task by task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import (
    FCFS,
    PLANNED,
    SimulationData,
    Workspace,
    workspace,
)
from optedge.formulations.offloading.simulation.chains import GAVE_UP, serve_chains
from optedge.formulations.offloading.simulation.events import run_events
from optedge.formulations.offloading.simulation.first_come import serve
from optedge.formulations.offloading.simulation.planning import plan
from optedge.formulations.offloading.simulation.weighing import weigh
from optedge.kernels import apply, kernel, overload, price, start

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def starts(problem: OffloadingProblem, servers: IntArray) -> FloatArray:
    """Return the start of each layer in seconds, ``(n_subtasks,)``; servers must be connected."""
    work = workspace(problem.data)
    simulate(problem.data, np.require(servers, np.int64, ["C", "W"]), work)
    return work.begins


@kernel
def costs(data: SimulationData, allowed: BoolArray, codes: IntArray) -> FloatArray:
    """Return the objective of each row of ``codes`` (k, n_subtasks).

    ``inf`` if it is cut off or names a server that is not ``allowed`` (n_subtasks, n_servers).
    """
    work = workspace(data)
    values = np.full(codes.shape[0], np.inf)
    for k in range(codes.shape[0]):
        servers, may = codes[k], True
        for v in range(servers.size):
            may &= allowed[v, servers[v]]
        if not may:
            continue
        flows = GAVE_UP  # first as simulate does: to hand over all the arrays takes its time
        if data.chains and data.order == FCFS:
            flows = serve_chains(data.chain, servers, work)
        if flows == GAVE_UP:
            flows = simulate(data, servers, work)
        values[k] = weigh(data, servers, work.begins, flows) if data.weights.weighted else flows
    return values


@kernel
def simulate(data: SimulationData, servers: IntArray, work: Workspace) -> float:
    """Fill in the start of each layer, and return the sum of flow times.

    Parameters
    ----------
    data
        The instance.
    servers
        The server of each layer, ``(n_subtasks,)``.
    work
        Where to write (``arrays.workspace``); the starts are its ``begins``.

    Returns
    -------
    float
        Seconds; ``inf`` if some output cannot get where it is read.
    """
    flows = GAVE_UP
    if data.chains and data.order == FCFS:
        flows = serve_chains(data.chain, servers, work)
    if flows != GAVE_UP:
        return flows
    if data.order == FCFS:
        return serve(data, servers, work.begins)
    if data.order == PLANNED:
        return plan(data, servers, work.begins)
    return run_events(data, servers, work.begins)


@overload(start, SimulationData)
def _start(data: SimulationData, x: IntArray) -> Workspace:
    return workspace(data)


@overload(price, SimulationData)
def _price(data: SimulationData, state: Workspace, x: IntArray, i: int, k: int) -> float:
    j = x[i]
    x[i] = k
    value = GAVE_UP  # as in costs
    if data.chains and data.order == FCFS:
        value = serve_chains(data.chain, x, state)
    if value == GAVE_UP:
        value = simulate(data, x, state)
    if data.weights.weighted:
        value = weigh(data, x, state.begins, value)
    x[i] = j
    return value


@overload(apply, SimulationData)
def _apply(data: SimulationData, state: Workspace, x: IntArray, i: int, k: int) -> None:
    x[i] = k
