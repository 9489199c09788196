"""One round of active learning: train, measure, query."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from skactive._batches import n_rows, take_rows
from skactive._pool import Pool
from skactive._refit import named_device, seeded
from skactive._threads import fixed_threads
from skactive._validation import check_positions, describe
from skactive.exceptions import SelectionError
from skactive.experiments._metrics import measure
from skactive.experiments._protocol import Protocol
from skactive.experiments._records import Record, Stopped
from skactive.experiments._resources import PeakMemory, fitted_device, versions
from skactive.experiments._seeding import (
    ESTIMATOR,
    INITIAL,
    MEASUREMENTS,
    STRATEGY,
    derive_seed,
    seed_parts,
    seeded_clone,
)
from skactive.experiments._stopping import observed
from skactive.stopping import StoppingRule


@dataclass(frozen=True)
class Data:
    """The pool with the labels that an oracle would give, the test data, and rows of the pool."""

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    embeddings: Any = None


@dataclass(frozen=True)
class Arm:
    """What is compared: a strategy, and the estimator that it queries."""

    estimator: Any
    strategy: Any


@dataclass(frozen=True)
class RoundPlan:
    """Number of labels at first, number added per round, and number of such rounds."""

    n_initial: int
    initial: str
    n_instances: int
    n_rounds: int


def initial_positions(y: np.ndarray, plan: RoundPlan, seed: int) -> np.ndarray:
    """Draw the images that are labelled before the first round.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The labels; "random" does not look at them.
    plan : RoundPlan
        `initial="balanced"` takes the classes as evenly as `n_initial` allows.
    seed : int
        The seed of the run.

    Returns
    -------
    ndarray of shape (n_initial,) and dtype int64
        Positions, in random order.
    """
    rng = np.random.default_rng(derive_seed(seed, 0, INITIAL))
    shuffled = rng.permutation(len(y))
    if plan.initial == "random":
        return shuffled[: plan.n_initial]
    # Rank every image within its class, and take all of rank 0, then of rank 1, ...
    classes, codes = np.unique(y[shuffled], return_inverse=True)
    rank = np.empty(len(y), dtype=np.int64)
    for code in range(len(classes)):
        members = np.flatnonzero(codes == code)
        rank[members] = np.arange(len(members))
    return shuffled[np.argsort(rank, kind="stable")[: plan.n_initial]]


@dataclass(frozen=True)
class Terms:
    """What is the same for every round of an experiment, besides the data."""

    plan: RoundPlan
    protocol: Protocol
    metrics: Mapping[str, Callable[..., float]]
    dataset: str
    n_threads: int
    stopping: Mapping[str, StoppingRule] = field(default_factory=dict)
    stop: str | None = None


def labelled_at(
    round_: int, seed: int, y: np.ndarray, plan: RoundPlan, done: Sequence[Record]
) -> np.ndarray:
    """Return the positions that are labelled in a round, in the order they were labelled."""
    queried = [np.asarray(record["queried"], dtype=np.int64) for record in done[:round_]]
    return np.concatenate([initial_positions(y, plan, seed), *queried])


def play_round(
    name: str,
    arm: Arm,
    seed: int,
    round_: int,
    labelled: np.ndarray,
    data: Data,
    terms: Terms,
    fitted: Any = None,
) -> tuple[Record, Any]:
    """Train, measure and query once.

    The estimator is cloned and seeded from `seed` and the round alone: whatever the strategy, the
    initial weights where the networks are the same, and the order of the data, are the same. What
    has no `random_state`, such as a plain skorch net, draws from the process-wide generators, which
    are lent to it with a seed and put back. The last round trains and measures, and queries
    nothing.

    Parameters
    ----------
    name : str
        What the records call the arm.
    arm : Arm
        The classifier to train, itself left as it is, and an object with `select`, like the
        strategies of skactive.
    seed : int
        The seed of the run.
    round_ : int
        Which round.
    labelled : ndarray of int64
        The labelled positions, in the order they were labelled.
    data : Data
        Test data are used for the measurements only.
    terms : Terms
        The budget, and what else all rounds share.
    fitted : classifier, default=None
        For a warm start: the classifier of the round before. With None, the rounds before are
        trained again.

    Returns
    -------
    Record
        What came out.
    classifier
        The fitted classifier if the next round starts from it, else None.
    """
    plan, warm = terms.plan, terms.protocol.warm_start
    with fixed_threads(terms.n_threads):
        memory = PeakMemory()
        if warm and fitted is None:
            for earlier in range(round_):
                until = plan.n_initial + earlier * plan.n_instances
                fitted, _ = _train(arm, seed, earlier, labelled[:until], data, terms, fitted)
        fitted, train_seconds = _train(arm, seed, round_, labelled, data, terms, fitted)
        device = fitted_device(fitted)
        with seeded(derive_seed(seed, round_, MEASUREMENTS), device):
            metrics, predict_seconds = measure(fitted, data.X_test, data.y_test, terms.metrics)
            seen = observed(terms.stopping, fitted, data.X, data.X_test, data.y_test, seed)
        queried, query_seconds = np.empty(0, dtype=np.int64), None
        if round_ < plan.n_rounds:
            queried, query_seconds = _query(name, arm, seed, round_, labelled, data, plan, fitted)
        record = Record(
            dataset=terms.dataset,
            strategy=name,
            seed=seed,
            round=round_,
            n_labelled=len(labelled),
            queried=queried.tolist(),
            queried_classes=_counts(data.y[queried]),
            **metrics,
            train_seconds=train_seconds,
            predict_seconds=predict_seconds,
            query_seconds=query_seconds,
            peak_memory=memory.resident(),
            peak_device_memory=memory.on(device),
            device=str(device),
            n_threads=torch.get_num_threads(),
            versions=versions(),
        )
        if seen:
            record["stopping"] = {
                name: Stopped(value=None, stop=False, seen=left) for name, left in seen.items()
            }
    return record, fitted if warm and round_ < plan.n_rounds else None


def _train(
    arm: Arm, seed: int, round_: int, labelled: np.ndarray, data: Data, terms: Terms, fitted: Any
) -> tuple[Any, float]:
    """Train on what is labelled, from scratch or continuing, and say how long it took."""
    round_seed = derive_seed(seed, round_, ESTIMATOR)
    if terms.protocol.warm_start and fitted is not None:
        seed_parts(fitted, round_seed)
    else:
        fitted = terms.protocol.apply(seeded_clone(arm.estimator, round_seed))
    with seeded(round_seed, named_device(fitted)):
        start = time.perf_counter()
        fitted.fit(take_rows(data.X, labelled), data.y[labelled])
        return fitted, time.perf_counter() - start


def _query(
    name: str,
    arm: Arm,
    seed: int,
    round_: int,
    labelled: np.ndarray,
    data: Data,
    plan: RoundPlan,
    fitted: Any,
) -> tuple[np.ndarray, float]:
    """Ask the strategy for the next batch; say how long that took."""
    pool = np.setdiff1d(np.arange(n_rows(data.X)), labelled, assume_unique=True)
    X_pool = _unlabelled(data.X, pool)
    X_labelled, y_labelled = take_rows(data.X, labelled), data.y[labelled]
    given = _rows(arm.strategy, data.embeddings, pool, labelled)
    strategy_seed = derive_seed(seed, round_, STRATEGY)
    querier = seeded_clone(arm.strategy, strategy_seed)
    try:
        with seeded(strategy_seed, fitted_device(fitted)):
            start = time.perf_counter()
            selection = querier.select(
                fitted,
                X_pool,
                plan.n_instances,
                X_labelled=X_labelled,
                y_labelled=y_labelled,
                **given,
            )
            seconds = time.perf_counter() - start
        select = f"{type(querier).__name__}.select"
        if not hasattr(selection, "indices"):
            raise SelectionError(
                f"{select} must return a Selection, or another object with indices. "
                f"Got {describe(selection)} instead."
            )
        picked = check_positions(select, selection.indices, plan.n_instances, len(pool))
    except SelectionError as error:
        where = f"strategy {name!r}, round {round_} of seed {seed}"
        raise SelectionError(
            f"run_experiment ({where}): {error} Mend the strategy; the finished rounds are kept, "
            "and the mended code goes on under another name, or with another out=."
        ) from error
    return pool[picked], seconds


def _rows(strategy: Any, embeddings: Any, pool: np.ndarray, labelled: np.ndarray) -> dict[str, Any]:
    """Return the rows of pool and labelled samples, for a strategy that takes any."""
    takes = inspect.signature(strategy.select).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    if embeddings is None or not (takes_all or "embeddings" in takes):
        return {}
    rows = {"embeddings": pool, "embeddings_labelled": labelled}
    return {
        name: take_rows(embeddings, which)
        for name, which in rows.items()
        if takes_all or name in takes
    }


def _unlabelled(X: Any, pool: np.ndarray) -> Any:
    """Return the samples to choose from, without a copy of images.

    For a list, that is a list of references; a data frame stays one, to keep its columns.
    """
    of_its_kind = isinstance(X, (list, tuple)) or hasattr(X, "iloc")
    return take_rows(X, pool) if of_its_kind else Pool.of(X).part(pool)


def _counts(y: np.ndarray) -> dict[str, int]:
    """Count labels by class; classes that are absent are left out."""
    classes, counts = np.unique(y, return_counts=True)
    return {str(c): int(n) for c, n in zip(classes.tolist(), counts, strict=True)}
