"""Collaborative learning: the first layers on edge nodes, the last ones in the cloud.

>>> from optedge import learning
>>> run = learning.train("prototypes", hidden=(8, 64), split=1, dormancy=0.3, steps=50)
>>> run.model.map_bytes, run.uploaded == run.downloaded
(32, True)

The digits need the extra ``learn``; nothing else does. Source: Xu et al. 2020.
"""

from optedge.learning.averaging import aggregate, fixed_point
from optedge.learning.compression import Autoencoder, measure_ratios
from optedge.learning.data import NAMED, Data, digits, prototypes, share_out
from optedge.learning.dormancy import Dormancy
from optedge.learning.graph import layer_graph
from optedge.learning.links import ExponentialLink, TraceLink, ar1_trace, markov_trace
from optedge.learning.model import SplitModel, Traffic
from optedge.learning.options import LearningOptions
from optedge.learning.rows import Rows
from optedge.learning.splits import measure_splits
from optedge.learning.studies import study
from optedge.learning.testing import Accuracy, early_exit, entropies, measure
from optedge.learning.training import Training, train, train_central

__all__ = [
    "NAMED",
    "Accuracy",
    "Autoencoder",
    "Data",
    "Dormancy",
    "ExponentialLink",
    "LearningOptions",
    "Rows",
    "SplitModel",
    "TraceLink",
    "Traffic",
    "Training",
    "aggregate",
    "ar1_trace",
    "digits",
    "early_exit",
    "entropies",
    "fixed_point",
    "layer_graph",
    "markov_trace",
    "measure",
    "measure_ratios",
    "measure_splits",
    "prototypes",
    "share_out",
    "study",
    "train",
    "train_central",
]
