"""Picks stand for the array of their positions, and keep what each was worth."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from skactive.fisher import FisherPicks, greedy_fisher, greedy_fisher_in_blocks
from skactive.selection import Picks, batch_bald, k_center_greedy, kmeans_plusplus, max_coverage
from tests.fisher.test_greedy_fisher import factors_of

X = np.array([[0.0, 1.0], [1.0, 1.0], [5.0, 1.0], [9.0, 1.0], [20.0, 1.0]])
PICKS = k_center_greedy(X, 3, centers=[[0.5, 1.0]])
FACTORS = factors_of("random", torch.float64, N=20)
ALL = {
    "batch_bald": lambda: batch_bald(np.log(np.full((5, 2, 2), 0.5)), 3),
    "k_center_greedy": lambda: k_center_greedy(X, 3, random_state=0),
    "kmeans_plusplus": lambda: kmeans_plusplus(X, 3, random_state=0),
    "max_coverage": lambda: max_coverage(X, 3, 1.0),
    "greedy_fisher": lambda: greedy_fisher(FACTORS, 3, oversample=2.0),
    "greedy_fisher_in_blocks": lambda: greedy_fisher_in_blocks(
        lambda positions: FACTORS.take(torch.as_tensor(positions)), np.arange(20), 3, oversample=2.0
    ),
}


@pytest.mark.parametrize("name", ALL)
def test_every_greedy_selection_returns_them(name):
    picks = ALL[name]()
    assert isinstance(picks, Picks)
    assert (picks.indices.dtype, picks.indices.shape) == (np.int64, (3,))
    assert (picks.gains.dtype, picks.gains.shape) == (np.float64, (3,))
    assert isinstance(picks, FisherPicks) == name.startswith("greedy_fisher")


def test_those_by_fisher_information_tell_what_was_removed():
    picks = greedy_fisher(FACTORS, 3, oversample=2.0)
    assert len(picks.removed) == 3
    assert not set(picks.removed.tolist()) & set(picks)
    assert picks.n_refreshes >= 0
    assert repr(picks).startswith("FisherPicks([")


def test_they_index_what_positions_index():
    positions = [4, 3, 2]
    assert PICKS.indices.tolist() == list(PICKS) == positions
    assert all(type(i) is int for i in PICKS)
    assert PICKS.gains.tolist() == [19.5, 8.5, 4.0]
    assert len(PICKS) == 3
    np.testing.assert_array_equal(X[PICKS], X[positions])
    np.testing.assert_array_equal(X[PICKS, 0], X[positions, 0])
    np.testing.assert_array_equal(np.arange(10, 15)[PICKS][PICKS.gains > 5], [14, 13])
    np.testing.assert_array_equal(np.delete(X, PICKS, axis=0), X[[0, 1]])
    np.testing.assert_array_equal(np.take(X, PICKS, axis=0), X[positions])
    np.testing.assert_array_equal(np.setdiff1d(np.arange(5), PICKS), [0, 1])
    np.testing.assert_array_equal(torch.as_tensor(X)[PICKS.indices], X[positions])
    frame = pd.DataFrame(X, index=list("abcde"))
    assert frame.iloc[PICKS].index.tolist() == ["e", "d", "c"]
    assert frame[0].iloc[PICKS].tolist() == [20.0, 9.0, 5.0]
    files = ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert [files[i] for i in PICKS] == ["e.png", "d.png", "c.png"]
    changed = np.zeros(5)
    changed[PICKS] = [1, 2, 3]
    assert changed.tolist() == [0, 0, 3, 2, 1]


def test_one_pick_is_an_array_of_one_position():
    assert X[k_center_greedy(X, 1, centers=X[:1])].shape == (1, 2)


def test_as_an_array():
    assert np.asarray(PICKS).dtype == np.int64
    assert np.asarray(PICKS, dtype=float).tolist() == [4.0, 3.0, 2.0]
    assert np.shares_memory(np.asarray(PICKS), PICKS.indices)
    assert not np.shares_memory(np.array(PICKS), PICKS.indices)
    np.testing.assert_array_equal(PICKS.__array__(np.int32), np.array([4, 3, 2], dtype=np.int32))
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        assert np.shares_memory(np.array(PICKS, copy=False), PICKS.indices)
        with pytest.raises(ValueError, match="copy"):
            np.array(PICKS, dtype=float, copy=False)


def test_a_tensor_takes_the_indices_only_and_says_so():
    with pytest.raises((IndexError, TypeError), match="Picks"):
        torch.as_tensor(X)[PICKS]


@pytest.mark.parametrize("again", [lambda p: pickle.loads(pickle.dumps(p)), copy.deepcopy])
def test_copies(again):
    picks = greedy_fisher(FACTORS, 3, oversample=2.0)
    found = again(picks)
    assert type(found) is FisherPicks
    assert list(found) == list(picks)
    assert found.gains.tolist() == picks.gains.tolist()
    assert found.removed.tolist() == picks.removed.tolist()


def test_they_are_frozen_and_compared_by_identity():
    with pytest.raises(AttributeError, match="indices"):
        PICKS.indices = np.arange(3)
    assert PICKS == PICKS
    assert k_center_greedy(X, 3, centers=[[0.5, 1.0]]) != PICKS
    assert len({PICKS, PICKS}) == 1


def test_the_repr_is_short():
    assert repr(PICKS) == "Picks([4, 3, 2])"
    long = Picks(np.arange(2_000_000, 2_000_100), np.zeros(100))
    assert repr(long) == "Picks([2000000, 2000001, 2000002, ..., 2000097, 2000098, 2000099])"
