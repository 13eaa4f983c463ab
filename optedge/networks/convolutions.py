r"""Layers from their shapes: output size, work, weights and map of convolutions.

With kernel :math:`k`, stride :math:`s`, padding :math:`p` and a square input of side :math:`Ms`,

.. math:: M = \lfloor (Ms - k + 2p)/s \rfloor + 1,\quad
          Z = M^2 k^2 C_{in} C_{out},\quad Par = k^2 C_{in} C_{out},\quad Map = M^2 C_{out}

in pixels, multiply-adds (MAC; 1 MAC = 2 FLOP), weights and elements. Biases, normalisation,
activations and pooling cost nothing, as in the paper.

Source: Xu et al. 2020, eqs. (8)-(10). Departures: the paper has no floor (the first layer of
ResNet-34 would have 112.5 pixels), and a "pooling size" where the padding belongs; in that layer
both happen to be 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from optedge.networks.graph import LayerGraph


@dataclasses.dataclass(frozen=True)
class Convolution:
    """The shape of a square convolution; of a fully connected layer if kernel and sizes are 1.

    Parameters
    ----------
    kernel
        Side of the kernel in pixels, at least 1.
    channels_in, channels_out
        Channels that are read and written, at least 1.
    size_in
        Side of the input in pixels, after any pooling before it, at least 1.
    stride
        Pixels between two places of the kernel, at least 1.
    padding
        Pixels of zeros on each side, at least 0.

    Raises
    ------
    ValueError
        If a number is not an integer in its range, or the kernel exceeds the padded input.

    References
    ----------
    Xu et al. 2020, eqs. (8)-(10); see the module for what is corrected.
    """

    kernel: int
    channels_in: int
    channels_out: int
    size_in: int = 1
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 0 if field.name == "padding" else 1
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(
                    f"{field.name} must be an integer, at least {least}, got {value!r}."
                )
            object.__setattr__(self, field.name, int(value))
        if self.kernel > self.size_in + 2 * self.padding:
            raise ValueError(
                f"kernel {self.kernel} exceeds the padded input of side "
                f"{self.size_in + 2 * self.padding}."
            )

    @classmethod
    def fully_connected(cls, inputs: int, outputs: int) -> Convolution:
        """Return the layer that connects all inputs with all outputs: a 1 x 1 image."""
        return cls(1, inputs, outputs)

    @property
    def size(self) -> int:
        """Side of the output in pixels, eq. (8) with the floor."""
        return (self.size_in - self.kernel + 2 * self.padding) // self.stride + 1

    @property
    def weights(self) -> int:
        """Number of weights, without biases."""
        return self.kernel**2 * self.channels_in * self.channels_out

    @property
    def mac(self) -> int:
        """Work in multiply-adds, eq. (9)."""
        return self.size**2 * self.weights

    @property
    def elements_in(self) -> int:
        """Numbers in the input tensor."""
        return self.size_in**2 * self.channels_in

    @property
    def elements(self) -> int:
        """Numbers in the output tensor, the paper's Map."""
        return self.size**2 * self.channels_out


def chain(
    layers: Sequence[Convolution],
    *,
    beside: Mapping[int, Sequence[Convolution]] | None = None,
    beside_maps: bool = True,
    bytes_per_element: float = 4.0,
    names: Sequence[str] = (),
    name: str = "",
) -> LayerGraph:
    """Return the chain of an input tensor (layer 0) and the given layers (1, 2, ...).

    Parameters
    ----------
    layers
        In order; the first one tells the size of the input.
    beside
        Layers on short cuts (projections): position in ``layers``, from 1, to those whose work
        and weights are added there.
    beside_maps
        Whether their outputs are added there too.
    bytes_per_element
        Byte of one number of a map, positive; 4 is float32.
    names
        Of the layers, equally many; numbered by default.
    name
        Of the network.

    Returns
    -------
    LayerGraph
        ``flops`` is twice the MACs, ``output_bytes`` is ``bytes_per_element`` times the map.

    Raises
    ------
    ValueError
        If there is no layer, or one reads more numbers than the layer before writes (pooling in
        between can only take some away), or ``beside`` names a position that does not exist.
    """
    if not layers:
        raise ValueError("layers must hold at least one layer.")
    if not 0 < bytes_per_element < np.inf:
        raise ValueError(f"bytes_per_element must be positive, got {bytes_per_element!r}.")
    for j in range(1, len(layers)):
        read, written = layers[j].elements_in, layers[j - 1].elements
        if read > written:
            raise ValueError(f"layer {j + 1} reads {read} numbers, layer {j} writes {written}.")
    mac = [0, *(layer.mac for layer in layers)]
    weights = [0, *(layer.weights for layer in layers)]
    maps = [layers[0].elements_in, *(layer.elements for layer in layers)]
    for j, extra in (beside or {}).items():
        if not 1 <= j <= len(layers):
            raise ValueError(f"beside: there is no layer {j}; they are 1 to {len(layers)}.")
        mac[j] += sum(layer.mac for layer in extra)
        weights[j] += sum(layer.weights for layer in extra)
        maps[j] += sum(layer.elements for layer in extra) if beside_maps else 0
    plain = (f"layer {j + 1}" for j in range(len(layers)))
    kinds = ("fc" if layer.kernel == layer.size_in == 1 else "conv" for layer in layers)
    return LayerGraph(
        successors=(*((j + 1,) for j in range(len(layers))), ()),
        flops=2.0 * np.array(mac, dtype=np.float64),
        parameters=np.array(weights, dtype=np.float64),
        output_bytes=bytes_per_element * np.array(maps, dtype=np.float64),
        names=("input", *(names or plain)),
        types=("input", *kinds),
        name=name,
    )
