"""ShardedPool: the samples of many files as one array that is read in parts."""

from __future__ import annotations

import glob
import json
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed

from skactive._memory import peak_since_start
from skactive._paths import home_expanded
from skactive._validation import check_count, invalid, on_behalf_of
from skactive._whole_files import write_whole
from skactive.estimators._file_images import FileImages, is_large
from skactive.estimators._image_reader import ImageReader
from skactive.estimators._shards import (
    Block,
    FileShards,
    NpyShards,
    ParquetShards,
    Shards,
    TarShards,
    blocks_of,
    blocks_of_files,
    map_rows,
)
from skactive.exceptions import DatasetError

_KINDS = {kind.__name__: kind for kind in (NpyShards, FileShards, ParquetShards, TarShards)}


class ShardedPool(FileImages):
    """A pool in many files: shards of .npy, Parquet or tar, or image files.

    It is used like an array, and no more of it is read than is asked for: by every strategy, by
    `predict` and by an `Embedder`. What a caller holds is 8 bytes a sample. It is made by
    `from_npy`, `from_files`, `from_parquet` or `from_webdataset`, or by `load`.

    It knows the blocks that it is made of, runs of at most `block_size` samples of one shard, and
    what tells that a shard has changed: its size and time. What has changed is an error.

    Parameters
    ----------
    shards : Shards
        How the files are read.
    blocks : sequence of Block
        Where the samples are.
    errors : {"raise", "skip"}, default="raise"
        What a query does about images that cannot be read. With "skip" every strategy of skactive
        looks for them before it chooses, warns of them, and chooses from the others as if they were
        not there; that decodes the images once more, JPEGs at an eighth of their size. Everywhere
        else such an image is an error.

    Attributes
    ----------
    shape : tuple of int
        N, and the shape of a sample.
    dtype : numpy.dtype
        That of the .npy files; uint8 of images.
    blocks : tuple of Block
        Where the samples are: `uri`, `start` and `stop` in it, and `etag`.
    edges : ndarray of shape (number of blocks + 1,), int64
        The first position of each block, and N.

    See Also
    --------
    ImageCache : Image files on one machine, decoded once in their life.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, Margin, ShardedPool
    >>> X, y = load_digits(return_X_y=True)
    >>> folder = Path(tempfile.mkdtemp())
    >>> for i, part in enumerate(np.split(X[:1200], 4)):
    ...     np.save(folder / f"{i}.npy", part)
    >>> pool = ShardedPool.from_npy(str(folder / "*.npy"))
    >>> pool.shape, len(pool.blocks)
    ((1200, 64), 4)
    >>> clf = CNNClassifier(max_epochs=2, random_state=0).fit(X[1200:], y[1200:])
    >>> chosen = Margin(random_state=0).select(clf, pool, n_instances=3).indices
    >>> bool((chosen == Margin(random_state=0).select(clf, X[:1200], 3).indices).all())
    True
    >>> pool.keys([0, 299, 300])
    ['0.npy:0', '0.npy:299', '1.npy:0']
    """

    def __init__(self, shards: Shards, blocks: Sequence[Block], errors: str = "raise") -> None:
        if errors not in ("raise", "skip"):
            raise invalid("errors", "ShardedPool", "'raise' or 'skip'", errors)
        self.shards, self.blocks, self.errors = shards, tuple(blocks), errors
        self.edges = np.cumsum([0, *map(len, blocks)])
        super().__init__(self._at, np.arange(self.edges[-1]), shards.shape, shards.dtype)

    @classmethod
    def from_npy(cls, paths: Any, *, block_size: int = 10_000) -> ShardedPool:
        """Make a pool of the rows of .npy files, which stay on the disk.

        Parameters
        ----------
        paths : str or sequence of str or os.PathLike
            The files in their order, or a pattern such as ``"images/*.npy"``.
        block_size : int, default=10_000
            Samples per block, at most.

        Returns
        -------
        ShardedPool
            The pool.
        """
        files = _files(paths, "from_npy")
        first = map_rows(files[0])
        shards = NpyShards(first.shape[1:], first.dtype.str)
        return cls(shards, _counted(files, shards.count, block_size))

    @classmethod
    def from_files(
        cls,
        paths: Any,
        size: tuple[int, int],
        *,
        mode: str = "RGB",
        errors: str = "raise",
        block_size: int = 10_000,
    ) -> ShardedPool:
        """Make a pool of image files.

        Parameters
        ----------
        paths : str or sequence of str or os.PathLike
            The files in their order, or a pattern; `skactive.datasets.image_files` gives those of
            a folder and its sub-folders.
        size : tuple of (int, int)
            Height and width in pixels that every image is resized to, as `ImageReader` does it.
        mode : {"RGB", "L"}, default="RGB"
            Colour, or grey values.
        errors : {"raise", "skip"}, default="raise"
            What a query does about images that cannot be read.
        block_size : int, default=10_000
            Images per block, at most.

        Returns
        -------
        ShardedPool
            The pool; its keys are the paths of the files, as seen from the folder that has all.
        """
        files = _files(paths, "from_files")
        check_count("block_size", "ShardedPool", block_size)
        shards = FileShards(*_image_settings(size, mode))
        return cls(shards, blocks_of_files(files, block_size), errors)

    @classmethod
    def from_parquet(
        cls,
        paths: Any,
        size: tuple[int, int],
        *,
        image: str = "image",
        key: str | None = None,
        mode: str = "RGB",
        errors: str = "raise",
        block_size: int = 10_000,
    ) -> ShardedPool:
        """Make a pool of the encoded images in Parquet files (pip install 'skactive[shards]').

        Parameters
        ----------
        paths : str or sequence of str or os.PathLike
            The files in their order, or a pattern. Their row groups are read whole, so that these
            should have some hundreds or thousands of images.
        size : tuple of (int, int)
            Height and width in pixels that every image is resized to.
        image : str, default="image"
            The column with the files' bytes, or with structs that have `bytes`.
        key : str or None, default=None
            The column with the keys; None numbers the rows of each file.
        mode : {"RGB", "L"}, default="RGB"
            Colour, or grey values.
        errors : {"raise", "skip"}, default="raise"
            What a query does about images that cannot be read.
        block_size : int, default=10_000
            Images per block, at most.

        Returns
        -------
        ShardedPool
            The pool.
        """
        shards = ParquetShards(*_image_settings(size, mode), image, key)
        files = _files(paths, "from_parquet")
        return cls(shards, _counted(files, shards.count, block_size), errors)

    @classmethod
    def from_webdataset(
        cls,
        paths: Any,
        size: tuple[int, int],
        *,
        image: str = "jpg;jpeg;png;webp",
        mode: str = "RGB",
        errors: str = "raise",
        block_size: int = 10_000,
    ) -> ShardedPool:
        """Make a pool of the images in tar files, as webdataset writes them.

        Parameters
        ----------
        paths : str or sequence of str or os.PathLike
            The files in their order, not compressed, or a pattern. Each is read once from header to
            header, by joblib's workers where there are some.
        size : tuple of (int, int)
            Height and width in pixels that every image is resized to.
        image : str, default="jpg;jpeg;png;webp"
            The suffixes of files that are images of the pool; others are left out.
        mode : {"RGB", "L"}, default="RGB"
            Colour, or grey values.
        errors : {"raise", "skip"}, default="raise"
            What a query does about images that cannot be read.
        block_size : int, default=10_000
            Images per block, at most.

        Returns
        -------
        ShardedPool
            The pool; its keys are the paths in the tar files, up to the first dot in the name.
        """
        shards = TarShards(*_image_settings(size, mode), image)
        files = _files(paths, "from_webdataset")
        return cls(shards, _counted(files, shards.count, block_size), errors)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what the pool is made of, in JSON Lines: a line for each block.

        Parameters
        ----------
        path : str or path
            The file. 10⁸ images in blocks of 10⁴ are about 1 MB; of a folder of images it has all
            their names.
        """
        about = {"kind": type(self.shards).__name__, "errors": self.errors} | asdict(self.shards)
        lines = [json.dumps(line) for line in (about, *map(asdict, self.blocks))]
        write_whole(Path(home_expanded(path)), "\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ShardedPool:
        """Return a pool that was saved; no shard is opened.

        Parameters
        ----------
        path : str or path
            The file that `save` wrote.

        Returns
        -------
        ShardedPool
            The pool.
        """
        with open(home_expanded(path), encoding="utf-8") as file:
            about, *blocks = map(json.loads, file)
        kind, errors = _KINDS[about.pop("kind")], about.pop("errors")
        return cls(kind(**_tupled(about)), [Block(**_tupled(block)) for block in blocks], errors)

    def dry_run(
        self, strategy: Any, estimator: Any, n_instances: int = 1, **given: Any
    ) -> dict[str, float]:
        """Ask a strategy about the first block, in this process; print what all would take.

        Parameters
        ----------
        strategy : QueryStrategy
            The strategy.
        estimator : object
            What it is asked with.
        n_instances : int, default=1
            Number of samples to choose from the block.
        **given : object
            What else `select` gets, such as `X_labelled` and `y_labelled`.

        Returns
        -------
        dict of str to float
            What was printed: `seconds` for the block, `all_seconds` for all blocks, one after the
            other, and `memory`, the most bytes that this process has held since it began.

        Examples
        --------
        >>> pool.dry_run(Margin(), clf)  # doctest: +SKIP
        10,000 samples: 9.1 s, 1,099 a second, by 1 thread(s); memory 0.6 GB
        all 10,000 blocks: 25.3 hours on one worker, 0.25 on 100
        """
        block = ShardedPool(self.shards, self.blocks[:1], self.errors)
        start = time.perf_counter()
        strategy.select(estimator, block, min(n_instances, len(block)), **given)
        seconds, memory = time.perf_counter() - start, peak_since_start()
        whole = seconds / len(block) * len(self)
        print(
            f"{len(block):,} samples: {seconds:.3g} s, {len(block) / seconds:,.0f} a second, by "
            f"{torch.get_num_threads()} thread(s); memory {memory / 1e9:.2g} GB\n"
            f"all {len(self.blocks):,} blocks: {whole / 3600:.3g} hours on one worker, "
            f"{whole / 360_000:.3g} on 100"
        )
        return {"seconds": seconds, "all_seconds": whole, "memory": float(memory)}

    def keys(self, positions: Any) -> list[str]:
        """Return the names of some samples.

        Parameters
        ----------
        positions : array-like of shape (n,), int
            Their positions.

        Returns
        -------
        list of str
            One a sample; see the constructors.
        """
        found = np.empty(len(positions), dtype=object)
        for block, where, rows in self._by_block(positions):
            found[where] = self.shards.keys(block, rows)
        return found.tolist()

    def readable(self, positions: Any) -> np.ndarray:
        """Return which of some samples can be read, by decoding them.

        Parameters
        ----------
        positions : array-like of shape (n,), int
            Their positions.

        Returns
        -------
        ndarray of shape (n,), bool
            True where an image can be decoded.
        """
        found = np.empty(len(positions), dtype=bool)
        for block, where, rows in self._by_block(positions):
            found[where] = self.shards.readable(block, rows)
        return found

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice) and index.step in (None, 1):  # a batch, of one block
            start, stop, _ = index.indices(len(self))
            i = bisect_right(self.edges, start) - 1
            small = not is_large(stop - start, self.shape[1:], self.dtype)
            if start < stop <= self.edges[i + 1] and small:
                first = self.edges[i]
                return self.shards.run(self.blocks[i], start - first, stop - first)
        return super().__getitem__(index)

    def _at(self, positions: Any) -> np.ndarray:
        parts = list(self._by_block(positions))
        if len(parts) == 1:  # of one block, without a copy
            (block, _, rows), *_ = parts
            return self.shards.read(block, rows)
        found = np.empty((len(positions), *self.shape[1:]), self.dtype)
        for block, where, rows in parts:
            found[where] = self.shards.read(block, rows)
        return found

    def _by_block(self, positions: Any) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
        """Yield the blocks of some positions, which of these are there, and their rows in it."""
        positions = np.asarray(positions, dtype=np.int64)
        if len(positions):  # at most batches are of one block
            ends = [positions.min(), positions.max()]
            first, last = (np.searchsorted(self.edges, ends, side="right") - 1).tolist()
            if first == last:
                yield self.blocks[first], np.arange(len(positions)), positions - self.edges[first]
                return
        which = np.searchsorted(self.edges, positions, side="right") - 1
        for i in np.unique(which).tolist():
            where = np.flatnonzero(which == i)
            yield self.blocks[i], where, positions[where] - self.edges[i]

    def __reduce__(self) -> tuple[Any, ...]:  # without the positions, 8 bytes a sample
        return type(self), (self.shards, self.blocks, self.errors)

    def __repr__(self) -> str:
        about = f"{len(self)} samples of shape {self.shape[1:]} in {len(self.blocks)} blocks"
        return f"<ShardedPool: {about}>"


def _files(paths: Any, owner: str) -> list[str]:
    """Return the absolute paths of files, which are the same for processes elsewhere."""
    owner = f"ShardedPool.{owner}"
    if isinstance(paths, (str, os.PathLike)):
        pattern = home_expanded(paths)  # or a file whose name has brackets
        exists = os.path.exists(pattern)
        many = [pattern] if exists else sorted(glob.glob(pattern, recursive=True))
    else:
        many = list(paths)
    if not many or not all(isinstance(path, (str, os.PathLike)) for path in many):
        raise invalid("paths", owner, "files, or a pattern that some files match", paths)
    return [os.path.abspath(home_expanded(path)) for path in many]


def _image_settings(size: Any, mode: Any) -> tuple[tuple[int, int], str]:
    if size is None:
        raise invalid("size", "ShardedPool", "two ints of at least 1, height and width", size)
    with on_behalf_of("ShardedPool"):
        ImageReader(size, mode)._checked([])
    height, width = map(int, size)
    return (height, width), mode


def _counted(files: list[str], count: Callable[[str], int], block_size: int) -> list[Block]:
    """Return the blocks of shards, whose samples are counted by joblib's workers."""
    check_count("block_size", "ShardedPool", block_size)
    counts = Parallel()(delayed(count)(uri) for uri in files)
    blocks = [
        block
        for uri, n in zip(files, counts, strict=True)
        for block in blocks_of(uri, n, block_size)
    ]
    if not blocks:
        raise DatasetError(f"There is no sample in {files[0]!r} and the other shards.")
    return blocks


def _tupled(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON holds with tuples for lists."""
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()
    }
