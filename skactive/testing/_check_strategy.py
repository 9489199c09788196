"""The contract of query strategies, checked on a tiny network."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from skactive._batches import take_rows
from skactive._generators import lent_rng
from skactive._modal import fitted_learner
from skactive._validation import invalid
from skactive.strategies import QueryStrategy, Selection, Subsample
from skactive.testing._battery import (
    require,
    require_picks,
    require_refused,
    require_same,
    require_unchanged,
    run_checks,
)
from skactive.testing._setting import Setting, disturb, snapshot

_N = 3


def check_strategy(
    strategy: QueryStrategy, *, estimator: Any = None, X: Any = None, y: Any = None
) -> None:
    """Check that a query strategy keeps the contract, on a network that is trained in a moment.

    What it picks: positions in the pool, as many as were asked for, each once, with utilities or
    gains that fit; the same ones for the same `random_state`, whatever was asked before, whatever
    the process-wide generators say, and whatever mode the network was left in; from parts of a
    pool, from pools with repeated samples, and through modAL's `ActiveLearner.query`. What it
    leaves alone: its parameters, the samples, the network, all generators. Utilities that do not
    depend on `random_state` have to follow the samples when the pool is in another order.

    Parameters
    ----------
    strategy : QueryStrategy
        The strategy, as it is to be used. It is not changed.
    estimator : object or None, default=None
        An unfitted classifier, of which a clone is fitted; None is a `CNNClassifier` on a
        convolutional network with BatchNorm and dropout.
    X, y : array-like of N samples and their labels, or None, default=None
        What it is tried on. The first half, at most 24, is labelled, the next 12 at most are the
        pool. None is 36 images, uint8, of shape (3, 8, 8), of three classes.

    Raises
    ------
    CheckFailedError
        An AssertionError that names the check, and what was found. Later checks are not run.
    InvalidParameterError
        If `strategy` is no QueryStrategy, or there are fewer than 8 samples.

    See Also
    --------
    check_selector : The same for functions that turn arrays into positions.

    Examples
    --------
    >>> from skactive import Margin
    >>> from skactive.testing import check_strategy
    >>> check_strategy(Margin())
    """
    if not isinstance(strategy, QueryStrategy):
        must = "a QueryStrategy"
        remedy = "Pass an object, not its class; a function becomes one in `choose`."
        raise invalid("strategy", check_strategy, must, strategy, remedy)
    if (X is None) != (y is None) or (y is not None and len(y) < 8):
        must = "given with X, for 8 samples or more, or None with it"
        raise invalid("y", check_strategy, must, y)
    run_checks(type(strategy).__name__, _CHECKS, Setting.of(strategy, estimator, X, y))


def _parameters(setting: Setting) -> None:
    strategy = setting.strategy
    params = strategy.get_params(deep=False)
    require("random_state" in params, f"The parameters are {sorted(params)}.")
    clone(strategy)  # raises where the constructor changes one
    more = sorted(set(vars(strategy)) - set(params))
    require(not more, f"The constructor also stores {more}.")


def _picks(setting: Setting) -> None:
    n_pool = len(setting.X_pool)
    for n in sorted({1, 2, n_pool // 2 + 1, n_pool}):
        _require_selection(setting, setting.select(n), n, n_pool)


def _require_selection(setting: Setting, found: Selection, n: int, n_pool: int) -> None:
    where = f"{type(setting.strategy).__name__}.select"
    require(isinstance(found, Selection), f"{where} returned a {type(found).__name__}.")
    positions = require_picks(where, found.indices, found.gains, n, n_pool)
    if found.utilities is None:
        return
    shape = np.shape(found.utilities)
    require(shape == (n_pool,), f"Utilities of shape {shape} for a pool of {n_pool}.")
    unscored = positions[np.isnan(found.utilities[positions])]
    require(not len(unscored), f"Picked {unscored.tolist()}, whose utilities are NaN.")


def _refusals(setting: Setting) -> None:
    n_pool = len(setting.X_pool)
    for n in (0, n_pool + 1):
        require_refused(partial(setting.select, n), f"n_instances={n} of a pool of {n_pool}")
    nothing = take_rows(setting.X_pool, np.arange(0))
    require_refused(partial(setting.select, 1, X_pool=nothing), "An empty pool")


def _small_and_repeated(setting: Setting) -> None:
    alone = take_rows(setting.X_pool, np.arange(1))
    _require_selection(setting, setting.select(1, X_pool=alone), 1, 1)
    pool = take_rows(setting.X_pool, np.repeat(np.arange(2), 5))
    _require_selection(setting, setting.select(9, X_pool=pool), 9, 10)


def _seeds(setting: Setting) -> None:
    first = setting.select(_N).indices
    with lent_rng(5):
        again = setting.select(_N).indices
    where = "With random_state=0, and the process-wide generators in another state, it picked"
    require_same(first, again, where)


def _memory(setting: Setting) -> None:
    strategy = setting.seeded()
    before = vars(strategy).copy()
    first = setting.select(_N, strategy).indices
    half = take_rows(setting.X_pool, np.arange(len(setting.X_pool) // 2, len(setting.X_pool)))
    setting.select(1, strategy, X_pool=half)
    again = setting.select(_N, strategy).indices
    require_same(first, again, "Asked again after another pool, it picked")
    after = vars(strategy)
    changed = sorted(k for k in {*before, *after} if before.get(k, after) is not after.get(k))
    require(not changed, f"A query changed its attributes {changed}.")


def _as_found(setting: Setting) -> None:
    untouched = setting.copied()
    if setting.network is not None:
        disturb(setting.network)
    before = snapshot(setting.network)
    setting.select(_N)
    require_unchanged("A query", before, snapshot(setting.network))
    for name in ("X_pool", "X_labelled", "y_labelled"):
        was, now = (np.asarray(getattr(each, name)) for each in (untouched, setting))
        require(np.array_equal(was, now), f"A query wrote into {name}.")


def _mode(setting: Setting) -> None:
    first, second = (_left(setting, training) for training in (False, True))
    require_same(first, second, "Of a network left in eval and in train mode, it picked")


def _left(setting: Setting, training: bool) -> np.ndarray:
    if setting.network is not None:
        setting.network.train(training)
    return setting.select(_N).indices


def _parts(setting: Setting) -> None:
    n_pool = len(setting.X_pool)
    n = min(_N, n_pool - 1)
    found = setting.select(n, Subsample(setting.seeded(), n=n_pool - 1, random_state=0))
    _require_selection(setting, found, n, n_pool)


def _order(setting: Setting) -> None:
    first, other = (setting.select(1, setting.seeded(seed)).utilities for seed in (0, 1))
    if first is None or other is None or not np.array_equal(first, other, equal_nan=True):
        return
    order = np.random.default_rng(0).permutation(len(setting.X_pool))
    moved = setting.select(1, X_pool=take_rows(setting.X_pool, order)).utilities
    # single precision, in batches of other samples
    same = moved is not None and np.allclose(
        first[order], moved, rtol=1e-3, atol=1e-5, equal_nan=True
    )
    require(same, f"The utilities were {first[order]}, and then {moved}.")


def _modal(setting: Setting) -> None:
    learner = fitted_learner(
        setting.estimator, setting.seeded(), setting.X_labelled, setting.y_labelled
    )
    indices, _ = learner.query(setting.X_pool, n_instances=_N)
    where = "By select and by ActiveLearner.query it picked"
    require_same(setting.select(_N).indices, np.asarray(indices), where)


_CHECKS = {
    "the constructor stores its parameters, one of them random_state, and nothing else": (
        _parameters
    ),
    "picks are distinct positions in the pool, as many as were asked for": _picks,
    "more samples than there are, none, and an empty pool are refused": _refusals,
    "identical samples are different samples, and one sample is a pool": _small_and_repeated,
    "the same random_state gives the same picks": _seeds,
    "nothing is remembered between calls": _memory,
    "network, samples and generators are left as found": _as_found,
    "picks do not depend on the mode that the network was left in": _mode,
    "a part of a pool is a pool": _parts,
    "utilities belong to samples, not to their order": _order,
    "modAL's ActiveLearner.query gives the same picks": _modal,
}
