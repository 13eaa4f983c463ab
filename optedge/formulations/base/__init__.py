"""What all problems share; ``problem.py`` is the file to read first.

``arrays`` declares and checks the data, ``proofs`` holds bounds and their certificates, ``rows``
the bound that every linear model gives, ``offers`` what solvers find in a problem, ``contract``
what a class must have, ``lanes`` the bars of a Gantt chart.
"""

from optedge.formulations.base.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    array_field,
    power_of_two,
)
from optedge.formulations.base.lanes import Lane
from optedge.formulations.base.problem import Problem
from optedge.formulations.base.proofs import Bound, Certificate, simplex_weights

__all__ = [
    "BoolArray",
    "Bound",
    "Certificate",
    "FloatArray",
    "IntArray",
    "Lane",
    "Problem",
    "array_field",
    "power_of_two",
    "simplex_weights",
]
