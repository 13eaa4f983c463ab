"""The bridge from Pyomo to HiGHS: one linear model in, solution and proved bound out.

A model is written once, in Pyomo, where it reads like the maths. `compile_model` turns it into
arrays, `solve_arrays` hands arrays to HiGHS, and `solve_model` does both and brings values and
duals back under the names of the model. Driving HiGHS directly, rather than through Pyomo's
solver interface, is what makes MIP starts, incumbent and bound callbacks, interruption with
Ctrl-C, duals and conflicts available. Methods that solve many small LPs build `Arrays` themselves.

Examples
--------
>>> import pyomo.environ as pyo
>>> m = pyo.ConcreteModel()
>>> m.x = pyo.Var(["a", "b"], domain=pyo.NonNegativeReals)
>>> m.demand = pyo.Constraint(expr=m.x["a"] + m.x["b"] >= 4)
>>> m.cost = pyo.Objective(expr=2 * m.x["a"] + 3 * m.x["b"])
>>> v = solve_model(m)
>>> v.objective, v.values["x"], v.duals["demand"]
(8.0, {'a': 4.0, 'b': 0.0}, 2.0)
"""

from .arrays import Arrays, ArraySolution, solve_arrays
from .conflict import Conflict, find_conflict
from .models import CompiledModel, ModelSolution, compile_model, solve_model

__all__ = [
    "ArraySolution",
    "Arrays",
    "CompiledModel",
    "Conflict",
    "ModelSolution",
    "compile_model",
    "find_conflict",
    "solve_arrays",
    "solve_model",
]
