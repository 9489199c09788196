"""Files that are read once, each for the key of its content and for the image in it, in threads."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple

from joblib import Parallel, delayed

from skactive.estimators._file_table import FileTable


class Loaded(NamedTuple):
    """An image that was looked at.

    Parameters
    ----------
    key : bytes or None
        What tells its content apart; None where nobody asks for it, or it could not be read.
    image : Tensor or ndarray, or None
        The image; None if its key is known already, or it could not be read.
    error : Exception or None
        Why a file could not be read.
    """

    key: bytes | None
    image: Any
    error: Exception | None = None


def load_files(
    paths: Sequence[str],
    decode: Callable[[io.BytesIO], Any],
    *,
    known: Container[bytes] | None,
    table: FileTable | None,
    n_jobs: int | None,
) -> list[Loaded]:
    """Look at some files.

    Parameters
    ----------
    paths : sequence of str
        The files.
    decode : callable
        Takes the content of a file, returns its image, or raises.
    known : container of bytes or None
        The keys of those that are not needed; None needs all of them, and no keys.
    table : FileTable or None
        Knows the keys of files that were read before; what is read now is noted there.
    n_jobs : int or None
        The number of threads.

    Returns
    -------
    list of Loaded
        One for each file.
    """
    keys: list[bytes | None] = [None] * len(paths)
    if known is not None and table is not None:
        keys = table.lookup(paths)
    loaded = [Loaded(key, None) for key in keys]
    unread = [i for i, key in enumerate(keys) if known is None or key not in known]
    if unread:
        threads = Parallel(n_jobs=n_jobs, require="sharedmem")
        read = threads(delayed(_load)(paths[i], decode, known) for i in unread)
        for i, (one, stat) in zip(unread, read, strict=True):
            loaded[i] = one
            if table is not None and stat is not None and one.key not in (None, keys[i]):
                table.note(paths[i], stat, one.key)
    if table is not None:
        table.write()
    return loaded


def _load(
    path: str, decode: Callable[[io.BytesIO], Any], known: Container[bytes] | None
) -> tuple[Loaded, os.stat_result | None]:
    try:
        with open(path, "rb") as file:
            stat, content = os.fstat(file.fileno()), file.read()
        key = None if known is None else file_key(content)
        if known is not None and key in known:
            return Loaded(key, None), stat
        return Loaded(key, decode(io.BytesIO(content))), stat
    except MemoryError:
        raise
    except Exception as error:  # a decoder raises whatever it stumbles over in broken bytes
        return Loaded(None, None, error), None


def file_key(content: bytes) -> bytes:
    """Return what tells the content of a file apart."""
    return hashlib.blake2b(content, digest_size=32, person=b"skactive file").digest()
