"""Many trainings: every combination of settings with every seed, kept as they are finished."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optedge.learning.data import NAMED, Data
from optedge.learning.rows import Rows
from optedge.learning.training import train

if TYPE_CHECKING:
    import pandas as pd

#: Settings of the table that the cloud-edge paper is measured by: even and sorted, dormant shares.
GRID: dict[str, tuple[Any, ...]] = {"shares": ("iid", "sorted"), "dormancy": (0.0, 0.3, 0.6, 1.0)}


def study(
    data: Data | str = "digits",
    grid: Mapping[str, Iterable[Any]] | None = None,
    *,
    seeds: int | Iterable[int] = 5,
    store: Rows | str | Path | None = None,
    **given: Any,
) -> pd.DataFrame:
    """Train with every combination of some settings and every seed.

    Parameters
    ----------
    data
        A name (``"digits"``, ``"prototypes"``), drawn with the seed of each run, or data for all.
    grid
        Argument or option of :func:`~optedge.learning.train` to its values; :data:`GRID` by
        default, which makes 2 x 4 x 5 runs.
    seeds
        The seeds, or how many (5 means 0 to 4).
    store
        A file that keeps every finished run (:class:`~optedge.learning.Rows`): a study that was
        killed resumes there and repeats nothing.
    **given
        Further arguments of every run.

    Returns
    -------
    pandas.DataFrame
        A row a run: the settings, ``seed``; ``cloud``, ``exit``, ``mixed`` and ``dormant`` of the
        test; ``up``, ``down`` and ``up_in_test``, ``raw_in_test`` in byte; ``slept``, the dormant
        share of the training; ``waited``, seconds of uploads; ``cpu_seconds`` of training and
        test. Ctrl-C returns the runs that are finished.

    Raises
    ------
    ValueError, TypeError
        If the data, a setting or the file are refused.

    Examples
    --------
    >>> from optedge import learning
    >>> s = learning.study("prototypes", {"dormancy": (0, 1)}, seeds=2, steps=20)
    >>> s.groupby("dormancy")["up_in_test"].mean().tolist()
    [14400.0, 0.0]
    """
    import pandas as pd

    if isinstance(data, str) and data not in NAMED:
        raise ValueError(f"data must be one of {', '.join(NAMED)} or data, got {data!r}.")
    values = {name: list(each) for name, each in (GRID if grid is None else grid).items()}
    if twice := sorted({*values, "seed"} & {*given}):
        raise ValueError(f"{', '.join(twice)} stands in the study and beside it.")
    rows = store if isinstance(store, Rows) else Rows(store)
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    found: list[dict[str, Any]] = []
    try:
        for chosen in itertools.product(*values.values()):
            settings = dict(zip(values, chosen, strict=True))
            for seed in numbers:
                asked = {"data": data, **given, **settings, "seed": seed}
                measured = rows.row(asked, functools.partial(_run, **asked))
                found.append({**settings, "seed": seed, **measured})
    except KeyboardInterrupt:
        if not found:
            raise
    return pd.DataFrame(found)


def _run(data: Data | str, seed: int, **given: Any) -> dict[str, Any]:
    """Return the row of one run; reading the data is outside its seconds."""
    drawn = NAMED[data](seed) if isinstance(data, str) else data
    began = time.process_time()
    run = train(drawn, seed=seed, **given)
    test = run.test()
    seconds = time.process_time() - began
    told = run.history[-1] if len(run.history) else None
    return {
        "cloud": test.cloud,
        "exit": test.exit,
        "mixed": test.mixed,
        "dormant": test.dormant,
        "up": run.uploaded,
        "down": run.downloaded,
        "up_in_test": test.uploaded,
        "raw_in_test": test.raw,
        "slept": 0.0 if told is None else float(told["dormant"] / max(told["tasks"], 1)),
        "waited": 0.0 if told is None else float(told["upload_seconds"]),
        "cpu_seconds": seconds,
    }
