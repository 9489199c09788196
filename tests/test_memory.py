"""How much memory is free."""

import os
import sys

import pytest
import torch

from skactive import _memory
from skactive._memory import free_memory


def test_free_memory_is_some_of_what_there_is():
    free = free_memory(torch.device("cpu"))
    assert isinstance(free, int)
    if sys.platform != "win32":
        assert 0 < free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
@pytest.mark.parametrize(
    ("bound", "used", "free"), [("5000", "2500", 3000), ("5000", "6500", 0), ("max", "2500", None)]
)
def test_a_container_bounds_it(tmp_path, monkeypatch, bound, used, free):
    (tmp_path / "memory.max").write_text(f"{bound}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    # what was read of files and is not in use can be had
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500\nactive_file 100\n")
    monkeypatch.setattr(_memory, "_CGROUP", tmp_path)
    found = free_memory(torch.device("cpu"))
    assert found == free if free is not None else found > 3000


@pytest.mark.cuda
def test_on_cuda_what_torch_holds_unused_is_free():
    device = torch.device("cuda")
    before = free_memory(device)
    held = torch.empty(2**28, dtype=torch.uint8, device=device)
    during = free_memory(device)
    del held
    assert before - during > 2**27
    assert abs(free_memory(device) - before) < 2**27
