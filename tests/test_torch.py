"""Device, batches, and leaving everything as it was."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from skactive._torch import (
    as_tensor,
    isolated_rng,
    map_batches,
    n_rows,
    one_behind,
    resolve_device,
    same_device,
    scoring,
    take_rows,
    to_device,
    unwrap,
)
from skactive.exceptions import BatchSizeWarning

CUDA = torch.cuda.is_available()


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


@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not CUDA, reason="needs CUDA"))],
)
def test_to_device(device):
    device = torch.device(device)
    values = torch.arange(6.0).reshape(2, 3).T
    there = to_device(values, device)
    assert same_device(there.device, device)
    torch.testing.assert_close(there.cpu(), values)
    assert to_device(there, device) is there


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


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("seed", [None, 5])
def test_isolated_rng(fails, seed):
    before = states()
    try:
        with isolated_rng(seed):
            draws = random.random(), np.random.rand(), float(torch.rand(1))
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert states() == before
    with isolated_rng(seed):
        again = random.random(), np.random.rand(), float(torch.rand(1))
    assert again == draws  # the state was put back, or seeded anew


@pytest.mark.parametrize("fails", [False, True])
def test_scoring_restores_everything(fails):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))
            self.layers = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
            self.layers[2].eval()
            self.layers[0].bias.requires_grad_(False)
            self.layers[0].weight.grad = torch.ones(2, 2)

        def forward(self, x):
            self.calls += 1
            return self.layers(x)

    net = Counting()
    grad = net.layers[0].weight.grad
    try:
        with scoring(net):
            assert not any(m.training for m in net.modules())
            assert net.layers[0].weight.grad is None
            net(torch.ones(3, 2)).sum().backward()
            net.layers[0].bias.requires_grad_(True)
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert [m.training for m in net.modules()] == [True, True, True, True, False]
    assert net.layers[0].weight.grad is grad
    assert torch.equal(grad, torch.ones(2, 2))
    assert net.layers[2].weight.grad is None
    assert not net.layers[0].bias.requires_grad
    assert net.calls == 0


def test_take_rows_of_every_kind():
    import pandas as pd
    import scipy.sparse as sp
    from torch.utils.data import TensorDataset

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


def test_as_tensor_shares_memory_where_it_can():
    X = np.zeros((3, 2))
    as_tensor(X)[0, 0] = 7
    assert X[0, 0] == 7
    for odd in (X[::-1], X.astype(">f8")):
        np.testing.assert_array_equal(as_tensor(odd).numpy(), odd.astype(float))
    readonly = X.copy()
    readonly.flags.writeable = False
    assert as_tensor(readonly).shape == (3, 2)


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in {"cuda", "mps", "cpu"}
    for wrong, match in [
        ("gpu", "must be 'auto' or a torch device"),
        (3.5, "must be 'auto' or a torch device"),
    ]:
        with pytest.raises(ValueError, match=match):
            resolve_device(wrong, "a test")


def test_devices_that_this_machine_lacks(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no CUDA here. Got 'cuda:0' instead. Pass"):
        resolve_device("cuda:0", "a test")
    with pytest.raises(ValueError, match="torch finds no MPS here"):
        resolve_device("mps", "a test")
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="one of the 2 CUDA devices here. Got 'cuda:2'"):
        resolve_device("cuda:2", "a test")
    assert resolve_device("auto") == torch.device("cuda")


def test_unwrap():
    net = nn.Linear(2, 2)
    assert unwrap(torch.compile(net)) is net
    assert unwrap(nn.DataParallel(net)) is net
    assert unwrap(net) is net
