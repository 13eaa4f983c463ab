"""Where to cut a network between device, edge and cloud."""

from optedge.formulations.cut.problem import CutProblem
from optedge.formulations.cut.sweep import BandwidthCurve, bandwidth_curve

__all__ = ["BandwidthCurve", "CutProblem", "bandwidth_curve"]
