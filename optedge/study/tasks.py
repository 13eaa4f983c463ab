"""What a study consists of: instances, solvers with options, seeds; never all problems at once."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optedge.formulations.base import Problem
from optedge.solvers.registry import Solver, find_solver
from optedge.store import Store

Entry = str | Solver | Callable[..., Any]


@dataclasses.dataclass(slots=True, eq=False)
class Instance:
    """An instance as the table shows it, and the way to its data.

    Parameters
    ----------
    label, key, columns
        What it is called, the hash of its data, the columns to show beside it.
    name
        Its own name; None if its class has none.
    number, store
        Where its data are kept; 0 and None without a store.
    held
        The problem itself; None if it is read from the store when it is asked for.
    """

    label: str
    key: str
    columns: Mapping[str, Any]
    name: str | None
    number: int = 0
    store: Path | None = None
    held: Problem | None = None

    @property
    def problem(self) -> Problem:
        """The problem itself."""
        if self.held is not None:
            return self.held
        with reading(self.store) as kept:
            problem = kept.problem(self.number)
        if self.name is not None and self.name != getattr(problem, "name", None):
            problem = problem.replace(name=self.name)  # the same data came under two names
        return problem


@dataclasses.dataclass(slots=True, eq=False)
class Setup:
    """A solver with the options that it is given; ``number`` is its place in the store."""

    solver: Solver
    options: Mapping[str, Any]
    number: int = 0

    @property
    def label(self) -> str:
        """The solver with the options that it was given."""
        if not self.options:
            return self.solver.name
        return f"{self.solver.name}({', '.join(f'{k}={v}' for k, v in self.options.items())})"

    def same(self, other: Setup) -> bool:
        """Tell whether both do the same."""
        return (
            bool(self.solver.function == other.solver.function)
            and self.solver.name == other.solver.name
            and _texts(self.options) == _texts(other.options)
        )


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Task:
    """One run of a study: an instance, a solver with options, and a seed."""

    instance: Instance
    setup: Setup
    seed: int

    @property
    def problem(self) -> Problem:
        """The problem; read from the store if the study does not hold it."""
        return self.instance.problem

    @property
    def solver(self) -> Solver:
        """The solver."""
        return self.setup.solver

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that the solver is given."""
        return self.setup.options

    @property
    def columns(self) -> Mapping[str, Any]:
        """The columns that stand beside the instance."""
        return self.instance.columns

    @property
    def label(self) -> str:
        """The solver with the options that it was given."""
        return self.setup.label


class Plan:
    """All tasks in the order of problems, solvers, seeds; a task is known by its place there.

    Instances are added as they come. A task that says the same as an earlier one, on equal data,
    is that task: it is run once and shown twice.
    """

    def __init__(self, setups: Iterable[Setup], seeds: Iterable[int]) -> None:
        self.instances: list[Instance] = []
        self.pairs: list[tuple[Setup, int]] = []
        self._first_pair: list[int] = []
        setups, seeds = list(setups), list(seeds)
        places: dict[tuple[int, int], int] = {}
        for setup in setups:
            first = next(k for k, other in enumerate(setups) if other.same(setup))
            for seed in seeds[:1] if setup.solver.deterministic else seeds:
                self._first_pair.append(places.setdefault((first, seed), len(self.pairs)))
                self.pairs.append((setup, seed))
        self._first_instance: dict[str, int] = {}
        self._originals = array("q")

    def add(self, instance: Instance) -> range:
        """Add an instance and return the places of its tasks."""
        number = len(self.instances)
        self.instances.append(instance)
        self._originals.append(self._first_instance.setdefault(instance.key, number))
        return range(number * len(self.pairs), (number + 1) * len(self.pairs))

    def task(self, place: int) -> Task:
        """Return the task of that place."""
        instance, pair = divmod(place, len(self.pairs))
        return Task(self.instances[instance], *self.pairs[pair])

    def original(self, place: int) -> int:
        """Return the place of the first task that is the same run."""
        instance, pair = divmod(place, len(self.pairs))
        return self._originals[instance] * len(self.pairs) + self._first_pair[pair]


# ------------------------------------------------------------------------------ from arguments


def listed(things: Any) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Return (thing, dict) pairs of one thing or several, paired or not, as they come."""
    single = isinstance(things, Problem | str | Solver) or callable(things)
    for thing in [things] if single else things:
        yield thing if isinstance(thing, tuple) else (thing, {})


def make_setups(solvers: Entry | Iterable[Any]) -> list[Setup]:
    """Return the solvers with their options; ValueError or TypeError if there is none such."""
    setups = [Setup(find_solver(entry), dict(options)) for entry, options in listed(solvers)]
    for setup in setups:
        setup.solver.make_options(setup.options)  # an error of the study, not of one run
    return setups


def enter_setups(setups: Sequence[Setup], budgets: Mapping[str, Any], kept: Store) -> None:
    """Give each setup its number in the store.

    Raises
    ------
    ValueError
        If two setups that are not the same would have the same number.
    """
    for place, setup in enumerate(setups):
        setup.number = kept.setup_number(setup.solver.name, _settings(setup, budgets))
        for other in setups[:place]:
            if other.number == setup.number and not other.same(setup):
                raise ValueError(
                    f"two different solvers are both called {setup.solver.name!r}: a store cannot"
                    " tell them apart; give each a name of its own."
                )


def _settings(setup: Setup, budgets: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the outcome of a run depends on, its instance and seed left out."""
    return {
        "solver": setup.solver.name,
        "source": setup.solver.source_hash,
        "options": _texts(setup.options),
        "budgets": _texts(budgets),
        "version": version("optedge"),
    }


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in sorted(values.items())}


def make_seeds(seeds: int | Iterable[int]) -> list[int]:
    """Return the seeds, or as many as were asked for; ValueError if there is none."""
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen:
        raise ValueError("seeds must be at least one.")
    return chosen


def make_instance(
    problem: Any, columns: Mapping[str, Any], kept: Store | None, hold: bool
) -> Instance:
    """Return the instance of a problem; TypeError if it is none."""
    check_problem(problem)
    return Instance(
        label=problem.label,
        key=problem.key,
        columns=dict(columns),
        name=getattr(problem, "name", None),
        number=kept.problem_number(problem) if kept is not None else 0,
        store=None if kept is None else kept.path,
        held=problem if hold or kept is None else None,
    )


def check_problem(problem: Any) -> None:
    """Raise TypeError unless it is a problem."""
    if not isinstance(problem, Problem):
        raise TypeError(f"a problem is expected, such as oe.MakespanProblem, got {problem!r}.")


def reading(path: Path | None) -> Store:
    """Return the store of a finished study, opened again; FileNotFoundError if it is gone."""
    if path is None or not path.exists():
        raise FileNotFoundError(f"the store of this study is gone: {path}.")
    return Store(path)
