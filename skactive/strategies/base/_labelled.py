"""Labelled samples and their labels, which belong together; read as `fit` reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive._batches import n_rows
from skactive._one_label import labels_of_one_kind
from skactive._validation import Description, describe, invalid


def check_labelled(owner: object, X_labelled: Any, y_labelled: Any) -> None:
    """Raise if there are samples and labels, but not as many of the ones as of the others.

    Parameters
    ----------
    owner : object
        The strategy, for the error message.
    X_labelled, y_labelled : array-like or None
        The labelled samples and their labels.

    Raises
    ------
    InvalidParameterError
        If their numbers differ.
    """
    if X_labelled is None or y_labelled is None:
        return
    n_samples, n_labels = n_rows(X_labelled), n_rows(y_labelled)
    if n_samples != n_labels:
        raise invalid(
            "y_labelled",
            owner,
            f"a label for each of the {n_samples} samples of X_labelled",
            Description(f"labels: {n_labels}"),
            "Check that X_labelled and y_labelled belong together.",
        )


def plain_labels(y: Any, owner: object) -> tuple[np.ndarray, str]:
    """Return the labels y_labelled as an array, (L,), and their kind, as of `labels_of_one_kind`.

    Parameters
    ----------
    y : array-like of L labels
        Arrays, tensors on any device, lists, Series, or a single column of a frame.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    labels : ndarray of shape (L,)
        The labels.
    kind : str
        "numbers", "strings", or the name of a type.

    Raises
    ------
    ValueError
        If one is missing, or they are of several kinds.
    """
    labels, kind = labels_of_one_kind("y_labelled", y, owner)
    return labels.reshape(-1), kind


def columns_of_labels(y: Any, classes: np.ndarray, owner: object) -> np.ndarray:
    """Return where the labels y_labelled are among the classes of an estimator.

    Parameters
    ----------
    y : array-like of L labels
        As for `plain_labels`.
    classes : ndarray of shape (C,)
        The classes.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    ndarray of int, of shape (L,)
        Positions in `classes`; -1 where a label is none of them.

    Raises
    ------
    ValueError
        If the labels are of another kind than the classes, one is missing, or they are of several.
    """
    labels, kind = plain_labels(y, owner)
    known, known_kind = labels_of_one_kind("classes", classes, owner)
    if kind != known_kind:
        raise invalid(
            "y_labelled",
            owner,
            f"{known_kind}, as the classes {describe(known.tolist())} of the estimator are",
            Description(f"{kind}, {describe(labels[:5].tolist())}"),
            "Pass the labels that the estimator was fitted on.",
        )
    column = {label: i for i, label in enumerate(known.tolist())}
    return np.array([column.get(label, -1) for label in labels.tolist()], dtype=np.int64)
