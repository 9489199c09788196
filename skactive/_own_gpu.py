"""A GPU for each of the processes that share a machine's."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

import torch

from skactive._file_locks import lock_at_once

_HELD: list[IO[bytes]] = []  # as long as this process runs


def using_gpus() -> str | None:
    """Return what tells this process from others, if it has used a GPU, or None."""
    return _process() if torch.cuda.is_initialized() else None


@contextmanager
def own_gpu(caller: str | None) -> Iterator[None]:
    """Have "cuda" mean a GPU of this process's own inside the block, if it works for another.

    Parameters
    ----------
    caller : str or None
        What `using_gpus` returned to whoever handed out the work.

    Yields
    ------
    None
    """
    if caller in (None, _process()) or torch.cuda.device_count() < 2:
        yield
        return
    with torch.cuda.device(_claimed()):
        yield


@lru_cache(1)
def _claimed() -> int:
    """Return the GPU of this process, claimed once."""
    n = torch.cuda.device_count()
    # by what they are, since CUDA_VISIBLE_DEVICES may number them otherwise in each process
    names = [str(torch.cuda.get_device_properties(k).uuid) for k in range(n)]
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return claim(names, Path(tempfile.gettempdir()) / f"skactive-gpus-{user}")


def claim(names: Sequence[str], folder: Path) -> int:
    """Return the first of those that as few living processes as possible have claimed.

    Parameters
    ----------
    names : sequence of str
        What can be claimed.
    folder : Path
        Where files say what is claimed, for the processes of one machine; made where there is none.

    Returns
    -------
    int
        Its position. It is claimed until this process ends.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    turn = 0
    while True:
        for position, name in enumerate(names):
            file = open(folder / f"{name}-{turn}", "ab")  # noqa: SIM115 - it stays open
            if lock_at_once(file.fileno()):
                _HELD.append(file)
                return position
            file.close()
        turn += 1


def _process() -> str:
    return f"{platform.node()} {os.getpid()}"
