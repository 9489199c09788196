"""Labels that may be wrong: those to which networks that have not seen them give little."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from skactive._predictions import predicted_probabilities
from skactive.labelling._results import answers
from skactive.labelling._rounds import Learner, new_estimator

N_FOLDS = 5


def out_of_fold(
    new: Any, X: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the self-confidence of each label, and the class that is proposed instead.

    A label's self-confidence is the probability of its class, from an estimator that was trained
    on other groups. It is NaN where that estimator has seen no other label of the class: that a
    class is rare does not make its labels wrong.

    Parameters
    ----------
    new : callable
        Makes an unfitted estimator.
    X : ndarray of shape (n, ...)
        The images.
    y : ndarray of shape (n,)
        Their labels.
    groups : ndarray of shape (n,)
        Groups, which are not split.
    seed : int
        Of the folds.

    Returns
    -------
    confidence : ndarray of shape (n,)
        From 0 to 1, or NaN.
    proposed : ndarray of shape (n,)
        The most probable class.
    """
    confidence, proposed = np.full(len(y), np.nan), y.copy()
    folds = np.random.default_rng(seed)
    names = np.unique(groups)
    fold_of = dict(zip(names.tolist(), folds.permutation(len(names)) % N_FOLDS, strict=True))
    fold = np.array([fold_of[group] for group in groups.tolist()])
    for k in range(N_FOLDS):
        out, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if not len(out) or len(np.unique(y[rest])) < 2:
            continue
        estimator = new().fit(X[rest], y[rest])
        shape = (len(out), len(estimator.classes_))
        p = predicted_probabilities(estimator, X[out], "LabelSession", shape=shape)
        column = {name: c for c, name in enumerate(estimator.classes_.tolist())}
        own = [column.get(name, -1) for name in y[out].tolist()]
        known = np.array(own) >= 0
        confidence[out[known]] = p[np.flatnonzero(known), np.array(own)[known]]
        proposed[out] = estimator.classes_[p.argmax(1)]
    return confidence, proposed


def review(learner: Learner, seed: int = 0) -> None:
    """Find suspicious labels of the pool, and note them.

    Those for measuring are left out: correcting them where a network disagrees, and only there,
    would flatter the network.
    """
    database = learner.database
    labels = answers(database, "pool")
    ids = learner.fill(list(labels))
    learner.learn_names()
    y = learner.named(labels, ids)
    if len(np.unique(y)) < 2:
        return
    groups = dict(database.read('SELECT id, "group" FROM image'))
    turn = count(1)

    def new() -> Any:
        learner.report("looking for wrong labels, network", next(turn), N_FOLDS)
        return new_estimator(learner, seed)

    confidence, proposed = out_of_fold(
        new,
        learner.cache.rows(ids),
        y,
        np.array([groups[i] for i in ids.tolist()]),
        seed,
    )
    confirmed = _confirmed(learner)
    rows = [
        (i, float(c), learner.class_of(name))
        for i, c, name in zip(ids.tolist(), confidence, proposed.tolist(), strict=True)
        if np.isfinite(c) and i not in confirmed
    ]
    with database.writing() as connection:
        # Those of files that have changed stay.
        connection.execute("DELETE FROM suspicion WHERE proposed IS NOT NULL")
        connection.executemany("INSERT OR IGNORE INTO suspicion VALUES (?, ?, ?)", rows)


def _confirmed(learner: Learner) -> set[int]:
    """Return the images whose label was given or confirmed in a review."""
    rows = learner.database.read("SELECT image FROM label WHERE via = 'review'")
    return {i for (i,) in rows}
