"""Folders of small images for the tests."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (30, 60, 200), "green": (40, 180, 60), "red": (200, 40, 40)}


def picture(colour, seed, size=24):
    """An image of one colour with noise: classes that a network learns in a few epochs."""
    noise = np.random.default_rng(seed).integers(-30, 30, (size, size, 3))
    return Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8))


def make_folder(folder: Path, n: int = 30, minutes: int = 1) -> dict[str, str]:
    """Write n images, `minutes` apart; return the class of each by path."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for i in range(n):
        colour = sorted(COLOURS)[i % 3]
        path = folder / f"{i:04}.png"
        picture(colour, i).save(path)
        at = 1_700_000_000 + i * 60 * minutes
        os.utime(path, (at, at))
        truth[path.name] = colour
    return truth


def make_marked(folder: Path, n: int) -> dict[str, str]:
    """Write n images that carry their number in red and green, and their class in blue.

    Four at a time are of one minute: a burst.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for i in range(n):
        dark = i // 4 % 2 == 0
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:] = (i % 256, i // 256, 60 if dark else 180)
        path = folder / f"{i:04}.png"
        Image.fromarray(pixels).save(path)
        at = 1_700_000_000 // 60 * 60 + i // 4 * 60
        os.utime(path, (at, at))
        truth[path.name] = "dark" if dark else "bright"
    return truth
