"""What a round computes with and what it takes: devices, memory, package versions."""

from __future__ import annotations

import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from skactive._device import module_device
from skactive._memory import peak_since_start

_PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "torchvision")


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, of skactive and of what it computes with."""
    import skactive  # here, since skactive itself may import this package

    own = {"python": platform.python_version(), "skactive": skactive.__version__}
    return own | {package: version(package) for package in _PACKAGES}


def fitted_device(fitted: Any) -> torch.device:
    """Return the device that a fitted estimator computes on."""
    fitted = fitted.learner_list[0] if hasattr(fitted, "learner_list") else fitted
    fitted = fitted.estimator if hasattr(fitted, "query_strategy") else fitted
    fitted = fitted[-1] if hasattr(fitted, "steps") else fitted
    fitted = getattr(fitted, "best_estimator_", fitted)
    module = getattr(fitted, "module_", None)
    return module_device(module) if isinstance(module, torch.nn.Module) else torch.device("cpu")


class PeakMemory:
    """The most memory that was in use since this was made.

    Linux lets a process reset its own high-water mark. Where it cannot be reset, the mark is that
    of the process since it began.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        if torch.cuda.is_initialized():
            for device in range(torch.cuda.device_count()):
                torch.cuda.reset_peak_memory_stats(device)

    def resident(self) -> int:
        """Return the most bytes of main memory that the process held."""
        try:
            status = Path("/proc/self/status").read_text()
        except OSError:
            return peak_since_start()
        peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
        return peak_since_start() if peak is None else int(peak.split()[1]) * 1024

    def on(self, device: torch.device) -> int | None:
        """Return the most bytes that torch held on a CUDA device; None for other devices."""
        return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
