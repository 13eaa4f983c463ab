"""What ``reproduce`` of every paper returns: a row a claim, with its tables and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Verdict = Literal["reproduces", "differs", "cannot be checked"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """One published statement and what we find.

    Parameters
    ----------
    claim, where
        What the paper says, and where.
    published, ours
        Its number and ours, as text.
    verdict
        ``"reproduces"``, ``"differs"`` or ``"cannot be checked"``.
    reason
        Why, where it differs or cannot be checked.

    Raises
    ------
    ValueError
        If the verdict is another word, or the reason is missing where there must be one.
    """

    claim: str
    where: str
    published: str
    ours: str
    verdict: Verdict
    reason: str = ""

    def __post_init__(self) -> None:
        words = get_args(Verdict)
        if self.verdict not in words:
            raise ValueError(
                f"verdict of the claim {self.claim!r} must be one of {', '.join(words)}, "
                f"got {self.verdict!r}."
            )
        if self.verdict != "reproduces" and not self.reason.strip():
            raise ValueError(f"the claim {self.claim!r} {self.verdict}: its reason is missing.")


class Part(NamedTuple):
    """What one part of ``reproduce`` finds: claims, the table behind them, and what draws it."""

    claims: list[Claim]
    table: pd.DataFrame
    draw: Callable[[], Figure] | None = None


class Attachments(dict[str, Any]):
    """A dict that pandas does not copy at every operation on the table that it hangs on."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Attachments:
        return self


def verdict(holds: bool) -> Verdict:
    """Return the verdict on a claim that can be checked."""
    return "reproduces" if holds else "differs"


def claims_table(
    claims: Iterable[Claim],
    tables: Mapping[str, pd.DataFrame] | None = None,
    figures: Mapping[str, Callable[[], Figure]] | None = None,
) -> pd.DataFrame:
    """Return the claims as a table: what ``reproduce`` of every paper returns.

    A row a claim: claim, where, published, ours, verdict (``reproduces``, ``differs`` or ``cannot
    be checked``), reason. ``attrs["tables"]`` and ``attrs["figures"]`` hold the tables behind them
    and functions that draw the figures.

    Parameters
    ----------
    claims
        One a row.
    tables
        Name to the table behind some of the claims.
    figures
        Name to a function without arguments that draws it.
    """
    import pandas as pd

    columns = [field.name for field in dataclasses.fields(Claim)]
    table = pd.DataFrame([dataclasses.asdict(c) for c in claims], columns=columns)
    table.attrs["tables"] = Attachments(tables or {})
    table.attrs["figures"] = Attachments(figures or {})
    return table


def check_parts(parts: Iterable[str] | None, known: Iterable[str]) -> list[str]:
    """Return the parts asked for, all for None; ValueError naming the choices for another one."""
    known = list(known)
    wanted = known if parts is None else [parts] if isinstance(parts, str) else list(parts)
    for part in wanted:
        if part not in known:
            raise ValueError(f"there is no part {part!r}; the parts are {', '.join(known)}.")
    return wanted


def gather(
    parts: Iterable[str] | None, known: Mapping[str, Callable[..., Part]], *runs: Any
) -> pd.DataFrame:
    """Return the claims of the parts asked for, with their tables and figures.

    Each part is judged by a function, from the ``runs`` that all parts share, if there are any.
    Ctrl-C returns those of the parts that are finished; it is passed on if none is.
    """
    found: dict[str, Part] = {}
    try:
        for part in check_parts(parts, known):
            found[part] = known[part](*runs)
    except KeyboardInterrupt:
        if not found:
            raise
    return claims_table(
        [claim for part in found.values() for claim in part.claims],
        {name: part.table for name, part in found.items()},
        {name: part.draw for name, part in found.items() if part.draw is not None},
    )
