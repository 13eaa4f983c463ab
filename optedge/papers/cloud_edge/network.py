"""The network of the paper: ResNet-34 as a chain, by its eqs. (6) to (9)."""

from __future__ import annotations

from optedge.networks.convolutions import Convolution, chain
from optedge.networks.graph import LayerGraph

#: Channels, output size and layers of the stages 2 to 5 of ResNet-34.
STAGES = ((64, 56, 6), (128, 28, 8), (256, 14, 12), (512, 7, 6))


def resnet34(
    *,
    projection: bool = False,
    maps: bool = True,
    classes: int = 1000,
    bytes_per_element: float = 4.0,
) -> LayerGraph:
    """Return the 34 layers of ResNet-34 that have weights, as a chain at 224 x 224 x 3.

    Parameters
    ----------
    projection
        Whether the three 1 x 1 convolutions on short cuts are counted, at layers 8, 16, 28.
    maps
        Whether their outputs are counted there too.
    classes
        Outputs of the last layer: 1000, or 10 for CIFAR-10.
    bytes_per_element
        Byte of one number of a map.
    """
    layers, names = [Convolution(7, 3, 64, 224, stride=2, padding=3)], ["conv1"]
    beside, channels, size = {}, 64, 56  # a pool stands before the second layer
    for stage, (width, side, count) in enumerate(STAGES, start=2):
        if width != channels:
            beside[len(layers) + 1] = [Convolution(1, channels, width, size, stride=2)]
        for k in range(count):
            stride = size // side
            layers.append(Convolution(3, channels, width, size, stride=stride, padding=1))
            names.append(f"res{stage}_{k // 2 + 1}_conv{k % 2 + 1}")
            channels, size = width, side
    layers.append(Convolution.fully_connected(channels, classes))
    return chain(
        layers,
        beside=beside if projection else None,
        beside_maps=maps,
        bytes_per_element=bytes_per_element,
        names=[*names, "fc"],
        name="resnet34",
    )
