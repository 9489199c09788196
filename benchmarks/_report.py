"""Rows of measurements, as Markdown and as JSON."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._machine import machine, memory, versions

SIGNS = {"lower": "≤", "higher": "≥"}


def seconds(function: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def turns(
    functions: dict[str, Callable[[], Any]], repeats: int, device: str = "cpu"
) -> dict[str, np.ndarray]:
    """Time several functions in turns, so that a busy machine is busy for all of them.

    Returns seconds and CPU seconds of each, (repeats, 2).
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start, cpu = time.perf_counter(), time.process_time()
            function()
            if device == "cuda":
                torch.cuda.synchronize()
            times[name].append((time.perf_counter() - start, time.process_time() - cpu))
    return {name: np.array(took) for name, took in times.items()}


def interleaved(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds that `turns` has found."""
    return {name: took[:, 0].tolist() for name, took in turns(functions, repeats).items()}


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
    return memory("VmHWM")


def peak_memory_gpu() -> float:
    """Return the most that tensors took on the GPU since this was last asked for, in MB."""
    peak = torch.cuda.max_memory_allocated() / 2**20
    torch.cuda.reset_peak_memory_stats()
    _gpu_peaks.append(peak)
    return peak


_gpu_peaks: list[float] = []


def median(values: list[float]) -> float:
    return statistics.median(values)


def row(
    what: str,
    unit: str,
    value: float | list[float],
    target: float | None,
    better: str,
    note: str = "",
) -> dict[str, Any]:
    """Make a row.

    Parameters
    ----------
    what : str
        What was measured, at which size.
    unit : str
        "s", "MB", "×", say.
    value : float or list of float
        What came out; of repeats, the median and their number are kept.
    target : float or None
        The most, or the least, that it should be.
    better : {"lower", "higher"}
        "lower" if the target is the most that is allowed.
    note : str, default=""
        What else there is to say, for the table.

    Returns
    -------
    dict
        These, and under "met" whether the target is met; None without one.
    """
    repeats = len(value) if isinstance(value, list) else None
    if isinstance(value, list):
        value = median(value)
    met = None
    if target is not None:
        met = value <= target if better == "lower" else value >= target
    return {
        "what": what,
        "unit": unit,
        "value": value,
        "repeats": repeats,
        "target": target,
        "better": better,
        "met": met,
        "note": note,
    }


def describe(rows: list[dict[str, Any]], name: str, quick: bool) -> dict[str, Any]:
    """Return rows with all that they depend on: machine, versions, threads, date."""
    peaks = {"peak memory (MB)": round(peak_memory())}
    if torch.cuda.is_available():
        peak_memory_gpu()
        peaks["peak memory on the GPU (MB)"] = round(max(_gpu_peaks))
    return {
        "name": name,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "quick": quick,
        "threads": torch.get_num_threads(),
        "machine": machine(),
        "versions": versions(),
        "process": peaks,
        "rows": rows,
    }


def markdown(result: dict[str, Any]) -> str:
    """Return a result as a page with a table."""

    def listed(values: dict[str, Any]) -> str:
        return ", ".join(f"{key} {value}" for key, value in values.items())

    quick = ", at small sizes, which prove nothing" if result["quick"] else ""
    lines = [
        f"# {result['name']}",
        "",
        f"{result['date']}, threads of torch: {result['threads']}{quick}.",
        "",
        f"- {listed(result['machine'])}",
        f"- {listed(result['versions'])}",
        f"- of the process that measured: {listed(result['process'])}",
        "",
        "| measured | value | repeats | target | met | |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for r in result["rows"]:
        target = "" if r["target"] is None else f"{SIGNS[r['better']]} {r['target']:g} {r['unit']}"
        met = {None: "", True: "yes", False: "**no**"}[r["met"]]
        value = f"{r['value']:.3g} {r['unit']}"
        cells = (r["what"], value, r["repeats"] or "", target, met, r["note"])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def write(name: str, rows: list[dict[str, Any]], quick: bool, folder: Path) -> str:
    """Write NAME.md and NAME.json, and return the Markdown."""
    result = describe(rows, name, quick)
    text = markdown(result)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / f"{name}.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return text
