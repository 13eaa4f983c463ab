"""Xu et al. 2020: environment, split instances and claims of the cloud-edge paper.

S. Xu, Z. Zhang, M. Kadoch, M. Cheriet, "A collaborative cloud-edge computing framework in
distributed neural network", EURASIP Journal on Wireless Communications and Networking 2020:211.
Their own system is called ACEFLF in the tables.

The paper gives neither memory, speeds, bandwidths nor energy budgets. Those below are the ones
that reproduce its tables 1 and 2; ``reproduce`` says how far they go.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from optedge import networks
from optedge.formulations.split.table import (
    Aim,
    SplitTable,
    residual_bytes,
    split_problem,
    split_table,
)
from optedge.networks.convolutions import Convolution, chain
from optedge.networks.graph import LayerGraph
from optedge.papers.claims import Claim, check_parts, claims_table
from optedge.platforms import Platform, Server, mbit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from optedge.formulations.split.problem import SplitProblem

NODES = (30, 20, 10)
#: Speed of a node and of the cloud in MAC/s: the two that fit the delays of table 2.
SPEED, CLOUD_SPEED = 40.5635e9, 494.41e9
#: Byte of the smallest node that give the splits of table 1, without projections.
MEMORY = {30: 11.6e6, 20: 18.9e6, 10: 36.9e6}
#: Byte that all nodes share equally, which give table 1 with projections and their maps.
POOL = 377e6
UNIFORM = (4e6, 400e6)  # byte of a node in the random setting
USABLE = 0.8  # lambda_0, share of the memory that a front may take
#: Energy that binds: 120 tasks in equal shares, and a budget of 11 GMAC a node.
TASKS, BUDGET_MAC, POWER = 120, 11e9, 10.0
ARRIVALS = 350.0  # tasks a second of the setting whose queue binds

SPLITS = {30: 7, 20: 13, 10: 20}
#: Table 2: (system, nodes) to delay in ms and energy in J.
TABLE_2 = {
    ("ACEFLF", 30): (25.7, 42.5),
    ("ACEFLF", 20): (40.2, 46.7),
    ("ACEFLF", 10): (57.1, 49.6),
    ("B-Net", 10): (69.1, 62.9),
    ("MASM", 10): (60.7, 58.0),
}
#: What the text makes of table 2: ACEFLF at 10 nodes against (system, 0 = delay, 1 = energy).
SAVINGS = {("B-Net", 0): 17.4, ("B-Net", 1): 21.1, ("MASM", 0): 5.9, ("MASM", 1): 14.5}
BANDWIDTHS = (10.0, 30.0, 100.0, 1000.0)  # Mbit/s of figure 6; the paper gives none

Binding = Literal["memory", "energy", "queueing"]
#: Kernel, channels and output size of the stages 2 to 5 of ResNet-34, and their layers.
STAGES = ((64, 56, 6), (128, 28, 8), (256, 14, 12), (512, 7, 6))


# ------------------------------------------------------------------------- the environment


def resnet34(
    *,
    projection: bool = False,
    maps: bool = True,
    classes: int = 1000,
    bytes_per_element: float = 4.0,
) -> LayerGraph:
    """Return the 34 layers of ResNet-34 that have weights, as a chain at 224 x 224 x 3.

    Parameters
    ----------
    projection
        Whether the three 1 x 1 convolutions on short cuts are counted, at layers 8, 16, 28.
    maps
        Whether their outputs are counted there too.
    classes
        Outputs of the last layer: 1000, or 10 for CIFAR-10.
    bytes_per_element
        Byte of one number of a map.
    """
    layers, names = [Convolution(7, 3, 64, 224, stride=2, padding=3)], ["conv1"]
    beside, channels, size = {}, 64, 56  # a pool stands before the second layer
    for stage, (width, side, count) in enumerate(STAGES, start=2):
        if width != channels:
            beside[len(layers) + 1] = [Convolution(1, channels, width, size, stride=2)]
        for k in range(count):
            stride = size // side
            layers.append(Convolution(3, channels, width, size, stride=stride, padding=1))
            names.append(f"res{stage}_{k // 2 + 1}_conv{k % 2 + 1}")
            channels, size = width, side
    layers.append(Convolution.fully_connected(channels, classes))
    return chain(
        layers,
        beside=beside if projection else None,
        beside_maps=maps,
        bytes_per_element=bytes_per_element,
        names=[*names, "fc"],
        name="resnet34",
    )


def node_memory(nodes: int, memory: str | float = "given", seed: int = 0) -> list[float]:
    """Return the memory of each node in byte, of a setting of :func:`instance`.

    Raises
    ------
    ValueError
        If the setting is unknown, or knows no memory for this number of nodes.
    """
    if memory == "given":
        if nodes not in MEMORY:
            raise ValueError(f"memory 'given' is known for nodes {tuple(MEMORY)}, got {nodes!r}.")
        return [MEMORY[nodes]] * nodes
    if memory == "pool":
        return [POOL / nodes] * nodes
    if memory == "uniform":
        draws = np.random.default_rng([seed, nodes]).uniform(*UNIFORM, nodes)
        return [float(byte) for byte in draws]
    if memory == "unlimited":
        return [math.inf] * nodes
    if isinstance(memory, str):
        raise ValueError(
            f"memory must be given, pool, uniform, unlimited or a number of byte, got {memory!r}."
        )
    return [float(memory)] * nodes


def environment(
    nodes: int = 30,
    memory: str | float = "given",
    *,
    bandwidth: float = math.inf,
    power: float = 0.0,
    energy: float = math.inf,
    seed: int = 0,
) -> Platform:
    """Return equal nodes (but perhaps for their memory) and a cloud.

    Parameters
    ----------
    nodes
        How many; 10, 20 or 30 in the paper.
    memory, seed
        As in :func:`instance`.
    bandwidth
        Bit/s from each node to the cloud; the fit of table 2 has no upload time (``inf``).
    power, energy
        Watt of a busy node, and joule that it may spend.
    """
    if not isinstance(nodes, int) or nodes < 1:
        raise ValueError(f"nodes must be a positive integer, got {nodes!r}.")
    flops = 2 * SPEED  # a server's speed is in FLOP/s
    servers = [
        Server(speed=flops, memory=byte, power=power, energy=energy, name=f"node {v}")
        for v, byte in enumerate(node_memory(nodes, memory, seed))
    ]
    rates = np.zeros((nodes + 1, nodes + 1))
    rates[:nodes, nodes] = rates[nodes, :nodes] = bandwidth
    cloud = Server(speed=2 * CLOUD_SPEED, tier=1, name="cloud")
    return Platform((*servers, cloud), rates, name=f"{nodes} nodes and a cloud")


def setting(
    nodes: int = 30,
    memory: str | float | None = None,
    binding: Binding = "memory",
    *,
    projection: bool | None = None,
    classes: int = 1000,
    bandwidth: float = math.inf,
    skip: bool = False,
    seed: int = 0,
) -> tuple[LayerGraph, Platform, dict[str, Any]]:
    """Return network, platform and table options of :func:`instance`; its parameters."""
    if binding not in ("memory", "energy", "queueing"):
        raise ValueError(f"binding must be memory, energy or queueing, got {binding!r}.")
    if memory is None:
        memory = "given" if binding == "memory" else "unlimited"
    options: dict[str, Any] = {"usable_memory": USABLE}
    limits: dict[str, float] = {}
    if binding == "energy":
        options |= {"n_tasks": TASKS, "sharing": "equal"}
        limits = {"power": POWER, "energy": POWER * BUDGET_MAC / SPEED}
    elif binding == "queueing":
        options["arrival_rate"] = ARRIVALS
    # The maps of projections are kept, not sent; the raw image has 8 bit a number.
    sent = resnet34(classes=classes).output_bytes.copy()
    if skip:
        sent += residual_bytes(networks.load("resnet34"))
    sent[0] /= 4
    options["sent_bytes"] = sent
    graph = resnet34(
        projection=memory == "pool" if projection is None else projection, classes=classes
    )
    platform = environment(nodes, memory, bandwidth=bandwidth, seed=seed, **limits)
    return graph, platform, options


def instance(
    nodes: int = 30,
    memory: str | float | None = None,
    binding: Binding = "memory",
    *,
    projection: bool | None = None,
    classes: int = 1000,
    bandwidth: float = math.inf,
    skip: bool = False,
    seed: int = 0,
    aim: Aim = "depth",
    weights: Mapping[str, float] | None = None,
    **options: Any,
) -> SplitProblem:
    """Return the split problem of the published experiment.

    Parameters
    ----------
    nodes
        Number of edge nodes; 10, 20 or 30 in the paper.
    memory
        Of a node, of which a front may take 0.8. ``"given"``: 11.6, 18.9 and 36.9 MB for 30, 20,
        10 nodes; ``"pool"``: equal parts of 377 MB; ``"uniform"``: drawn from 4 to 400 MB;
        ``"unlimited"``; or a number of byte. By default ``"given"`` if memory binds.
    binding
        What limits the split: ``"memory"``, which gives table 1; ``"energy"`` of 120 tasks shared
        equally, or a ``"queueing"`` system with 350 tasks a second, whose direction is the text's.
    projection
        Whether the projections of ResNet-34 and their maps are counted; by default with ``"pool"``.
    classes
        Outputs of the network.
    bandwidth
        Bit/s from each node to the cloud.
    skip
        Whether a cut inside a block sends the tensor around it too.
    seed
        Of ``"uniform"``.
    aim, weights, **options
        As in :func:`optedge.formulations.split.table.split_problem`.

    Raises
    ------
    ValueError
        If a setting is unknown.
    """
    graph, platform, chosen = setting(
        nodes,
        memory,
        binding,
        projection=projection,
        classes=classes,
        bandwidth=bandwidth,
        skip=skip,
        seed=seed,
    )
    name = f"cloud-edge, {nodes} nodes, {binding} binds"
    return split_problem(
        graph, platform, aim=aim, weights=weights, name=name, **{**chosen, **options}
    )


def best_position(problem: SplitProblem) -> int | None:
    """Return the best position by enumeration, the first of equals; None if there is none."""
    values = [problem.objective(np.array([j])) for j in range(problem.value.size)]
    best = int(np.argmin(values))
    return best if values[best] < math.inf else None


# ------------------------------------------------------------------------- table 1

TABLE_1 = (
    ("given memory", {"memory": "given"}),
    ("pool, with projections", {"memory": "pool"}),
    ("pool, without projections", {"memory": "pool", "projection": False}),
    ("energy", {"binding": "energy"}),
    ("queueing", {"binding": "queueing"}),
)


def table_1() -> pd.DataFrame:
    """Return the best split of each setting (row) for 30, 20 and 10 nodes (columns).

    The last rows have quantiles of the split where memories are drawn from 4 to 400 MB.
    """
    import pandas as pd

    rows = {"published": [SPLITS[n] for n in NODES]}
    for label, options in TABLE_1:
        rows[label] = [best_position(instance(n, **options)) for n in NODES]  # type: ignore[misc]
    for label, share in (("median", 0.5), ("lowest tenth", 0.1), ("highest tenth", 0.9)):
        rows[f"random memory, {label}"] = [random_split(n, share) for n in NODES]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[f"{n} nodes" for n in NODES])
    return table.rename_axis("setting").reset_index()


def random_split(nodes: int, share: float = 0.5) -> int:
    """Return the quantile of the deepest split if the memories are drawn from 4 to 400 MB.

    Exact: the least of n uniform numbers on (a, b) exceeds ``a + (b - a) t`` with probability
    ``(1 - t)**n``, and the split grows with it.
    """
    low, high = UNIFORM
    least = low + (high - low) * -math.expm1(math.log1p(-share) / nodes)
    best = best_position(instance(nodes, least))
    assert best is not None  # position 0 needs no memory
    return best


def memory_range(nodes: int, *, projection: bool = False) -> tuple[float, float]:
    """Return the memory of a node in byte, from and below, that gives the split of table 1."""
    held = split_table(resnet34(projection=projection), environment(1, "unlimited")).memory
    j = SPLITS[nodes]
    return float(held[j] / USABLE), float(held[j + 1] / USABLE)


def pool_range(*, projection: bool) -> tuple[float, float]:
    """Return the pools in byte, from and below, that give all of table 1; none if from >= below."""
    ranges = [(n, *memory_range(n, projection=projection)) for n in NODES]
    return max(n * low for n, low, _ in ranges), min(n * high for n, _, high in ranges)


def _in_words(row: Iterable[Any]) -> str:
    return ", ".join(f"{j} ({n} nodes)" for n, j in zip(NODES, row, strict=True))


def _table_1(table: pd.DataFrame) -> list[Claim]:
    """Compare the splits, and both directions that the paper states."""
    found = {row[0]: row[1:] for row in table.itertuples(index=False, name=None)}
    published = found["published"]
    ranges = ", ".join("{:.2f} to {:.2f}".format(*np.divide(memory_range(n), 1e6)) for n in NODES)
    low, high = np.divide(pool_range(projection=True), 1e6)
    plain_low, plain_high = np.divide(pool_range(projection=False), 1e6)
    reasons = {
        "given memory": f"memory is not published; {ranges} MB a node give these splits",
        "pool, with projections": (
            f"any pool from {low:.2f} to {high:.2f} MB shared equally, projections counted"
        ),
        "pool, without projections": (
            f"no pool fits: {NODES[0]} nodes need less than {plain_high:.2f} MB, "
            f"others at least {plain_low:.2f} MB"
        ),
    }
    claims = [
        Claim(
            f"layer of the split ({label})",
            "table 1",
            _in_words(published),
            _in_words(found[label]),
            "reproduces" if found[label] == published else "differs",
            reason,
        )
        for label, reason in reasons.items()
    ]
    directions = {
        "given memory": (
            "memory binds",
            "the least memory of all nodes counts, and its table 1 has this direction",
        ),
        "random memory, median": (
            "memory is random, median",
            "the least of more random memories is smaller",
        ),
        "energy": ("energy binds", "fewer tasks a node; but then table 1 does not hold"),
        "queueing": ("queueing binds", "more capacity; but then table 1 does not hold"),
    }
    for label, (words, reason) in directions.items():
        deeper = list(found[label]) == sorted(found[label], reverse=True)
        claims.append(
            Claim(
                f"more nodes push the split farther back ({words})",
                "section 4, text",
                "deeper with more nodes",
                _in_words(found[label]),
                "reproduces" if deeper else "differs",
                reason,
            )
        )
    return claims


# ------------------------------------------------------------------------- table 2


def _costs(positions: Iterable[int]) -> tuple[list[float], list[float]]:
    """Return the work in GMAC before and behind positions."""
    work = resnet34().flops.cumsum() / 2e9
    chosen = list(positions)
    return [float(work[j]) for j in chosen], [float(work[-1] - work[j]) for j in chosen]


def fit_delays() -> dict[str, float]:
    """Fit the delays of table 2: non-negative ms per GMAC before and behind the split, per MB, 1.

    Two of the four parameters vanish: there is no upload and no constant in the data.
    """
    from scipy.optimize import nnls

    before, behind = _costs(SPLITS.values())
    sent = resnet34().output_bytes[list(SPLITS.values())] / 1e6
    delays = [TABLE_2["ACEFLF", n][0] for n in SPLITS]
    found, _ = nnls(np.column_stack([before, behind, sent, np.ones(len(sent))]), delays)
    return dict(zip(("node", "cloud", "upload", "constant"), found.tolist(), strict=True))


def fit_energies() -> dict[str, tuple[float, float]]:
    """Fit the energies of table 2: (constant, J per GMAC), ``"proportional"`` and ``"affine"``."""
    from scipy.optimize import nnls

    work = np.array(_costs(SPLITS.values())[0])
    joule = np.array([TABLE_2["ACEFLF", n][1] for n in SPLITS])
    (constant, slope), _ = nnls(np.column_stack([np.ones_like(work), work]), joule)
    return {
        "proportional": (0.0, float(work @ joule / (work @ work))),
        "affine": (float(constant), float(slope)),
    }


def table_2() -> pd.DataFrame:
    """Return published delay and energy, and ours at the splits that our settings choose.

    The rows without a published number are whole-task offloading (MASM has no split): everything
    on a node, or everything in the cloud without upload time.
    """
    import pandas as pd

    last = resnet34().n_layers - 1
    rows: list[dict[str, Any]] = []
    for (system, nodes), (delay, joule) in TABLE_2.items():
        row = {"system": system, "nodes": nodes, "position": None}
        row |= {"published delay (ms)": delay, "published energy (J)": joule}
        if system == "ACEFLF":
            row |= _modelled(nodes, best_position(instance(nodes)))
        rows.append(row)
    for system, j in (("whole task in the cloud", 0), ("whole task on a node", last)):
        rows.append({"system": system, "nodes": 10, **_modelled(10, j)})
    return pd.DataFrame(rows).astype({"position": "Int64"})


def _modelled(nodes: int, position: int | None) -> dict[str, Any]:
    """Return position, delay and the energies of both fits, eqs. (18) to (20) and a constant."""
    if position is None:
        return {}
    row: dict[str, Any] = {"position": position}
    for label, (constant, slope) in fit_energies().items():
        graph, _, options = setting(nodes)
        platform = environment(nodes, power=slope * SPEED / 1e9)
        costs = split_table(graph, platform, **options)
        row["delay (ms)"] = 1e3 * costs.latency[position]
        row[f"{label} energy (J)"] = constant + costs.energy.sum(axis=0)[position]
    return row


def _table_2(table: pd.DataFrame) -> list[Claim]:
    """Compare delays, energies and the savings that the text derives from them."""
    ours = table[table["system"] == "ACEFLF"]
    return [*_delays(ours), *_energies(ours), *_others(table), *_savings()]


def _listed(values: Iterable[float], unit: str, digits: int = 2) -> str:
    return ", ".join(f"{v:.{digits}f}" for v in values) + f" {unit}"


def _delays(ours: pd.DataFrame) -> list[Claim]:
    fit = fit_delays()
    error = float((ours["delay (ms)"] - ours["published delay (ms)"]).abs().max())
    falls = bool(ours["delay (ms)"].is_monotonic_increasing)  # from 30 to 10 nodes
    return [
        Claim(
            f"delay with {', '.join(map(str, NODES))} nodes",
            "table 2",
            _listed(ours["published delay (ms)"], "ms", 1),
            _listed(ours["delay (ms)"], "ms"),
            "reproduces" if error <= 0.1 else "differs",
            f"two speeds fitted to three numbers: {1e3 / fit['node']:.4f} GMAC/s on a node, "
            f"{1e3 / fit['cloud']:.2f} in the cloud; the fit puts {fit['upload']:.3g} on the "
            f"upload and {fit['constant']:.3g} on a constant",
        ),
        Claim(
            "the delay falls with the number of nodes",
            "table 2",
            "falls",
            _listed(ours["delay (ms)"], f"ms at positions {ours['position'].tolist()}"),
            "reproduces" if falls else "differs",
            "as the split of table 1 gets shallower, not as nodes share work",
        ),
    ]


def _energies(ours: pd.DataFrame) -> list[Claim]:
    published = ours["published energy (J)"]
    proportional, affine = ours["proportional energy (J)"], ours["affine energy (J)"]
    ordered = proportional.is_monotonic_increasing and published.is_monotonic_increasing
    off, off_affine = (float((e - published).abs().max()) for e in (proportional, affine))
    constant, slope = fit_energies()["affine"]
    watt = published.iloc[0] / (1e-3 * ours["published delay (ms)"].iloc[0])
    return [
        Claim(
            "the energy falls with the number of nodes",
            "table 2",
            _listed(published, "J", 1),
            _listed(proportional, "J"),
            "reproduces" if ordered else "differs",
            "eqs. (18) to (20) are proportional to the work of the front: the order only",
        ),
        Claim(
            "energy in joule, eqs. (18) to (20)",
            "table 2",
            _listed(published, "J", 1),
            _listed(proportional, "J"),
            "reproduces" if off <= 1 else "differs",
            f"off by up to {off:.1f} J; {published.iloc[0]} J within the published delay "
            f"would be {watt:.0f} W",
        ),
        Claim(
            "energy in joule, with a constant",
            "table 2",
            _listed(published, "J", 1),
            _listed(affine, "J"),
            "reproduces" if off_affine <= 1 else "differs",
            f"{constant:.3f} J + {slope:.3f} J/GMAC, two parameters for three numbers, "
            f"off by up to {off_affine:.2f} J; the paper has no constant",
        ),
    ]


def _others(table: pd.DataFrame) -> list[Claim]:
    found = table.set_index("system")
    whole = found.loc[["whole task in the cloud", "whole task on a node"], "delay (ms)"]
    delay = {s: TABLE_2[s, 10] for s in ("B-Net", "MASM")}
    raw = 8 * resnet34().output_bytes[0] / 4
    rate = raw / (1e-3 * (delay["MASM"][0] - whole.iloc[0])) / 1e6
    return [
        Claim(
            "delay and energy of B-Net with 10 nodes",
            "table 2",
            "{} ms, {} J".format(*delay["B-Net"]),
            "not computed",
            "cannot be checked",
            "its exits, threshold and network are not given",
        ),
        Claim(
            "delay and energy of MASM (no split) with 10 nodes",
            "table 2",
            "{} ms, {} J".format(*delay["MASM"]),
            f"{whole.iloc[0]:.2f} ms all in the cloud, {whole.iloc[1]:.2f} ms all on a node",
            "cannot be checked",
            f"no parameters are given; in the cloud with an uplink of {rate:.1f} Mbit/s it would "
            "take the published time, with a fast one it beats every split",
        ),
    ]


def _savings() -> list[Claim]:
    claims = []
    for (system, column), percent in SAVINGS.items():
        own, other = TABLE_2["ACEFLF", 10][column], TABLE_2[system, 10][column]
        change = 100 * (own / other - 1)
        exact = abs(change + percent) <= 0.05
        claims.append(
            Claim(
                f"{('delay', 'energy')[column]} against {system}, 10 nodes",
                "section 4, text",
                f"-{percent} %",
                f"{change:.2f} %",
                "reproduces" if exact else "differs",
                "arithmetic on the published table only",
            )
        )
    return claims


# ------------------------------------------------------------------------- figures 5 and 6


def figure_5() -> pd.DataFrame:
    """Return memory and work of every position of ResNet-34, with the stage of its layer."""
    graph, platform, options = setting(10)
    table = split_table(graph, platform, **options).frame()
    sizes = [1, *(count for _, _, count in STAGES), 1]
    stage = np.repeat(["conv1", "stage 2", "stage 3", "stage 4", "stage 5", "fc"], sizes)
    table.insert(1, "layer", list(graph.names))
    table.insert(2, "stage", ["input", *stage])
    return table[["position", "layer", "stage", "memory (MB)", "work (GMAC)"]]


def _figure_5(table: pd.DataFrame) -> list[Claim]:
    """Check how the memory of the front grows."""
    memory = table["memory (MB)"]
    added = memory.diff().fillna(0.0)
    inside = table["stage"].str.startswith("stage")
    slopes = added[inside].groupby(table["stage"]).median()
    last, stage_5 = added.iloc[-1], added[table["stage"] == "stage 5"].sum()
    grows = bool(slopes.is_monotonic_increasing)
    return [
        Claim(
            "the memory of the front grows with the split",
            "figure 5",
            "grows, ever faster",
            f"{memory.iloc[1]:.2f} to {memory.iloc[-1]:.2f} MB; "
            + ", ".join(f"{s} {v:.2f}" for s, v in slopes.items())
            + " MB a layer",
            "reproduces" if bool((added[1:] > 0).all()) and grows else "differs",
            "piecewise linear, the slope grows by stage from 3 on",
        ),
        Claim(
            "the memory jumps at the end because of the fully connected layers",
            "figure 5",
            "exponential jump",
            f"fully connected {last:.2f} MB, stage 5 {stage_5:.2f} MB of {memory.iloc[-1]:.2f} MB",
            "reproduces" if last > stage_5 else "differs",
            "true of AlexNet or VGG; ResNet-34 has one small fully connected layer",
        ),
    ]


def draw_figure_5(table: pd.DataFrame) -> Figure:
    """Draw the memory of the front over the split, a colour a stage."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(table["position"], table["memory (MB)"], color="0.7", zorder=1)
    for k, (stage, part) in enumerate(table.groupby("stage", sort=False)):
        ax.scatter(part["position"], part["memory (MB)"], color=f"C{k}", s=22, label=stage)
    for nodes in NODES:
        limit = USABLE * MEMORY[nodes] / 1e6
        ax.axhline(limit, color="0.4", linestyle=":", linewidth=1)
        ax.annotate(
            f"{nodes} nodes: {limit:.2f} MB, position {SPLITS[nodes]}",
            (34.5, limit),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    ax.set_xlabel("split position (layers on the nodes)")
    ax.set_ylabel("weights and maps of the front (MB)")
    ax.set_title("ResNet-34, float32, batch 1")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return figure


def figure_6(bandwidths: Iterable[float] = BANDWIDTHS) -> pd.DataFrame:
    """Return the delay in seconds of every position, a column a bandwidth in Mbit/s.

    Ten classes, raw images of 8 bit a number, float32 maps, no queue.
    """
    import pandas as pd

    columns = {}
    for rate in bandwidths:
        graph, platform, options = setting(10, classes=10, bandwidth=mbit(rate))
        columns[rate] = split_table(graph, platform, **options).latency
    return pd.DataFrame(columns).rename_axis(index="position", columns="Mbit/s")


def _with_units(delays: pd.DataFrame) -> pd.DataFrame:
    """Return the delays with position and bandwidth in words, for files."""
    return delays.rename(columns=lambda rate: f"delay at {rate:g} Mbit/s (s)").reset_index()


def falling_below(shallow: int, deep: int) -> float:
    """Return the bandwidth in Mbit/s below which the deeper of two positions is faster."""
    graph, platform, options = setting(10, classes=10, bandwidth=mbit(1.0))
    table: SplitTable = split_table(graph, platform, **options)
    upload = table.upload[0]
    other = table.latency - upload
    saved, lost = upload[shallow] - upload[deep], other[deep] - other[shallow]
    return float(saved / lost) if lost > 0 else math.inf


def _figure_6(delays: pd.DataFrame) -> list[Claim]:
    """Check whether the delay falls as the split moves back."""
    shown, end = list(SPLITS.values()), len(delays) - 1
    pairs = [falling_below(a, b) for a, b in zip(shown, [*shown[1:], end], strict=True)]
    whole = falling_below(0, end)
    claims = []
    for rate, column in delays.items():
        at = [column[j] for j in (0, *shown, end)]
        falls = bool((np.diff(at[1:]) < 0).all())
        claims.append(
            Claim(
                f"total delay falls as the split moves back ({rate:g} Mbit/s)",
                "figure 6",
                "falls",
                f"{at[0]:.4f} s at 0; "
                + ", ".join(f"{v:.4f} at {j}" for v, j in zip(at[1:], (*shown, end), strict=True))
                + f"; best {int(np.argmin(column))}",
                "reproduces" if falls else "differs",
                f"along {', '.join(map(str, shown))} and {end} it falls below {min(pairs):.1f} "
                f"Mbit/s, the last is better than 0 below {whole:.1f}; inside a stage it rises"
                if falls
                else "the link is fast enough: work on slow nodes outweighs the smaller maps",
            )
        )
    published = [TABLE_2["ACEFLF", n][0] for n in SPLITS]
    claims.append(
        Claim(
            "total delay falls as the split moves back (table 2)",
            "figure 6",
            "falls",
            ", ".join(f"{d} ms at {j}" for d, j in zip(published, shown, strict=True)),
            "reproduces" if published == sorted(published, reverse=True) else "differs",
            "tables 1 and 2 of the paper together say the opposite of its figure 6",
        )
    )
    return claims


def draw_figure_6(delays: pd.DataFrame) -> Figure:
    """Draw the delay over the split, a curve a bandwidth, the best position of each marked."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for k, (rate, column) in enumerate(delays.items()):
        ax.plot(column.index, column, color=f"C{k}", marker=".", label=f"{rate:g} Mbit/s")
    best = delays.to_numpy().argmin(axis=0)
    at = delays.to_numpy().min(axis=0)
    ax.plot(best, at, "o", color="black", fillstyle="none", markersize=9, label="best position")
    ax.set_yscale("log")
    ax.set_xlabel("split position (layers on the nodes)")
    ax.set_ylabel("delay of a task (s)")
    ax.set_title("ResNet-34: 8 bit image, float32 maps")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False)
    return figure


# ------------------------------------------------------------------------- claims

#: Of each part: the table behind it, its claims, and what draws it, if anything does.
_PARTS: dict[
    str,
    tuple[
        Callable[[], Any],
        Callable[[Any], list[Claim]],
        Callable[[Any], Figure] | None,
    ],
] = {
    "table 1": (table_1, _table_1, None),
    "table 2": (table_2, _table_2, None),
    "figure 5": (figure_5, _figure_5, draw_figure_5),
    "figure 6": (figure_6, _figure_6, draw_figure_6),
}
#: The names that :func:`reproduce` takes.
PARTS = tuple(_PARTS)


def reproduce(
    parts: Iterable[str] | None = None, *, seeds: int = 5, time_limit: float | None = None
) -> pd.DataFrame:
    """Check the claims of the paper about splits.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`; all by default.
    seeds, time_limit
        Not used: every number here is exact and takes milliseconds.

    Returns
    -------
    pandas.DataFrame
        A row a claim: claim, where, published, ours, verdict (``reproduces``, ``differs`` or
        ``cannot be checked``), reason. ``attrs["tables"]`` and ``attrs["figures"]`` hold the
        tables behind them and functions that draw the figures.

    Raises
    ------
    ValueError
        If a part is unknown.
    """
    claims: list[Claim] = []
    tables: dict[str, pd.DataFrame] = {}
    drawings: dict[str, Callable[[], Figure]] = {}
    for part in check_parts(parts, PARTS):
        measure, judge, draw = _PARTS[part]
        measured = measure()
        tables[part] = _with_units(measured) if part == "figure 6" else measured
        claims += judge(measured)
        if draw is not None:
            drawings[part] = functools.partial(draw, measured)
    return claims_table(claims, tables, drawings)
