"""Upload plans of all methods in the surroundings that figures 12 to 14 may have had.

Clocks are not printed, nor what the column of output sizes means, nor which layers stay; the times
in the text say that one network had its first layer at the client. So every claim is looked at in
several surroundings: the first of them, of clocks in the middle, is the one that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optedge.formulations.upload import UploadPlan, UploadProblem
from optedge.papers.eosdnn.runs import Runs
from optedge.papers.eosdnn.uploads import upload_instance

if TYPE_CHECKING:
    import pandas as pd


class Surrounding(NamedTuple):
    """A client and one edge; what the sizes of outputs mean; how many layers stay in front."""

    client_ghz: float
    edge_ghz: float
    data_unit: str
    stay: int = 0

    def __str__(self) -> str:
        held = ", first layer stays" if self.stay else ""
        return f"{self.client_ghz:g} and {self.edge_ghz:g} GHz, data in {self.data_unit}{held}"


SURROUNDINGS = (
    Surrounding(2.0, 10.0, "MB"),
    Surrounding(2.0, 10.0, "Mb"),
    Surrounding(2.3, 4.2, "MB"),
    Surrounding(1.1, 18.3, "Mb"),
)
FIRST_STAYS = tuple(s._replace(stay=1) for s in SURROUNDINGS)

OPTIMUM, LMU, IONN, EFFICIENCY, WHOLE = (
    "optimum",
    "LMU",
    "IONN",
    "recursive efficiency",
    "non-uploading",
)
POOLS_FIRST, AT_ONCE = "recursive efficiency, size 0 first", "LMU, size 0 at once"
#: Solver and options of each method; the last two are variants of what the paper leaves open.
METHODS: Mapping[str, tuple[str, dict[str, Any]]] = {
    LMU: ("lmu", {}),
    IONN: ("ionn", {}),
    EFFICIENCY: ("recursive-efficiency", {}),
    WHOLE: ("whole-upload", {}),
    OPTIMUM: ("interval-dp", {}),
    AT_ONCE: ("lmu", {"zero_rule": "paper"}),
    POOLS_FIRST: ("recursive-efficiency", {"zeros": "first"}),
}
SSD, BOUND, LARGEST = "sum of system delay (s^2)", "optimum (s^2)", "largest partition"
#: In which the paper compares LMU and IONN, seconds.
INTERVALS = ((0.23447, 0.57212), (17.38056, 23.78212))


def instance_in(network: str, where: Surrounding) -> UploadProblem:
    """Return an instance with forced use, as in the paper."""
    return upload_instance(
        network,
        where.client_ghz,
        [("edge", where.edge_ghz)],
        where.data_unit,  # type: ignore[arg-type]  # one of two words
        stay=where.stay,
        use="forced",
    )


def upload_table(
    runs: Runs, network: str, surroundings: Sequence[Surrounding] = SURROUNDINGS
) -> pd.DataFrame:
    """Return the sum of system delay of each method, a row a surrounding and method.

    Beside it stand the proved optimum, the share of the largest partition in all bytes, how many
    layers there are and how many lose by themselves (``LDA* < 0``), and the sum within the two
    intervals of the paper.
    """
    import pandas as pd

    rows = []
    for where in surroundings:
        instance = instance_in(network, where)
        for method, (solver, options) in METHODS.items():
            result = runs.upload(instance, solver, **options)
            plan = result.solution
            ends = instance.upload_ends(plan)
            sums = {
                f"{a:g} to {b:g} s (s^2)": ssd_between(instance, plan, a, b) for a, b in INTERVALS
            }
            rows.append(
                {
                    "network": network,
                    "surrounding": str(where),
                    "method": method,
                    SSD: result.objective,
                    BOUND: result.bound,
                    "proved gap": result.gap,
                    "upload (s)": instance.total_seconds,
                    "partitions": len(plan.partitions),
                    LARGEST: float(np.diff(ends, prepend=0.0).max() / instance.total_seconds),
                    "layers": int((~instance.stays).sum()),
                    "LDA* < 0": int((instance.values[~instance.stays] < 0).sum()),
                    **sums,
                }
            )
    return pd.DataFrame(rows)


def ssd_between(problem: UploadProblem, plan: UploadPlan, begin: float, end: float) -> float:
    """Return the system delay summed over a part of the upload only, s^2."""
    times = np.array([0.0, *problem.upload_ends(plan), math.inf])
    lengths = np.diff(np.clip(times, begin, end))
    return math.fsum(lengths * problem.delays(plan))


def by_surrounding(table: pd.DataFrame, column: str = SSD) -> dict[str, dict[str, float]]:
    """Return a column of the rows of one network: surrounding, then method, to value."""
    return {
        str(where): dict(zip(rows["method"], rows[column], strict=True))
        for where, rows in table.groupby("surrounding", sort=False)
    }


def lower(table: pd.DataFrame, method: str, than: str, column: str = SSD) -> dict[str, float]:
    """Return by how many per cent one method is below another in each surrounding."""
    return {
        where: 100 * (1 - values[method] / values[than])
        for where, values in by_surrounding(table, column).items()
    }


def in_words(values: Mapping[str, float]) -> str:
    """Return the first of the values, which is drawn, and between what all lie."""
    first, least, most = (
        f"{round(v, 2) + 0.0:.2f}"  # no -0.00
        for v in (next(iter(values.values())), min(values.values()), max(values.values()))
    )
    return f"{first} %, {least} to {most} % in {len(values)} surroundings"
