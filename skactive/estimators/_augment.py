"""Augmentation of whole batches, on the device where they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


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


def random_contrast(images: Tensor, strength: float = 0.4) -> Tensor:
    """Stretch or press every image's values around its mean, by a factor of its own.

    Parameters
    ----------
    images : Tensor of shape (n, C, H, W)
        The batch; uint8 values stay within 0 to 255.
    strength : float, default=0.4
        The factors are uniform from 1 - strength to 1 + strength.

    Returns
    -------
    Tensor of shape (n, C, H, W)
        The batch, in the dtype given.
    """
    values = images.float()
    factor = 1 + strength * (2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1)
    mean = values.mean((1, 2, 3), keepdim=True)
    changed = mean + factor * (values - mean)
    if not images.is_floating_point():
        changed = changed.round().clamp(0, 255)
    return changed.to(images.dtype)


def random_cutout(images: Tensor) -> Tensor:
    """Blacken a square of half the image's height in every image, at random; it may stick out.

    Parameters
    ----------
    images : Tensor of shape (n, C, H, W)
        The batch.

    Returns
    -------
    Tensor of shape (n, C, H, W)
        The batch with zeros in the squares.
    """
    n, _, height, width = images.shape
    side = max(height // 2, 1)
    middle = torch.rand(2, n, 1, device=images.device)
    top, left = middle[0] * height - side / 2, middle[1] * width - side / 2
    row = torch.arange(height, device=images.device)
    column = torch.arange(width, device=images.device)
    in_rows = (row >= top) & (row < top + side)  # (n, H)
    in_columns = (column >= left) & (column < left + side)  # (n, W)
    hidden = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    return images.masked_fill(hidden, 0)


def strong(images: Tensor) -> Tensor:
    """Crop, flip, change the contrast and cut out a square (T. DeVries, G. Taylor, 1708.04552)."""
    return random_cutout(random_contrast(crop_and_flip(images)))


AUGMENTATIONS = {
    "crop": random_crop,
    "flip": random_flip,
    "crop_flip": crop_and_flip,
    "strong": strong,
}
