"""Labelled samples and their labels belong together."""

from __future__ import annotations

from typing import Any

from skactive._batches import n_rows
from skactive._validation import Description, invalid


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
