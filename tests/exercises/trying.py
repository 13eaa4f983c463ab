"""What the tests of all notebooks ask of their exercises."""

from __future__ import annotations

from typing import Any

import optedge as oe


def right(id: str, answer: Any, seed: int = 0) -> None:
    """Assert that an answer passes and earns its points."""
    report = oe.exercises.check(id, answer, seed)
    assert report, report.message
    assert report.points > 0 and report.instance is None


def wrong(id: str, answer: Any, sentence: str, seed: int = 0) -> None:
    """Assert that an answer is refused with a sentence, and a function with an instance."""
    report = oe.exercises.check(id, answer, seed)
    assert not report and report.points == 0
    assert sentence in report.message, report.message
    assert (report.instance is not None) == (report.seed is not None)


def guess_right(id: str, guess: Any) -> None:
    """Assert that a prediction holds, and scores nothing."""
    report = oe.exercises.check(id, guess)
    assert report and report.points == 0, report.message


def guess_wrong(id: str, guess: Any, truth: str) -> None:
    """Assert that a wrong prediction hears what is true."""
    report = oe.exercises.check(id, guess)
    assert not report and truth in report.message, report.message
