"""One active-learning run: one strategy, one seed, round after round."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from skactive._torch import module_device, n_rows, take_rows
from skactive._validation import invalid
from skactive.experiments._metrics import measure
from skactive.experiments._records import Record

# What a seed is for. Streams of different purposes are independent of each other.
_INITIAL, _ESTIMATOR, _STRATEGY = range(3)


@dataclass(frozen=True)
class Data:
    """The pool with the labels that an oracle would give, and the test data."""

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray


@dataclass(frozen=True)
class Arm:
    """What is compared: a strategy, and the estimator that it queries."""

    estimator: Any
    strategy: Any


@dataclass(frozen=True)
class Plan:
    """How many labels there are at first, how many a round adds, and how often."""

    n_initial: int
    initial: str
    batch_size: int
    n_rounds: int


def derive_seed(*entropy: int) -> int:
    """Mix integers into one seed of 31 bits."""
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)


def seeded_clone(estimator: Any, seed: int) -> Any:
    """Clone an estimator or a strategy, and seed every `random_state` in it.

    Parts of one estimator get different seeds: members of an ensemble shall not be twins.
    """
    copy = clone(estimator)
    names = sorted(
        name
        for name in copy.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
    return copy.set_params(**{name: derive_seed(seed, i) for i, name in enumerate(names)})


def initial_positions(y: np.ndarray, plan: Plan, seed: int) -> np.ndarray:
    """Draw the images that are labelled before the first round.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The labels; "random" does not look at them.
    plan : Plan
        `initial="balanced"` takes the classes as evenly as `n_initial` allows.
    seed : int
        The seed of the run.

    Returns
    -------
    ndarray of shape (n_initial,) and dtype int64
        Positions, in random order.
    """
    rng = np.random.default_rng(derive_seed(seed, 0, _INITIAL))
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


def run_rounds(
    name: str,
    arm: Arm,
    seed: int,
    data: Data,
    plan: Plan,
    done: Sequence[Record] = (),
) -> Iterator[Record]:
    """Train, measure and query, round after round.

    Each round clones the estimator, seeds it from `seed` and the round alone, and trains it from
    scratch: whatever the strategy, the initial labels and the order of the data are the same, and
    the initial weights where the networks are. The last round trains and measures, and queries
    nothing.

    Parameters
    ----------
    name : str
        What the records call the arm.
    arm : Arm
        The classifier to train, itself left as it is, and what has `select`, as the strategies of
        skactive.
    seed : int
        The seed of the run.
    data : Data
        Test data are used for the measurements only.
    plan : Plan
        The budget.
    done : sequence of Record, default=()
        The rounds that are finished already, from round 0 without a gap; the run continues
        after them.

    Yields
    ------
    Record
        A finished round.
    """
    labelled = initial_positions(data.y, plan, seed)
    for record in done:
        labelled = np.concatenate([labelled, np.asarray(record["queried"], dtype=np.int64)])
    for round_ in range(len(done), plan.n_rounds + 1):
        fitted = seeded_clone(arm.estimator, derive_seed(seed, round_, _ESTIMATOR))
        X_labelled, y_labelled = take_rows(data.X, labelled), data.y[labelled]
        start = time.perf_counter()
        fitted.fit(X_labelled, y_labelled)
        train_seconds = time.perf_counter() - start

        metrics, predict_seconds = measure(fitted, data.X_test, data.y_test)

        queried, query_seconds = np.empty(0, dtype=np.int64), None
        if round_ < plan.n_rounds:
            pool = np.setdiff1d(np.arange(n_rows(data.X)), labelled, assume_unique=True)
            X_pool = take_rows(data.X, pool)
            querier = seeded_clone(arm.strategy, derive_seed(seed, round_, _STRATEGY))
            start = time.perf_counter()
            selection = querier.select(
                fitted, X_pool, plan.batch_size, X_labelled=X_labelled, y_labelled=y_labelled
            )
            query_seconds = time.perf_counter() - start
            where = f"round {round_} of seed {seed}"
            queried = pool[_checked(selection.indices, name, plan.batch_size, len(pool), where)]
        yield Record(
            strategy=name,
            seed=seed,
            round=round_,
            n_labelled=len(labelled),
            queried=queried.tolist(),
            **metrics,
            train_seconds=train_seconds,
            predict_seconds=predict_seconds,
            query_seconds=query_seconds,
            device=_device(fitted),
            n_threads=torch.get_num_threads(),
        )
        labelled = np.concatenate([labelled, queried])


def _checked(indices: Any, name: str, n_instances: int, n_pool: int, where: str) -> np.ndarray:
    """Return what a strategy picked, or raise if it breaks the contract."""
    indices = np.asarray(indices)
    owner = f"run_experiment (strategy {name!r}, {where})"
    fault = "Mend the strategy's select; the finished rounds are kept."
    must = f"a strategy that picks {n_instances} distinct positions from 0 to {n_pool - 1}"
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or len(indices) != n_instances:
        raise invalid("strategies", owner, must, indices, fault)
    if indices.min() < 0 or indices.max() >= n_pool or len(np.unique(indices)) != n_instances:
        raise invalid("strategies", owner, must, indices.tolist(), fault)
    return indices.astype(np.int64)


def _device(fitted: Any) -> str:
    """Name the device that an estimator computes on."""
    fitted = fitted[-1] if hasattr(fitted, "steps") else fitted
    fitted = getattr(fitted, "best_estimator_", fitted)
    module = getattr(fitted, "module_", None)
    return str(module_device(module)) if isinstance(module, torch.nn.Module) else "cpu"
