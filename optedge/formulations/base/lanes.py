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

    Raises
    ------
    ValueError
        If there are groups, but not one a bar.
    """

    label: str
    bars: tuple[tuple[float, float, str], ...]
    groups: tuple[int, ...] = ()
    link: bool = False

    def __post_init__(self) -> None:
        if self.groups and len(self.groups) != len(self.bars):
            raise ValueError(
                f"lane {self.label!r}: groups must hold {len(self.bars)} numbers, one a bar, "
                f"got {len(self.groups)}."
            )
