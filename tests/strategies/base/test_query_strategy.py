"""The contract of `choose`: what it may count on, what it may return, and what `select` refuses."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from skactive import ClassBalanced, Hybrid, QueryStrategy, Selection, Subsample, Switch
from skactive.exceptions import SelectionError
from skactive.selection import k_center_greedy
from tests.strategies.stubs import Fixed, distributions

P = distributions(10, 1)
MEMBERS = {
    "alone": lambda strategy: strategy,
    "Hybrid": lambda strategy: Hybrid([strategy]),
    "Subsample": lambda strategy: Subsample(strategy, n=50),
    "Switch": lambda strategy: Switch([(strategy, None)]),
    "ClassBalanced": lambda strategy: ClassBalanced(strategy),
}


class Own(QueryStrategy):
    """Returns what it is told to; notes what it was given."""

    def __init__(self, answer=None, *, random_state=None):
        self.answer = answer
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        return self.answer


POSITIONS = {
    "a Selection": Selection(np.array([3, 9, 0])),
    "of a list": Selection([3, 9, 0]),
    "list": [3, 9, 0],
    "list of NumPy ints": list(np.array([3, 9, 0])),
    "list of tensors": list(torch.tensor([3, 9, 0])),
    "tensor": torch.tensor([3, 9, 0]),
    "int32 tensor": torch.tensor([3, 9, 0], dtype=torch.int32),
    "strided": np.array([3, 1, 9, 1, 0])[::2],
    "read-only": np.frombuffer(np.array([3, 9, 0]).tobytes(), dtype=np.int64),
    **{dtype: np.array([3, 9, 0], dtype=dtype) for dtype in ("int8", "int32", "int64", ">i4")},
    **{dtype: np.array([3, 9, 0], dtype=dtype) for dtype in ("uint8", "uint16", "uint64")},
}


@pytest.mark.parametrize("answer", POSITIONS.values(), ids=POSITIONS)
def test_positions_become_a_selection(answer):
    found = Own(answer).select(None, P, 3)
    assert isinstance(found, Selection)
    assert isinstance(found.indices, np.ndarray)
    assert found.indices.dtype == np.int64
    assert found.indices.dtype.isnative
    assert found.indices.tolist() == [3, 9, 0]
    assert found.utilities is None
    assert found.gains is None


def test_picks_keep_their_gains():
    picks = k_center_greedy(np.arange(10.0)[:, None], 3, random_state=0)
    found = Own(picks).select(None, P, 3)
    assert found.indices.tolist() == list(picks)
    assert found.gains is picks.gains
    assert found.utilities is None


@pytest.mark.cuda
def test_positions_on_a_device():
    chosen = torch.tensor([3, 9, 0], device="cuda")
    assert Own(chosen).select(None, P, 3).indices.tolist() == [3, 9, 0]
    both = Selection(chosen, torch.arange(10.0, device="cuda"))
    assert Own(both).select(None, P, 3).utilities.tolist() == list(range(10))


WRONG = {
    "too few": ([0, 1], r"Got \[0, 1\] instead\."),
    "too many": ([0, 1, 2, 3], r"Got \[0, 1, 2, 3\] instead\."),
    "none": ([], r"Got \[\] instead\."),
    "repeated": ([4, 1, 4], r"Got position 4 more than once\."),
    "beyond": ([0, 1, 10], r"Got position 10 among them\."),
    "negative": ([0, 1, -2], r"Got position -2 among them\."),
    "beyond 64 bits": ([0, 1, 2**70], r"Got \[0, 1, 1180591620717411303424\] instead\."),
    "uint64": (np.array([0, 1, 2**64 - 1], np.uint64), "Got position 18446744073709551615 among"),
    "floats": (np.arange(3.0), r"Got an array of shape \(3,\) and dtype float64 instead\."),
    "float tensor": (torch.arange(3.0), r"Got an array of shape \(3,\) and dtype torch\.float32"),
    "bfloat16": (torch.arange(3.0).bfloat16(), r"Got .* dtype torch\.bfloat16 instead"),
    "sparse": (torch.ones(3).to_sparse(), r"Got an array of shape \(3,\) and dtype torch.float32"),
    "mask": (np.arange(10) < 3, r"shape \(10,\) and dtype bool instead\. np\.flatnonzero turns"),
    "short mask": ([True, False, True], r"Got \[True, .*\] instead\. np\.flatnonzero turns"),
    "column": (np.arange(3)[:, None], r"Got an array of shape \(3, 1\) and dtype int64 instead"),
    "nested": ([[0], [1], [2]], r"Got \[\[0\], \[1\], \[2\]\] instead\."),
    "ragged": ([[0], [1, 2]], r"Got \[\[0\], \[1, 2\]\], of type list, instead\. Put them into"),
    "names": (["a", "b", "c"], r"Got \['a', 'b', 'c'\] instead\."),
    "objects": (np.array([0, 1, None]), r"and dtype object instead"),
    "nothing": (None, r"Got None instead\. Put them into a list, an array, a tensor or a Sel"),
    "tuple": ((0, 1, 2), r"Got \(0, 1, 2\), of type tuple, instead\. Put them"),
    "modAL's pair": ((np.arange(3), P), r", of type tuple, instead"),
    "Index": (pd.Index([0, 1, 2]), r"Got an array of .* int64, of type Index, instead\."),
    "Series": (pd.Series([0, 1, 2]), r"dtype int64, of type Series, instead\. Put them"),
    "set": ({0, 1, 2}, r"Got \{0, 1, 2\}, of type set, instead\."),
    "Selection of None": (Selection(None), r"Got None instead\."),
    "Selection of floats": (Selection(np.arange(3.0)), r"dtype float64 instead\."),
}


@pytest.mark.parametrize("inside", MEMBERS)
@pytest.mark.parametrize(("answer", "got"), WRONG.values(), ids=WRONG)
def test_wrong_positions_are_refused_by_name(inside, answer, got):
    must = r"^Own\.choose must return 3 distinct positions, ints from 0 to 9\. "
    with pytest.raises(SelectionError, match=must + ".*" + got):
        MEMBERS[inside](Own(answer)).select(Fixed(), P, 3)


@pytest.mark.parametrize("answer", [7, np.int64(7), np.array(7), torch.tensor(7)])
def test_a_single_int_is_refused_where_one_is_asked_for(answer):
    """It would work for batches of one, and break at the first larger one."""
    with pytest.raises(
        SelectionError, match=r"must return 1 distinct positions.* Got .*7.*instead"
    ):
        Own(answer).select(None, P, 1)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(10.0),
        np.arange(10.0, dtype=np.float32),
        np.arange(10),
        [float(i) for i in range(10)],
        torch.arange(10.0),
        torch.arange(10.0).bfloat16(),
        torch.arange(10.0, requires_grad=True),
    ],
)
def test_utilities_and_gains_become_arrays(values):
    found = Own(Selection([1, 2], values, values[:2])).select(None, P, 2)
    assert isinstance(found.utilities, np.ndarray)
    assert found.utilities.tolist() == list(range(10))
    assert found.gains.tolist() == [0, 1]


def test_utilities_are_neither_copied_nor_read():
    class Unread(np.ndarray):
        def __array_ufunc__(self, *args, **kwargs):
            raise AssertionError("a pass over the pool")

    values = np.full(10, np.nan)
    assert Own(Selection([1], values)).select(None, P, 1).utilities is values
    unread = np.arange(10.0).view(Unread)
    assert np.shares_memory(Own(Selection([1], unread)).select(None, P, 1).utilities, unread)


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (np.arange(9.0), r"Got an array of shape \(9,\) and dtype float64 instead"),
        (np.arange(3.0), r"Got an array of shape \(3,\)"),
        (np.ones((10, 1)), r"Got an array of shape \(10, 1\)"),
        (np.array(1.0), r"Got array\(1\.\) instead"),
        (np.arange(10) < 3, "dtype bool"),
        (np.array(["a"] * 10), "dtype <U1"),
        (pd.Series(np.arange(10.0)), r"Got an array of shape \(10,\)"),
        (0.5, r"Got 0\.5 instead"),
        ([[1], [1, 2]], r"Got \[\[1\], \[1, 2\]\] instead"),
    ],
)
@pytest.mark.parametrize("inside", MEMBERS)
def test_wrong_utilities_are_refused(inside, values, got):
    must = r"^Own\.choose must return utilities that are None or numbers of shape \(10,\), one per "
    with pytest.raises(SelectionError, match=rf"{must}sample of the pool\. .*{got}"):
        MEMBERS[inside](Own(Selection([0, 1], values))).select(Fixed(), P, 2)


@pytest.mark.parametrize("gains", [np.ones(3), np.ones(10), np.ones((2, 1)), 1.0])
@pytest.mark.parametrize("inside", MEMBERS)
def test_wrong_gains_are_refused(inside, gains):
    must = (
        r"^Own\.choose must return gains that are None or numbers of shape \(2,\), one per pick\."
    )
    with pytest.raises(SelectionError, match=must):
        MEMBERS[inside](Own(Selection([0, 1], np.arange(10.0), gains))).select(Fixed(), P, 2)


@pytest.mark.parametrize("inside", MEMBERS)
def test_gains_that_are_nan_are_refused(inside):
    gains = np.array([np.inf, np.nan])
    with pytest.raises(SelectionError, match=r"^Own\.choose must return gains .* NaN for pick 1"):
        MEMBERS[inside](Own(Selection([0, 1], np.arange(10.0), gains))).select(Fixed(), P, 2)


def test_a_hybrid_of_members_without_values_has_none():
    found = Hybrid([Own([3]), Own(Selection([0], None, np.ones(1)))]).select(None, P, 2)
    assert found.indices.tolist() == [3, 0]
    assert found.gains is None


def test_a_part_of_the_pool_counts_for_itself():
    with pytest.raises(SelectionError, match=r"2 distinct positions, ints from 0 to 3\. Got pos"):
        Subsample(Own([0, 4]), n=4).select(None, P, 2)
    with pytest.raises(SelectionError, match=r"ints from 0 to 8\. Got position 9 among them"):
        Hybrid([Own([0]), ("second", Own([9]))]).select(None, P, 2)


def test_a_subclass_has_to_choose():
    class Old(QueryStrategy):
        def _selects(self, *args):
            """Not what was requested."""

    with pytest.raises(TypeError, match=re.escape("Old") + ".*abstract.*choose"):
        Old()


POOLS = {
    "array": lambda rows: rows,
    "tensor": torch.as_tensor,
    "list": list,
    "tuple": tuple,
    "Dataset": lambda rows: TensorDataset(torch.as_tensor(rows)),
}


@pytest.mark.parametrize("inside", ["alone", "Hybrid", "Subsample", "Switch"])
@pytest.mark.parametrize("kind", POOLS)
def test_the_pool_is_indexed_by_slices_and_by_arrays(kind, inside):
    rows = np.arange(20.0).reshape(10, 2)

    class Reads(QueryStrategy):
        random_state = None

        def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
            assert X_labelled is y_labelled is None
            assert type(n_instances) is int
            assert len(X_pool) == 10
            np.testing.assert_array_equal(_stacked(X_pool[8:100]), rows[8:])
            some = np.array([7, 0, 3])
            np.testing.assert_array_equal(_stacked(X_pool[some]), rows[some])
            return some

    strategy = MEMBERS[inside](Reads())
    assert strategy.select(None, POOLS[kind](rows), np.int32(3)).indices.tolist() == [7, 0, 3]


def _stacked(block):
    return np.stack([np.asarray(row) for row in block])
