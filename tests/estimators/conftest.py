"""Small images with something to learn: a bright square whose place is the class."""

import numpy as np
import pytest


def squares(n, seed=0, size=10, n_classes=3):
    """uint8 images (n, size, size) and labels; the square's row gives the class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.integers(0, 60, (n, size, size), dtype=np.uint8)
    for image, label in zip(X, y, strict=True):
        image[3 * label : 3 * label + 3, 2:7] += 150
    return X, y


@pytest.fixture(scope="session")
def data():
    return squares(90)


@pytest.fixture(scope="session")
def new_data():
    return squares(60, seed=1)
