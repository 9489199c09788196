"""Training and prediction as one writes them in plain PyTorch for images in memory.

What a benchmark holds CNNClassifier against, and what a test holds its weights against: the same
batches, the same optimizer and the same schedule, with no library around them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: CNNClassifier's defaults, unless said otherwise.

    Attributes
    ----------
    epochs, batch_size : int
        Passes over the images, and images per step.
    lr, momentum, weight_decay : float
        Of SGD; the rate falls along half a cosine.
    device : str
        Where the images and the network are.
    half : bool
        Whether to compute in bfloat16 where autocast finds it safe.
    channels_last : bool
        Whether images and weights have their channels last in memory.
    """

    epochs: int
    batch_size: int = 32
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    device: str = "cpu"
    half: bool = False
    channels_last: bool = True


def standardised(X: Tensor, recipe: Recipe) -> Tensor:
    """All images at once, in the layout that is trained in: (N, C, H, W), its channels last."""
    X = X.to(recipe.device)
    X = X if X.is_floating_point() else X.float()
    std, mean = torch.std_mean(X, (0, 2, 3), correction=0, keepdim=True)
    X = (X - mean) / std
    if recipe.half:
        X = X.bfloat16()
    # Rows of (N, H, W, C) are gathered as they lie; a view then names the axes as torch does.
    return X.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) if recipe.channels_last else X


def train(
    net: nn.Module,
    X: Tensor,
    y: Tensor,
    recipe: Recipe,
    orders: Iterable[Tensor | None] = repeat(None),
) -> nn.Module:
    """Train a network in place.

    Parameters
    ----------
    net : torch.nn.Module
        Returns logits.
    X : Tensor of shape (N, C, H, W) or (N, F)
        Images as `standardised` returns them, or rows of features.
    y : Tensor of shape (N,), int64
        Their classes.
    recipe : Recipe
        How.
    orders : iterable of Tensor, optional
        The order of the images in each epoch; drawn at random unless given.

    Returns
    -------
    torch.nn.Module
        The network.
    """
    device = torch.device(recipe.device)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    net = net.to(device, memory_format=layout).train()
    y = y.to(device)
    optimizer = torch.optim.SGD(
        net.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    for epoch, order in zip(range(recipe.epochs), orders, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
        order = torch.randperm(len(X), device=device) if order is None else order.to(device)
        for rows in order.split(recipe.batch_size):
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.half):
                loss = F.cross_entropy(net(_rows(X, rows)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def _rows(X: Tensor, rows: Tensor) -> Tensor:
    if X.is_contiguous():
        return X[rows]
    return X.permute(0, 2, 3, 1)[rows].permute(0, 3, 1, 2)


@torch.inference_mode()
def predict_proba(
    net: nn.Module, X: Tensor, mean: Tensor, std: Tensor, batch_size: int, channels_last: bool
) -> Tensor:
    """Return class probabilities of images as stored, (N, n_classes).

    Parameters
    ----------
    net : torch.nn.Module
        Returns logits of standardised images.
    X : Tensor of shape (N, C, H, W)
        Images, on the CPU.
    mean, std : Tensor of shape (1, C, 1, 1)
        What is subtracted and divided by, on the network's device.
    batch_size : int
        Images at a time.
    channels_last : bool
        Whether to compute with the channels last in memory.

    Returns
    -------
    Tensor of shape (N, n_classes)
        The probabilities, on the CPU.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(memory_format=layout).eval()
    logits = []
    for x in X.split(batch_size):
        x = (x.to(mean.device) - mean) / std
        logits.append(net(x.contiguous(memory_format=layout)))
    return torch.cat(logits).softmax(1).cpu()
