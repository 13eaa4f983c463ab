"""Exercises that check themselves.

>>> import optedge as oe
>>> r = oe.exercises.check("00-1", None)
00-1: no answer yet.
>>> r.passed, r.points
(False, 0)

An answer is a value, or a function that is tried on instances which nobody has seen. A wrong one
hears one sentence and the smallest instance found on which it fails. There is no lock: answers run
in the student's own process, and what is right is recomputed by an oracle. To examine, write
exercises of your own (:func:`exercise`, :func:`load`): a decorated function in a file, ``draw(rng,
size)`` that draws its instances, and, if you like, ``smaller(instance)`` that shrinks them.
"""

from optedge.exercises.answers import Refused
from optedge.exercises.engine import Report, check
from optedge.exercises.registry import exercise, list_exercises, load, prediction
from optedge.exercises.scores import record

__all__ = [
    "Refused",
    "Report",
    "check",
    "exercise",
    "list_exercises",
    "load",
    "prediction",
    "record",
]
