"""Memory that is free where a computation would run."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import torch

# Version 2 of Linux's control groups, which bound the memory of a container.
_CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Return the number of bytes available on a device; on a CPU, in the machine or its container.

    Among containers, those of control groups version 2 are recognised.

    Parameters
    ----------
    device : torch.device
        Where.

    Returns
    -------
    int
        The bytes, including those that torch's allocator holds unused; on macOS, where the system
        does not report what is free, all of the machine's.
    """
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    if sys.platform == "win32":
        return _free_on_windows()
    if sys.platform == "linux":
        return min(_free_on_linux(), _free_in_group(_CGROUP))
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def peak_since_start() -> int:
    """Return the most bytes of main memory that the process has held; 0 on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _free_on_linux() -> int:
    with open("/proc/meminfo", encoding="ascii") as lines:
        (available,) = [line for line in lines if line.startswith("MemAvailable:")]
    return int(available.split()[1]) * 1024


def _free_in_group(folder: Path) -> int:
    """Return what a control group may still take; without a limit, a number above any memory."""
    try:
        bound = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        parts = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:  # the root group has none of these files
        return sys.maxsize
    # Files that were read are kept while nobody else wants the memory.
    given_up = sum(int(line.split()[1]) for line in parts if line.startswith("inactive_file "))
    return sys.maxsize if bound == "max" else max(0, int(bound) - used + given_up)


def _free_on_windows() -> int:
    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in (
                    "total",
                    "available",
                    "total_page",
                    "available_page",
                    "total_virtual",
                    "available_virtual",
                    "available_extended",
                )
            ),
        ]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.available)
