"""Labels that `teach` of a modAL learner is given, after one label per sample."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from skactive._one_label import labels_of_one_kind


def read_labels(classes: Iterable[type]) -> None:
    """Have `teach` read labels as `fit` of skactive's classifiers does, before they are stacked.

    NumPy, which modAL stacks lists and arrays by, makes a class 'nan' of a label that is missing
    among names, and one class of all members of a `class Pet(str, Enum)`; of several labels for a
    sample modAL says that dimensions do not agree. Learners that began with several labels per
    sample, as those of `modAL.multilabel` do, are left alone.

    Parameters
    ----------
    classes : iterable of type
        The classes of modAL; those with a `teach` of their own are mended.
    """
    for cls in classes:
        if "teach" in vars(cls):
            cls.teach = _reading(cls.teach)  # type: ignore[attr-defined]


def _reading(teach: Any) -> Any:
    @functools.wraps(teach)
    def reading(self: Any, X: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        learners = [self, *getattr(self, "learner_list", ())]
        taught = [each for each in learners if _one_each(getattr(each, "y_training", None))]
        if taught:
            y = _plain("y", y, self)
        for learner in taught:
            learner.y_training = _plain("y_training", learner.y_training, learner)
        return teach(self, X, y, *args, **kwargs)

    return reading


def _one_each(labels: Any) -> bool:
    return labels is not None and np.ndim(labels) == 1


def _plain(parameter: str, labels: Any, owner: object) -> Any:
    """Return labels in the container that they came in, without what NumPy would not see."""
    read, _ = labels_of_one_kind(parameter, labels, owner)
    if isinstance(labels, (list, tuple)):
        return read.tolist()
    if np.ndim(labels) == 2:  # a column, as fit takes it
        labels = labels.iloc[:, 0] if hasattr(labels, "iloc") else labels.reshape(-1)
        read = read.reshape(-1)
    if getattr(getattr(labels, "dtype", None), "kind", "") == "T":  # which modAL cannot stack
        return read
    if str(getattr(labels, "dtype", "object")) != "object":  # a number or a text each, as they are
        return labels
    if hasattr(labels, "iloc"):
        return type(labels)(read, index=labels.index, name=labels.name, dtype=object)
    return read
