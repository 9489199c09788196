"""Labels that scikit-learn has encoded, and what to do where classes have names."""

from __future__ import annotations

import numpy as np


def hint_if_encoded(y: np.ndarray, classes: np.ndarray) -> str:
    """Return what to do about labels that are none of the classes, but may be their positions.

    Parameters
    ----------
    y : ndarray of shape (N,)
        The labels.
    classes : ndarray of shape (C,)
        The classes.

    Returns
    -------
    str
        A sentence, with a space before it; empty if the labels are no positions.
    """
    if y.dtype.kind not in "iu" or not len(y) or y.min() < 0 or y.max() >= len(np.unique(classes)):
        return ""
    return (
        " If they are positions of classes, scikit-learn has encoded y, as cross_val_predict does "
        "for method='predict_proba', and VotingClassifier: leave classes=None there, or pass y as "
        "positions, and classes=range(n)."
    )
