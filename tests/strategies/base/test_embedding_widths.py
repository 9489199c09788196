"""Embeddings of pool and labelled samples are of one width, whichever strategy reads them."""

import numpy as np
import pytest

from skactive import CoreSet, Subsample, TypiClust
from skactive.exceptions import InvalidParameterError

X, Y = np.zeros((9, 2)), np.arange(9) % 2
E = np.random.default_rng(0).normal(size=(9, 4))


@pytest.mark.parametrize("strategy", [CoreSet(), TypiClust(), Subsample(CoreSet())], ids=repr)
def test_other_widths_are_named(strategy):
    given = {"X_labelled": X[:3], "y_labelled": Y[:3], "embeddings": E[3:]}
    match = "embeddings_labelled.*rows of 4 numbers, as embeddings has.*same way"
    with pytest.raises(InvalidParameterError, match=match):
        strategy.select(None, X[3:], 2, **given, embeddings_labelled=E[:3, :3])
