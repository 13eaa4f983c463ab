"""Table IV: parameters, work and size of the four networks, beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optedge import networks
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.instances import NETWORKS
from optedge.papers.eosdnn.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

#: Millions of parameters, GFLOP and MB, as printed.
PUBLISHED = {
    "alexnet": (62.1, 0.7, 237.0),
    "vgg19": (143.7, 19.6, 548.0),
    "googlenet": (7.1, 1.6, 27.0),
    "resnet101": (44.6, 7.6, 170.0),
}
COLUMNS = ("parameters (M)", "work (G)", "size")
CLOSE = 0.03  # relative difference up to which printed digits and another way of counting agree


def table_4() -> pd.DataFrame:
    """Return parameters, multiply-adds and MiB of each network, printed ones and ours.

    Our weights are those of the measured networks, 4 bytes each; work is that of the zoo in
    multiply-adds, with small counts for layers without weights.
    """
    import pandas as pd

    rows = []
    for network in NETWORKS:
        weights = float(networks.load(network, "linbin403").parameters.sum())
        ours = (weights / 1e6, networks.load(network).flops.sum() / 2e9, 4 * weights / 2**20)
        printed = zip(COLUMNS, PUBLISHED[network], strict=True)
        rows.append(
            {"network": network}
            | {f"{column}, published": value for column, value in printed}
            | dict(zip(COLUMNS, ours, strict=True))
            | {"size, 1e6 byte": 4e-6 * weights}
        )
    return pd.DataFrame(rows)


def judge_table_4(_: Runs) -> Part:
    """Check the three columns of the table."""
    table = table_4()
    return Part(judge(table), table)


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return a claim a column."""
    million = " / ".join(f"{v:.4g}" for v in table["size, 1e6 byte"])
    notes = {
        COLUMNS[0]: "AlexNet is that of table V, without groups",
        COLUMNS[
            1
        ]: "a multiply-add counts once; the work of AlexNet is that of a version with fewer "
        "parameters, 61.1 million",
        COLUMNS[2]: f"4 bytes a parameter in MiB, not in 1e6 byte ({million})",
    }
    return [_claim(table, column, note) for column, note in notes.items()]


def _claim(table: pd.DataFrame, column: str, note: str) -> Claim:
    printed, ours = table[f"{column}, published"], table[column]
    apart = (ours / printed - 1).abs()
    worst = table["network"].iloc[int(apart.argmax())]
    return Claim(
        f"{column} of {', '.join(table['network'])}",
        "table IV",
        " / ".join(f"{v:g}" for v in printed),
        " / ".join(f"{v:.4g}" for v in ours),
        verdict(bool((apart <= CLOSE).all())),
        f"{note}; at most {100 * apart.max():.2g} % apart ({worst})",
    )
