"""The networks that ship with the package, by name.

``"zoo"``: eleven networks layer by layer, computed from their definitions (FLOPs = 2 x
multiply-adds; norm, bias and activation folded into their layer; float32 outputs, batch 1).
``"linbin403"``: measured layer times of four networks, a public data set (its README stands beside
the files), with the weights that the same layers have elsewhere (``measured_weights``).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import numpy as np

from optedge.networks import tables
from optedge.networks.graph import LayerGraph
from optedge.networks.measured_weights import measured_weights

_DATA = Path(__file__).parents[1] / "data"
_FOLDERS = {"zoo": _DATA / "dnn", "linbin403": _DATA / "linbin403"}
#: GHz of the machine on which each network of linbin403 was measured.
CLOCKS = {"alexnet": 3.2, "vgg19": 3.2, "googlenet": 2.9, "resnet101": 2.9}
INPUT_SIZE = 0.6  # of linbin403, which does not tell it: 3 x 224 x 224 float32 in MB
_UNITS = {"MB": 1e6, "Mb": 1e6 / 8}

Source = Literal["zoo", "linbin403"]


def list_networks(source: Source = "zoo") -> list[str]:
    """Return the names that :func:`load` takes."""
    return sorted(path.stem for path in _folder(source).glob("*.csv"))


def load(
    name: str,
    source: Source = "zoo",
    *,
    data_unit: Literal["MB", "Mb"] | None = None,
    input_size: float | None = None,
) -> LayerGraph:
    """Return a network by name.

    Parameters
    ----------
    name
        One of :func:`list_networks`.
    source
        ``"zoo"``, or ``"linbin403"`` with measured seconds and ``clock_ghz``; the latter knows no
        FLOPs (they are 0). Its weights of AlexNet and VGG19 are the published sizes of layers for
        uploading, those of GoogLeNet and ResNet-101 are those of the zoo.
    data_unit
        Of ``linbin403`` only: what its column of sizes means, ``"MB"`` (default; what the papers
        most likely did) or ``"Mb"``.
    input_size
        Of ``linbin403`` only, in the same unit: the output of layer 0, which the data set does not
        have; 0.6 by default.

    Raises
    ------
    ValueError
        If there is no such network, source or unit; the sentence lists the choices.
    TypeError
        If ``data_unit`` or ``input_size`` is given for the zoo.
    """
    folder = _folder(source)
    if name not in list_networks(source):
        choices = ", ".join(list_networks(source))
        raise ValueError(f"{source} has no network {name!r}; it has {choices}.")
    if source == "linbin403":
        size = INPUT_SIZE if input_size is None else input_size
        return _load_measured(name, data_unit or "MB", size)
    for option, given in (("data_unit", data_unit), ("input_size", input_size)):
        if given is not None:
            raise TypeError(f"source 'zoo' has no option {option!r}.")
    return _load_zoo(folder, name)


@functools.cache
def _load_zoo(folder: Path, name: str) -> LayerGraph:
    return tables.read_csv(folder / f"{name}.csv")


def _folder(source: str) -> Path:
    if source not in _FOLDERS:
        raise ValueError(f"there is no source {source!r}; the sources are {', '.join(_FOLDERS)}.")
    return _FOLDERS[source]


def _load_measured(name: str, data_unit: str, input_size: float) -> LayerGraph:
    if data_unit not in _UNITS:
        raise ValueError(f"data_unit must be 'MB' or 'Mb', got {data_unit!r}.")
    columns = {
        "flops": "",
        "params": "",
        "seconds": "exec_seconds",
        "output_bytes": "output_megabits",
    }
    rows = tables.csv_rows(_FOLDERS["linbin403"] / f"{name}.csv")
    layers = tables.from_rows(rows, columns, clock_ghz=CLOCKS[name], name=name)
    assert layers.seconds is not None
    # The data set begins with the first layer: the input goes before it.
    return LayerGraph(
        successors=((1,), *(tuple(w + 1 for w in row) for row in layers.successors)),
        flops=np.zeros(layers.n_layers + 1),
        parameters=np.append(0.0, measured_weights(name)),
        output_bytes=np.append(input_size, layers.output_bytes) * _UNITS[data_unit],
        seconds=np.append(0.0, layers.seconds),
        clock_ghz=layers.clock_ghz,
        names=("input", *layers.names),
        types=("input", *layers.types),
        name=name,
    )
