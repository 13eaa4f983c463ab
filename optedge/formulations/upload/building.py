"""The fields of an upload plan from a network, from a migration plan, or from other instances."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

if TYPE_CHECKING:
    from optedge.formulations.offloading import OffloadingProblem, Schedule
    from optedge.formulations.upload.problem import UploadProblem

#: Seconds that sizes (n,) take from servers (n,) to servers (n,); ``inf`` without a link.
Sending = Callable[[FloatArray, IntArray, IntArray], FloatArray]
_PER_LAYER = ("client_times", "server_times", "sends_in", "sends_out", "hops", "upload_times")


def of_network(
    graph: LayerGraph,
    platform: Platform,
    plan: npt.ArrayLike,
    client: int | None,
    bytes_per_parameter: float,
) -> dict[str, Any]:
    """Return what ``UploadProblem.from_network`` makes of tasks of one network."""
    chain = graph if graph.is_chain else graph.contracted()
    if chain.n_layers < 2 or chain.types[0] != "input":
        raise ValueError("layer 0 must be an input tensor, with layers behind it.")
    if not 0 <= bytes_per_parameter < math.inf:
        raise ValueError(
            f"bytes_per_parameter must be a number of at least 0, got {bytes_per_parameter!r}."
        )
    home = _client(platform, client)
    rows = _servers(plan, chain, platform.n_servers)

    def send(size: FloatArray, a: IntArray, b: IntArray) -> FloatArray:
        with np.errstate(divide="ignore"):  # where there is no link, what has no size has none too
            return np.where(platform.rates[a, b] > 0, 8 * size / platform.rates[a, b], np.inf)

    times = {
        k: platform.servers[k].layer_seconds(chain)[1:] for k in {home, *rows.ravel().tolist()}
    }
    sizes = bytes_per_parameter * chain.parameters[1:]
    made = []
    for servers in rows:
        there = np.array([times[k][j] for j, k in enumerate(servers.tolist())])
        made.append(_of_chain(times[home], there, chain.output_bytes, sizes, servers, home, send))
    size = float(chain.output_bytes[0]) / 1e6
    return {
        **_one_behind_the_other(made),
        "chain": np.repeat(np.arange(len(rows)), rows.shape[1]),
        "input_sizes": np.full(len(rows), size if size > 0 else 1.0),
        "name": graph.name,
    }


def of_offloading(
    problem: OffloadingProblem,
    schedule: Schedule | npt.ArrayLike,
    client: int,
    upload_mb: npt.ArrayLike,
) -> dict[str, Any]:
    """Return what ``UploadProblem.from_offloading`` makes of the tasks of one client."""
    if not problem.is_chains:
        raise ValueError("an upload plan takes tasks that are chains; contract the modules before.")
    tasks = np.flatnonzero(problem.clients == client)
    if not tasks.size:
        raise ValueError(f"no task is born at server {client!r}.")
    plan = problem.encode(schedule)
    for broken in problem.violations(plan)[:1]:
        raise ValueError(f"schedule: {broken}")
    sizes = _sizes(problem, upload_mb)
    made = []
    for i in tasks.tolist():
        layers = problem.first[i] + np.arange(problem.sizes[i])
        there = problem.seconds[layers, plan[layers]]
        data = np.append(problem.inputs_mb[i], problem.outputs_mb[layers])
        here = problem.seconds[layers, client]
        made.append(
            _of_chain(here, there, data, sizes[layers], plan[layers], client, problem.sending)
        )
    given = problem.inputs_mb[tasks]
    return {
        **_one_behind_the_other(made),
        "chain": np.repeat(np.arange(tasks.size), problem.sizes[tasks]),
        "input_sizes": given if (given > 0).all() else np.ones(tasks.size),
        "name": f"{problem.name}, client {client}".removeprefix(", "),
    }


def of_problems(problems: Iterable[UploadProblem]) -> dict[str, Any]:
    """Return what ``UploadProblem.joined`` makes of instances of one client."""
    parts = list(problems)
    if not parts:
        raise ValueError("problems must hold at least one upload plan.")
    for k, part in enumerate(parts):
        if part.use != parts[0].use:
            raise ValueError(f"problems[{k}] has use {part.use!r}, the first {parts[0].use!r}.")
    before = np.cumsum([0, *(part.input_sizes.size for part in parts[:-1])])
    return {
        **_one_behind_the_other(
            [{field: getattr(part, field) for field in (*_PER_LAYER, "stays")} for part in parts]
        ),
        "chain": np.concatenate([p.chain + k for p, k in zip(parts, before, strict=True)]),
        "input_sizes": np.concatenate([part.input_sizes for part in parts]),
        "use": parts[0].use,
        "name": " + ".join(part.name for part in parts if part.name),
    }


def _of_chain(
    here: FloatArray,
    there: FloatArray,
    data: FloatArray,
    sizes: FloatArray,
    servers: IntArray,
    client: int,
    send: Sending,
) -> dict[str, npt.NDArray[Any]]:
    """Return the fields of one chain.

    Parameters
    ----------
    here, there
        Seconds of each layer at the client and on its server, ``(n,)``.
    data
        Input of the first layer and output of each, ``(n + 1,)``, in the unit of ``send``.
    sizes
        What is uploaded of each layer, ``(n,)``, in the same unit.
    servers
        Of each layer, ``(n,)``; the client for those that stay.
    client
        The server from which the query starts.
    send
        Seconds of transfers.
    """
    stays, home = servers == client, np.full(servers.size, client)
    before = np.append(client, servers[:-1])
    linked = ~stays & np.append(False, ~stays[:-1]) & (before != servers)

    def seconds(size: FloatArray, a: IntArray, b: IntArray, needed: Any) -> FloatArray:
        found = np.zeros(servers.size)
        found[needed] = send(size[needed], a[needed], b[needed])
        for j in np.flatnonzero(~np.isfinite(found))[:1]:
            raise ValueError(f"no link leads from server {a[j]} to server {b[j]}: layer {j}.")
        return found

    return {
        "client_times": here,
        "server_times": np.where(stays, 0.0, there),
        "sends_in": seconds(data[:-1], home, servers, ~stays),
        "sends_out": seconds(data[1:], servers, home, ~stays),
        "hops": seconds(data[:-1], before, servers, linked),
        "upload_times": seconds(sizes, home, servers, ~stays),
        "stays": stays,
    }


def _one_behind_the_other(
    made: Sequence[dict[str, npt.NDArray[Any]]],
) -> dict[str, npt.NDArray[Any]]:
    return {field: np.concatenate([part[field] for part in made]) for field in made[0]}


def _client(platform: Platform, client: int | None) -> int:
    """Return the number of the client, the first server of tier 0 if none is given."""
    if client is None:
        homes = [k for k, server in enumerate(platform.servers) if server.tier == 0]
        if not homes:
            raise ValueError("the platform has no client (a server of tier 0).")
        return homes[0]
    try:
        number = operator.index(client)
    except TypeError:
        number = -1
    if not 0 <= number < platform.n_servers:
        raise ValueError(
            f"client must be one of the servers 0 to {platform.n_servers - 1}, got {client!r}."
        )
    return number


def _servers(plan: npt.ArrayLike, chain: LayerGraph, n_servers: int) -> IntArray:
    """Return the server of each layer of each task, ``(n_tasks, n_layers)``."""
    rows = np.array(plan)
    wanted = chain.n_layers - 1
    if rows.ndim not in (1, 2) or rows.shape[-1] != wanted or rows.size == 0:
        raise ValueError(
            f"plan must hold a server for each of {wanted} layers of {chain.name!r} (a module is "
            f"one layer, the input none), in one row or a row a task; got shape {rows.shape}."
        )
    rows = rows.reshape(-1, wanted)
    if rows.dtype.kind not in "iu":
        raise ValueError(f"plan must hold numbers of servers, got {rows.dtype}.")
    for i, j in np.argwhere((rows < 0) | (rows >= n_servers))[:1].tolist():
        raise ValueError(f"plan: task {i}, layer {j}: there is no server {rows[i, j]}.")
    return rows.astype(np.int64)


def _sizes(problem: OffloadingProblem, upload_mb: npt.ArrayLike) -> FloatArray:
    """Return the MB of each layer of all tasks, ``(n_subtasks,)``."""
    sizes = np.array(upload_mb, dtype=np.float64)
    if sizes.ndim == 1 and (problem.sizes == sizes.size).all():
        sizes = np.tile(sizes, problem.n_tasks)
    if sizes.shape != (problem.n_subtasks,):
        raise ValueError(
            f"upload_mb must hold a size for each of {problem.n_subtasks} layers of all tasks, or "
            f"for those of one where all have as many; got shape {sizes.shape}."
        )
    for v in np.flatnonzero(~(np.isfinite(sizes) & (sizes >= 0)))[:1]:
        raise ValueError(f"upload_mb[{v}] must be finite and at least 0, got {sizes[v]}.")
    return sizes
