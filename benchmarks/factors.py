"""Fisher factors and the diagonal against one plain forward and backward pass."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks._report import interleaved, median, row
from skactive.gradients import diagonal_fisher, fisher_factors


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


def narrow_resnet18() -> nn.Sequential:
    """ResNet-18 of widths 16-32-64-128, the last layer without bias: 701,456 parameters."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for width, stride in ((16, 1), (32, 2), (64, 2), (128, 2)):
        layers += [Block(inputs, width, stride), Block(width, width, 1)]
        inputs = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10, bias=False)
    )


def spread_mask(P: int, last: int, k: int) -> Tensor:
    """The last layer, and the rest of k spread evenly: the first layer too, the costliest mask."""
    elsewhere = torch.linspace(0, P - last - 1, k - last).long()
    return torch.cat([elsewhere, torch.arange(P - last, P)])


def measure(quick: bool) -> list[dict[str, Any]]:
    n, n_diagonal = (256, 64) if quick else (5500, 1024)
    net = narrow_resnet18().eval()
    P = sum(p.numel() for p in net.parameters())
    X, y = torch.randn(n, 3, 32, 32), torch.randint(10, (n,))
    mask = spread_mask(P, 1280, 1402)

    def plain(n: int = n) -> None:
        for start in range(0, n, 256):
            some = slice(start, min(start + 256, n))
            net.zero_grad()
            F.cross_entropy(net(X[some]), y[some]).backward()

    plain(64)
    times = interleaved(
        {
            "plain": plain,
            "factors": lambda: fisher_factors(net, X, mask),
            "head": lambda: fisher_factors(net, X, mask[-1280:]),
        },
        1 if quick else 3,
    )
    one = median(times["plain"])
    rows = [
        row(f"one forward and backward pass, {n} images", "s", one, None, "lower"),
        row("factors, k = 1402 in every layer", "s", median(times["factors"]), None, "lower"),
        row("factors / pass", "×", median(times["factors"]) / one, None if quick else 8.0, "lower"),
        row("factors of the last layer / pass", "×", median(times["head"]) / one, None, "lower"),
    ]
    times = interleaved(
        {
            "plain": lambda: plain(n_diagonal),
            "diagonal": lambda: diagonal_fisher(net, X[:n_diagonal]),
            "sampled": lambda: diagonal_fisher(net, X[:n_diagonal], labels=1, random_state=0),
        },
        1 if quick else 3,
    )  # fmt: skip
    ratio = median(times["diagonal"]) / median(times["plain"])
    rows.append(
        row(f"diagonal of {n_diagonal} images", "s", median(times["diagonal"]), None, "lower")
    )
    rows.append(row("diagonal / pass over the same", "×", ratio, None, "lower"))
    ratio = median(times["sampled"]) / median(times["diagonal"])
    rows.append(row("diagonal of one drawn label / of all", "×", ratio, None, "lower"))
    return rows
