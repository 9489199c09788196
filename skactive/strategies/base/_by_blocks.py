"""Samples that are scored block by block, by joblib's workers, each block once.

What goes to a worker is names and row numbers. The strategy and the network lie in a file, which a
worker opens once; what it finds of a block is a file too, there or not there, under a name that
tells what it was computed from. So a kill, a lost worker or a second copy of a task change nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any

import cloudpickle
import numpy as np
import torch
from joblib import Parallel, delayed
from joblib.hashing import NumpyHasher
from skorch import NeuralNet
from threadpoolctl import ThreadpoolController
from torch import Tensor

from skactive._batches import n_rows
from skactive._own_gpu import own_gpu, using_gpus
from skactive._pool import Pool
from skactive._progress import no_progress, progress_bar
from skactive._threads import fixed_threads
from skactive._validation import owner_name
from skactive._whole_files import write_whole

# Of what a strategy in two stages wants, blocks give as much each, or, where these were more than
# so many in all, their share of these; and never less than their share of four times as much. A few
# samples of each block alone are alike: of FisherMask's they were worth less than random ones.
_FINALISTS = 20_000
_AT_LEAST = 4
# Of a skorch net, what no prediction depends on.
_OF_TRAINING = frozenset(
    {"history_", "callbacks", "callbacks_", "optimizer_", "init_context_", "virtual_params_"}
)

Rows = Callable[[Pool], np.ndarray]


def is_sharded(X: Any) -> bool:
    """Whether a pool says which blocks it is made of, as a ShardedPool does."""
    return all(hasattr(X, name) for name in ("blocks", "edges", "shards", "keys"))


def by_blocks(rows_of: Rows, pool: Pool, batch_size: int, owner: object) -> np.ndarray:
    """Return what a function finds of each sample of a pool.

    Parameters
    ----------
    rows_of : callable
        Takes a Pool of n samples, and returns an array of n rows, which depend on nothing but the
        sample and the number of samples in its batch.
    pool : Pool of N samples
        The pool. Where it has a folder for the work, it is read block by block.
    batch_size : int
        The samples that are computed at a time; blocks are padded to a multiple of it by their last
        sample.
    owner : object
        The strategy, for the progress bar.

    Returns
    -------
    ndarray of N rows
        `rows_of(pool)`, up to what numbers depend on the number of samples in the last batch.
    """
    if pool.work is None:
        return rows_of(pool)
    threads, source = torch.get_num_threads(), pool.source
    # Of the pool only what its blocks share: which blocks there are is told block by block.
    alike = replace(pool, source=None, positions=np.empty(0, np.int64), work=None, read=None)
    known_as = replace(alike, owner="")  # whoever asks
    told = told_apart(rows_of, known_as, batch_size, threads, source.shards, *_versions())
    folder = pool.work / told
    folder.mkdir(parents=True, exist_ok=True)
    job = folder / f"job-{told_apart(source.blocks)}.pkl"
    if not job.exists():
        sent = replace(alike, source=source)
        write_whole(job, cloudpickle.dumps((rows_of, sent, batch_size, threads)))

    caller = using_gpus()
    found: list[tuple[np.ndarray | slice, Path]] = []
    left: list[tuple[Any, ...]] = []
    for index, where, rows in _in_blocks(pool):
        path = folder / f"{_told_cheaply(source.blocks[index], rows)}.npy"
        found.append((where, path))
        if not path.exists():
            left.append((str(job), index, rows, str(path), caller))
    with progress_bar(owner_name(owner), "sample", len(pool), True) as bar:
        bar.n = bar.initial = len(pool) - sum(_size(source, *task[1:3]) for task in left)
        for n in _spread(delayed(_compute)(*task) for task in left):
            bar.update(n)
    parts = ((where, np.load(path)) for where, path in found)
    return _assembled(parts, len(pool))


def finalists(choose: Callable[[Pool, int], np.ndarray], pool: Pool, n: int, owner: object) -> Pool:
    """Return the part of a pool that its blocks put up, each n or its share of 20,000, or of 4 n.

    Parameters
    ----------
    choose : callable
        Takes a Pool and a number; returns that many positions in it.
    pool : Pool
        The pool, with a folder for the work.
    n : int
        The number of samples that are to be chosen from all.
    owner : object
        The strategy, for the progress bar.

    Returns
    -------
    Pool
        The part, which one process reads.
    """
    wanted = max(_AT_LEAST * n, min(n * len(pool.source.blocks), _FINALISTS))
    share = min(1.0, wanted / len(pool))
    chosen = by_blocks(partial(_put_up, choose, share), pool, 1, owner)
    return replace(pool.part(np.flatnonzero(chosen)), work=None)


def told_apart(*values: Any) -> str:
    """Return a name for values: the same for the same, also in another process.

    Of skorch's nets all counts but the record of their training. Functions and classes that are not
    in a module count by their code, such classes anew in each process.
    """
    as_sent = pickle.loads(
        cloudpickle.dumps(values)
    )  # where nothing is shared that was not sent so
    return str(_Told("sha256").hash(as_sent))[:32]


def _told_cheaply(block: Any, rows: np.ndarray | None) -> str:
    """Return a name for some rows of a block, all of whose fields are seen in its repr."""
    told = hashlib.sha256(repr(block).encode())
    told.update(b"all" if rows is None else rows.astype("<i8").tobytes())
    return told.hexdigest()[:32]


class _Told(NumpyHasher):
    def save(self, obj: Any) -> None:
        if isinstance(obj, NeuralNet):
            inside = {key: value for key, value in vars(obj).items() if key not in _OF_TRAINING}
            obj = (type(obj), inside)
        elif isinstance(obj, Tensor):
            values = obj.detach().cpu().contiguous().flatten().view(torch.uint8)
            obj = ("tensor", str(obj.dtype), tuple(obj.shape), obj.device.type, values.numpy())
        elif isinstance(obj, (FunctionType, type)) and _has_no_module(obj):
            obj = cloudpickle.dumps(obj)
        super().save(obj)


def _has_no_module(named: Any) -> bool:
    return named.__module__ == "__main__" or "<" in named.__qualname__


def _versions() -> tuple[str, ...]:
    from skactive import __version__  # here, since skactive imports this package

    return __version__, torch.__version__, np.__version__


def _in_blocks(pool: Pool) -> Iterator[tuple[int, np.ndarray | slice, np.ndarray | None]]:
    """Yield which block, which of the pool's samples are there, and their rows; None is all."""
    edges = pool.source.edges
    if pool.is_whole:  # without numbers for each sample
        ends = edges.tolist()
        yield from ((i, slice(*ends[i : i + 2]), None) for i in range(len(pool.source.blocks)))
        return
    which = np.searchsorted(edges, pool.positions, side="right") - 1
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(edges)))
    for index in range(len(edges) - 1):
        where = order[ends[index] : ends[index + 1]]
        if len(where):
            rows = pool.positions[where] - edges[index]
            whole = np.array_equal(rows, np.arange(edges[index + 1] - edges[index]))
            yield index, where, None if whole else rows


