"""What became of the tasks: rows in memory or in the store, results wherever they are."""

from __future__ import annotations

import contextlib
import dataclasses
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

from optedge.solvers.result import Result
from optedge.store import Row, Store
from optedge.study.tasks import Instance, Plan, Task, reading

AT_ONCE = 1000  # rows that are read together


class InStore(NamedTuple):
    """Where a result is kept."""

    path: Path | None
    number: int


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What became of a task: a result, or a sentence on why there is none.

    Parameters
    ----------
    task
        The task.
    row
        What the table shows of it.
    kept
        The result, or where it is kept; None if there is none.
    """

    task: Task
    row: Row
    kept: Result | InStore | None = None

    @property
    def state(self) -> str:
        """``"done"``, ``"ERROR"`` (the solver raised) or ``"SKIPPED"`` (it declined)."""
        return "done" if self.kept is not None else self.row.status

    @property
    def message(self) -> str:
        """Why there is no result."""
        return self.row.message

    @property
    def result(self) -> Result | None:
        """The result, read from the store if that is where it is."""
        if not isinstance(self.kept, InStore):
            return self.kept
        problem = self.task.problem
        with reading(self.kept.path) as kept:
            return kept.result(self.kept.number, problem)


class Outcomes(Sequence[Outcome]):
    """The outcomes of a study in the order of its tasks, as short as they can be.

    Of a run in the store only its number is held, of any other one its row and its result.

    Parameters
    ----------
    plan
        The tasks.
    store
        The file of the numbers; None if there is none.
    """

    def __init__(self, plan: Plan, store: Path | None) -> None:
        self._plan, self._store = plan, store
        self._numbers = array("q")
        self._held: dict[int, tuple[Row, Result | None]] = {}
        self._order = array("q")

    def number(self, place: int, number: int) -> None:
        """Take the outcome of a task to be that number of the store."""
        missing = place + 1 - len(self._numbers)
        self._numbers.extend([0] * missing)
        self._numbers[place] = number

    def hold(self, place: int, row: Row, result: Result | None = None) -> None:
        """Hold the outcome of a task in memory."""
        self._held[place] = (row, result)

    def finish(self, places: int) -> None:
        """Put what there is in order, of so many tasks; the same run twice is two outcomes."""
        self._order = array("q", (p for p in range(places) if self._known(self._plan.original(p))))

    def _known(self, place: int) -> bool:
        return place in self._held or self._number(place) > 0

    def _number(self, place: int) -> int:
        return self._numbers[place] if place < len(self._numbers) else 0

    def with_results(self) -> Outcomes:
        """Return those that have a result."""
        chosen = Outcomes(self._plan, self._store)
        chosen._numbers, chosen._held = self._numbers, self._held
        chosen._order = array("q", (p for p in self._order if self._has_result(p)))
        return chosen

    def _has_result(self, place: int) -> bool:
        row, result = self._held.get(self._plan.original(place), (None, None))
        return row is None or result is not None

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Outcome: ...

    @overload
    def __getitem__(self, index: slice) -> list[Outcome]: ...

    def __getitem__(self, index: int | slice) -> Outcome | list[Outcome]:
        if isinstance(index, slice):
            return self._read(self._order[index])
        return self._read([self._order[index]])[0]

    def __iter__(self) -> Iterator[Outcome]:
        for first in range(0, len(self._order), AT_ONCE):
            yield from self._read(self._order[first : first + AT_ONCE])

    def _read(self, places: Sequence[int]) -> list[Outcome]:
        originals = [self._plan.original(place) for place in places]
        numbers = {n for o in originals if o not in self._held and (n := self._number(o))}
        rows: dict[int, Row] = {}
        if numbers:
            with reading(self._store) as kept:
                rows = dict(kept.rows(numbers))
        found = []
        for place, original in zip(places, originals, strict=True):
            task = self._plan.task(place)
            if original in self._held:
                row, result = self._held[original]
                if result is not None and result.problem is not task.instance.held:
                    result = dataclasses.replace(result, problem=task.problem)
                found.append(Outcome(task, row, result))
            else:
                number = self._number(original)
                found.append(Outcome(task, rows[number], InStore(self._store, number)))
        return found


class Results(Sequence[Result]):
    """The results of some outcomes, each read when it is asked for."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self._outcomes = outcomes

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [outcome.result for outcome in self._outcomes[index]]
        return self._outcomes[index].result

    def __iter__(self) -> Iterator[Any]:
        with contextlib.ExitStack() as stack:
            opened: Store | None = None
            instance: Instance | None = None
            for outcome in self._outcomes:
                if not isinstance(outcome.kept, InStore):
                    yield outcome.kept
                    continue
                if opened is None:  # once for all of them
                    opened = stack.enter_context(reading(outcome.kept.path))
                if instance is not outcome.task.instance:
                    instance, problem = outcome.task.instance, outcome.task.problem
                yield opened.result(outcome.kept.number, problem)
