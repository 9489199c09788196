"""The images of a folder, whatever their suffixes, with those in its sub-folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from skactive._paths import home_expanded
from skactive._validation import invalid
from skactive.exceptions import DatasetError

# What Pillow recognises, and cannot read by itself.
_NAMED_ONLY = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


def image_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files in a folder and its sub-folders.

    Files are told by their suffix: every one that Pillow reads, in capitals too. None is opened.
    Folders that are links are followed.
    Hidden files and folders, whose names begin with a dot, are left out.

    Parameters
    ----------
    folder : str or path
        The folder.

    Returns
    -------
    list of Path
        The files, sorted by their path in the folder. `path.relative_to(folder).as_posix()` is the
        key under which to keep a label: file names occur more than once, in different sub-folders,
        and positions change when files come or go.

    Raises
    ------
    InvalidParameterError
        If it is not a folder.
    DatasetError
        If there is no image in it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skactive.datasets import image_files
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("cats/1.JPG", "dogs/1.jpeg", "2.png"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / name)
    >>> [path.relative_to(folder).as_posix() for path in image_files(folder)]
    ['2.png', 'cats/1.JPG', 'dogs/1.jpeg']
    """
    from PIL import Image

    if not isinstance(folder, (str, os.PathLike)) or not os.path.isdir(home_expanded(folder)):
        must, remedy = "the path of a folder that exists", "Check it with Path(folder).resolve()."
        raise invalid("folder", "image_files", must, folder, remedy)
    kinds = Image.registered_extensions().items()
    suffixes = {end for end, kind in kinds if kind in Image.OPEN.keys() - _NAMED_ONLY}
    root = Path(home_expanded(folder))
    found = [
        (path.relative_to(root).parts, path)
        for path in _files_in(root)
        if path.suffix.lower() in suffixes and path.is_file()
    ]
    shown = [path for parts, path in sorted(found) if not any(p.startswith(".") for p in parts)]
    if not shown:
        raise DatasetError(
            f"There is no image in {str(folder)!r} and its sub-folders.",
            "Files are told by suffixes that Pillow reads, such as .jpg, .png, .tif and .webp.",
        )
    return shown


def _files_in(root: Path) -> Iterator[Path]:
    """Yield the files in a folder and all below it, linked ones too, but none within itself."""
    above: dict[str, frozenset[str]] = {os.fspath(root): frozenset()}
    for folder, inside, names in os.walk(root, followlinks=True):
        known = above.pop(folder) | {os.path.realpath(folder)}
        at = {name: os.path.realpath(os.path.join(folder, name)) for name in inside}
        inside[:] = [name for name in inside if at[name] not in known]
        above |= {os.path.join(folder, name): known for name in inside}
        yield from (Path(folder, name) for name in names)
