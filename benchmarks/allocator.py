"""What is gained by keeping memory that a batch frees for the next one (`skactive/_allocator.py`).

Each task is done in processes of its own, with glibc as skactive sets it while it computes, and as
it is by itself; the two take turns. By itself it depends on what a process has freed before: from
freed blocks glibc learns which sizes come again, up to 32 MB. That is why small networks sometimes
lose nothing, and sometimes four fifths of their time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import skactive
from benchmarks._report import alone, median, row, seconds
from benchmarks.pools import SmallNet, make_pool
from benchmarks.training import problem

ON_DISK = "network of 3,000 weights, pool on disk"
WORKS = {
    f"{ON_DISK}: Margin": 100_000,
    f"{ON_DISK}: GradientNorm": 100_000,
    "small_cnn: training": 20_000,
    "small_cnn: predict_proba": 50_000,
    "resnet18_narrow: training": 1_000,
    "resnet18_narrow: predict_proba": 5_000,
    "resnet18_narrow: Margin": 5_000,
    "resnet18_narrow: GradientNorm": 1_000,
    "resnet18: Margin": 500,
}


def work(network: str, what: str, pool: Path, images: int) -> Callable[[], Any]:
    """Return what is to be timed, on a number of images."""
    if network == ON_DISK:
        X, y = np.load(pool, mmap_mode="r")[:images], np.arange(images) % 10
        clf = skactive.CNNClassifier(SmallNet, max_epochs=1, random_state=0)
    else:
        X, y = problem(images)
        clf = skactive.CNNClassifier(network, max_epochs=1, random_state=0)
    clf.fit(X[:256], y[:256])
    if what == "training":
        return lambda: clf.fit(X, y)
    if what == "predict_proba":
        return lambda: clf.predict_proba(X)
    return lambda: getattr(skactive, what)().select(clf, X)


def timed(network: str, what: str, pool: Path, images: int, kept: bool) -> float:
    # Where the variable is set, skactive changes nothing; glibc reads it only at a program's start.
    with patch.dict(os.environ, {} if kept else {"MALLOC_TRIM_THRESHOLD_": ""}):
        do = work(network, what, pool, images)
        do()
        return seconds(do)


def measure(quick: bool) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder) / "pool.npy"
        make_pool(pool, 500 if quick else 100_000)
        for name, images in list(WORKS.items())[: 1 if quick else None]:
            n = 500 if quick else images
            times = [
                [alone(timed, *name.split(": "), pool, n, kept) for kept in (True, False)]
                for _ in range(1 if quick else 5)
            ]
            kept, left = ([1e6 * t / n for t in took] for took in zip(*times, strict=True))
            rows += [
                row(f"{name}, an image", "µs", kept, None, "lower"),
                row(f"{name}, an image, as glibc is by itself", "µs", left, None, "lower"),
                row(f"{name}: by itself / kept", "×", median(left) / median(kept), None, "higher"),
            ]
    return rows
