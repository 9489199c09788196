"""One measurement in a process of its own: `python -m benchmarks._cell STRATEGY SIDE N D C`.

Both sides get the same float32 arrays: embeddings of pool and labelled samples, of norm 1 but for
BADGE, and class probabilities. What is timed is the selection of a batch from them.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

BATCH, LABELLED = 100, 100
# Short calls are repeated, up to so often and for so long.
_REPEATS, _SECONDS = 5, 2.0


@dataclass(frozen=True)
class Problem:
    """What a strategy selects from.

    Attributes
    ----------
    H, H_labelled : ndarray of float32, of shape (N, D) and (100, D)
        Embeddings.
    p : ndarray of float32, of shape (N, C)
        Class probabilities of the pool.
    y_labelled : ndarray of int, of shape (100,)
        Labels.
    """

    H: np.ndarray
    H_labelled: np.ndarray
    p: np.ndarray
    y_labelled: np.ndarray


def problem(N: int, D: int, C: int, normalize: bool) -> Problem:
    rng = np.random.default_rng(0)
    y = rng.integers(C, size=N + LABELLED)
    centers = rng.normal(size=(C, D)).astype(np.float32)
    H = rng.standard_normal((N + LABELLED, D), dtype=np.float32)
    H += centers[y]
    if normalize:
        H /= np.linalg.norm(H, axis=1, keepdims=True)
    p = np.exp(2 * rng.standard_normal((N, C), dtype=np.float32))
    p /= p.sum(1, keepdims=True)
    return Problem(H[:N], H[N:], p, y[N:])


def ours(strategy: str, given: Problem) -> Callable[[], Any]:
    """Return a call of skactive."""
    from skactive import CoreSet, KMeansSampling, ProbCover, TypiClust
    from skactive.selection import kmeans_plusplus

    if strategy == "BADGE":

        def badge() -> np.ndarray:  # as BADGE.select does, which makes p and H by a network
            S = given.p.copy()
            best = S.argmax(1)[:, None]
            np.put_along_axis(S, best, 0.0, 1)
            np.put_along_axis(S, best, -S.sum(1, keepdims=True), 1)
            return kmeans_plusplus((S, given.H), BATCH, first="largest", random_state=0)

        return badge
    query: Any = {
        "CoreSet": lambda: CoreSet(random_state=0),
        "KMeansSampling": lambda: KMeansSampling(random_state=0),
        "TypiClust": lambda: TypiClust(normalize=False, random_state=0),
        "ProbCover": lambda: ProbCover(
            normalize=False, n_clusters=given.p.shape[1], random_state=0
        ),
    }[strategy]()
    return lambda: query.select(
        None, given.H, BATCH, X_labelled=given.H_labelled, y_labelled=given.y_labelled,
        embeddings=given.H, embeddings_labelled=given.H_labelled,
    ).indices  # fmt: skip


def theirs(strategy: str, given: Problem) -> Callable[[], Any]:
    """Return a call of scikit-activeml, on pool and labelled samples in one array, as it wants."""
    from skactiveml import pool
    from skactiveml.base import SkactivemlClassifier

    class Given(SkactivemlClassifier):
        """A classifier whose probabilities are there already."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Given:
            return self

        def predict_proba(self, X: Any) -> np.ndarray:
            return given.p

    N, C = given.p.shape
    X = np.concatenate([given.H, given.H_labelled])
    y = np.concatenate([np.full(N, np.nan), given.y_labelled])
    if strategy == "BADGE":
        badge, clf = pool.Badge(random_state=0), Given(classes=np.arange(C))
        return lambda: badge.query(X, y, clf, fit_clf=False, batch_size=BATCH)
    query: Any = {
        "CoreSet": lambda: pool.CoreSet(random_state=0),
        "TypiClust": lambda: pool.TypiClust(k=20, random_state=0),
        "ProbCover": lambda: pool.ProbCover(n_classes=C, random_state=0),
    }[strategy]
    return lambda: query().query(X, y, batch_size=BATCH)  # a new one: ProbCover keeps distances


def memory(key: str) -> float:
    """Return VmRSS or VmHWM, the memory in use and its peak, of this process in MB."""
    with open("/proc/self/status", encoding="ascii") as status:
        (line,) = [line for line in status if line.startswith(f"{key}:")]
    return int(line.split()[1]) / 1024


def measure(strategy: str, side: str, N: int, D: int, C: int) -> dict[str, float]:
    """Return median seconds, and the peak memory above that in use before the call, in MB."""
    make = {"skactive": ours, "scikit-activeml": theirs}[side]
    normalize = strategy != "BADGE"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deltas on the small problem, say
        make(strategy, problem(300, D, 10, normalize))()  # imports, threads, first calls
        call = make(strategy, problem(N, D, C, normalize))
        with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
            peak.write("5")  # the peak from here on
        before = memory("VmRSS")
        times: list[float] = []
        while len(times) < _REPEATS and sum(times) < _SECONDS:
            start = time.perf_counter()
            picks = call()
            times.append(time.perf_counter() - start)
            if len(times) == 1:
                added = memory("VmHWM") - before
    return {
        "seconds": statistics.median(times),
        "megabytes": max(added, 0.0),
        "repeated": BATCH - len(set(np.asarray(picks).tolist())),
    }


if __name__ == "__main__":
    name, side, *sizes = sys.argv[1:]
    torch.set_num_threads(1)
    print(json.dumps(measure(name, side, *(int(size) for size in sizes))))
