"""CIFAR-10 and CIFAR-100, from the "python version" of their sources."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

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
from skactive.datasets._unpickle import byte_rows, list_field, unpickle

_DESCR = """\
{title}

Colour 32 x 32 images in {n_classes} classes, 50,000 for training and 10,000 for testing,
channels last.
Source: https://www.cs.toronto.edu/~kriz/cifar.html
Licence: none stated; cite the report
Cite: A. Krizhevsky. Learning Multiple Layers of Features from Tiny Images. University of
Toronto, 2009.
"""


@dataclass(frozen=True)
class _Release:
    """The files of one of the two data sets, and the keys inside them."""

    title: str
    loader: str
    dataset: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels_key: str
    names_key: str
    n_classes: int

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.meta)


_CIFAR10 = _Release(
    title="CIFAR-10",
    loader="load_cifar10",
    dataset="CIFAR10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels_key="labels",
    names_key="label_names",
    n_classes=10,
)
_CIFAR100 = _Release(
    title="CIFAR-100",
    loader="load_cifar100",
    dataset="CIFAR100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    train=("train",),
    test="test",
    meta="meta",
    labels_key="fine_labels",
    names_key="fine_label_names",
    n_classes=100,
)


def load_cifar10(*, path: str | os.PathLike[str] | None = None, download: bool = False) -> Bunch:
    """Load CIFAR-10.

    Parameters
    ----------
    path : str or path-like or None, default=None
        The archive `cifar-10-python.tar.gz`, its extracted folder `cifar-10-batches-py`, or a
        folder with either. None looks into the cache folder: the environment variable
        SKACTIVE_DATA or `~/.cache/skactive`. The pickles of the source are opened by a reader
        that builds arrays, lists and strings only and runs no other code.
    download : bool, default=False
        Whether torchvision may download the files into the cache folder if they are not there.

    Returns
    -------
    Bunch
        With the fields

        - X_train : ndarray of shape (50000, 32, 32, 3) and dtype uint8, channels last
        - y_train : ndarray of shape (50000,) and dtype int64
        - X_test : ndarray of shape (10000, 32, 32, 3) and dtype uint8
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
    A. Krizhevsky. "Learning Multiple Layers of Features from Tiny Images". University of
    Toronto, 2009.

    Examples
    --------
    >>> from skactive.datasets import load_cifar10
    >>> data = load_cifar10(download=True)  # doctest: +SKIP
    >>> data.X_train.shape  # doctest: +SKIP
    (50000, 32, 32, 3)

    Without `download=True` files are only read:

    >>> load_cifar10(path="nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.DatasetError: CIFAR-10: files are missing. Looked in nowhere (does ...
    """
    return _load(_CIFAR10, path, download)


def load_cifar100(*, path: str | os.PathLike[str] | None = None, download: bool = False) -> Bunch:
    """Load CIFAR-100 with its 100 fine classes.

    Parameters
    ----------
    path : str or path-like or None, default=None
        The archive `cifar-100-python.tar.gz`, its extracted folder `cifar-100-python`, or a
        folder with either. None looks into the cache folder: the environment variable
        SKACTIVE_DATA or `~/.cache/skactive`. The pickles of the source are opened by a reader
        that builds arrays, lists and strings only and runs no other code.
    download : bool, default=False
        Whether torchvision may download the files into the cache folder if they are not there.

    Returns
    -------
    Bunch
        With the fields

        - X_train : ndarray of shape (50000, 32, 32, 3) and dtype uint8, channels last
        - y_train : ndarray of shape (50000,) and dtype int64
        - X_test : ndarray of shape (10000, 32, 32, 3) and dtype uint8
        - y_test : ndarray of shape (10000,) and dtype int64
        - target_names : list of 100 str
        - DESCR : str, the source and the licence

    Raises
    ------
    InvalidParameterError
        If an argument is wrong, or `path` is given together with `download=True`.
    DatasetError
        If files are missing or damaged, or the download fails.

    References
    ----------
    A. Krizhevsky. "Learning Multiple Layers of Features from Tiny Images". University of
    Toronto, 2009.

    Examples
    --------
    >>> from skactive.datasets import load_cifar100
    >>> data = load_cifar100(download=True)  # doctest: +SKIP
    >>> len(data.target_names)  # doctest: +SKIP
    100

    Without `download=True` files are only read:

    >>> load_cifar100(path="nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.DatasetError: CIFAR-100: files are missing. Looked in nowhere (does ...
    """
    return _load(_CIFAR100, path, download)


def _load(layout: _Release, path: Any, download: Any) -> Bunch:
    given = check_source(layout.loader, path, download)
    cache = cache_folder()
    root = cache if given is None else given
    places = [root / layout.folder, root / layout.archive]
    if given is not None:
        places.insert(0, given)
    place = locate(
        layout.title,
        places,
        partial(_missing, layout),
        remedy_for(f"folder {layout.folder} or the archive {layout.archive}", given),
        partial(fetch, layout.title, layout.dataset, cache) if download else None,
    )
    entries = dict(_entries(layout, place))
    X, y = zip(*(_batch(layout, place / name, entries[name]) for name in layout.train), strict=True)
    test = _batch(layout, place / layout.test, entries[layout.test])
    names = _target_names(layout, place / layout.meta, entries[layout.meta])
    descr = _DESCR.format(title=layout.title, n_classes=layout.n_classes)
    return image_bunch((np.concatenate(X), np.concatenate(y)), test, names, descr)


def _missing(layout: _Release, place: Path) -> list[str]:
    if place.is_file():
        return []  # an archive; what it lacks shows when it is read
    return [name for name in layout.files if not (place / name).is_file()]


def _entries(layout: _Release, place: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the unpickled content of each file of a folder or an archive."""
    if place.is_dir():
        for name in layout.files:
            yield name, unpickle(place / name, (place / name).read_bytes())
        return
    wanted = {f"{layout.folder}/{name}": name for name in layout.files}
    try:
        # Read front to back: stepping back in a gzipped archive means decompressing it anew.
        with gzip.open(place) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if not (member.isfile() and member.name in wanted):
                    continue
                if (content := archive.extractfile(member)) is not None:
                    name = wanted.pop(member.name)
                    yield name, unpickle(place / name, content.read())
            while stream.read(2**20):
                pass  # only at its end does gzip compare the checksum
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise damaged(place, f"it cannot be read as an archive ({error})") from error
    if wanted:
        raise damaged(place, f"the archive has no {', '.join(wanted)}")


def _batch(layout: _Release, file: Path, entry: dict[str, Any]) -> Split:
    rows = byte_rows(file, entry, "data", 3 * 32 * 32)
    labels = np.asarray(list_field(file, entry, layout.labels_key, int))
    X = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (N, 3, 32, 32) to (N, 32, 32, 3)
    return check_split(file, np.ascontiguousarray(X), labels, layout.n_classes)


def _target_names(layout: _Release, file: Path, entry: dict[str, Any]) -> list[str]:
    names = list_field(file, entry, layout.names_key, str)
    if len(names) != layout.n_classes:
        raise damaged(
            file,
            f"expected {layout.n_classes} names under {layout.names_key!r}, found {len(names)}",
        )
    return names
