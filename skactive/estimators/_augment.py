"""Augmentation of whole batches, on the device where they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["random_crop", "random_flip"]


def random_crop(images: Tensor, padding: int = 4) -> Tensor:
    """Pad every image with zeros and cut a piece of its own size out of it, at random.

    Draws from torch's generator of the images' device.

    Parameters
    ----------
    images : Tensor of shape (n, C, H, W)
        The batch.
    padding : int, default=4
        Pixels added on every side.

    Returns
    -------
    Tensor of shape (n, C, H, W)
        The crops, each image with its own offset.
    """
    n, _, height, width = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(0, 2 * padding + 1, (2, n, 1), device=images.device)
    rows = top + torch.arange(height, device=images.device)  # (n, H)
    columns = left + torch.arange(width, device=images.device)  # (n, W)
    sample = torch.arange(n, device=images.device)
    # Indexing with (n, 1, 1), (n, H, 1), (n, 1, W) around the channel slice gives (n, H, W, C).
    cut = padded[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2)


def random_flip(images: Tensor) -> Tensor:
    """Mirror every image left to right with probability one half.

    Parameters
    ----------
    images : Tensor of shape (n, C, H, W)
        The batch.

    Returns
    -------
    Tensor of shape (n, C, H, W)
        The batch, some of its images mirrored.
    """
    flip = torch.rand(len(images), device=images.device) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(-1), images)


def crop_and_flip(images: Tensor) -> Tensor:
    """Crop with a padding of 4, then flip: what both papers train with."""
    return random_flip(random_crop(images))


AUGMENTATIONS = {"crop": random_crop, "flip": random_flip, "crop_flip": crop_and_flip}
