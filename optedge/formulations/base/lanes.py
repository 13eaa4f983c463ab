"""What a Gantt chart shows of a solution: lanes with bars."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Lane:
    """One row of a Gantt chart.

    Parameters
    ----------
    label
        Written at the left, once for neighbouring lanes that share it.
    bars
        ``(start, length, label)``, in seconds.
    groups
        A number a bar, such as its task: bars of one number share a colour in all lanes. Without
        them neighbours differ.
    link
        Whether the bars are transfers rather than work; such lanes are shaded.
    waiting
        Whether each bar is time that something waits, drawn pale and hatched; none by default.
    grouped_by
        What a group is, in the legend: ``"task"`` or ``"device"``.

    Raises
    ------
    ValueError
        If there are groups, or words about waiting, but not one a bar.
    """

    label: str
    bars: tuple[tuple[float, float, str], ...]
    groups: tuple[int, ...] = ()
    link: bool = False
    waiting: tuple[bool, ...] = ()
    grouped_by: str = "task"

    def __post_init__(self) -> None:
        for name, words in (("groups", "numbers"), ("waiting", "truth values")):
            given = getattr(self, name)
            if given and len(given) != len(self.bars):
                raise ValueError(
                    f"lane {self.label!r}: {name} must hold {len(self.bars)} {words}, one a bar, "
                    f"got {len(given)}."
                )
