"""CIFAR-10-LT in a folder that is small enough to travel: images side by side, without loss.

    python -m benchmarks.gpu.sheets CIFAR10 FOLDER

makes FOLDER (about 40 MB) from CIFAR10, which is the extracted "python version" of CIFAR-10, or a
folder of sheets of all its images. Of the training images it draws 5000 · 0.02^(c/9) of class c,
13,996 in all, as the published long tail has them; the test images are all there.

A sheet is `train_00.webp`, 25 rows of 40 images of 32×32 and fewer rows if it is the last, and
`train_labels.npy` has the labels and with them the number of images; likewise for `test`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from skactive.datasets import load_cifar10, make_imbalanced

ROWS, COLUMNS, SIDE = 25, 40, 32
COUNTS = [int(5000 * 0.02 ** (c / 9)) for c in range(10)]


def read(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training images (N, 32, 32, 3) and their labels, test images and their labels."""
    return (*_read(folder, "train"), *_read(folder, "test"))


def _read(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    y = np.load(folder / f"{name}_labels.npy")
    sheets = [_images(path) for path in sorted(folder.glob(f"{name}_*.webp"))]
    return np.concatenate(sheets)[: len(y)], y.astype(np.int64)


def _images(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        sheet = np.asarray(file.convert("RGB"))
    rows = sheet.reshape(-1, SIDE, COLUMNS, SIDE, 3)
    return rows.transpose(0, 2, 1, 3, 4).reshape(-1, SIDE, SIDE, 3)


def write(folder: Path, name: str, X: np.ndarray, y: np.ndarray) -> None:
    """Write images (N, 32, 32, 3) of uint8 as sheets, and their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}_labels.npy", y.astype(np.uint8))
    for i, start in enumerate(range(0, len(X), ROWS * COLUMNS)):
        some = X[start : start + ROWS * COLUMNS]
        rows = -(-len(some) // COLUMNS)
        whole = np.zeros((rows * COLUMNS, SIDE, SIDE, 3), dtype=np.uint8)
        whole[: len(some)] = some
        sheet = whole.reshape(rows, COLUMNS, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
        image = Image.fromarray(sheet.reshape(rows * SIDE, COLUMNS * SIDE, 3))
        image.save(folder / f"{name}_{i:02d}.webp", lossless=True, method=6)


def main(source: str, folder: str) -> None:
    """Make the folder."""
    if (Path(source) / "train_labels.npy").exists():
        X, y, X_test, y_test = read(Path(source))
    else:
        data = load_cifar10(path=source)
        X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test
    X, y = make_imbalanced(X, y, COUNTS, random_state=0)
    write(Path(folder), "train", X, y)
    write(Path(folder), "test", X_test, y_test)
    print(f"{len(y)} training and {len(y_test)} test images in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
