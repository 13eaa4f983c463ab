"""Table 1: where the network is split if memory, energy or a queue binds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.cloud_edge.instances import (
    NODES,
    UNIFORM,
    USABLE,
    best_position,
    costs,
    instance,
)

if TYPE_CHECKING:
    import pandas as pd

#: Table 1: nodes to layer of the split.
SPLITS = {30: 7, 20: 13, 10: 20}

#: The rows of our table: label to options of :func:`instance`, or to a quantile of the split.
SETTINGS: dict[str, dict[str, Any]] = {
    "given memory": {"memory": "given"},
    "pool, with projections": {"memory": "pool"},
    "pool, without projections": {"memory": "pool", "projection": False},
    "energy": {"binding": "energy"},
    "queueing": {"binding": "queueing"},
}
QUANTILES = {"median": 0.5, "lowest tenth": 0.1, "highest tenth": 0.9}


def table_1() -> pd.DataFrame:
    """Return the best split of each setting (row) for 30, 20 and 10 nodes (columns).

    The last rows have quantiles of the split where memories are drawn from 4 to 400 MB.
    """
    import pandas as pd

    rows = {"published": [SPLITS[n] for n in NODES]}
    for label, options in SETTINGS.items():
        rows[label] = [best_position(instance(n, **options)) for n in NODES]
    for label, share in QUANTILES.items():
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
    return best_position(instance(nodes, least))


def memory_range(nodes: int, *, projection: bool = False) -> tuple[float, float]:
    """Return the memory of a node in byte, from and below, that gives the split of table 1."""
    held = costs(1, "unlimited", projection=projection).memory
    j = SPLITS[nodes]
    return float(held[j] / USABLE), float(held[j + 1] / USABLE)


def pool_range(*, projection: bool) -> tuple[float, float]:
    """Return the pools in byte, from and below, that give all of table 1; none if from >= below."""
    ranges = [(n, *memory_range(n, projection=projection)) for n in NODES]
    return max(n * low for n, low, _ in ranges), min(n * high for n, _, high in ranges)


# ------------------------------------------------------------------------- claims


def judge_table_1() -> Part:
    """Compare the splits, and both directions that the paper states."""
    table = table_1()
    found = {row[0]: row[1:] for row in table.itertuples(index=False, name=None)}
    return Part([*_layers(found), *_directions(found)], table)


def _layers(found: dict[str, tuple[int, ...]]) -> list[Claim]:
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
    published = found["published"]
    return [
        Claim(
            f"layer of the split ({label})",
            "table 1",
            _in_words(published),
            _in_words(found[label]),
            verdict(found[label] == published),
            reason,
        )
        for label, reason in reasons.items()
    ]


def _directions(found: dict[str, tuple[int, ...]]) -> list[Claim]:
    reasons = {
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
    return [
        Claim(
            f"more nodes push the split farther back ({words})",
            "section 4, text",
            "deeper with more nodes",
            _in_words(found[label]),
            verdict(list(found[label]) == sorted(found[label], reverse=True)),
            reason,
        )
        for label, (words, reason) in reasons.items()
    ]


def _in_words(row: Iterable[int]) -> str:
    return ", ".join(f"{j} ({n} nodes)" for n, j in zip(NODES, row, strict=True))
