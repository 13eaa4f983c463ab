"""Offloading the layers of many tasks to servers with parallel pools."""

from optedge.formulations.offloading.problem import OffloadingProblem, Schedule, Weighting

__all__ = ["OffloadingProblem", "Schedule", "Weighting"]
