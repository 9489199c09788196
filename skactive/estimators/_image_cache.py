"""ImageCache: decoded images of one size in a memory map, as an array."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skactive._paths import home_expanded
from skactive._validation import invalid, on_behalf_of
from skactive.estimators._file_images import FileImages
from skactive.estimators._file_table import FileTable
from skactive.estimators._image_reader import ImageReader
from skactive.estimators._load_files import load_files
from skactive.estimators._read_image import Pixels, read_image
from skactive.estimators._row_file import RowFile
from skactive.estimators._value_range import warn_of_few_bits
from skactive.exceptions import UnreadableFileError

_AT_ONCE = 256


class ImageCache(FileImages):
    """Image files, decoded once in their life: an array of uint8 images in a memory map.

    Making one decodes the files that the folder does not have yet, in threads, and finds those that
    cannot be read in the same pass. It is used like an array, as a pool and as training data: its
    rows are read from the map when they are taken. A kill loses a few hundred images at most; the
    same call goes on. Files are known by path, size and times, and by content where these changed.

    Parameters
    ----------
    paths : sequence of N str or os.PathLike
        The files.
    folder : str or path
        Where the images are kept, made if there is none; it may be deleted when nobody uses it, and
        may be that of an `Embedder`'s cache. An image takes height × width × 3 bytes there.
    size : tuple of (int, int)
        Height and width in pixels that every image is resized to, as `ImageReader` does it.
    mode : {"RGB", "L"}, default="RGB"
        Colour, or grey values.
    errors : {"raise", "skip"}, default="raise"
        What files are that cannot be read: an error, once all others are in the folder, or left out
        and listed in `broken`.
    n_jobs : int or None, default=None
        Threads that decode, as in scikit-learn: None is 1, and -1 one per processor.
    value_range : tuple of (float, float) or None, default=None
        What becomes 0 and 255 of grey values of more than 8 bits, as in `ImageReader`.

    Attributes
    ----------
    shape : tuple of int
        (n, height, width, 3), or (n, height, width) for grey values.
    dtype : numpy.dtype
        uint8.
    positions : ndarray of shape (n,), int64
        Which of the paths the rows are: all, but those that were skipped.
    broken : dict of int to str
        For each path that was skipped, its position and the reason.

    Raises
    ------
    InvalidParameterError
        If a parameter is not what it must be.
    UnreadableFileError
        If files cannot be read, and `errors="raise"`; names the first.

    Warns
    -----
    ValueRangeWarning
        If files of 16 bits use 14 or less, all together.

    See Also
    --------
    ImageReader : The same images, decoded anew whenever they are used.

    Notes
    -----
    `numpy.asarray(cache)` is the map itself where its rows are in the order of the paths, as they
    are when the folder is new; no image is copied then.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skactive import ImageCache
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image.fromarray(np.full((48, 64, 3), 7, np.uint8)).save(folder / name)
    >>> _ = (folder / "c.png").write_bytes(b"no image")
    >>> images = ImageCache(sorted(folder.iterdir()), folder / "cache", (32, 32), errors="skip")
    >>> images.shape, int(images[0].max())
    ((2, 32, 32, 3), 7)
    >>> list(images.broken), images.positions.tolist()
    ([2], [0, 1])
    """

    def __init__(
        self,
        paths: Any,
        folder: str | os.PathLike[str],
        size: tuple[int, int],
        *,
        mode: str = "RGB",
        errors: str = "raise",
        n_jobs: int | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        files = _checked(paths, folder, size, mode, errors, n_jobs, value_range)
        height, width = map(int, size)
        shape = (height, width, 3) if mode == "RGB" else (height, width)
        told = repr((shape, None if value_range is None else tuple(map(float, value_range))))
        name = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
        root = Path(home_expanded(folder)).absolute()
        store = RowFile(root / f"images-{height}x{width}-{name}", shape, "|u1")
        keys, self.broken = _filled(
            files, store, FileTable(root), (height, width), mode, value_range, n_jobs
        )
        if self.broken and errors == "raise":
            raise _unreadable(self.broken, files)
        self.positions = np.array([i for i, key in enumerate(keys) if key], dtype=np.int64)
        self._store = store
        places = store.places([key for key in keys if key])
        super().__init__(self._at, places, shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        images = self._at(self._paths)
        if copy:
            images = images.copy()
        return images if dtype is None else images.astype(dtype, copy=False)

    def _at(self, places: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the images in some rows of the map; those of one piece without a copy."""
        rows, wanted = self._store.rows(), np.asarray(places, dtype=np.int64)
        if len(wanted) > 1 and (np.diff(wanted) == 1).all():
            return rows[wanted[0] : wanted[-1] + 1]
        return np.asarray(rows[wanted])

    def __repr__(self) -> str:
        return f"<{len(self)} images of shape {self.shape[1:]} in {str(self._store.folder)!r}>"


def _checked(
    paths: Any, folder: Any, size: Any, mode: Any, errors: Any, n_jobs: Any, value_range: Any
) -> list[str]:
    """Return the paths, if all parameters are what they must be."""
    if size is None:
        raise invalid("size", "ImageCache", "two ints of at least 1, height and width", size)
    if not isinstance(folder, (str, os.PathLike)):
        raise invalid("folder", "ImageCache", "the path of a folder", folder)
    reader = ImageReader(size, mode, errors, n_jobs, value_range=value_range)
    with on_behalf_of("ImageCache", X="paths"):
        files = reader._checked(paths)
    if not files:
        raise invalid("paths", "ImageCache", "at least one path", paths)
    return files


def _filled(
    files: list[str],
    store: RowFile,
    table: FileTable,
    size: tuple[int, int],
    mode: str,
    value_range: tuple[float, float] | None,
    n_jobs: int | None,
) -> tuple[list[bytes | None], dict[int, str]]:
    """Have the images of all files in the store; return their keys, and why some have none."""
    table.refresh()
    store.refresh()
    keys: list[bytes | None] = []
    broken: dict[int, str] = {}
    highest: list[int | None] = []

    def decode(content: io.BytesIO) -> Pixels:
        return read_image(content, size, mode, value_range)

    for start in range(0, len(files), _AT_ONCE):
        loaded = load_files(
            files[start : start + _AT_ONCE], decode, known=store, table=table, n_jobs=n_jobs
        )
        new = [(one.key, one.image) for one in loaded if one.key and one.image is not None]
        if new:
            store.append([key for key, _ in new], np.stack([image.values for _, image in new]))
            highest += [image.highest for _, image in new]
        keys += [one.key for one in loaded]
        broken |= {
            start + i: str(one.error) or repr(one.error)
            for i, one in enumerate(loaded)
            if one.error is not None
        }
    if highest:
        warn_of_few_bits(highest)
    return keys, broken


def _unreadable(broken: dict[int, str], files: list[str]) -> UnreadableFileError:
    first = next(iter(broken))
    count = "" if len(files) == 1 else f" {len(broken)} of {len(files)} files, first"
    return UnreadableFileError(
        f"ImageCache cannot read{count} {files[first]!r}: {broken[first]}. Remove or replace what "
        "cannot be read; errors='skip' leaves such files out, and lists them in broken."
    )
