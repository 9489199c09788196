"""Threads, memory, devices and versions."""

import gc
import mmap
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from skactive import CNNClassifier
from skactive._threads import fixed_threads
from skactive.experiments import _resources, run_experiment
from skactive.experiments._resources import PeakMemory, fitted_device, versions
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, digits

MIB = 2**20


def test_threads_are_fixed_and_given_back():
    before = torch.get_num_threads()
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}

    def fail():
        with fixed_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            inside = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
            assert all(n <= before + 1 for n in inside)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert torch.get_num_threads() == before
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == pools


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="Linux only")
def test_peak_memory_is_that_since_it_was_made():
    gc.collect()  # what earlier tests left may else be freed in between
    before = PeakMemory().resident()
    memory = PeakMemory()
    block = mmap.mmap(-1, 64 * MIB)  # new pages; an array may be given some that were freed before
    block.write(b"1" * (64 * MIB))
    assert memory.resident() >= before + 60 * MIB
    block.close()
    assert PeakMemory().resident() < before + 30 * MIB


def test_where_the_mark_cannot_be_reset_it_is_that_of_the_process(monkeypatch):
    pytest.importorskip("resource")

    def refuse(path, *args):
        raise OSError(path)

    monkeypatch.setattr(_resources.Path, "read_text", refuse)
    monkeypatch.setattr(_resources.Path, "write_text", refuse)
    peak = PeakMemory().resident()
    assert 20 * MIB < peak < 2**40
    monkeypatch.setattr(sys, "platform", "darwin")  # counts in bytes, not in KiB
    assert PeakMemory().resident() == peak // 1024


def test_devices():
    assert fitted_device(FlatSGD()) == torch.device("cpu")
    X, y, *_ = digits()
    network = CNNClassifier("small_cnn", max_epochs=1, device="cpu").fit(X, y)
    assert fitted_device(network).type == "cpu"
    assert fitted_device(SimpleNamespace(best_estimator_=network)).type == "cpu"
    assert PeakMemory().on(torch.device("cpu")) is None


@pytest.mark.cuda
def test_peak_memory_of_a_cuda_device():
    torch.zeros(1, device="cuda")
    memory = PeakMemory()
    block = torch.zeros(64 * MIB, dtype=torch.uint8, device="cuda")
    assert memory.on(block.device) >= 64 * MIB
    del block
    assert PeakMemory().on(torch.device("cuda", 0)) < 64 * MIB


def test_each_round_has_all_of_it():
    frame = run_experiment(
        FlatSGD(), STRATEGIES, *digits(), **BUDGET, seeds=1, n_threads=1, progress=False
    ).frame
    y = digits()[1]
    for queried, counts in zip(frame["queried"], frame["queried_classes"], strict=True):
        classes, expected = np.unique(y[queried], return_counts=True)
        assert counts == {str(c): n for c, n in zip(classes, expected, strict=True)}
    assert (frame["peak_memory"] > 20 * MIB).all()
    assert frame["peak_device_memory"].isna().all()
    assert set(frame["n_threads"]) == {1}
    assert frame["versions"].tolist() == [versions()] * len(frame)
    assert {"python", "skactive", "torch", "numpy", "skorch"} <= versions().keys()
    assert (frame["macro_f1"] <= 1).all()
    assert frame["recall"].map(len).tolist() == [10] * len(frame)
