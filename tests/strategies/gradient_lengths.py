"""A small CNN in float64, a pool, and the utilities of gradient lengths, one sample at a time."""

from functools import cache

import numpy as np
import torch

from tests.oracles import naive_norms

_DRAW = np.random.default_rng(0)
X_TRAIN, Y_TRAIN = _DRAW.random((12, 1, 8, 8)), np.arange(12) % 3
X_TRAIN[np.arange(12), 0, Y_TRAIN * 2] += 0.5
POOL = _DRAW.random((40, 1, 8, 8))


@cache
def fitted(kind):
    clf = kind("small_cnn", module_params={"width": 3}, max_epochs=5, random_state=0)
    clf.set_params(channels="first").fit(X_TRAIN, Y_TRAIN)
    clf.module_.double()
    return clf


def naive_utilities(clf, score, norm):
    return naive_norms(clf.module_, torch.as_tensor(POOL), score, norm).numpy()
