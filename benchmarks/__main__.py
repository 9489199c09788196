"""Measure what skactive claims about speed and memory: `python -m benchmarks [NAME] [--quick]`.

Without a name every benchmark runs, one after the other, each in a process of its own. A table is
printed, and written as NAME.md and NAME.json into the folder of results. `--check` measures
nothing: it names what the committed results lack and a release has to have.
"""

from __future__ import annotations

import argparse
import inspect
import pkgutil
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import torch

import benchmarks
from benchmarks import strategies
from benchmarks._report import write


def names() -> list[str]:
    """Return the names of all benchmarks: the modules that do not begin with an underscore."""
    found = pkgutil.iter_modules(benchmarks.__path__)
    return [module.name for module in found if not (module.ispkg or module.name.startswith("_"))]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names(), help="which one; all if left out")
    parser.add_argument("--quick", action="store_true", help="small sizes, without targets")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--only", default="", help="some benchmarks: a part of it, by name")
    parser.add_argument("--check", action="store_true", help="name what committed results lack")
    arguments = parser.parse_args(argv)
    if arguments.check:
        return check()
    if arguments.name is None:
        return run_all(sys.argv[1:] if argv is None else argv)
    torch.set_num_threads(arguments.threads)
    measure = import_module(f"benchmarks.{arguments.name}").measure
    # a benchmark that can be resumed, or run in part, takes its folder of results, and the part
    options = {"folder": arguments.out, "only": arguments.only}
    wanted = {
        name: options[name] for name in inspect.signature(measure).parameters if name in options
    }
    print(write(arguments.name, measure(arguments.quick, **wanted), arguments.quick, arguments.out))
    return 0


def check() -> int:
    """Name what the committed results lack; return 1 if anything, else 0."""
    lacking = strategies.check()
    print("\n".join(lacking) or "The committed results have every strategy at every size.")
    return int(bool(lacking))


def run_all(options: list[str]) -> int:
    """Run every benchmark in a process of its own; return 1 if one failed, else 0."""
    took: dict[str, float] = {}
    failed: list[str] = []
    for name in names():
        start = time.perf_counter()
        if subprocess.run([sys.executable, "-m", "benchmarks", name, *options]).returncode:
            failed.append(name)
        took[name] = time.perf_counter() - start
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in took.items())
    print(f"{len(took)} benchmarks in {sum(took.values()):.0f} s: {seconds}")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
