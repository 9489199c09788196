"""The networks that have a name: small ones for small images, and torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["MLP", "VGG11", "LinearNetwork", "ResNet18", "SmallCNN"]


class MLP(nn.Module):
    """Two hidden layers with ReLU, for rows; no BatchNorm.

    Parameters
    ----------
    in_features : int
        The number of features.
    num_classes : int
        The number of classes.
    width : int, default=128
        Units in each hidden layer.
    dropout : float, default=0.0
        The share of the units dropped in training, before the last layer.
    """

    def __init__(
        self, in_features: int, num_classes: int, width: int = 128, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (n, num_classes)."""
        return self.fc(self.dropout(self.hidden(x)))


class LinearNetwork(nn.Module):
    """A single linear layer, for rows: a logistic regression on features that exist already.

    Parameters
    ----------
    in_features : int
        The number of features.
    num_classes : int
        The number of classes.
    dropout : float, default=0.0
        The share of the features dropped in training.
    """

    def __init__(self, in_features: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (n, num_classes)."""
        return self.fc(self.dropout(x))


def _conv_block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class SmallCNN(nn.Module):
    """Three blocks of convolution, BatchNorm, ReLU and pooling, then global average pooling.

    Parameters
    ----------
    in_channels : int
        Channels of the images, which may have any size.
    num_classes : int
        The number of classes.
    width : int, default=16
        Channels of the first block; the next ones have two and four times as many.
    dropout : float, default=0.0
        The share of the channels dropped in training, before the last layer.
    """

    def __init__(
        self, in_channels: int, num_classes: int, width: int = 16, dropout: float = 0.0
    ) -> None:
        super().__init__()
        widths = (in_channels, width, 2 * width, 4 * width)
        # ceil_mode lets images of a few pixels through all three halvings.
        self.stages = nn.Sequential(
            *(
                nn.Sequential(_conv_block(a, b), nn.MaxPool2d(2, ceil_mode=True))
                for a, b in pairwise(widths)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (n, num_classes)."""
        return self.fc(self.dropout(self.stages(x).mean((2, 3))))


class _BasicBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 with the stem for small images: a 3×3 convolution and no pooling.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    num_classes : int
        The number of classes.
    width : int, default=64
        Channels of the first of four stages; each later one has twice as many as the one before.
    head_bias : bool, default=True
        Whether the last layer has a bias. FisherMask's narrow network has none.

    References
    ----------
    K. He et al., Deep residual learning for image recognition, arXiv 1512.03385, section 4.2 for
    the stem.
    """

    def __init__(
        self, in_channels: int, num_classes: int, width: int = 64, head_bias: bool = True
    ) -> None:
        super().__init__()
        self.stem = _conv_block(in_channels, width)
        channels, stages = width, []
        for stage in range(4):
            out = width * 2**stage
            stages.append(
                nn.Sequential(
                    _BasicBlock(channels, out, stride=1 if stage == 0 else 2),
                    _BasicBlock(out, out, stride=1),
                )
            )
            channels = out
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(channels, num_classes, bias=head_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (n, num_classes)."""
        return self.fc(self.stages(self.stem(x)).mean((2, 3)))


class ResNet18Narrow(ResNet18):
    """FisherMask's network: a ResNet-18 of widths 16-32-64-128, its last layer without a bias."""

    def __init__(self, in_channels: int, num_classes: int, width: int = 16) -> None:
        super().__init__(in_channels, num_classes, width, head_bias=False)


class VGG11(nn.Module):
    """VGG-11 with BatchNorm and global average pooling, for images of at least 16×16.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    num_classes : int
        The number of classes.
    width : int, default=64
        Channels of the first layer; they double up to eight times as many.

    References
    ----------
    K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image
    recognition, arXiv 1409.1556, table 1, configuration A.
    """

    def __init__(self, in_channels: int, num_classes: int, width: int = 64) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        channels = in_channels
        stage_widths: Sequence[tuple[int, ...]] = ((1,), (2,), (4, 4), (8, 8), (8, 8))
        for position, multiples in enumerate(stage_widths):
            layers: list[nn.Module] = []
            for multiple in multiples:
                layers.append(_conv_block(channels, multiple * width))
                channels = multiple * width
            if position < 4:  # the average over positions stands in for the fifth pooling
                layers.append(nn.MaxPool2d(2))
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (n, num_classes)."""
        return self.fc(self.stages(x).mean((2, 3)))


ROW_NETWORKS: dict[str, type[nn.Module]] = {"mlp": MLP, "linear": LinearNetwork}

NETWORKS: dict[str, type[nn.Module]] = {
    "small_cnn": SmallCNN,
    "resnet18": ResNet18,
    "resnet18_narrow": ResNet18Narrow,
    "vgg11": VGG11,
}


def replace_layer(module: nn.Module, name: str, layer: nn.Module) -> None:
    """Replace the submodule of that dotted name with a layer."""
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, layer)


def adapt_stem(module: nn.Module, in_channels: int) -> None:
    """Give a network's first convolution a different number of input channels, in place.

    The new weights are the mean of the old ones over the input channels, scaled so that an image
    whose channels are all equal gives the same responses as before.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels == in_channels:
                return
            stem = nn.Conv2d(
                in_channels,
                layer.out_channels,
                layer.kernel_size,  # type: ignore[arg-type]
                layer.stride,  # type: ignore[arg-type]
                layer.padding,  # type: ignore[arg-type]
                layer.dilation,  # type: ignore[arg-type]
                1,
                layer.bias is not None,
                layer.padding_mode,
            )
            with torch.no_grad():
                scale = layer.in_channels / in_channels
                stem.weight.copy_(scale * layer.weight.mean(1, keepdim=True).expand_as(stem.weight))
                if layer.bias is not None and stem.bias is not None:
                    stem.bias.copy_(layer.bias)
            replace_layer(module, name, stem)
            return
