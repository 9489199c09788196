"""Samples of every container, in batches."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner
from sklearn.linear_model import LogisticRegression
from torch.utils.data import TensorDataset

from skactive import Entropy
from skactive._batches import as_tensor, map_batches, n_rows, one_behind, take_rows
from skactive.exceptions import BatchSizeWarning


def test_map_batches_covers_all_in_order():
    X = np.arange(10)
    blocks = list(map_batches(lambda x, start: torch.as_tensor(x + start), X, 4))
    assert [(b.start, b.stop) for b, _ in blocks] == [(0, 4), (4, 8), (8, 10)]
    assert torch.cat([r for _, r in blocks]).tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 16, 17]


def test_one_behind_hands_on_each_when_the_next_is_there():
    events = []

    def items():
        for i in range(3):
            events.append(f"made {i}")
            yield i

    for i in one_behind(items()):
        events.append(f"used {i}")
    assert events == ["made 0", "made 1", "used 0", "made 2", "used 1", "used 2"]
    assert list(one_behind([])) == []


def test_out_of_memory_halves_the_batch_and_says_what_worked():
    sizes = []

    def forward(x, start):
        sizes.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError
        return torch.as_tensor(x)

    with pytest.warns(BatchSizeWarning, match="batch_size=2 worked. Pass batch_size=2") as record:
        out = torch.cat([r for _, r in map_batches(forward, np.arange(7), 8)])
    assert out.tolist() == list(range(7))
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert len(record) == 1


def test_out_of_memory_for_a_single_sample_is_raised():
    def forward(x, start):
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        list(map_batches(forward, np.arange(3), 2))


def test_take_rows_of_every_kind():
    import pandas as pd
    import scipy.sparse as sp

    X = np.arange(12).reshape(4, 3)
    kinds = [X, torch.as_tensor(X), pd.DataFrame(X), sp.coo_array(X), X.tolist(), tuple(X)]
    for kind in kinds:
        for index in (slice(1, 3), np.array([2, 0])):
            taken = take_rows(kind, index)
            dense = taken.toarray() if sp.issparse(taken) else np.asarray(taken)
            np.testing.assert_array_equal(dense, X[index])
        assert n_rows(kind) == 4
    pool = TensorDataset(torch.as_tensor(X), torch.arange(4))
    assert torch.equal(take_rows(pool, slice(1, 3)), torch.as_tensor(X[1:3]))
    assert torch.equal(take_rows(pool, np.array([2, 0])), torch.as_tensor(X[[2, 0]]))


class Increasing:
    """As a data set of h5py: rows once each, in increasing order."""

    def __init__(self, rows):
        self.rows, self.shape, self.dtype = rows, rows.shape, rows.dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        if isinstance(index, np.ndarray) and (np.diff(index) <= 0).any():
            raise TypeError("Indexing elements must be in increasing order")
        return self.rows[index]


@pytest.mark.parametrize("index", [[2, 0], [1, 1, 3], [0, 3], []])
def test_rows_of_files_that_want_them_in_order(index):
    X = np.arange(12).reshape(4, 3)
    where = np.array(index, np.int64)
    np.testing.assert_array_equal(take_rows(Increasing(X), where), X[where])
    learner = ActiveLearner(LogisticRegression(), Entropy(), X, [0, 1, 0, 1])
    taken = learner.query(Increasing(X), n_instances=3)[1]
    assert taken.shape == (3, 3)


def test_datasets_have_a_length_whatever_their_shape_is():
    class OfShape(TensorDataset):
        shape = (3, 32, 32)

    assert n_rows(OfShape(torch.zeros(24, 3, 32, 32))) == 24


def test_as_tensor_shares_memory_where_it_can():
    X = np.zeros((3, 2))
    as_tensor(X)[0, 0] = 7
    assert X[0, 0] == 7
    for odd in (X[::-1], X.astype(">f8")):
        np.testing.assert_array_equal(as_tensor(odd).numpy(), odd.astype(float))
    readonly = X.copy()
    readonly.flags.writeable = False
    assert as_tensor(readonly).shape == (3, 2)
