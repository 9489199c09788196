"""One measurement of the grid of strategies, in a process of its own.

Both sides get the same float32 arrays: embeddings of pool and labelled samples, of norm 1 except
for BADGE, and class probabilities, of one network or of several draws of it. What is timed is the
selection of a batch from them.
"""

from __future__ import annotations

import statistics
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks._machine import memory

BATCH, LABELLED, DRAWS = 100, 100, 10
OF_DRAWS = [
    "BALD",
    "MeanEntropy",
    "PredictiveEntropy",
    "VariationRatio",
    "PowerBALD",
    "BatchBALD",
]
# Configurations of labels that BatchBALD enumerates or draws.
CONFIGURATIONS = 100
# Short calls are repeated, at most this number of times and for this long.
_REPEATS, _SECONDS = 5, 2.0


@dataclass(frozen=True)
class Problem:
    """What a strategy selects from.

    Attributes
    ----------
    H, H_labelled : ndarray of float32, of shape (N, D) and (100, D)
        Embeddings.
    y_labelled : ndarray of int, of shape (100,)
        Labels.
    draws : ndarray of float32, of shape (T, N, C)
        Class probabilities of the pool by T draws of a network, or by one.
    """

    H: np.ndarray
    H_labelled: np.ndarray
    y_labelled: np.ndarray
    draws: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """Class probabilities of the pool, (N, C)."""
        return self.draws[0]

    @property
    def positions(self) -> np.ndarray:
        """The samples for strategies that read nothing but probabilities, (N, 1)."""
        return np.arange(len(self.H))[:, None]


def problem(strategy: str, N: int, D: int, C: int) -> Problem:
    """Make a strategy's arrays; D = 0 where it reads nothing but probabilities."""
    rng = np.random.default_rng(0)
    H = rng.standard_normal((N + LABELLED, D), dtype=np.float32)
    y = rng.integers(C, size=N + LABELLED)
    H += rng.normal(size=(C, D)).astype(np.float32)[y]
    if strategy != "BADGE" and D:
        H /= np.linalg.norm(H, axis=1, keepdims=True)
    T = DRAWS if strategy in OF_DRAWS else 1
    logits = rng.standard_normal((T, N, C), dtype=np.float32)
    logits += 2 * rng.standard_normal((N, C), dtype=np.float32)
    p = np.exp(logits, out=logits)
    p /= p.sum(2, keepdims=True)
    return Problem(H[:N], H[N:], y[N:], p)


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are there already; a sample is its position."""

    def __init__(self, p: np.ndarray) -> None:
        self.p = p
        self.classes_ = np.arange(p.shape[1])

    def fit(self, X: Any, y: Any) -> Given:
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.p[X[:, 0]]


def ours(strategy: str, given: Problem) -> Callable[[], Any]:
    """Return a call of skactive."""
    import skactive

    if strategy == "BADGE":

        def badge() -> np.ndarray:  # as BADGE.select does, which makes p and H by a network
            S = given.p.copy()
            best = S.argmax(1)[:, None]
            np.put_along_axis(S, best, 0.0, 1)
            np.put_along_axis(S, best, -S.sum(1, keepdims=True), 1)
            return skactive.selection.kmeans_plusplus(
                (S, given.H), BATCH, first="largest", random_state=0
            ).indices

        return badge
    params: dict[str, Any] = {
        "TypiClust": {"normalize": False},
        "ProbCover": {"normalize": False, "n_clusters": given.p.shape[1]},
        "VariationRatio": {"voting": "hard"},
        "BatchBALD": {"n_configurations": CONFIGURATIONS},
    }.get(strategy, {})
    query = getattr(skactive, strategy)(random_state=0, **params)
    if given.H.shape[1]:
        return lambda: (
            query.select(
                None,
                given.H,
                BATCH,
                X_labelled=given.H_labelled,
                y_labelled=given.y_labelled,
                embeddings=given.H,
                embeddings_labelled=given.H_labelled,
            ).indices
        )
    source: Any = [Given(p) for p in given.draws] if strategy in OF_DRAWS else Given(given.p)
    return lambda: query.select(source, given.positions, BATCH).indices


def theirs(strategy: str, given: Problem) -> Callable[[], Any]:
    """Return a call of scikit-activeml on pool and labelled samples in one array, as it expects."""
    from skactiveml import pool
    from skactiveml.base import SkactivemlClassifier

    class Predicts(SkactivemlClassifier):
        """A classifier whose probabilities are there already."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Predicts:
            return self

        def predict_proba(self, X: Any) -> np.ndarray:
            return given.p

        def draws(self, X: Any) -> np.ndarray:
            return given.draws

    N, C = given.p.shape
    clf = Predicts(classes=np.arange(C))
    clf.classes_ = np.arange(C)
    X, y = given.positions, np.full(N, np.nan)
    if given.H.shape[1]:
        X = np.concatenate([given.H, given.H_labelled])
        y = np.concatenate([y, given.y_labelled])
    one = {"clf": clf, "fit_clf": False}
    several = {"ensemble": clf, "fit_ensemble": False}
    by_draws = {"sample_predictions_method_name": "draws", "random_state": 0}

    def by_uncertainty(method: str) -> tuple[Callable[[], Any], dict[str, Any]]:
        return lambda: pool.UncertaintySampling(method, random_state=0), one

    queries: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
        "Random": (lambda: pool.RandomSampling(random_state=0), {}),
        "LeastConfidence": by_uncertainty("least_confident"),
        "Margin": by_uncertainty("margin_sampling"),
        "Entropy": by_uncertainty("entropy"),
        "BALD": (lambda: pool.GreedyBALD(**by_draws), several),
        "VariationRatio": (
            lambda: pool.QueryByCommittee(method="variation_ratios", **by_draws),
            several,
        ),
        "BatchBALD": (lambda: pool.BatchBALD(n_MC_samples=CONFIGURATIONS, **by_draws), several),
        "BADGE": (lambda: pool.Badge(random_state=0), one),
        "CoreSet": (lambda: pool.CoreSet(random_state=0), {}),
        "TypiClust": (lambda: pool.TypiClust(k=20, random_state=0), {}),
        "ProbCover": (lambda: pool.ProbCover(n_classes=C, random_state=0), {}),
    }
    query, inputs = queries[strategy]
    # a new one for each call: ProbCover keeps distances
    return lambda: query().query(X, y, batch_size=BATCH, **inputs)


def measure(strategy: str, side: str, N: int, D: int, C: int) -> dict[str, float]:
    """Return median seconds, and the peak memory above that in use before the call, in MB."""
    make = {"skactive": ours, "scikit-activeml": theirs}[side]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deltas on the small problem, say
        make(strategy, problem(strategy, 300, D, 10))()  # imports, threads, first calls
        call = make(strategy, problem(strategy, N, D, C))
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
        "repeats": len(times),
        "megabytes": max(added, 0.0),
        "repeated": BATCH - len(set(np.asarray(picks).tolist())),
    }


def report(results: Connection, strategy: str, side: str, N: int, D: int, C: int) -> None:
    """Measure, and send what was found, or the traceback of what went wrong."""
    torch.set_num_threads(1)
    try:
        results.send(measure(strategy, side, N, D, C))
    except Exception:
        results.send(traceback.format_exc())
