"""CoreSet against the plain loop on a network's embeddings."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skactive import CNNClassifier, CoreSet
from skactive.gradients import head_inputs
from tests.selection.test_k_center import naive

X, Y = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def clf():
    clf = CNNClassifier(max_epochs=3, random_state=0).fit(X[:50], Y[:50])
    clf.module_.double()
    return clf


def test_picks_are_those_of_the_plain_loop(clf):
    h = head_inputs(clf.module_, X).inputs.numpy()
    picks, gains = naive(h[50:400], 30, centers=h[:50])
    found = CoreSet(batch_size=64).select(clf, X[50:400], 30, X_labelled=X[:50])
    assert found.indices.tolist() == picks
    assert found.utilities is None
    np.testing.assert_allclose(found.gains, gains, rtol=1e-9)
    assert (np.diff(found.gains) <= 0).all()


def test_the_first_pick_without_labels_is_drawn(clf):
    firsts = {int(CoreSet(random_state=s).select(clf, X[50:], 1).indices[0]) for s in range(8)}
    assert len(firsts) > 4
    h = head_inputs(clf.module_, X[50:200]).inputs.numpy()
    found = CoreSet(random_state=0).select(clf, X[50:200], 10, X_labelled=X[:0])
    assert found.indices.tolist() == naive(h, 10, first=int(found.indices[0]))[0]
