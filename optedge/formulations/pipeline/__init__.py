"""Many devices, one cloud: the pipeline problem; ``problem.py`` is the file to read first."""

from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem, Times

__all__ = ["PipelinePlan", "PipelineProblem", "Times"]
