"""Studies: problems x solvers x seeds, here or on a cluster, kept in a store.

``tasks`` says what there is to run, ``runs`` runs one, ``pools`` and ``cluster`` many at a time,
``comparing`` keeps what comes back, ``outcomes`` and ``table`` show it.
"""

from optedge.study.comparing import compare
from optedge.study.outcomes import Outcome
from optedge.study.table import Study
from optedge.study.tasks import Task

__all__ = ["Outcome", "Study", "Task", "compare"]
