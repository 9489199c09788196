"""Pools on disk: seconds and peak memory of the strategies whose cost is linear in N.

The pool is a memmap of uint8 images of 3×32×32: 1,000,000 of them, which are 3 GB, or 6,000 with
--quick. The network is a small one, so that reading the pool, and not the network, is what most of
the work is; strategies that need several passes take four.

Reading overlaps computing: the system reads a mapped file ahead of whoever goes through it in
order, so that the thread that reads and computes seldom waits; how much of the time it does not
run is a row. Without reading ahead, which is timed on a tenth of the pool, each page is waited for.
A thread of ours that read a batch ahead, and advice to the system of what comes next, were tried
and gained nothing beside it. A query from the disk takes longer than one from memory all the same,
since putting pages in place is work of the processor: much of it in a virtual machine that gives
free memory back to its host, as it does some seconds after the file has been forgotten. That is
waited for, so that it is the same for all.

Memory is what the process allocates, interpreter and torch included: Linux counts it as anonymous.
Pages of a mapped file that have been read stay in memory while nobody else wants it, and are no
cost of the process; the peak that the system itself keeps, VmHWM, counts them, and so the table has
it only beside the other.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from benchmarks._machine import memory
from benchmarks._report import alone, peak_memory, row, seconds

CLASSES, WIDTH, PICKS = 10, 32, 20
FOR_FISHER = 5e8
# What strategies store per sample of the pool, in bytes, beside O(1) numbers: float64 probabilities
# (C), float32 factors and embeddings (D the width of the last layer).
STORED = {
    "Random": 0,
    "LeastConfidence": 8 * CLASSES,
    "Margin": 8 * CLASSES,
    "Entropy": 8 * CLASSES,
    "LearningLoss": 0,
    "GradientNorm": 0,
    "ExpectedGradientLength": 0,
    "LPLGrad": 0,
    "BALD": 0,
    "MeanEntropy": 0,
    "PredictiveEntropy": 0,
    "VariationRatio": 0,
    "PowerBALD": 0,
    "BADGE": 4 * (CLASSES + WIDTH),
    "CoreSet": 4 * WIDTH,
    "KMeansSampling": 4 * WIDTH,
    "BAIT": 4 * (3 * CLASSES**2 + WIDTH),
    "FisherMask": None,  # as much as it is allowed
}
QUICK = ["Margin", "GradientNorm", "CoreSet"]
PARAMS: dict[str, dict[str, Any]] = {
    "LearningLoss": {"subset": None},
    "LPLGrad": {"subset": None},
    **{
        name: {"n_passes": 4}
        for name in ("BALD", "MeanEntropy", "PredictiveEntropy", "VariationRatio", "PowerBALD")
    },
    "FisherMask": {"max_memory": FOR_FISHER, "progress": False},
}


class SmallNet(nn.Sequential):
    """Two convolutions with strides."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(8, WIDTH, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(WIDTH, CLASSES),
        )


class PeakMemory:
    """The most that the process allocates inside the block, in MB, read every so many seconds."""

    every = 0.01

    def __enter__(self) -> PeakMemory:
        self.value, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(self.every):
            self.value = max(self.value, self.now())

    def now(self) -> float:
        """What it holds now."""
        return memory("RssAnon", "RssShmem")


def make_pool(path: Path, N: int) -> None:
    """Write N images of noise on a brightness that shows the class."""
    pool = np.lib.format.open_memmap(path, "w+", np.uint8, (N, 32, 32, 3))
    rng = np.random.default_rng(0)
    for start in range(0, N, 10_000):
        n = min(10_000, N - start)
        noise = rng.integers(0, 56, (n, 32, 32, 3), dtype=np.uint8)
        pool[start : start + n] = noise + _labels(start, n)[:, None, None, None] * 20
    pool.flush()


def _labels(start: int, n: int) -> np.ndarray:
    return ((np.arange(start, start + n) * 7) % CLASSES).astype(np.uint8)


def _fitted(name: str, X: np.ndarray, y: np.ndarray) -> Any:
    import skactive

    if name == "LearningLoss":
        return skactive.LPLClassifier(SmallNet, max_epochs=2, random_state=0).fit(X, y)
    return skactive.CNNClassifier(SmallNet, max_epochs=2, random_state=0).fit(X, y)


