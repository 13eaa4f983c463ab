"""Checking an answer: trials of growing size, the smallest failure, one clear sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import secrets
import sys
from typing import Any

import numpy as np

from optedge.exercises import limits, registry, scores
from optedge.exercises.answers import Refused, show
from optedge.exercises.registry import Exercise
from optedge.exercises.shrinking import describe, shrink

#: Seconds that the search for a smaller instance may take.
SHRINK_SECONDS = 1.5

_told = False  # whether this process was told that answers run in it


@dataclasses.dataclass(frozen=True)
class Report:
    """What :func:`check` found; true if the answer is right.

    Parameters
    ----------
    id
        The exercise.
    passed
        Whether the answer is right (a prediction: whether it holds).
    points
        What it earns; 0 for a wrong answer and for every prediction.
    message
        What was printed.
    instance
        The smallest instance found on which the answer fails; None if there is none.
    seed
        The seed of the instances; None if the exercise draws none.
    """

    id: str
    passed: bool
    points: float
    message: str = dataclasses.field(repr=False)
    instance: Any = dataclasses.field(default=None, repr=False)
    seed: int | None = None

    def __bool__(self) -> bool:
        return self.passed

    def _ipython_display_(self) -> None:
        """Show nothing as the last line of a cell: the message was printed."""


def check(id: str, answer: Any, seed: int | None = None) -> Report:
    """Check an answer, print what is to be said, and return it.

    Nothing is raised for a wrong, broken or missing answer, so that a notebook runs through. A
    function runs in this process, with its rights, for at most 10 s; nothing is sent anywhere.

    Parameters
    ----------
    id
        The exercise, e.g. ``"01-3"``, or the prediction, e.g. ``"01-p1"``.
    answer
        What the exercise asks for: a value, an array, a function, or a function that builds a
        Pyomo model; ``None`` for no answer yet.
    seed
        Seed of the instances on which a function is tried; a fresh one by default.

    Returns
    -------
    Report
        True if the answer is right.

    Raises
    ------
    ValueError
        If there is no such exercise, or the seed is no whole number from 0 on.

    Notes
    -----
    In a cell that a grader scores, give a seed, so that grading again finds the same. For otter:
    ``r = check(...); assert r, r.message``. For nbgrader either that, or ``r.points`` as the last
    line, which scores part; a last line that is just ``check(...)`` scores full, even when wrong.
    """
    exercise = registry.find(id)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ValueError(f"seed must be a whole number from 0 on, got {seed!r}.")
    if exercise.draw is not None and seed is None:
        seed = secrets.randbelow(10**6)
    if exercise.draw is None:
        seed = None
    # What an answer warns of belongs to its output; some graders take stderr for a failure.
    with contextlib.redirect_stderr(sys.stdout):
        report = _report(exercise, answer, seed)
        if exercise.kind != "prediction":
            scores.keep(report.id, report.points)
        print(report.message)
    return report


def _report(exercise: Exercise, answer: Any, seed: int | None) -> Report:
    id, guess = exercise.id, exercise.kind == "prediction"
    if answer is None or answer is ...:
        said = "no guess yet; write one down before you read on." if guess else "no answer yet."
        return Report(id, False, 0, f"{id}: {said}", None, seed)
    wrong = _wrong_kind(exercise, answer)
    instance, said = (None, wrong) if wrong else _failure(exercise, answer, seed)
    tail = _notes(exercise, ran=not wrong)
    if not said:
        on = f" on {exercise.trials} instances (seed {seed})" if exercise.draw else ""
        earned = f"{exercise.points:g} point{'s' * (exercise.points != 1)}"
        right = "as you said." if guess else f"right{on}; {earned}."
        return Report(id, True, exercise.points, f"{id}: {right}{tail}", None, seed)
    where = "" if instance is None else f"; on {describe(instance)} (seed {seed})"
    lead = "" if guess else "not yet: "
    return Report(id, False, 0, f"{id}: {lead}{said}{where}.{tail}", instance, seed)


def _wrong_kind(exercise: Exercise, answer: Any) -> str:
    if exercise.kind in registry.FUNCTIONS and not callable(answer):
        return f"a function is expected, got {type(answer).__name__} {show(answer)}"
    if exercise.kind in registry.VALUES and callable(answer):
        return "a value is expected, got a function; call it first"
    return ""


def _notes(exercise: Exercise, *, ran: bool) -> str:
    """Return what is said about running answers: once a process, and where no limit holds."""
    global _told
    if exercise.kind not in registry.FUNCTIONS or not ran:
        return ""
    notes = ""
    if not limits.can_limit():
        notes += "\n(Off the main thread a function that never ends cannot be stopped.)"
    if not _told:
        notes += "\n(Your function runs in this Python process; nothing is sent anywhere.)"
        _told = True
    return notes


def _failure(exercise: Exercise, answer: Any, seed: int | None) -> tuple[Any, str]:
    """Return the smallest failing instance found and a sentence; no sentence if all is right."""
    called = exercise.kind in registry.FUNCTIONS
    tried = limits.Guarded(answer, limits.SECONDS) if called else answer
    failing: tuple[Any, str] = (None, "")
    for size in range(1, exercise.trials + 1):
        instance = None
        if exercise.draw is not None:
            instance = exercise.draw(np.random.default_rng([seed or 0, size]), size)
        try:
            failing = (instance, _verdict(exercise, tried, instance))
        except limits.TimeUp:
            return instance, f"not done after {limits.SECONDS:g} s, as if a loop never ends"
        if failing[1]:
            break
    if not failing[1] or exercise.smaller is None:
        return failing
    answer = limits.Guarded(answer, SHRINK_SECONDS) if called else answer
    found, mute = [failing], io.StringIO()
    with (
        contextlib.suppress(limits.TimeUp),
        contextlib.redirect_stdout(mute),  # what the answer prints was seen on the first instance
        contextlib.redirect_stderr(mute),
    ):
        shrink(
            failing,
            exercise.smaller,
            lambda p: _verdict(exercise, answer, p),
            found.append,
            SHRINK_SECONDS,
        )
    return found[-1]


def _verdict(exercise: Exercise, answer: Any, instance: Any) -> str:
    """Return what the test says of an answer on one instance."""
    arguments = (answer,) if exercise.draw is None else (answer, instance)
    try:
        said = exercise.test(*arguments)
    except Refused as refusal:
        return str(refusal)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".rstrip(".").replace("\n", " ")
        return f"the check cannot use your answer ({text[:300]})"
    if not isinstance(said, str):
        raise TypeError(f"the test of exercise {exercise.id} must return a sentence, got {said!r}.")
    return said.rstrip(".")
