"""Fisher factors and the diagonal against one plain forward and backward pass."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks._networks import NARROW, resnet18
from benchmarks._report import interleaved, median, row
from skactive.fisher import diagonal_fisher, fisher_factors


def spread_mask(P: int, last: int, k: int) -> Tensor:
    """The last layer, and the rest of k spread evenly: the first layer too, the costliest mask."""
    elsewhere = torch.linspace(0, P - last - 1, k - last).long()
    return torch.cat([elsewhere, torch.arange(P - last, P)])


def measure(quick: bool) -> list[dict[str, Any]]:
    n, n_diagonal = (256, 64) if quick else (5500, 1024)
    net = resnet18(NARROW, bias=False).eval()
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
        row(f"one forward and backward pass, {n} images", "s", times["plain"], None, "lower"),
        row("factors, k = 1402 in every layer", "s", times["factors"], None, "lower"),
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
    )
    ratio = median(times["diagonal"]) / median(times["plain"])
    rows.append(row(f"diagonal of {n_diagonal} images", "s", times["diagonal"], None, "lower"))
    rows.append(row("diagonal / pass over the same", "×", ratio, None, "lower"))
    ratio = median(times["sampled"]) / median(times["diagonal"])
    rows.append(row("diagonal of one drawn label / of all", "×", ratio, None, "lower"))
    return rows
