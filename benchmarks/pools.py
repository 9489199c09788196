"""Pools on disk: seconds a sample and peak memory of the strategies whose cost is linear in N.

The pool is a memmap of uint8 images of 3×32×32: 1,000,000 of them, which are 3 GB, or 6,000 with
--quick. Memory is what the process allocates, interpreter and torch included, without the pages of
the file that the system keeps while nobody else wants them; it is read from Linux's /proc.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._report import median, row, seconds

CLASSES, WIDTH, PICKS = 10, 64, 20
FOR_FISHER = 5e8
# What strategies store a sample of the pool, in bytes, beside O(1) numbers: float64 probabilities
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
}
QUICK = ["Margin", "GradientNorm", "BADGE"]
PARAMS: dict[str, dict[str, Any]] = {
    "LearningLoss": {"subset": None},
    "LPLGrad": {"subset": None},
    **{name: {"n_passes": 4} for name in
       ("BALD", "MeanEntropy", "PredictiveEntropy", "VariationRatio", "PowerBALD")},
    "FisherMask": {"max_memory": FOR_FISHER, "progress": False},
}  # fmt: skip


class PeakMemory:
    """The most that the process allocates inside the block, in MB, looked at every 10 ms."""

    def __enter__(self) -> PeakMemory:
        self.value, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.01):
            status = Path("/proc/self/status").read_text(encoding="ascii")
            kinds = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)", status, re.MULTILINE)
            self.value = max(self.value, sum(map(int, kinds)) / 1024)


def make_pool(path: Path, N: int) -> None:
    """Write N images of noise on a brightness that tells the class."""
    pool = np.lib.format.open_memmap(path, "w+", np.uint8, (N, 32, 32, 3))
    rng = np.random.default_rng(0)
    for start in range(0, N, 10_000):
        n = min(10_000, N - start)
        noise = rng.integers(0, 56, (n, 32, 32, 3), dtype=np.uint8)
        pool[start : start + n] = noise + _labels(start, n)[:, None, None, None] * 20
    pool.flush()


def _labels(start: int, n: int) -> np.ndarray:
    return ((np.arange(start, start + n) * 7) % CLASSES).astype(np.uint8)


def _query(name: str, path: Path, threads: int) -> tuple[float, float, float]:
    """Seconds for a quarter of the pool and for all of it, and the peak memory of the latter."""
    import skactive

    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # FisherMask's two stages
    pool = np.load(path, mmap_mode="r")
    X, y = np.array(pool[:500]), _labels(0, 500)
    joint = name == "LearningLoss"
    kind = skactive.LPLClassifier if joint else skactive.CNNClassifier
    params = {} if joint else {"module_params": {"dropout": 0.2}}
    clf = kind("small_cnn", max_epochs=2, random_state=0, **params).fit(X, y)
    strategy = getattr(skactive, name)(random_state=0, **PARAMS.get(name, {}))

    def query(n: int) -> float:
        return seconds(
            lambda: strategy.select(clf, pool[:n], PICKS, X_labelled=X, y_labelled=y)
        )  # fmt: skip

    query(1_000)
    quarter = query(len(pool) // 4)
    with PeakMemory() as peak:
        whole = query(len(pool))
    return quarter, whole, peak.value


def import_seconds(repeats: int) -> tuple[float, float]:
    """CPU seconds of importing what skactive is made of, and of skactive after it; medians."""
    code = (
        "import time, torch, skorch, sklearn, modAL.models; start = time.process_time(); "
        "import skactive; print(start, time.process_time() - start)"
    )
    run = [sys.executable, "-c", code]
    found = []
    for _ in range(repeats):
        out = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        found.append([float(value) for value in out.split()])
    before, added = zip(*found, strict=True)
    return median(list(before)), median(list(added))


def measure(quick: bool, only: str = "") -> list[dict[str, Any]]:
    before, added = import_seconds(1 if quick else 5)
    rows = [
        row("import skactive after torch, skorch, scikit-learn and modAL", "s (CPU)", added, 0.3,
            "lower"),
        row("import skactive / import of these", "×", added / before, None, "lower"),
    ]  # fmt: skip
    N = 6_000 if quick else 1_000_000
    names = QUICK if quick else [*STORED, "FisherMask"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        make_pool(path, N)
        for name in names:
            if only not in name:
                continue
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
                quarter, whole, peak = executor.submit(
                    _query, name, path, torch.get_num_threads()
                ).result()
            stored = FOR_FISHER if name == "FisherMask" else STORED[name] * N
            rows += [
                row(f"{name}, N = {N:,}, {PICKS} picks", "s", whole, None, "lower"),
                row(f"{name}, all of the pool / a quarter of it", "×", whole / quarter,
                    None if quick else 5.0, "lower"),
                row(f"{name}, peak memory", "MB", peak, 1000 + stored / 1e6, "lower"),
            ]  # fmt: skip
    return rows
