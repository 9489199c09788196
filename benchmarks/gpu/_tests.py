"""The steps that run tests on the device, in processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._report import row
from benchmarks.gpu._settings import Settings

ROOT = Path(__file__).parents[2]
# A line of pytest -v, by itself or from a worker.
_OUTCOME = re.compile(
    r"^(?:\[gw\d+\] \[ *\d+%\] (?P<first>[A-Z]+) (?P<one>tests/.*?)|"
    r"(?P<two>tests/.*?) (?P<then>[A-Z]+)(?: .*)?)\s*$",
    re.MULTILINE,
)
_BROKEN = ("FAILED", "ERROR")


def marked(settings: Settings) -> Iterator[dict[str, Any]]:
    """Run every test marked `cuda` or `device`: modules, golden values, flags, pickles, memory."""
    files = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"mark\.(cuda|device)\b", path.read_text(encoding="utf-8"))
    ]
    only = ["-k", "golden or test_devices"] if settings.tiny else []
    yield from _run("marked tests", settings, [*files, "-m", "cuda or device", *only])


def battery(settings: Settings) -> Iterator[dict[str, Any]]:
    """Run the battery of all strategies with its networks on the device."""
    only = ["-k", "(Entropy or BADGE) and test_pipeline"] if settings.tiny else []
    yield from _run("battery", settings, ["tests/test_common.py", *only])


def picks(settings: Settings) -> Iterator[dict[str, Any]]:
    """Count the recorded picks that are the same on the device; float32 may part near ties."""
    only = ["-k", "Entropy and CNN and not ClassBalanced"] if settings.tiny else []
    yield from _run("recorded picks", settings, ["tests/test_picks.py", *only])


def _run(name: str, settings: Settings, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Run pytest until it ends or the step's time is over; count what there is.

    What failed is run again by itself, since others take memory of the device beside it.
    """
    start = time.monotonic()
    end = start + settings.seconds - 3
    log = settings.out / f"{name.replace(' ', '_')}.txt"
    workers = 0 if settings.tiny else min(8, os.cpu_count() or 1)
    code, text = _pytest(arguments, settings, workers, log, end)
    found = outcomes(text)
    broken = sorted(test for test, outcome in found.items() if outcome in _BROKEN)
    errors = len(re.findall(r"^_+ ERROR collecting", text, re.MULTILINE))
    if broken and workers:
        second = log.with_suffix(".again")
        _, alone = _pytest(broken[:20], settings, 0, second, end)
        second.unlink()  # the first has both: a machine may give back few files
        with log.open("a", encoding="utf-8") as both:
            both.write(f"\n\nWhat failed, again, by itself:\n\n{alone}")
        again = outcomes(alone)
        broken = [test for test in broken if again.get(test, "FAILED") in _BROKEN]
    target = None if name == "recorded picks" else 0.0
    listed = ", ".join(broken[:5]).replace("|", "/")
    yield row(f"{name}: failed", "tests", len(broken) + errors, target, "lower", listed)
    passed = sum(outcome == "PASSED" for outcome in found.values())
    skipped = sum(outcome == "SKIPPED" for outcome in found.values())
    yield row(f"{name}: passed", "tests", passed, None, "higher", f"{skipped} skipped")
    ended = "1: some failed; 5: no test; negative: its time was over"
    yield row(f"{name}: exit status of pytest", "", code, None, "lower", ended)
    yield row(f"{name}: time", "s", time.monotonic() - start, None, "lower")


def _pytest(
    arguments: list[str], settings: Settings, workers: int, log: Path, end: float
) -> tuple[int, str]:
    """Run pytest until a time; return its exit status and what it printed, which log gets too."""
    command = [sys.executable, "-m", "pytest", "-v", "--tb=short", "-p", "no:cacheprovider"]
    # Other versions of other packages may warn of what is no fault of the device.
    command += ["-o", "filterwarnings=default", "-n", str(workers), "--dist=worksteal"]
    command += ["--continue-on-collection-errors", *arguments]
    env = {**os.environ, "SKACTIVE_TEST_DEVICE": settings.device, "PYTHONUNBUFFERED": "1"}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
    return process.returncode, log.read_text(encoding="utf-8")


def outcomes(text: str) -> dict[str, str]:
    """Return how each test ended, from what pytest -v has printed so far."""
    return {
        (line["one"] or line["two"]): (line["first"] or line["then"])
        for line in _OUTCOME.finditer(text)
    }
