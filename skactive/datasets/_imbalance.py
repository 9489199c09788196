"""Imbalance as in the papers: given counts per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skactive._rng import generator
from skactive._validation import check_count, describe, invalid
from skactive.datasets._draw import check_labels, draw

_OWNER = "make_imbalanced"


def make_imbalanced(
    X: Any,
    y: Any,
    counts: Mapping[Any, int] | Sequence[int],
    *,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> tuple[Any, Any]:
    """Draw a given number of samples of each class, without replacement.

    The imbalanced pools of the FisherMask paper [1]_ are classes 0 to 3 with 250, 5000, 250 and
    250 samples: `counts={0: 250, 1: 5000, 2: 250, 3: 250}`.

    Parameters
    ----------
    X : array, tensor, DataFrame, list or tuple of length n_samples
        The samples: anything that takes an array of row positions as index, or a sequence.
    y : array, tensor, Series, list or tuple of length n_samples
        The labels.
    counts : dict or sequence of int
        The number of samples to draw of each class: a dict from class to count, or one count
        for each class of y in sorted order. Classes that a dict does not name are dropped.
    random_state : int, Generator, RandomState or None, default=None
        The seed of the draw and of the order; None draws differently each time. With the same
        int, larger counts draw what smaller ones do, and more.

    Returns
    -------
    X : of the kind given, of length sum of counts
        The samples drawn, shuffled.
    y : of the kind given, of length sum of counts
        Their labels.

    Raises
    ------
    InvalidParameterError
        If X and y differ in length, `counts` does not fit the classes of y, or a class has
        fewer samples than asked for.

    References
    ----------
    .. [1] S. Gul, M. Elmahallawy, S. Madria, A. Tripathy. "FisherMask: Enhancing Neural Network
       Labeling Efficiency in Image Classification Using Fisher Information".
       arXiv:2411.05752, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.datasets import load_fashion_mnist, make_imbalanced
    >>> data = load_fashion_mnist()
    >>> X, y = make_imbalanced(
    ...     data.X_train, data.y_train, {0: 15, 1: 300, 2: 15, 3: 15}, random_state=0
    ... )
    >>> X.shape, np.bincount(y).tolist()
    ((345, 28, 28), [15, 300, 15, 15])
    """
    labels = check_labels(y, _OWNER)
    n_samples = _n_samples(X)
    if n_samples != len(labels):
        raise invalid(
            "X", _OWNER, f"as long as y, {len(labels)} samples", X, f"It has {n_samples} samples."
        )
    positions = draw(labels, _check_counts(counts, labels), generator(random_state, _OWNER))
    return _take(X, positions), _take(y, positions)


def _check_counts(counts: Any, labels: np.ndarray) -> dict[Any, int]:
    """Return the count for each class that is drawn, in the order of the sorted classes."""
    classes, n_available = np.unique(labels, return_counts=True)
    available = dict(zip(classes.tolist(), n_available.tolist(), strict=True))
    if not isinstance(counts, Mapping):
        if not isinstance(counts, (Sequence, np.ndarray)) or isinstance(counts, str):
            raise invalid("counts", _OWNER, "a dict or a sequence of counts", counts)
        if len(counts) != len(available):
            raise invalid(
                "counts",
                _OWNER,
                f"one count for each of the {len(available)} classes of y",
                counts,
                "Pass a dict from class to count to draw from some of the classes.",
            )
        counts = dict(zip(available, counts, strict=True))
    for c in counts:
        if c not in available:
            raise invalid(
                "counts",
                _OWNER,
                f"a dict whose keys are classes of y, {describe(list(available))}",
                c,
            )
    checked = {c: _check_class_count(c, counts[c], available[c]) for c in available if c in counts}
    if sum(checked.values()) == 0:
        raise invalid("counts", _OWNER, "at least 1 for some class", counts)
    return checked


def _check_class_count(c: Any, count: Any, n_available: int) -> int:
    return check_count(
        f"counts[{c!r}]",
        _OWNER,
        count,
        low=0,
        high=n_available,
        high_is=f"y has {n_available} samples of class {c!r}",
        remedy=f"Ask for fewer samples of class {c!r}, or pass more data.",
    )


def _n_samples(X: Any) -> int:
    if len(getattr(X, "shape", ())) > 0:
        return int(X.shape[0])
    if not isinstance(X, Sequence):
        raise invalid("X", _OWNER, "an array of samples, a list or a tuple", X)
    return len(X)


def _take(values: Any, positions: np.ndarray) -> Any:
    """Return rows of a container as the same kind of container."""
    if hasattr(values, "iloc"):
        return values.iloc[positions]
    if hasattr(values, "shape"):
        return values[positions]
    taken = [values[i] for i in positions.tolist()]
    return tuple(taken) if isinstance(values, tuple) else taken
