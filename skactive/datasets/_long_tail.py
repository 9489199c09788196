"""Class counts that fall off exponentially, in an order of classes that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from skactive._rng import generator
from skactive._validation import invalid
from skactive.datasets._draw import check_labels

_OWNER = "long_tail_counts"


def long_tail_counts(
    y: Any,
    ratio: float = 0.02,
    *,
    order: Sequence[Any] | np.ndarray | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> dict[Any, int]:
    """Return how many samples of each class an exponential long tail has.

    The classes, from the most frequent to the rarest, get n · ratio^(i/(C−1)) samples each, rounded
    and at least 1, i = 0, …, C−1, with n the count of the smallest class of y: so the pool has the
    same size whatever the order. Which classes are rare matters more than the strategy that is
    compared, so that the order should be drawn anew for each repetition.

    Parameters
    ----------
    y : array, tensor, Series, list or tuple of length n_samples
        The labels to draw from.
    ratio : float, default=0.02
        Count of the rarest class, as a part of that of the most frequent: above 0, at most 1.
    order : sequence of the C classes of y or None, default=None
        From the most frequent to the rarest; None draws it.
    random_state : int, Generator, RandomState or None, default=None
        The seed of the order; None draws differently each time.

    Returns
    -------
    dict
        Class to count, from the most frequent to the rarest, for `make_imbalanced`.

    Raises
    ------
    InvalidParameterError
        If `ratio` is out of range, or `order` does not have each class of y once.

    References
    ----------
    .. [1] Y. Cui et al. "Class-Balanced Loss Based on Effective Number of Samples".
       arXiv:1901.05555, 2019, whose long-tailed CIFAR has this profile.

    Examples
    --------
    >>> from skactive.datasets import load_fashion_mnist, long_tail_counts, make_imbalanced
    >>> data = load_fashion_mnist()
    >>> counts = long_tail_counts(data.y_train, 0.1, random_state=0)
    >>> list(counts.values())
    [300, 232, 180, 139, 108, 83, 65, 50, 39, 30]
    >>> X, y = make_imbalanced(data.X_train, data.y_train, counts, random_state=0)
    >>> X.shape
    (1226, 28, 28)
    """
    if not isinstance(ratio, Real) or isinstance(ratio, bool) or not 0 < ratio <= 1:
        raise invalid("ratio", _OWNER, "a number above 0, and at most 1", ratio)
    classes, available = np.unique(check_labels(y, _OWNER), return_counts=True)
    steps = np.arange(len(classes)) / max(len(classes) - 1, 1)
    counts = np.maximum((available.min() * float(ratio) ** steps).round(), 1).astype(int)
    if order is None:
        ordered = generator(random_state, _OWNER).permutation(classes).tolist()
    else:
        ordered = np.asarray(order).tolist()
        if not isinstance(ordered, list) or sorted(ordered, key=str) != sorted(
            classes.tolist(), key=str
        ):
            must = f"the {len(classes)} classes of y, each once, or None"
            raise invalid("order", _OWNER, must, order)
    return dict(zip(ordered, counts.tolist(), strict=True))
