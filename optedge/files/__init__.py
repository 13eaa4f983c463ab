"""Files in and out: problems and results as versioned JSON, and benchmark files.

>>> import optedge as oe
>>> oe.save(oe.MakespanProblem([[3, 6], [2, 4]]), "two_tasks.json")  # doctest: +SKIP
>>> oe.load("two_tasks.json").times  # doctest: +SKIP

A file is one JSON object. It starts with ``format`` (``"optedge"``), ``version``, ``kind``
(``"problem"`` or ``"result"``) and ``class``, the class of the problem; the fields follow. An array
of a problem is a list of rows with null for ``inf``; other arrays are objects with ``dtype``,
``shape`` and flat ``data``. Files are data: nothing in them is executed.

A problem class needs nothing to be stored but its declared fields. If its solutions are
dataclasses, it names them: ``solution_types: ClassVar[tuple[type, ...]] = (Schedule,)``.
"""

from optedge.disk import write_atomic
from optedge.files.documents import (
    decode_problem,
    decode_result,
    encode_problem,
    encode_result,
    load,
    save,
)

__all__ = [
    "decode_problem",
    "decode_result",
    "encode_problem",
    "encode_result",
    "load",
    "save",
    "write_atomic",
]
