"""The parts of what a split costs: nodes and cloud, seconds, byte sent, queue, energy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optedge.formulations import queues
from optedge.formulations.base import FloatArray
from optedge.formulations.split.residual import residual_bytes
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform, Server

FLOP_PER_MAC = 2.0


def nodes_and_cloud(platform: Platform) -> tuple[list[Server], FloatArray, Server]:
    """Return the nodes, their rates to the cloud in bit/s, and the cloud."""
    tiers = platform.tiers
    if len(tiers) < 2 or len(tiers[-1]) != 1:
        raise ValueError(
            "platform must have nodes in its lowest tier and one cloud in another, its highest."
        )
    nodes, (cloud,) = list(tiers[0]), tiers[-1]
    rates = platform.rates[nodes, cloud].copy()
    between = [v for tier in tiers[1:-1] for v in tier]
    if between:
        relayed = np.minimum(platform.rates[np.ix_(nodes, between)], platform.rates[between, cloud])
        rates = np.where(rates > 0, rates, relayed.max(axis=1))
    return [platform.servers[v] for v in nodes], rates, platform.servers[cloud]


def layer_seconds(server: Server, chain: LayerGraph) -> FloatArray:
    """Return the seconds of each layer; the input tensor takes none."""
    seconds = server.layer_seconds(chain).copy()
    seconds[0] = 0.0  # whatever its type says
    return seconds


def map_bytes(graph: LayerGraph, *, free: bool, skip: bool) -> FloatArray:
    """Return the maps that the positions send; those of layers beside the chain never are."""
    chain = graph if graph.is_chain else graph.weighted_chain("drop")
    sent = chain.output_bytes.copy()
    if skip and not graph.is_chain:
        sent += residual_bytes(graph)
    if free:
        sent[-1] = 0.0
    return sent


def given_bytes(sent_bytes: npt.ArrayLike, size: int) -> FloatArray:
    """Return what a user says that the positions send, checked."""
    sent = np.array(sent_bytes, dtype=np.float64)
    if sent.shape != (size,) or not (np.isfinite(sent) & (sent >= 0)).all():
        raise ValueError(f"sent_bytes must hold {size} finite numbers, at least 0.")
    return sent


def send_seconds(sent: FloatArray, rates: FloatArray) -> FloatArray:
    """Return the seconds from each node to the cloud; nothing takes none, without a link inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sent > 0, 8 * sent / rates[:, None], 0.0)


def task_shares(whole: FloatArray, *, equal: bool) -> FloatArray:
    """Return the share of the tasks that each node takes; speed counts by the whole network."""
    if equal:
        whole = np.ones_like(whole)
    # A node that takes no time at all takes all tasks.
    speeds = 1 / whole if whole.all() else 1.0 * (whole == 0)
    return np.asarray(speeds / speeds.sum())


def queue(
    execution: FloatArray, mac: FloatArray, arrivals: FloatArray, waiting: str
) -> tuple[FloatArray, FloatArray]:
    """Return the seconds in the queue on each node, and the utilisation."""
    with np.errstate(divide="ignore"):
        service = 1 / execution  # inf where there is no work
    own = arrivals[:, None] * execution
    if waiting == "mmc":
        total = math.fsum(arrivals)
        wait = np.asarray(queues.mmc_wait(total, service.mean(axis=0), arrivals.size))
        usage = total / service.sum(axis=0)
    elif waiting == "mm1":
        wait, usage = queues.mm1_wait(arrivals[:, None], service), own.max(axis=0)
    else:
        speed = np.divide(mac, execution, out=np.ones_like(execution), where=execution > 0)
        wait, usage = queues.literal_wait(arrivals[:, None], mac, speed), own.max(axis=0)
    wait = np.broadcast_to(wait, own.shape)
    endless = np.isinf(wait).any(axis=0)  # rounding must not call it stable
    usage = np.where(endless, np.maximum(usage, 1.0), usage)
    return np.where(usage < 1, wait, np.inf), usage


def joule_per_task(servers: Sequence[Server], execution: FloatArray, mac: FloatArray) -> FloatArray:
    """Return static and dynamic energy of the front of one task, eqs. (18) and (19)."""
    for server in servers:
        if server.dynamic and server.speed is None:
            raise ValueError(f"server {server.name!r} has dynamic energy: give it by its speed.")
    static = np.array([server.power for server in servers])
    dynamic = np.array([server.dynamic * (server.speed or 0.0) for server in servers])
    return static[:, None] * execution + dynamic[:, None] * FLOP_PER_MAC * mac
