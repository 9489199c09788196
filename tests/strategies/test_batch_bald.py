"""BatchBALD against joint entropies by brute force."""

import numpy as np
import pytest

from skactive import BALD, BatchBALD, CNNClassifier
from skactive.selection import batch_bald
from tests.oracles import greedy_joint_information
from tests.strategies.stubs import Fixed, distributions

P = distributions(8, 4)
MEMBERS = [Fixed(t) for t in range(4)]


def test_several_estimators():
    found = BatchBALD().select(MEMBERS, P, 4)
    expected, gains = greedy_joint_information(np.log(P), 4)
    assert found.indices.tolist() == expected
    np.testing.assert_allclose(found.gains, gains, atol=1e-5)
    assert found.utilities is None


def test_the_first_pick_is_balds():
    X, y = np.random.default_rng(0).random((60, 6)), np.arange(60) % 3
    clf = CNNClassifier(max_epochs=3, random_state=0, module_params={"dropout": 0.5})
    clf.fit(X[:20], y[:20])
    batch = BatchBALD(n_passes=10, batch_size=7, random_state=0).select(clf, X, 5)
    single = BALD(n_passes=10, random_state=0).select(clf, X, 5)
    assert batch.indices[0] == single.indices[0]
    assert batch.gains[0] == pytest.approx(single.utilities.max(), abs=1e-5)


def test_configurations_are_drawn_beyond_n_configurations():
    found = [
        BatchBALD(n_configurations=8, random_state=s).select(MEMBERS, P, 5).gains for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].tolist() != found[2].tolist()
    exact = batch_bald(np.log(P), 5).gains
    np.testing.assert_allclose(found[0][:2], exact[:2], atol=1e-5)  # 3 configurations: still exact
    assert abs(found[0][2] - exact[2]) > 1e-5
    with pytest.raises(ValueError, match="'n_configurations' parameter of BatchBALD"):
        BatchBALD(n_configurations=0).select(MEMBERS, P, 2)
