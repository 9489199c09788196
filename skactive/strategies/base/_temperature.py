"""The temperature at which a network's probabilities are calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skactive._batches import n_rows, take_rows
from skactive._pool import Pool
from skactive._refit import fitted_clone
from skactive._validation import invalid
from skactive.strategies.base._labelled import columns_of_labels, plain_labels
from skactive.strategies.base._learner import OpenLearner, members_of, open_learner
from skactive.strategies.base._probabilities import average_log_probabilities

# What is tried: 41 temperatures, 1 among them.
TEMPERATURES = np.geomspace(0.1, 10, 41)
_BINS = 15
# The part of the labels that is held out, and the fewest of these that tell anything.
_HELD_OUT, _FEWEST = 0.2, 2


def at_temperature(log_p: np.ndarray, temperature: float) -> np.ndarray:
    """Return the log-probabilities of softmax(z / T), from those of softmax(z), (n, C)."""
    return torch.log_softmax(torch.as_tensor(log_p) / temperature, 1).numpy()


def calibration_error(log_p: np.ndarray, y: np.ndarray) -> float:
    """Return the expected calibration error, in 15 bins of equal width.

    Parameters
    ----------
    log_p : ndarray of shape (n, C)
        Log-probabilities.
    y : ndarray of int, of shape (n,)
        The right columns; -1 where it is none of them.

    Returns
    -------
    float
        Σ_b n_b/n |accuracy_b − mean confidence_b|.
    """
    confidence, correct = np.exp(log_p.max(1)), log_p.argmax(1) == y
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, correct - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(y))


def held_out_temperature(
    estimator: Any, X: Any, y: Any, batch_size: int, draw: np.random.Generator, owner: object
) -> float:
    """Return the temperature of least calibration error on a fifth of the labels.

    The network has seen these; so a fresh copy of it is fitted on the other four fifths. With fewer
    than 10 labels, or where these four fifths are of one class, it is 1.

    Parameters
    ----------
    estimator : object
        What holds the classifier; see `open_learner`.
    X, y : array-like of L samples
        The labelled samples, as the learner takes them, and their labels.
    batch_size : int
        Samples per forward pass.
    draw : numpy.random.Generator
        Splits the labels.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    float
        One of `TEMPERATURES`; of equal ones that nearest to 1.

    Raises
    ------
    InvalidParameterError
        If these are several estimators, or a label is missing or of another kind than others.
    """
    if members_of(estimator) is not None:
        must = "a number for several estimators"
        remedy = "'held_out' trains a copy of one; 1.0 leaves the probabilities as they are."
        raise invalid("temperature", owner, must, "held_out", remedy)
    n_held = int(_HELD_OUT * n_rows(X))
    if n_held < _FEWEST:
        return 1.0
    learner = open_learner(estimator, owner)
    y, _ = plain_labels(y, owner)
    order = draw.permutation(len(y))
    held, kept = np.sort(order[:n_held]), np.sort(order[n_held:])
    if len(np.unique(y[kept])) < 2:
        return 1.0
    seed = int(draw.integers(2**31))
    fresh = fitted_clone(
        learner.estimator, _transformed(learner, X, kept, batch_size), y[kept], seed
    )
    pool = Pool.of(X, "X_labelled").part(held)
    log_p = average_log_probabilities(
        OpenLearner(fresh, learner.transforms), pool, batch_size, None, owner
    )
    columns = columns_of_labels(y[held], np.asarray(fresh.classes_), owner)
    errors = [calibration_error(at_temperature(log_p, t), columns) for t in TEMPERATURES]
    nearest_to_1 = np.abs(np.log(TEMPERATURES))
    return float(TEMPERATURES[np.lexsort((nearest_to_1, np.round(errors, 12)))[0]])


def _transformed(learner: OpenLearner, X: Any, positions: np.ndarray, batch_size: int) -> Any:
    """Return some samples as the classifier takes them; the steps before it see them in batches."""
    if not learner.transforms:
        return take_rows(X, positions)
    from skactive._modal import data_vstack  # here, since it imports pandas and modAL

    starts = range(0, len(positions), batch_size)
    blocks = [learner.transform(take_rows(X, positions[a : a + batch_size])) for a in starts]
    return data_vstack(blocks)
