"""The first samples to label, before any model exists."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive._rng import generator
from skactive._validation import check_count, invalid
from skactive.datasets._draw import check_labels, draw

_OWNER = "initial_positions"


def initial_positions(
    y: Any,
    n: int,
    *,
    per_class: bool = False,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> np.ndarray:
    """Choose the positions to label first, at random.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The labels of the pool.
    n : int
        The number of positions: in total, or per class with `per_class=True`.
    per_class : bool, default=False
        Whether every class of y gets `n` positions. This looks at all labels, which a real
        annotator could not do; say so where results are compared.
    random_state : int, Generator, RandomState or None, default=None
        The seed of the choice; None chooses differently each time. With the same int, a larger
        `n` chooses what a smaller one does, and more.

    Returns
    -------
    ndarray of shape (n,) or (n * n_classes,) and dtype int64
        Distinct positions in y, in random order.

    Raises
    ------
    InvalidParameterError
        If y is not 1-D or is empty, or `n` exceeds the number of samples, in total or of a class.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.datasets import initial_positions
    >>> y = np.repeat([0, 1, 2], 50)
    >>> start = initial_positions(y, 4, per_class=True, random_state=0)
    >>> np.bincount(y[start]).tolist()
    [4, 4, 4]
    """
    labels = check_labels(y, _OWNER)
    if not isinstance(per_class, (bool, np.bool_)):
        raise invalid("per_class", _OWNER, "True or False", per_class)
    if not per_class:
        n = check_count("n", _OWNER, n, high=len(labels), high_is="the number of samples in y")
        return generator(random_state, _OWNER).permutation(len(labels))[:n]
    classes, n_available = np.unique(labels, return_counts=True)
    fewest = int(n_available.argmin())
    c = classes.tolist()[fewest]  # of an object array, too
    n = check_count(
        "n",
        _OWNER,
        n,
        high=int(n_available[fewest]),
        high_is=f"the number of samples of class {c!r}, the fewest in y",
        remedy="Ask for fewer of each class, or pass per_class=False.",
    )
    counts = dict.fromkeys(classes.tolist(), n)
    return draw(labels, counts, generator(random_state, _OWNER))
