"""The trained network as a layer graph, so that its splits can be optimised."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from optedge.networks.convolutions import Convolution, chain
from optedge.networks.graph import LayerGraph


def layer_graph(
    sizes: Sequence[int], bytes_per_element: float = 4.0, name: str = "fully connected"
) -> LayerGraph:
    """Return a fully connected network as a chain: position j of its splits is ``split=j``.

    Parameters
    ----------
    sizes
        Numbers of inputs, of the neurons of each hidden layer, and of classes, as
        :attr:`~optedge.learning.SplitModel.sizes` has them.
    bytes_per_element
        Of a number that is sent.
    name
        Label.

    Raises
    ------
    ValueError
        If there are less than two sizes, or one is below 1.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes must hold inputs and classes, got {list(sizes)}.")
    layers = [Convolution.fully_connected(int(a), int(b)) for a, b in itertools.pairwise(sizes)]
    return chain(layers, bytes_per_element=bytes_per_element, name=name)