def _size(source: Any, index: int, rows: np.ndarray | None) -> int:
    return len(source.blocks[index]) if rows is None else len(rows)


def _spread(tasks: Iterable[Any]) -> Iterable[Any]:
    """Have joblib's workers do tasks, and return what each returns, in whatever order."""
    try:
        # A batch of one: what is finished is counted at once.
        parallel = Parallel(return_as="generator_unordered", batch_size=1)
    except ValueError:  # of some other back end, which hands over all at the end
        parallel = Parallel(batch_size=1)
    return parallel(tasks)


def _compute(job: str, index: int, rows: np.ndarray | None, path: str, caller: str | None) -> int:
    """Have the file of a block, whoever computes it; return how many samples it is of."""
    with own_gpu(caller):
        return _computed(job, index, rows, path)


def _computed(job: str, index: int, rows: np.ndarray | None, path: str) -> int:
    (rows_of, pool, batch_size, threads), libraries = _opened(job)
    if rows is None:
        rows = np.arange(len(pool.source.blocks[index]))
    if not os.path.exists(path):
        at = np.pad(pool.source.edges[index] + rows, (0, -len(rows) % batch_size), mode="edge")
        with fixed_threads(threads, libraries), no_progress():
            found = rows_of(replace(pool, positions=at))[: len(rows)]
        write_whole(Path(path), _as_npy(found))
    return len(rows)


@lru_cache(1)
def _opened(job: str) -> tuple[Any, ThreadpoolController]:
    """Return what a job is made of, and the libraries that it has brought along."""
    with open(job, "rb") as file:
        return pickle.load(file), ThreadpoolController()


def _as_npy(rows: np.ndarray) -> memoryview:
    """Return what np.save writes."""
    file = io.BytesIO()
    np.save(file, rows)
    return file.getbuffer()


def _assembled(parts: Iterable[tuple[np.ndarray | slice, np.ndarray]], n: int) -> np.ndarray:
    found: np.ndarray | None = None
    for where, rows in parts:
        if found is None:
            found = np.empty((n, *rows.shape[1:]), rows.dtype)
        found[where] = rows
    assert found is not None
    return found


def _put_up(choose: Callable[[Pool, int], np.ndarray], share: float, pool: Pool) -> np.ndarray:
    """Return which samples of a block are among its share."""
    chosen = np.zeros(n_rows(pool), dtype=bool)
    chosen[choose(pool, max(1, int(np.ceil(share * len(pool)))))] = True
    return chosen
