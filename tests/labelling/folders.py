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
