"""MNIST, from its four IDX files."""

from __future__ import annotations

import os
from functools import partial

from sklearn.utils import Bunch

from skactive.datasets._bunch import image_bunch
from skactive.datasets._idx import missing_idx, read_idx_folder
from skactive.datasets._sources import cache_folder, check_source, fetch, locate, remedy_for

_TITLE = "MNIST"
_DESCR = """\
MNIST

Grey 28 x 28 images of handwritten digits, 60,000 for training and 10,000 for testing, 0 is black.
Source: http://yann.lecun.com/exdb/mnist/
Licence: © Y. LeCun and C. Cortes, Creative Commons Attribution-Share Alike 3.0
Cite: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document
recognition. Proceedings of the IEEE 86(11), 1998.
"""


def load_mnist(*, path: str | os.PathLike[str] | None = None, download: bool = False) -> Bunch:
    """Load MNIST, the handwritten digits.

    Parameters
    ----------
    path : str or path-like or None, default=None
        A folder with the four IDX files, gzipped or not. None looks into the cache folder: the
        environment variable SKACTIVE_DATA or `~/.cache/skactive`.
    download : bool, default=False
        Whether torchvision may download the files into the cache folder if they are not there.

    Returns
    -------
    Bunch
        With the fields

        - X_train : ndarray of shape (60000, 28, 28) and dtype uint8
        - y_train : ndarray of shape (60000,) and dtype int64
        - X_test : ndarray of shape (10000, 28, 28) and dtype uint8
        - y_test : ndarray of shape (10000,) and dtype int64
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
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. "Gradient-based learning applied to document
    recognition". Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from skactive.datasets import load_mnist
    >>> data = load_mnist(download=True)  # doctest: +SKIP
    >>> data.X_train.shape  # doctest: +SKIP
    (60000, 28, 28)

    Without `download=True` files are only read:

    >>> load_mnist(path="nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.DatasetError: MNIST: files are missing. Looked in nowhere (does not ...
    """
    folder = check_source("load_mnist", path, download)
    cache = cache_folder()
    place = locate(
        _TITLE,
        [cache / "MNIST" / "raw" if folder is None else folder],
        missing_idx,
        remedy_for("folder of the four IDX files", folder),
        partial(fetch, _TITLE, "MNIST", cache) if download else None,
    )
    train, test = read_idx_folder(place)
    return image_bunch(train, test, [str(digit) for digit in range(10)], _DESCR)
