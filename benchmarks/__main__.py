"""Run a benchmark: `python -m benchmarks selection --quick`."""

from __future__ import annotations

import argparse
import inspect
from importlib import import_module
from pathlib import Path

import torch

from benchmarks._report import write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ["selection", "factors", "norms", "query", "strategies", "bait", "pools"]
    parser.add_argument("name", choices=names)
    parser.add_argument("--quick", action="store_true", help="small sizes, without targets")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--only", default="", help="strategies: cells whose name contains this")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    measure = import_module(f"benchmarks.{arguments.name}").measure
    # what can be resumed, or run in part, asks for where it keeps its results, and for the part
    options = {"folder": arguments.out, "only": arguments.only}
    wanted = {
        name: options[name] for name in inspect.signature(measure).parameters if name in options
    }
    print(write(arguments.name, measure(arguments.quick, **wanted), arguments.quick, arguments.out))


if __name__ == "__main__":
    main()
