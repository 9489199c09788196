"""Images out of whatever holds them, ready for a network, each with a key that tells it apart."""

from __future__ import annotations

import hashlib
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from skactive._batches import as_tensor, check_finite, n_rows, take_rows
from skactive._items import input_of
from skactive._paths import home_expanded
from skactive._pool import Pool
from skactive._validation import Description, invalid, owner_name
from skactive.estimators._file_table import FileTable
from skactive.estimators._inputs import infer_format
from skactive.estimators._load_files import Loaded, load_files
from skactive.estimators._preprocessing import Preprocessing
from skactive.estimators._read_image import read_image
from skactive.exceptions import UnreadableFileError

_MUST = (
    "images: an array, a tensor, a Dataset, a list of PIL images, or a sequence of paths of files"
)


class ImageSource(ABC):
    """Some images, N of them, by position.

    Parameters
    ----------
    preprocessing : Preprocessing
        What is done to them, up to the scaling.
    owner : object
        Whose they are, for the error messages.
    """

    def __init__(self, preprocessing: Preprocessing, owner: object) -> None:
        self.preprocessing = preprocessing
        self.owner = owner

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def load(self, positions: np.ndarray, known: Container[bytes] | None) -> list[Loaded]:
        """Look at some images.

        Parameters
        ----------
        positions : ndarray of int
            Which.
        known : container of bytes or None
            The keys of those that are not needed; None needs all of them, and no keys.
        """

    def name(self, position: int) -> str:
        """Return what a message calls an image."""
        return f"image {position}"

    def _sized(self, images: Tensor, where: int) -> Tensor:
        check_finite(images, self.owner, where=where)
        self.preprocessing.check_scale(images, self.owner)
        return self.preprocessing.sized(images)


class ArraySource(ImageSource):
    """The rows of an array or tensor, (N, H, W), (N, C, H, W) or (N, H, W, C)."""

    def __init__(self, X: Any, channels: str, preprocessing: Preprocessing, owner: object) -> None:
        super().__init__(preprocessing, owner)
        self._X, self._channels = X, channels

    def __len__(self) -> int:
        return n_rows(self._X)

    def load(self, positions: np.ndarray, known: Container[bytes] | None) -> list[Loaded]:
        start, stop = int(positions[0]), int(positions[-1]) + 1
        in_order = stop - start == len(positions)
        rows = as_tensor(take_rows(self._X, slice(start, stop) if in_order else positions)).cpu()
        form = _image_format(rows, self._channels, self.owner)
        keys: list[bytes | None] = [None] * len(rows)
        if known is not None:
            keys = [image_key(row, form.layout) for row in rows]
        wanted = [i for i, key in enumerate(keys) if known is None or key not in known]
        if not wanted:
            return [Loaded(key, None) for key in keys]
        sized = self._sized(form.arrange(rows[wanted]), start)
        images = dict(zip(wanted, sized, strict=True))
        return [Loaded(key, images.get(i)) for i, key in enumerate(keys)]


class ItemSource(ImageSource):
    """The items of a Dataset or a list, each of its own size: tensors, PIL images, dicts."""

    def __init__(self, X: Any, channels: str, preprocessing: Preprocessing, owner: object) -> None:
        super().__init__(preprocessing, owner)
        self._X, self._channels = X, channels

    def __len__(self) -> int:
        return len(self._X)

    def load(self, positions: np.ndarray, known: Container[bytes] | None) -> list[Loaded]:
        return [self._load(int(i), known) for i in positions]

    def _load(self, i: int, known: Container[bytes] | None) -> Loaded:
        item = as_tensor(input_of(self._X[i], "X", self.owner, i)).cpu()[None]
        form = _image_format(item, self._channels, self.owner)
        key = None if known is None else image_key(item[0], form.layout)
        if known is not None and key in known:
            return Loaded(key, None)
        return Loaded(key, self._sized(form.arrange(item), i)[0])


class FileSource(ImageSource):
    """Image files, read in threads.

    Parameters
    ----------
    paths : list of str
        The files.
    n_jobs : int or None
        The number of threads.
    table : FileTable or None
        Knows the keys of files that were read before.
    preprocessing : Preprocessing
        What is done to them, up to the scaling.
    owner : object
        Whose they are, for the error messages.
    """

    def __init__(
        self,
        paths: list[str],
        n_jobs: int | None,
        table: FileTable | None,
        preprocessing: Preprocessing,
        owner: object,
    ) -> None:
        super().__init__(preprocessing, owner)
        self._paths, self._n_jobs, self._table = paths, n_jobs, table

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, position: int) -> str:
        """Return the file's name."""
        return repr(self._paths[position])

    def load(self, positions: np.ndarray, known: Container[bytes] | None) -> list[Loaded]:
        return load_files(
            [self._paths[i] for i in positions],
            self._decode,
            known=known,
            table=self._table,
            n_jobs=self._n_jobs,
        )

    def _decode(self, content: io.BytesIO) -> Tensor:
        mode = "L" if self.preprocessing.n_channels == 1 else "RGB"
        pixels = read_image(content, None, mode, None, self.preprocessing.at_least).values
        image = torch.from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1).copy())
        return self.preprocessing.sized(image[None])[0]


