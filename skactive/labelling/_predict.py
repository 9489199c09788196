"""A class for every image: by people where they gave one, by the network elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from skactive.labelling._names import class_names
from skactive.labelling._results import answers
from skactive.labelling._rounds import Learner, in_order, probabilities


def predict_all(learner: Learner, estimator: Any) -> Any:
    """Return a DataFrame with the class of every readable image, and who says so."""
    import pandas as pd

    database = learner.database
    names = class_names(database)
    paths = dict(database.read("SELECT id, path FROM image"))
    labels = {**answers(database, "pool"), **answers(database, "test")}
    rows = [(paths[i], names[c], np.nan, "person") for i, c in labels.items()]
    others = [i for share in ("pool", "test") for i in in_order(database, share)]
    ids = learner.fill([i for i in others if i not in labels])
    p = probabilities(learner, estimator, ids)
    best = estimator.classes_[p.argmax(1)].tolist() if len(ids) else []
    for i, name, value in zip(ids.tolist(), best, p.max(1, initial=0).tolist(), strict=True):
        rows.append((paths[i], name, value, "network"))
    return pd.DataFrame(sorted(rows), columns=["path", "class", "p", "by"])
