"""One GPU for each worker, on devices that are pretended."""

import os
import signal
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from skactive import _own_gpu
from skactive._own_gpu import claim, own_gpu, using_gpus


@pytest.fixture
def held(monkeypatch):
    """What was claimed is given back when the test ends."""
    files = []
    monkeypatch.setattr(_own_gpu, "_HELD", files)
    yield files
    for file in files:
        file.close()


def test_each_gets_another_until_all_have_one(held, tmp_path):
    found = [claim(["a", "b", "c"], tmp_path / "gpus") for _ in range(7)]
    assert found == [0, 1, 2, 0, 1, 2, 0]


def test_names_decide_and_not_the_order(held, tmp_path):
    assert [claim(names, tmp_path) for names in (["a", "b"], ["a", "b"])] == [0, 1]
    held.pop(0).close()  # of these two, a is free again
    assert claim(["b", "a"], tmp_path) == 1


def test_a_killed_process_gives_back_what_it_had(held, tmp_path):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, b"%d" % claim(["a", "b"], tmp_path))
            signal.pause()
        finally:
            os._exit(1)
    assert os.read(reader, 1) == b"0"
    assert claim(["a", "b"], tmp_path) == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert claim(["a", "b"], tmp_path) == 0


@pytest.fixture
def two_gpus(held, monkeypatch, tmp_path):
    """Pretend that there are two; note which one is current, and when."""
    current = []

    @contextmanager
    def device(position):
        current.append(position)
        yield
        current.append(None)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda k: SimpleNamespace(uuid=f"GPU-{k}")
    )
    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(_own_gpu.tempfile, "gettempdir", lambda: str(tmp_path))
    _own_gpu._claimed.cache_clear()
    yield current
    _own_gpu._claimed.cache_clear()


def test_a_worker_has_one_gpu_for_all_its_work(two_gpus, held, tmp_path):
    claim(["GPU-0", "GPU-1"], tmp_path / f"skactive-gpus-{os.getuid()}")  # as another would
    for _ in range(2):
        with own_gpu("another process"):
            assert two_gpus[-1] == 1
    assert two_gpus == [1, None, 1, None]
    assert len(held) == 2


def test_whoever_works_for_itself_keeps_its_device(two_gpus):
    with own_gpu(using_gpus()):
        assert two_gpus == []


def test_work_of_a_caller_without_gpus_claims_none(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    with own_gpu(using_gpus()):
        assert two_gpus == []
