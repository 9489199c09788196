"""Tests, targets and a study on a GPU, in order of what matters, until the time is over.

Each step has its own bound, and what goes wrong in one is written down and the next one goes on.
After each step gpu.md, a table, and gpu.json are written anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks._report import describe, markdown
from benchmarks.gpu._settings import Settings
from benchmarks.gpu._worker import Worker

# What is kept of the time for writing results and ending processes.
_SPARE = 8.0
# A step is not begun with fewer seconds than this.
_LEAST = 8.0


@dataclass(frozen=True)
class Step:
    """A step.

    Attributes
    ----------
    name : str
        As --only and the table have it.
    module, function : str
        What yields its rows.
    seconds : float
        Its bound.
    """

    name: str
    module: str
    function: str
    seconds: float


STEPS = [
    Step("ceilings", "_targets", "ceilings", 25),
    Step("tests", "_tests", "marked", 50),
    Step("battery", "_tests", "battery", 60),
    Step("query", "_targets", "query", 60),
    Step("norms", "_targets", "norms", 40),
    Step("bait", "_targets", "bait", 45),
    Step("selection", "_targets", "badge_and_coverage", 30),
    Step("training", "_targets", "training", 100),
    Step("steering", "_targets", "against_training", 60),
    Step("floors", "_floors", "floors", 15),
    Step("profile", "_targets", "profile", 40),
    Step("picks", "_tests", "picks", 30),
    Step("long tail", "_long_tail", "long_tail", 600),
]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--until", type=float, default=540.0, help="seconds that there are in all")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "out/gpu")))
    parser.add_argument("--data", type=Path, help="the folder that benchmarks.gpu.sheets makes")
    parser.add_argument("--only", default="", help="names of steps, with commas between them")
    parser.add_argument("--tiny", action="store_true", help="small sizes, on the CPU")
    arguments = parser.parse_args(argv)
    names = [name for name in arguments.only.split(",") if name]
    unknown = set(names) - {step.name for step in STEPS}
    if unknown:
        parser.error(f"no step is named {', '.join(sorted(unknown))}")
    if not (arguments.tiny or torch.cuda.is_available()):
        print("torch finds no CUDA here; --tiny shows that the script runs.", file=sys.stderr)
        return 2
    if arguments.tiny:  # of the processes too: threads that wait for a busy core cost tenfold
        os.environ["OMP_NUM_THREADS"] = "1"
    steps = [step for step in STEPS if step.name in names or not names]
    return run(steps, arguments, time.monotonic() + arguments.until - _SPARE)


def run(steps: list[Step], arguments: argparse.Namespace, end: float) -> int:
    """Run steps until a time; return 1 if one failed, else 0."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    ended: dict[str, dict[str, Any]] = {}
    worker = Worker()
    try:
        for step in steps:
            left = end - time.monotonic()
            ended[step.name] = _take(step, worker, rows, arguments, left)
            print(f"-- {step.name}: {ended[step.name]['state']}", flush=True)
            write(rows, ended, arguments)
    finally:
        worker.stop()
    return int(any(found["state"].startswith("failed") for found in ended.values()))


def _take(
    step: Step,
    worker: Worker,
    rows: list[dict[str, Any]],
    arguments: argparse.Namespace,
    left: float,
) -> dict[str, Any]:
    """Run one step in the time that is left; return how it ended, and its seconds."""
    if left < _LEAST:
        return {"state": "no time was left", "seconds": 0.0}
    settings = Settings(
        device="cpu" if arguments.tiny else "cuda",
        tiny=arguments.tiny,
        out=arguments.out,
        data=arguments.data,
        seconds=min(step.seconds * (10 if arguments.tiny else 1), left),
        found={row["what"]: row["value"] for row in rows},
    )

    def keep(row: dict[str, Any]) -> None:
        rows.append(row)
        print(f"{row['what']}: {row['value']:.4g} {row['unit']}  {row['note']}", flush=True)

    start = time.monotonic()
    target = (f"benchmarks.gpu.{step.module}", step.function)
    state = worker.run(target, settings, settings.seconds, keep)
    return {"state": state, "seconds": round(time.monotonic() - start, 1)}


def write(
    rows: list[dict[str, Any]], ended: dict[str, dict[str, Any]], arguments: argparse.Namespace
) -> None:
    """Write gpu.md and gpu.json, in the form of the committed results."""
    result = describe(rows, "gpu", arguments.tiny) | {"steps": ended}
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (arguments.out / "gpu.json").write_text(text, encoding="utf-8")
    lines = [markdown(result), "| step | seconds | |", "| --- | ---: | --- |"]
    for name, found in ended.items():
        state = found["state"].strip()
        summary = state if "\n" not in state else f"failed: {state.splitlines()[-1]}"
        lines.append(f"| {name} | {found['seconds']} | {summary.replace('|', '/')} |")
    failures = [
        f"## {name}\n\n```\n{found['state'].strip()}\n```"
        for name, found in ended.items()
        if found["state"].startswith("failed")
    ]
    page = "\n".join(lines) + "\n" + "".join(f"\n{failure}\n" for failure in failures)
    (arguments.out / "gpu.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
