"""Offloading the layers of many tasks to servers with parallel pools.

Begin with ``problem``: the instance, its maths, and all that can be asked of it. ``derived`` is
what follows from its fields, ``building`` makes and ``checks`` refuses them, ``coding`` is
what metaheuristics search.

The rooms, each with a sentence on where to begin: ``costs`` (what placing a layer costs where
nothing waits), ``simulation`` (from an assignment to a schedule), ``plans`` (what a schedule is,
and what it is worth), ``models`` (Pyomo), ``prices`` (on the time of servers), ``balance`` (the
node balance Z) and ``episodes`` (plans layer by layer, for learners). Arrows between them::

    costs  <-  simulation  <-  plans  <-  prices, models        costs  <-  balance
    costs, simulation  <-  episodes
"""

from optedge.formulations.offloading.costs.weighting import Weighting
from optedge.formulations.offloading.plans.schedule import Schedule
from optedge.formulations.offloading.problem import OffloadingProblem

__all__ = ["OffloadingProblem", "Schedule", "Weighting"]
