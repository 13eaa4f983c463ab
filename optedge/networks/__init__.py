"""Deep neural networks as graphs of layers: the zoo, CSV, JSON and ONNX files.

>>> from optedge import networks
>>> graph = networks.load("resnet34")
>>> graph.n_layers, len(graph.cut_vertices)
(56, 21)

ONNX needs the extra ``onnx``: ``pip install "optedge[onnx]"``. A model is read, measured, and cut
where a solution says::

    graph = networks.profile_onnx("model.onnx")
    networks.cut_onnx("model.onnx", solution, "device.onnx", "server.onnx")
    networks.run_halves("device.onnx", "server.onnx", networks.random_input("model.onnx"))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from optedge.networks.graph import LayerGraph
from optedge.networks.tables import read_csv, read_json
from optedge.networks.zoo import list_networks, load

if TYPE_CHECKING:
    from optedge.networks.onnx_cut import cut_onnx
    from optedge.networks.onnx_import import from_onnx
    from optedge.networks.onnx_models import light_models, randomise_weights
    from optedge.networks.onnx_profile import profile_onnx
    from optedge.networks.onnx_run import random_input, run_halves, run_onnx

_HOME = {
    "cut_onnx": "onnx_cut",
    "from_onnx": "onnx_import",
    "light_models": "onnx_models",
    "profile_onnx": "onnx_profile",
    "random_input": "onnx_run",
    "randomise_weights": "onnx_models",
    "run_halves": "onnx_run",
    "run_onnx": "onnx_run",
}

__all__ = [
    "LayerGraph",
    "cut_onnx",
    "from_onnx",
    "light_models",
    "list_networks",
    "load",
    "profile_onnx",
    "random_input",
    "randomise_weights",
    "read_csv",
    "read_json",
    "run_halves",
    "run_onnx",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
