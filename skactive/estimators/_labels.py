"""Labels and weights: encoding, class weights, and what is held out for validation."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, column_or_1d

from skactive._one_label import labels_of_one_kind, plain_array
from skactive._validation import Description, Phrase, describe, invalid
from skactive.estimators._encoded import hint_if_encoded


def encode_labels(
    y: Any, classes: Any, n_samples: int, owner: object
) -> tuple[np.ndarray, np.ndarray]:
    """Check labels; return them as positions in the sorted classes, and the classes.

    Parameters
    ----------
    y : array-like of shape (N,)
        The labels.
    classes : array-like or None
        All classes; None takes those in `y`.
    n_samples : int
        The number of labels that there must be.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    codes : ndarray of shape (N,), int64
        The positions of the labels in `classes`.
    classes : ndarray of shape (C,)
        The classes, sorted.
    """
    if classes is not None and np.ndim(classes) == 0:
        raise invalid(
            "classes",
            owner,
            Phrase("a list of all classes, or {None}"),
            classes,
            "For ten classes from 0 to 9, pass range(10).",
        )
    y, kind = labels_of_one_kind("y", y, owner)
    y = np.asarray(column_or_1d(y, warn=True))
    if len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_samples}, y has "
            f"{len(y)}. Give one label per sample."
        )
    if y.dtype == object and kind != "strings":
        got = f"{type(y[0]).__name__} objects such as {describe(y[0])}"
        remedy = "Convert them, by list(map(str, y)) or, members of an Enum, [m.name for m in y]."
        must = "labels that are numbers of at most 64 bits, or strings"
        raise invalid("y", owner, must, Description(got), remedy)
    check_classification_targets(y)
    classes, known_kind = (
        (y, kind) if classes is None else labels_of_one_kind("classes", classes, owner)
    )
    if kind != known_kind:
        raise invalid(
            "y",
            owner,
            f"{known_kind}, as the classes {describe(classes.tolist())} are",
            Description(f"{kind}, {describe(y[:5].tolist())} of dtype {y.dtype},"),
            "Convert one of the two: y.astype(int), say, or classes= of strings."
            + hint_if_encoded(y, classes),
        )
    y, classes = _signed(y), np.unique(_signed(classes))
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise invalid(
            "y",
            owner,
            f"labels out of the classes {classes.tolist()}",
            unknown[:5].tolist(),
            "List every class in classes=, so that later rounds can bring new ones."
            + hint_if_encoded(y, classes),
        )
    return np.searchsorted(classes, y), classes


def _signed(labels: np.ndarray) -> np.ndarray:
    """Return labels of uint64 as int64, where they fit: NumPy compares the two as floats."""
    most = np.iinfo(np.int64).max
    fits = labels.dtype == np.uint64 and (not len(labels) or labels.max() <= most)
    return labels.astype(np.int64) if fits else labels


def check_weight(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return the sample weights as float64, none negative and not all zero; None if not given."""
    if sample_weight is None:
        return None
    if hasattr(sample_weight, "__array__"):
        sample_weight = plain_array(sample_weight)
    weight = _check_sample_weight(
        sample_weight, np.empty(n_samples), dtype=np.float64, ensure_non_negative=True
    )
    if not weight.any():  # current scikit-learn raises the same above, older versions do not
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return np.array(weight)


def class_factors(
    class_weight: Any,
    codes: np.ndarray,
    weight: np.ndarray | None,
    classes: np.ndarray,
    owner: object,
) -> np.ndarray:
    """Return the factor of each class in the loss, (C,).

    "balanced" gives every class that is present the same total weight: with m_c the weight of the
    samples of class c, the factor is Σm / (number of classes present · m_c).
    """
    if isinstance(class_weight, str):
        mass = np.bincount(codes, weights=weight, minlength=len(classes))
        present = mass > 0
        return np.where(present, mass.sum() / (present.sum() * np.where(present, mass, 1.0)), 0.0)
    known = set(classes)  # NumPy's `in` compares a tuple with each class
    unknown = [key for key in class_weight if key not in known]
    if unknown:
        raise invalid(
            "class_weight",
            owner,
            f"a dict with keys out of {classes.tolist()}",
            class_weight,
            "List every class in classes= if some are not labelled yet.",
        )
    factors = [class_weight.get(c, 1.0) for c in classes]
    good = all(isinstance(f, Real) and 0 <= float(f) < np.inf for f in factors)
    if not good or not any(factors[c] > 0 for c in np.unique(codes)):
        raise invalid(
            "class_weight",
            owner,
            "a dict of finite numbers of at least 0, above 0 for some labelled class",
            class_weight,
        )
    return np.array(factors, dtype=np.float64)


def hold_out(
    codes: np.ndarray, share: float, seed: int, owner: object
) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into training and validation, stratified where the classes allow."""
    from sklearn.model_selection import train_test_split

    n, n_valid = len(codes), round(share * len(codes))
    if not 1 <= n_valid < n:
        raise invalid(
            "train_split",
            owner,
            f"a share that leaves at least one of the {n} samples on either side",
            share,
            "Pass train_split=None while there are few labels.",
        )
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    stratify = counts.min() >= 2 and min(n_valid, n - n_valid) >= len(counts)
    train, valid = train_test_split(
        np.arange(n), test_size=n_valid, stratify=codes if stratify else None, random_state=seed
    )
    return train, valid
