"""`teach` of a modAL learner with several labels per sample, after one per sample."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from skactive._one_label import check_one_label


def name_several_labels(classes: Iterable[type]) -> None:
    """Have `teach` say that a sample has several labels, where there was one per sample.

    modAL says that dimensions do not agree, or lets NumPy speak. Learners that began with several
    labels per sample, as those of `modAL.multilabel` do, are left alone.

    Parameters
    ----------
    classes : iterable of type
        The classes of modAL; those with a `teach` of their own are mended.
    """
    for cls in classes:
        if "teach" in vars(cls):
            cls.teach = _naming(cls.teach)  # type: ignore[attr-defined]


def _naming(teach: Any) -> Any:
    @functools.wraps(teach)
    def named(self: Any, X: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        known = _labels(self)
        if known is None:
            known = next(map(_labels, getattr(self, "learner_list", ())), None)
        if known is not None and np.ndim(known) == 1:
            check_one_label("y", y)
        return teach(self, X, y, *args, **kwargs)

    return named


def _labels(learner: Any) -> Any:
    return getattr(learner, "y_training", None)
