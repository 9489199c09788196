"""The form in which every loader returns its data."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from skactive.datasets._sources import damaged

Split = tuple[np.ndarray, np.ndarray]


def check_split(source: object, X: np.ndarray, y: np.ndarray, n_classes: int) -> Split:
    """Return images and int64 labels, or raise where they do not match."""
    if len(X) != len(y):
        raise damaged(source, f"it has {len(X)} images and {len(y)} labels")
    if y.dtype.kind not in "iu":
        raise damaged(source, f"expected integer labels, found the dtype {y.dtype}")
    y = y.astype(np.int64)
    if len(y) and not 0 <= y.min() <= y.max() < n_classes:
        raise damaged(
            source,
            f"expected labels from 0 to {n_classes - 1}, found {y.min()} to {y.max()}",
        )
    return X, y


def image_bunch(train: Split, test: Split, target_names: list[str], descr: str) -> Bunch:
    """Pack images, labels, the classes' names and the description."""
    return Bunch(
        X_train=train[0],
        y_train=train[1],
        X_test=test[0],
        y_test=test[1],
        target_names=target_names,
        DESCR=descr,
    )
