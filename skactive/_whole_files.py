"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes | memoryview | str, permissions: int = 0o666) -> None:
    """Write a file; whoever reads meanwhile, or after a kill, finds the old one or the new one.

    Parameters
    ----------
    path : path
        The file. What is written lies beside it first, under a name of its own.
    content : bytes-like or str
        What it is to hold; text as UTF-8.
    permissions : int, default=0o666
        Of the file, less what the umask takes away.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
