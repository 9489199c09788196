"""The papers' networks: ResNet-18 with the stem for small images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NARROW, FULL = (16, 32, 64, 128), (64, 128, 256, 512)


class Block(nn.Module):
    """A basic block of ResNet."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's feature maps."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet18(widths: tuple[int, int, int, int], bias: bool = True) -> nn.Sequential:
    """ResNet-18 for 10 classes; narrow and without bias in the head it has 701,456 parameters."""
    torch.manual_seed(0)
    first = widths[0]
    layers: list[nn.Module] = [nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first)]
    layers.append(nn.ReLU())
    inputs = first
    for width, stride in zip(widths, (1, 2, 2, 2), strict=True):
        layers += [Block(inputs, width, stride), Block(width, width, 1)]
        inputs = width
    head = nn.Linear(inputs, 10, bias=bias)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
