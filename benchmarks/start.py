"""What it takes to start: `import skactive`, the command line, and torch and scikit-learn alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from benchmarks._report import median, row

# At the end of a process: its CPU seconds and its peak memory in MB, to stderr.
_CODE = """
import sys
try:
    {code}
finally:
    import re, time
    took = time.process_time()
    with open("/proc/self/status", encoding="ascii") as file:
        peak = re.search(r"VmHWM:\\s+(\\d+) kB", file.read())[1]
    print(took, int(peak) / 1024, file=sys.stderr)
"""
_COMMAND = "from skactive.cli import main; main({arguments!r})"
# What is measured: its code, and the most that is allowed of seconds and of MB.
_STARTS: dict[str, tuple[str, float | None, float | None]] = {
    "Python alone": ("pass", None, None),
    "import skactive": ("import skactive", 0.15, 40),
    "skactive --version": (_COMMAND.format(arguments=["--version"]), 0.3, None),
    "skactive --help": (_COMMAND.format(arguments=["--help"]), 0.3, None),
    "skactive demo --help": (_COMMAND.format(arguments=["demo", "--help"]), 0.3, None),
    "from skactive import Margin": ("from skactive import Margin", None, None),
    "import skactive, modAL": ("import skactive, modAL", None, None),
    "import torch": ("import torch", None, None),
    "import sklearn": ("import sklearn", None, None),
    "import torch, skorch, sklearn": ("import torch, skorch, sklearn", None, None),
}


def start(code: str) -> tuple[float, float]:
    """Return CPU seconds and peak MB of a process that runs the code."""
    run = [sys.executable, "-c", _CODE.format(code=code)]
    out = subprocess.run(run, check=True, capture_output=True, text=True).stderr
    took, peak = out.split()[-2:]
    return float(took), float(peak)


def measure(quick: bool) -> list[dict[str, Any]]:
    repeats = 1 if quick else 9
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _STARTS}
    for turn in range(repeats + 1):
        for name, (code, *_) in _STARTS.items():
            measured = start(code)
            if turn:  # the first reads files from disk
                found[name].append(measured)
    rows = []
    for name, (_, most_seconds, most_memory) in _STARTS.items():
        took, peaks = (list(values) for values in zip(*found[name], strict=True))
        rows += [
            row(
                f"{name}, seconds of the processor",
                "s",
                took,
                None if quick else most_seconds,
                "lower",
            ),
            row(f"{name}, peak memory", "MB", peaks, None if quick else most_memory, "lower"),
        ]
    ours, theirs = (
        median([took for took, _ in found[name]])
        for name in ("from skactive import Margin", "import torch, skorch, sklearn")
    )
    rows.append(row("Margin / import torch, skorch, sklearn", "×", ours / theirs, None, "lower"))
    return rows
