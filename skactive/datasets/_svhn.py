"""SVHN, the cropped house numbers, from MATLAB files."""

from __future__ import annotations

import os
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skactive.datasets._bunch import Split, check_split, image_bunch
from skactive.datasets._sources import (
    cache_folder,
    check_source,
    damaged,
    fetch,
    locate,
    remedy_for,
)

_TITLE = "SVHN"
_FILES = ("train_32x32.mat", "test_32x32.mat")
_DESCR = """\
SVHN, the Street View House Numbers, cropped digits

Colour 32 x 32 images of digits, 73,257 for training and 26,032 for testing, channels last.
Class 0 is the digit 0 (the source's label 10).
Source: http://ufldl.stanford.edu/housenumbers/
Licence: for non-commercial use only
Cite: Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng. Reading Digits in Natural
Images with Unsupervised Feature Learning. NIPS Workshop on Deep Learning and Unsupervised
Feature Learning, 2011.
"""


def load_svhn(*, path: str | os.PathLike[str] | None = None, download: bool = False) -> Bunch:
    """Load SVHN, the digits of house numbers, cropped to 32×32.

    Parameters
    ----------
    path : str or path-like or None, default=None
        A folder with `train_32x32.mat` and `test_32x32.mat`. None looks into the folder `SVHN`
        of the cache folder: the environment variable SKACTIVE_DATA or `~/.cache/skactive`.
    download : bool, default=False
        Whether torchvision may download the files into the cache folder if they are not there.

    Returns
    -------
    Bunch
        With the fields

        - X_train : ndarray of shape (73257, 32, 32, 3) and dtype uint8, channels last
        - y_train : ndarray of shape (73257,) and dtype int64; the digit 0, which the source
          labels 10, is class 0
        - X_test : ndarray of shape (26032, 32, 32, 3) and dtype uint8
        - y_test : ndarray of shape (26032,) and dtype int64
        - target_names : list of 10 str
        - DESCR : str, the source and the licence

    Raises
    ------
    InvalidParameterError
        If an argument is wrong, or `path` is given together with `download=True`.
    DatasetError
        If files are missing or damaged, or the download fails.

    References
    ----------
    Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng. "Reading Digits in Natural
    Images with Unsupervised Feature Learning". NIPS Workshop on Deep Learning and Unsupervised
    Feature Learning, 2011.

    Examples
    --------
    >>> from skactive.datasets import load_svhn
    >>> data = load_svhn(download=True)  # doctest: +SKIP
    >>> data.X_train.shape  # doctest: +SKIP
    (73257, 32, 32, 3)

    Without `download=True` files are only read:

    >>> load_svhn(path="nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.DatasetError: SVHN: files are missing. Looked in nowhere (does not ...
    """
    folder = check_source("load_svhn", path, download)
    cache = cache_folder() / "SVHN"
    parts = ({"split": "train"}, {"split": "test"})
    place = locate(
        _TITLE,
        [cache if folder is None else folder],
        _missing,
        remedy_for(f"folder of {' and '.join(_FILES)}", folder),
        partial(fetch, _TITLE, "SVHN", cache, parts) if download else None,
    )
    train, test = (_read(place / name) for name in _FILES)
    return image_bunch(train, test, [str(digit) for digit in range(10)], _DESCR)


def _missing(folder: Path) -> list[str]:
    return [name for name in _FILES if not (folder / name).is_file()]


def _read(file: Path) -> Split:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with file.open("rb") as stream:
            arrays = loadmat(stream, variable_names=("X", "y"))
        X, y = arrays["X"], arrays["y"]
    # What SciPy raises for an empty, foreign, cut or altered file.
    except (
        MatReadError,
        EOFError,
        IndexError,
        KeyError,
        NotImplementedError,
        OSError,
        TypeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise damaged(file, f"it cannot be read as a MATLAB file with X and y ({error})") from error
    if X.dtype != np.uint8 or X.ndim != 4 or X.shape[:3] != (32, 32, 3):
        raise damaged(
            file,
            "expected X of shape (32, 32, 3, n_images) and dtype uint8, "
            f"found {X.shape} and {X.dtype}",
        )
    X = np.ascontiguousarray(X.transpose(3, 0, 1, 2))  # (32, 32, 3, N) to (N, 32, 32, 3)
    y = y.ravel()
    return check_split(file, X, np.where(y == 10, 0, y), 10)
