"""Run a benchmark: `python -m benchmarks selection --quick`."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

import torch

from benchmarks._report import write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["selection", "factors"])
    parser.add_argument("--quick", action="store_true", help="small sizes, without targets")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = import_module(f"benchmarks.{arguments.name}").measure(arguments.quick)
    print(write(arguments.name, rows, arguments.quick, arguments.out))


if __name__ == "__main__":
    main()
