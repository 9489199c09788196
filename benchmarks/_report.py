"""Rows of measurements, as Markdown and as JSON."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch


def seconds(function: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Time several functions in turns, so that a busy machine is busy for all of them."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return times


def _with_threads(function: Callable[..., Any], threads: int, *arguments: Any) -> Any:
    torch.set_num_threads(threads)
    return function(*arguments)


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a process of its own, so that the peak memory is this run's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        threads = torch.get_num_threads()
        return executor.submit(_with_threads, function, threads, *arguments).result()


def peak_memory() -> float:
    """Peak memory of the process in MB; `ru_maxrss` would count that of its parent."""
    with open("/proc/self/status", encoding="ascii") as status:
        (line,) = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def row(what: str, unit: str, value: float, target: float | None, better: str) -> dict[str, Any]:
    """Make a row; `better` is "lower" or "higher", and says when the target is met."""
    met = None
    if target is not None:
        met = value <= target if better == "lower" else value >= target
    return {
        "what": what,
        "unit": unit,
        "value": value,
        "target": target,
        "better": better,
        "met": met,
    }


def median(values: list[float]) -> float:
    return statistics.median(values)


def write(name: str, rows: list[dict[str, Any]], quick: bool, folder: Path) -> str:
    """Write NAME.md and NAME.json, and return the Markdown."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "quick": quick,
    }
    lines = [
        f"# {name}", "", ", ".join(f"{key}: {value}" for key, value in machine.items()), "",
        "| measured | value | target | met |", "| --- | ---: | ---: | --- |",
    ]  # fmt: skip
    for r in rows:
        sign = {"lower": "≤", "higher": "≥"}[r["better"]]
        target = "" if r["target"] is None else f"{sign} {r['target']:g} {r['unit']}"
        met = {None: "", True: "yes", False: "**no**"}[r["met"]]
        lines.append(f"| {r['what']} | {r['value']:.3g} {r['unit']} | {target} | {met} |")
    text = "\n".join(lines) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    result = {"name": name, "machine": machine, "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    return text