def query(name: str, path: Path) -> tuple[float, float, float, float]:
    """Seconds for a quarter of the pool and for all of it; peak memory of the latter, and VmHWM."""
    import skactive

    warnings.simplefilter("ignore")  # FisherMask's two stages
    pool = np.load(path, mmap_mode="r")
    X, y = np.array(pool[:500]), _labels(0, 500)
    clf = _fitted(name, X, y)
    strategy = getattr(skactive, name)(random_state=0, **PARAMS.get(name, {}))

    def select(n: int) -> float:
        return seconds(lambda: strategy.select(clf, pool[:n], PICKS, X_labelled=X, y_labelled=y))

    select(1_000)
    quarter = select(len(pool) // 4)
    with PeakMemory() as peak:
        whole = select(len(pool))
    return quarter, whole, peak.value, peak_memory()


def forget(path: Path) -> None:
    """Have the system drop the pages of a file that it has read."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def reading(path: Path, repeats: int, pause: float) -> np.ndarray:
    """Seconds of four tasks, and of them those that the thread ran: (repeats, 4, 2).

    A query by probabilities from the disk, the same from memory, reading from the disk as the
    system does it, ahead of what is asked for, and a tenth of that page by page.
    """
    from skactive import Margin

    clf = _fitted("Margin", np.array(np.load(path, mmap_mode="r")[:500]), _labels(0, 500))

    def timed(
        work: Callable[[Any], Any], from_disk: bool = True, ahead: bool = True
    ) -> tuple[float, float]:
        if from_disk:
            forget(path)
            time.sleep(pause)
        mapped: Any = np.load(path, mmap_mode="r")  # unmapped at the end: what is mapped is kept
        if not ahead:
            mapped._mmap.madvise(mmap.MADV_RANDOM)
        ran = time.thread_time()
        took = seconds(lambda: work(mapped))
        return took, time.thread_time() - ran

    def score(pool: np.ndarray) -> None:
        Margin().select(clf, pool, PICKS)

    timed(score)
    return np.array(
        [
            (
                timed(score),
                timed(score, from_disk=False),
                timed(read),
                timed(_read_some, ahead=False),
            )
            for _ in range(repeats)
        ]
    )


def overlap(times: np.ndarray, target: float | None) -> list[dict[str, Any]]:
    """Rows of what `reading` returns."""
    cold, warm, only_read, by_page = times[:, :, 0].T
    waited = 100 * (1 - times[:, :, 1] / times[:, :, 0]).T
    rows: list[tuple[str, str, np.ndarray, float | None]] = [
        ("reading the pool from the disk, alone", "s", only_read, None),
        ("reading a tenth of it, each page waited for", "s", by_page, None),
        ("Margin on the pool in memory", "s", warm, None),
        ("Margin on the pool on disk", "s", cold, None),
        ("Margin on disk / in memory", "×", cold / warm, None),
        ("Margin on disk / in memory + reading", "×", cold / (warm + only_read), None),
        ("Margin in memory: not running", "%", waited[1], None),
        ("Margin on disk: not running", "%", waited[0], target),
        ("reading a tenth, page by page: not running", "%", waited[3], None),
    ]
    return [row(what, unit, found.tolist(), bound, "lower") for what, unit, found, bound in rows]


def read(pool: np.ndarray) -> None:
    for start in range(0, len(pool), 256):
        pool[start : start + 256].copy()


def _read_some(pool: np.ndarray) -> None:
    read(pool[: len(pool) // 10])


def measure(quick: bool, only: str = "") -> list[dict[str, Any]]:
    N = 6_000 if quick else 1_000_000
    names = [name for name in (QUICK if quick else STORED) if only in name]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        make_pool(path, N)
        repeats, pause, target = (1, 0.0, None) if quick else (5, 5.0, 10.0)
        rows += overlap(alone(reading, path, repeats, pause), target)
        for name in names:
            quarter, whole, peak, with_file = alone(query, name, path)
            each = STORED[name]
            stored = FOR_FISHER if each is None else each * N
            what = f"{name}, N = {N:,}"
            rows += [
                row(
                    f"{what}, {PICKS} picks",
                    "s",
                    whole,
                    None,
                    "lower",
                    f"{1e6 * whole / N:.0f} µs a sample",
                ),
                row(
                    f"{what}, all of the pool / a quarter of it",
                    "×",
                    whole / quarter,
                    None if quick else 5.0,
                    "lower",
                ),
                row(
                    f"{what}, peak memory",
                    "MB",
                    peak,
                    1000 + stored / 1e6,
                    "lower",
                    f"{stored / 1e6:.0f} MB of it stored; VmHWM {with_file:.0f} MB",
                ),
            ]
    return rows
