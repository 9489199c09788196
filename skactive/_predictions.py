"""What a classifier of the user's predicts: looked at before it is counted with."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive._one_label import labels_of_one_kind, plain_array
from skactive._validation import as_numbers, describe, owner_name
from skactive.exceptions import UnsupportedEstimatorError

# By how much a sum of probabilities may be off, in half precision; and by how much one may be below
# 0 where it was computed as 1 − p in single precision.
_OFF_ONE, _BELOW_0 = 1e-2, 1e-6
# Sums that are off by more than the rounding of single precision are divided out.
_ROUNDING = 1e-6


def predicted_probabilities(
    estimator: Any,
    X: Any,
    owner: object,
    *,
    shape: tuple[int, int | None],
    of: str = "the pool",
    positions: np.ndarray | None = None,
) -> np.ndarray:
    """Return what `predict_proba` returns, if these are probabilities.

    Parameters
    ----------
    estimator : classifier
        Has `predict_proba`.
    X : array-like of n samples
        What it is asked about.
    owner : object
        Who asks, for the error messages.
    shape : tuple of int
        The number of samples, and of classes; None is any number of these.
    of : str, default="the pool"
        What the samples are samples of.
    positions : ndarray of shape (n,) or None, default=None
        Which of these they are; None is the first n.

    Returns
    -------
    ndarray of shape (n, C)
        Of the dtype in which they came; or, where that left sums that are off 1 by more than
        single precision does, float64, of sum 1. What rounding left below 0 is 0.

    Raises
    ------
    ValueError
        If it is no array of numbers of this shape, or a row is no distribution.
    """
    given = estimator.predict_proba(X)
    p = as_numbers(given.to_numpy() if hasattr(given, "to_numpy") else given)
    n, n_classes = shape
    if (
        p is None
        or p.ndim != 2
        or p.dtype.kind not in "biuf"
        or p.shape != (n, n_classes or p.shape[1])
    ):
        raise ValueError(
            f"{_asked('predict_proba', estimator, owner)} must return an array of shape "
            f"({n}, {'C' if n_classes is None else n_classes}), a row for each sample and a column "
            f"for each class. Got {describe(given)} instead."
        )
    sums = p.sum(1, dtype=np.float64)
    if not _are_probabilities(p, sums):
        _refuse(p, estimator, owner, of, positions)
    if p.min(initial=0) < 0:
        p = np.maximum(p, 0)
    off = np.abs(sums - 1) > _ROUNDING
    return np.where(off[:, None], p / sums[:, None], p) if off.any() else p


def _asked(method: str, estimator: Any, owner: object) -> str:
    return f"{method} of the {owner_name(estimator)} queried by {owner_name(owner)}"


def _are_probabilities(p: np.ndarray, sums: np.ndarray) -> bool:
    """Return whether all rows of p, (n, C), are finite, not negative and of sum 1."""
    return bool(p.min(initial=0) >= -_BELOW_0 and (np.abs(sums - 1) <= _OFF_ONE).all())


def _refuse(
    p: np.ndarray, estimator: Any, owner: object, of: str, positions: np.ndarray | None
) -> None:
    """Raise for rows that are not all probabilities."""
    finite = np.isfinite(p).all(1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        first = first if positions is None else positions[first]
        raise ValueError(
            f"The {owner_name(estimator)} queried by {owner_name(owner)} predicts NaN or infinity, "
            f"first for sample {first} of {of}. Check its training."
        )
    check_probabilities(
        p,
        _asked("predict_proba", estimator, owner),
        "Pass a classifier whose predict_proba returns probabilities, not logits or logarithms",
    )


def check_probabilities(p: np.ndarray, what: str, remedy: str) -> None:
    """Raise unless the rows of p, (n, C), are distributions: not negative, and of sum 1.

    Parameters
    ----------
    p : ndarray of shape (n, C)
        The rows; those that are not finite are left to other checks.
    what : str
        What returned them; begins the message.
    remedy : str
        What to do about it; ends the message.
    """
    sums = p.sum(1, dtype=np.float64)
    wrong = np.isfinite(sums) & ((np.abs(sums - 1) > _OFF_ONE) | (p < -_BELOW_0).any(1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{what} must return probabilities: rows that are not negative and sum to 1. Got a row "
            f"that sums to {sums[first]:.4g}, with a smallest value of {p[first].min():.4g}. "
            f"{remedy}."
        )


def known_classes(estimator: Any, owner: object) -> np.ndarray:
    """Return the classes of the columns of `predict_proba`, (C,), or raise."""
    if not hasattr(estimator, "classes_"):
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} needs a classifier that lists in classes_ what the columns of "
            f"predict_proba are. {owner_name(estimator)} has none: set it in fit."
        )
    return np.asarray(estimator.classes_)


def predicted_labels(estimator: Any, X: Any, owner: object, n: int) -> tuple[np.ndarray, str]:
    """Return the labels that a classifier predicts for n samples, (n,), and of what kind they are.

    Parameters
    ----------
    estimator : classifier
        Has `predict`.
    X : array-like of n samples
        What it is asked about.
    owner : object
        Who asks, for the error messages.
    n : int
        The number of samples.

    Returns
    -------
    labels : ndarray of shape (n,)
        The labels.
    kind : str
        As of `labels_of_one_kind`.

    Raises
    ------
    ValueError
        If it is not one label per sample.
    """
    given = estimator.predict(X)
    found = plain_array(given)
    if found.ndim == 2 and found.shape[1] == 1:  # as CatBoost returns several classes
        found = found[:, 0]
    asked = _asked("predict", estimator, owner)
    if found.shape != (n,):
        raise ValueError(
            f"{asked} must return an array of shape ({n},), one label per sample. "
            f"Got {describe(given)} instead."
        )
    return labels_of_one_kind(f"What {asked} returned", found, owner)


def check_comparable(
    predicted: tuple[np.ndarray, str], true: tuple[np.ndarray, str], estimator: Any, owner: object
) -> None:
    """Raise if predicted labels cannot equal the true ones, whatever the samples are.

    Parameters
    ----------
    predicted, true : tuple of (ndarray of shape (n,), str)
        The labels, and what they are, as `labels_of_one_kind` returns them.
    estimator : classifier
        What predicts.
    owner : object
        Who compares them, for the error message.

    Raises
    ------
    ValueError
        If they are of different kinds, or there are fractions where the true ones are whole.
    """
    (found, kind), (labels, true_kind) = predicted, true
    fractions = found.dtype.kind == "f" and labels.dtype.kind in "biu"
    wrong = found[found % 1 != 0] if fractions else found[: kind != true_kind]
    if len(wrong):
        raise ValueError(
            f"{_asked('predict', estimator, owner)} must return labels like the true ones, "
            f"{true_kind} such as {labels[:1].tolist()[0]!r}. Got {wrong[:1].tolist()[0]!r} among "
            "them. Pass a classifier that predicts the labels that it is fitted on."
        )
