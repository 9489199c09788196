"""What `import skactive` adds to importing torch, skorch, scikit-learn and modAL."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from benchmarks._report import median, row

_CODE = """
import time
clocks = time.perf_counter, time.process_time
import torch, skorch, sklearn, modAL.models
loaded = [clock() for clock in clocks]
import skactive
print(time.process_time(), *(clock() - before for clock, before in zip(clocks, loaded)))
"""


def imports(repeats: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of the processor for all imports; of the clock, and of the processor, for ours."""
    found = []
    for _ in range(repeats + 1):
        run = [sys.executable, "-c", _CODE]
        out = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        found.append([float(value) for value in out.split()])
    every, clock, processor = zip(*found[1:], strict=True)  # the first reads files from disk
    return list(every), list(clock), list(processor)


def measure(quick: bool) -> list[dict[str, Any]]:
    every, clock, processor = imports(1 if quick else 9)
    ratio = median(processor) / (median(every) - median(processor))
    return [
        row("import skactive after torch, skorch, scikit-learn and modAL", "s", clock,
            None if quick else 0.3, "lower"),
        row("the same, seconds of the processor", "s", processor, None, "lower"),
        row("import skactive / import of these, of the processor", "×", ratio, None, "lower"),
    ]  # fmt: skip