def image_key(image: Tensor, layout: str) -> bytes:
    """Return what tells the values of an image apart."""
    digest = hashlib.blake2b(digest_size=32, person=b"skactive image")
    digest.update(f"{image.dtype} {tuple(image.shape)} {layout}".encode())
    digest.update(image.contiguous().view(torch.uint8).numpy().data)
    return digest.digest()


def stacked_images(
    loaded: Sequence[Loaded], positions: np.ndarray, source: ImageSource, owner: object
) -> Tensor:
    """Return loaded images as one batch, or raise if one was not read or they differ in size."""
    for i, one in zip(positions, loaded, strict=True):
        if one.error is not None:
            why = str(one.error) or repr(one.error)
            raise UnreadableFileError(
                f"{owner_name(owner)} cannot read {source.name(int(i))}: {why}. Remove or replace "
                "what cannot be read."
            ) from one.error
    return of_one_size([one.image for one in loaded if one.image is not None], owner)


def of_one_size(images: list[Tensor], owner: object) -> Tensor:
    """Return images as one batch, or raise if they differ in size."""
    shapes = sorted({tuple(image.shape) for image in images})
    if len(shapes) > 1:
        raise invalid(
            "X",
            owner,
            "images of one size and one number of channels, where the network's size is not known",
            Description(f"images of shapes {shapes[0]} and {shapes[1]}, as (C, H, W)"),
            "Pass size=(height, width).",
        )
    return torch.stack(images)


class Either:
    """What is in one of two containers.

    Parameters
    ----------
    *containers : container of bytes
        They.
    """

    def __init__(self, *containers: Container[bytes]) -> None:
        self._containers = containers

    def __contains__(self, key: object) -> bool:
        return any(key in container for container in self._containers)


def source_of(
    X: Any,
    preprocessing: Preprocessing,
    *,
    channels: str,
    n_jobs: int | None,
    owner: object,
    table: FileTable | None = None,
) -> ImageSource:
    """Return the images of what a user passes, or raise if it holds none.

    Parameters
    ----------
    X : array-like, tensor, Dataset, or sequence of images or of paths
        What holds them.
    preprocessing : Preprocessing
        What is done to them, up to the scaling.
    channels : {"auto", "first", "last"}
        Where the channel axis of arrays is.
    n_jobs : int or None
        Threads that read files.
    owner : object
        Whose parameter it is, for the error messages.
    table : FileTable or None, default=None
        What knows the keys of files.

    Returns
    -------
    ImageSource
        The images.
    """
    Pool.checked(X, "X", owner)
    if not n_rows(X):
        raise invalid("X", owner, "at least one image", X)
    if getattr(X, "ndim", 0) == 2 and hasattr(X, "iloc"):
        raise invalid("X", owner, _MUST, X, "Of a DataFrame pass the column with the paths.")
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if hasattr(X, "iloc") or kind in ("O", "U", "S"):
        X = list(X)
    if not isinstance(X, Sequence) or isinstance(X, Dataset):
        if isinstance(X, Dataset) or hasattr(X, "column_names"):
            return ItemSource(X, channels, preprocessing, owner)
        return ArraySource(X, channels, preprocessing, owner)
    if isinstance(X[0], (str, bytes, os.PathLike)):
        return FileSource(_checked_paths(X, owner), n_jobs, table, preprocessing, owner)
    if isinstance(X[0], list):  # nested lists of numbers, as scikit-learn takes them
        return ArraySource(np.asarray(X), channels, preprocessing, owner)
    return ItemSource(X, channels, preprocessing, owner)


def _checked_paths(X: Sequence[Any], owner: object) -> list[str]:
    for i, path in enumerate(X):
        if not isinstance(path, (str, bytes, os.PathLike)):
            must = "a sequence of paths of image files"
            raise invalid("X", owner, must, Description(f"{path!r} at position {i}"))
    return [home_expanded(path) for path in X]


def _image_format(X: Tensor, channels: str, owner: object) -> Any:
    form = infer_format(X, input_shape=None, channels=channels, owner=owner)
    if not form.is_image:
        remedy = "Rows are features already, or images that X.reshape(n, H, W) brings into shape."
        raise invalid("X", owner, _MUST, X, remedy)
    return form
