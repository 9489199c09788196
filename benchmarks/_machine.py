"""What a figure was measured on: the machine, and the versions of what was used."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import skactive

# Of what a figure depends on, besides Python; scikit-activeml is not always there.
_PACKAGES = ("torch", "numpy", "scikit-learn", "skorch", "modAL-python", "scikit-activeml")


def processor() -> str:
    """Return the processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def memory(*fields: str, pid: int | str = "self") -> float:
    """Return memory of a process in MB: the sum of some fields of its /proc/PID/status."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return sum(int(kilobytes[field]) for field in fields) / 1024


def machine() -> dict[str, Any]:
    """Return the processor, the number of usable cores, memory in GB, GPUs and system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": processor(),
        "cores": cores,
        "memory (GB)": round(total, 1),
        "GPU": ", ".join(gpus) or "none",
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, skactive and what it computes with."""
    found = {"Python": platform.python_version(), "skactive": skactive.__version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
