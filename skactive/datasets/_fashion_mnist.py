"""Fashion-MNIST: 4,000 images that ship with the package, or all 70,000 from files."""

from __future__ import annotations

import hashlib
import io
import os
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skactive._validation import Phrase, invalid
from skactive.datasets._bunch import check_split, image_bunch
from skactive.datasets._idx import missing_idx, read_idx_folder
from skactive.datasets._sources import cache_folder, check_source, fetch, locate
from skactive.exceptions import DatasetError

_TITLE = "Fashion-MNIST"
_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_SHIPPED = "fashion_mnist_4k.npz"
_SHIPPED_SHA256 = "99292a1211fa2c4e6f66cd7bf148568b8f279e697a0a9e880678265e21acd73d"
_NAMES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
_DESCR = """\
Fashion-MNIST{part}

Grey 28 x 28 images of Zalando's articles in ten classes, 0 is black.
Source: https://github.com/zalandoresearch/fashion-mnist
Licence: The MIT License (MIT), Copyright © 2017 Zalando SE, https://tech.zalando.com
Cite: H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms. arXiv:1708.07747, 2017.
"""


def load_fashion_mnist(
    subset: str = "4k",
    *,
    path: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Bunch:
    """Load Fashion-MNIST, ten classes of clothes.

    Parameters
    ----------
    subset : {"4k", "full"}, default="4k"
        "4k" is the first 300 training and the first 100 test images of each class, in their
        original order; they ship with the package. "full" is all 60,000 and 10,000 images.
    path : str or path-like or None, default=None
        For "full": a folder with the four IDX files, gzipped or not. None looks into the
        folder of Debian's package dataset-fashion-mnist, `/usr/share/datasets/fashion-mnist`,
        and then into the cache folder: the environment variable SKACTIVE_DATA or
        `~/.cache/skactive`. Must be None for "4k".
    download : bool, default=False
        For "full": whether torchvision may download the files into the cache folder if they
        are in neither place. Nothing is downloaded for "4k".

    Returns
    -------
    Bunch
        With the fields

        - X_train : ndarray of shape (n_train, 28, 28) and dtype uint8
        - y_train : ndarray of shape (n_train,) and dtype int64
        - X_test : ndarray of shape (n_test, 28, 28) and dtype uint8
        - y_test : ndarray of shape (n_test,) and dtype int64
        - target_names : list of 10 str
        - DESCR : str, the source and the licence

    Raises
    ------
    InvalidParameterError
        If an argument is wrong, or `path` is given for "4k" or together with `download=True`.
    DatasetError
        If files are missing or damaged, or the download fails.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf. "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms". arXiv:1708.07747, 2017.

    Examples
    --------
    >>> from skactive.datasets import load_fashion_mnist
    >>> data = load_fashion_mnist()
    >>> data.X_train.shape, data.X_test.shape
    ((3000, 28, 28), (1000, 28, 28))
    >>> data.target_names[data.y_train[0]]
    'Ankle boot'
    """
    if not isinstance(subset, str) or subset not in ("4k", "full"):
        raise invalid("subset", "load_fashion_mnist", '"4k" or "full"', subset)
    folder = check_source("load_fashion_mnist", path, download)
    if subset == "full":
        return _load_full(folder, download)
    if folder is not None:
        raise invalid(
            "path",
            "load_fashion_mnist",
            Phrase('{None} where {subset="4k"}, which ships with the package'),
            path,
            Phrase('{Pass subset="full"} to read the folder.'),
        )
    return _load_shipped()


def _load_full(folder: Path | None, download: bool) -> Bunch:
    cache = cache_folder()
    if folder is not None:
        places = [folder]
        remedy = Phrase("{Pass path=} with the folder of the four IDX files.")
    else:
        places = [_DEBIAN_FOLDER, cache / "FashionMNIST" / "raw"]
        remedy = Phrase(
            "{Pass path=} with the folder of the four IDX files, install Debian's package "
            "dataset-fashion-mnist, or {pass download=True}."
        )
    download_files = partial(fetch, _TITLE, "FashionMNIST", cache) if download else None
    train, test = read_idx_folder(locate(_TITLE, places, missing_idx, remedy, download_files))
    return image_bunch(train, test, list(_NAMES), _DESCR.format(part=""))


def _load_shipped() -> Bunch:
    resource = resources.files("skactive.datasets") / "data" / _SHIPPED
    remedy = "Install skactive again."
    try:
        content = resource.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(f"{_TITLE}: {resource} is missing.", remedy) from error
    found = hashlib.sha256(content).hexdigest()
    if found != _SHIPPED_SHA256:
        raise DatasetError(
            f"{_TITLE}: {resource} is damaged: expected the sha256 {_SHIPPED_SHA256}, "
            f"found {found}.",
            remedy,
        )
    with np.load(io.BytesIO(content)) as arrays:
        train, test = (
            check_split(resource, arrays[f"X_{split}"], arrays[f"y_{split}"], len(_NAMES))
            for split in ("train", "test")
        )
    part = ", the first 300 training and 100 test images of each class"
    return image_bunch(train, test, list(_NAMES), _DESCR.format(part=part))
