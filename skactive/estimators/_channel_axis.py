"""Which axis of what a layer returns holds the channels."""

from __future__ import annotations

import math

from torch import nn

# Layers that say themselves which axis it is, of what they read and of what they return, by their
# exact type: subclasses may permute.
_FIRST = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
_LAST = (nn.Linear, nn.LayerNorm)


def channel_axis(layer: nn.Module, shape: tuple[int, ...], image: tuple[int, ...]) -> int:
    """Return which axis of features, tokens or maps holds the channels.

    Of maps it is the first after the samples, unless the layer says otherwise, or the other
    reading, (n, H, W, C), has an aspect ratio nearer to the image's.

    Parameters
    ----------
    layer : torch.nn.Module
        What returns or reads them.
    shape : tuple of int
        Their shape: (n, C), (n, T, C), (n, C, H, W) or (n, H, W, C).
    image : tuple of int
        Height and width of the images that the network was given.

    Returns
    -------
    {1, -1}
        The axis.
    """
    if len(shape) < 4:
        return 1 if len(shape) == 2 else -1
    if type(layer) in _FIRST:
        return 1
    if type(layer) in _LAST:
        return -1

    def distance(height: int, width: int) -> float:
        return abs(math.log(height / width) - math.log(image[0] / image[1]))

    last = distance(shape[1], shape[2]) < distance(shape[2], shape[3]) - 1e-9
    return -1 if last else 1
