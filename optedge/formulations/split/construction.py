r"""What each split of a network costs: memory, time parts, energy, from a network and nodes.

Position :math:`j = 0..N` puts layers :math:`1..j` on the nodes and the rest into the cloud. With
the work :math:`\tilde Z_j` of the front, a node of speed :math:`F`, the cloud of speed :math:`F_c`,

.. math:: D_j = \sum_{i \le j} (Par_i + Map_i),\quad
          T_j = \frac{\tilde Z_j}{F} + W_q(j) + \frac{\tilde Z_N - \tilde Z_j}{F_c}
                + \frac{Map_j}{\min(WH, L)} + T_{te},\quad
          E_j = k_v \left(\frac{e \tilde Z_j}{F} + \omega \tilde Z_j F\right)

Every task runs its whole front on one node; every node holds the same front.

Source: Xu et al. 2020, eqs. (10)-(22). Departures: the wait has the missing factor of eq. (12) and
its queue is shared by the nodes as the text says; the time in the cloud, which eq. (22) leaves
out although the text lists it, is in; the deadline holds a task (``latency="total"`` sums over the
tasks as eq. (22) does); a queue that is not stable is infeasible; the input tensor is not
counted in the memory, and that of all maps is (only two live at a time in inference).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from optedge.formulations import uplink
from optedge.formulations.split import parts
from optedge.formulations.split.problem import SplitProblem
from optedge.formulations.split.table import Aim, SplitTable
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

Waiting = Literal["mmc", "mm1", "literal"]
Sharing = Literal["speed", "equal"]
Last = Literal["scores", "free"]
Latency = Literal["per-task", "total"]
CHOICES = {"waiting": Waiting, "sharing": Sharing, "last": Last, "latency": Latency}


def split_table(
    graph: LayerGraph,
    platform: Platform,
    *,
    arrival_rate: float = 0.0,
    waiting: Waiting = "mmc",
    samples: npt.ArrayLike | None = None,
    rule: uplink.Rule = "log-kde",
    slowest: float | None = None,
    upload_bits: float = 0.0,
    n_tasks: float = 1.0,
    sharing: Sharing = "speed",
    last: Last = "scores",
    side: Literal["drop", "add"] = "drop",
    skip: bool = False,
    sent_bytes: npt.ArrayLike | None = None,
    weight_bytes: float = 4.0,
    usable_memory: float = 0.8,
    deadline: float = math.inf,
    latency: Latency = "per-task",
) -> SplitTable:
    """Compute what every position costs.

    Parameters
    ----------
    graph
        A chain is taken layer by layer; layer 0 is the input tensor. Of any other network the
        positions are those of ``graph.weighted_chain(side)``.
    platform
        The servers of the lowest tier are the nodes, the one server of the highest tier is the
        cloud; a node without a link to it sends through the best server between, at the lower
        rate of the two links (eq. 15). Speeds are in FLOP/s, twice those in MAC/s; a
        coefficient ``dynamic`` per MAC^2 is four times that per FLOP^2.
    arrival_rate
        Tasks a second of all nodes together, at least 0; 0: nobody waits.
    waiting
        ``"mmc"``: one queue for all nodes (their mean service rate, if they differ); ``"mm1"``: a
        queue a node; ``"literal"``: eq. (12) as printed, not in seconds, with a warning.
    samples, rule, slowest, upload_bits
        Rates of the terminal in bit/s, the estimate (:func:`optedge.formulations.uplink.delay`)
        and the bits of a task; without samples the terminal's delay is 0.
    n_tasks
        Tasks of all nodes together whose energy is counted, positive.
    sharing
        How tasks spread over the nodes: in proportion to ``"speed"``, or ``"equal"``.
    last
        What position N sends: the ``"scores"`` (output of the last layer), or nothing
        (``"free"``).
    side
        What a network with branches does with weighted layers beside its chain
        (``LayerGraph.weighted_chain``): their weights and maps are ``"drop"``-ped as in the paper,
        or ``"add"``-ed to memory and work. They are never sent.
    skip
        Whether a cut inside a block also sends the tensors that go around it
        (:func:`residual_bytes`); the paper does not. A chain has none.
    sent_bytes
        Byte that each position sends, ``(N + 1,)``, in place of the maps, ``last`` and ``skip``.
    weight_bytes
        Byte of one weight, positive; those of the maps are in ``graph.output_bytes``.
    usable_memory
        Share of the least memory of a node that the front may take, in (0, 1].
    deadline
        Most seconds, positive.
    latency
        Whether it holds ``"per-task"``, or for the ``"total"`` of ``n_tasks`` tasks.

    Returns
    -------
    SplitTable
        Position 0 has no work, memory and energy on the nodes, position N none in the cloud.

    Raises
    ------
    ValueError
        If an option is out of its range, layer 0 is not an input tensor, or the platform does not
        have nodes and one cloud.
    """
    _check_choices(waiting=waiting, sharing=sharing, last=last, latency=latency)
    _check_positive(1.0, usable_memory=usable_memory)
    _check_positive(math.inf, deadline=deadline)
    _check_positive(sys.float_info.max, n_tasks=n_tasks, weight_bytes=weight_bytes)
    if not 0 <= arrival_rate < math.inf:
        raise ValueError(f"arrival_rate must be finite and at least 0, got {arrival_rate!r}.")
    chain = graph if graph.is_chain else graph.weighted_chain(side)
    if chain.flops[0] or chain.parameters[0]:
        raise ValueError(f"layer 0 ({chain.names[0]}) must be the input tensor, without work.")
    servers, rates, cloud = parts.nodes_and_cloud(platform)

    execution = np.cumsum([parts.layer_seconds(server, chain) for server in servers], axis=1)
    in_cloud = np.cumsum(parts.layer_seconds(cloud, chain))
    mac = np.cumsum(chain.flops) / parts.FLOP_PER_MAC
    memory = np.cumsum(weight_bytes * chain.parameters + chain.output_bytes)
    if sent_bytes is None:
        sent = parts.map_bytes(graph, free=last == "free", skip=skip)
    else:
        sent = parts.given_bytes(sent_bytes, mac.size)
    shares = parts.task_shares(execution[:, -1], equal=sharing == "equal")
    wait, utilisation = parts.queue(execution, mac, arrival_rate * shares, waiting)
    terminal = 0.0
    if samples is not None:
        terminal = uplink.delay(upload_bits, samples, rule, slowest=slowest)
    return SplitTable(
        memory=memory - memory[0],  # the input tensor is not counted
        work=mac,
        sent=sent,
        execution=execution,
        wait=wait,
        upload=parts.send_seconds(sent, rates),
        cloud=in_cloud[-1] - in_cloud,
        uplink=terminal,
        energy=n_tasks * shares[:, None] * parts.joule_per_task(servers, execution, mac),
        utilisation=utilisation,
        energy_limits=np.array([server.energy for server in servers]),
        memory_limit=usable_memory * min(server.memory for server in servers),
        deadline=deadline,
        tasks=n_tasks if latency == "total" else 1.0,
        arrival_rate=arrival_rate,
        nodes=tuple(server.name or f"node {v}" for v, server in enumerate(servers)),
        name=graph.name,
    )


def split_problem(
    graph: LayerGraph,
    platform: Platform,
    *,
    aim: Aim = "depth",
    weights: Mapping[str, float] | None = None,
    name: str = "",
    **options: Any,
) -> SplitProblem:
    """Return the problem of the best position for a network on nodes and a cloud (P1).

    Parameters
    ----------
    graph, platform, **options
        As in :func:`split_table`.
    aim
        What is maximised: the ``"depth"`` j (the paper's choice as we read it) or the ``"work"``
        of the front in GMAC, or minus one of: ``"delay"``, the latency on the worst node in
        seconds; ``"energy"`` of all nodes in joule; ``"upload"``, MB sent; ``"weighted"``, the sum
        of these three, each divided by its largest finite value and times its weight.
    weights
        Of ``"weighted"``: some of ``delay``, ``energy`` and ``upload``, at least 0.
    name
        Label; that of the network by default.

    Returns
    -------
    SplitProblem
        Limits, in this order: memory (MB), latency (s), energy of each node (J; nodes with
        the same row share it), stability (utilisation below 1; ``inf`` where the queue is not
        stable), link (``inf`` where there is none). Limits that are infinite are left out; if
        none is finite, memory stands there without a limit.

    Raises
    ------
    ValueError
        If ``aim`` or a weight is unknown, or an option is wrong.

    References
    ----------
    Xu et al. 2020, eq. (22), problem P1. ``f(j)`` is not defined there; "maximum j" and "maximal
    f" are equated in its text.
    """
    table = split_table(graph, platform, **options)
    rows = table.limits()
    return SplitProblem(
        table.value(aim, weights),
        np.array([usage for _, usage, _ in rows]),
        np.array([limit for _, _, limit in rows]),
        limit_names=tuple(label for label, _, _ in rows),
        name=name or graph.name,
    )


def _check_choices(**given: str) -> None:
    for option, value in given.items():
        choices = get_args(CHOICES[option])
        if value not in choices:
            raise ValueError(f"{option} must be one of {', '.join(choices)}, got {value!r}.")


def _check_positive(most: float, **given: float) -> None:
    for option, value in given.items():
        if not 0 < value <= most:
            raise ValueError(f"{option} must be in (0, {most:g}], got {value!r}.")
