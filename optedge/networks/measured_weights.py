"""The weights of measured layers: the data set has times and sizes of outputs only.

An upload needs them. AlexNet and VGG19 take the published tables of layer sizes
(``data/upload``); the two norm layers of AlexNet there have no weights and no row here. GoogLeNet
and ResNet-101 take the weights of the same network in ``data/dnn``, whose layers are numbered
otherwise.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from optedge.networks import tables
from optedge.networks.graph import FloatArray, LayerGraph

_DATA = Path(__file__).parents[1] / "data"
_SIZES = {"alexnet": "alexnet_layer_sizes.csv", "vgg19": "vgg_layer_sizes.csv"}
_NORMS = {"alexnet": (1, 4), "vgg19": ()}  # rows of the published table without a measured layer
_PER_MIB = 2**20 / 4  # weights of 4 bytes each


def measured_weights(name: str) -> FloatArray:
    """Return the weights of the measured layers of a network in their order, without the input.

    Parameters
    ----------
    name
        One of the four networks of ``linbin403``.
    """
    if name in _SIZES:
        return _published(name)
    computed = tables.read_csv(_DATA / "dnn" / f"{name}.csv")
    return _of_blocks(computed) if name == "resnet101" else computed.parameters[1:]


def _published(name: str) -> FloatArray:
    """Return whole numbers of weights from sizes in MiB, which are printed with nine digits."""
    with (_DATA / "upload" / _SIZES[name]).open() as file:
        sizes = [float(row["size_mb"]) for row in csv.DictReader(file)]
    return np.delete(np.round(np.array(sizes) * _PER_MIB), _NORMS[name])


def _of_blocks(computed: LayerGraph) -> FloatArray:
    """Return the weights of ResNet-101 by its blocks, whose measured rows begin with branch 1.

    Branch 1 has the weights of the projection, none where the block has no projection; branches
    2a, 2b and 2c are convolutions 1, 2 and 3. The measured network has no rows of additions.
    """
    weights = dict(zip(computed.names, computed.parameters.tolist(), strict=True))
    projections = {label: n for label, n in weights.items() if label.endswith("_proj")}
    found: list[float] = []
    for label, n in weights.items():
        part = label.rsplit("_", 1)[-1]
        if part == "conv1" and "_" in label:
            found.append(projections.get(label.removesuffix("conv1") + "proj", 0.0))
        if part not in ("input", "proj", "add"):
            found.append(n)
    return np.array(found)
