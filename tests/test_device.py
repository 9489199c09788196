"""Devices by name, and modules inside wrappers."""

import pytest
import torch
from torch import nn

from skactive._device import resolve_device, same_device, to_device, unwrap


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_to_device(device):
    device = torch.device(device)
    values = torch.arange(6.0).reshape(2, 3).T
    there = to_device(values, device)
    assert same_device(there.device, device)
    torch.testing.assert_close(there.cpu(), values)
    assert to_device(there, device) is there


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
