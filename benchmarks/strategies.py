"""Query strategies against scikit-activeml: seconds and memory, cell by cell of a grid.

Each measurement is written to strategies.jsonl as it ends, and found there by a run that is started
again: `python -m benchmarks strategies --only BADGE` does a part, a later run the rest.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from multiprocessing import forkserver, get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import _cell
from benchmarks._machine import memory
from benchmarks._report import row
from skactive import strategies as public

# What reads embeddings, and what reads nothing but probabilities.
OF_EMBEDDINGS = ["BADGE", "CoreSet", "KMeansSampling", "ProbCover", "TypiClust"]
OF_PROBABILITIES = ["Random", "LeastConfidence", "Margin", "Entropy", *_cell.OF_DRAWS]
# The others read a network, and the peer has none of them: what measures those.
ELSEWHERE = {
    "BAIT": "bait",
    "CAL": "embeddings",
    "CLUE": "embeddings",
    "ClusterMargin": "embeddings",
    "ExpectedGradientLength": "pools",
    "FisherMask": "query",
    "GradientNorm": "norms",
    "LPLGrad": "norms",
    "LearningLoss": "pools",
    "MaxHerding": "embeddings",
    "UHerding": "embeddings",
}
# And those that are made of others cost what these cost.
MADE_OF_OTHERS = {"ClassBalanced", "Hybrid", "PerClass", "Subsample", "Switch"}
_NONE = "scikit-activeml has none"
WITHOUT_PEER = dict.fromkeys(
    ("KMeansSampling", "MeanEntropy", "PredictiveEntropy", "PowerBALD"), _NONE
)
SIDES = ["skactive", "scikit-activeml"]
POOLS, WIDTHS, CLASSES = (1_000, 4_000, 16_000, 64_000), (64, 256, 512), (10, 100)
QUICK_POOLS, QUICK_WIDTHS, QUICK_CLASSES = (1_000,), (64,), (10,)
# Where a measurement is stopped.
MINUTES, GIGABYTES = 10, 12
RESULTS = Path(__file__).parent / "results" / "strategies.jsonl"


@dataclass(frozen=True)
class Cell:
    """A strategy, and the sizes of its problem.

    Attributes
    ----------
    strategy : str
        Its name.
    N, D, C : int
        Samples, width of the embeddings, classes. D is 0 where probabilities are all that is read.
    """

    strategy: str
    N: int
    D: int
    C: int

    def __str__(self) -> str:
        return f"{self.strategy}, {self.size}"

    @property
    def size(self) -> str:
        """The size in words."""
        return f"N = {self.N}, " + (f"D = {self.D}, " if self.D else "") + f"C = {self.C}"


def grid(quick: bool = False) -> list[Cell]:
    """Return all cells, the small ones first."""
    sizes = (QUICK_POOLS, QUICK_WIDTHS, QUICK_CLASSES) if quick else (POOLS, WIDTHS, CLASSES)
    kinds = [(OF_PROBABILITIES, (0,)), (OF_EMBEDDINGS, sizes[1])]
    return [
        Cell(strategy, N, D, C)
        for N in sizes[0]
        for strategies, widths in kinds
        for D in widths
        for C in sizes[2]
        for strategy in strategies
    ]


def load(file: Path) -> dict[tuple[Cell, str], dict[str, Any]]:
    """Return the measurements in a file of results; none if there is no such file."""
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {
        (Cell(line["strategy"], line["N"], line["D"], line["C"]), line["side"]): line
        for line in lines
    }


def missing(found: dict[tuple[Cell, str], dict[str, Any]], cells: list[Cell]) -> list[str]:
    """Name the measurements of some cells that are not there."""
    return [f"{cell}: {side}" for cell in cells for side in SIDES if (cell, side) not in found]


def unmeasured() -> list[str]:
    """Name the public strategies that nothing measures."""
    known = {*OF_PROBABILITIES, *OF_EMBEDDINGS, *ELSEWHERE, *MADE_OF_OTHERS}
    classes = [getattr(public, name) for name in public.__all__]
    return sorted(
        cls.__name__
        for cls in classes
        if issubclass(cls, public.QueryStrategy) and not inspect.isabstract(cls)
        if cls.__name__ not in known
    )


def check() -> list[str]:
    """Return what the committed results lack, one line each: strategies, and cells of the grid."""
    lines = [
        f"{name}: put it into OF_EMBEDDINGS, OF_PROBABILITIES or ELSEWHERE of "
        "benchmarks/strategies.py"
        for name in unmeasured()
    ]
    remedy = "python -m benchmarks strategies --out benchmarks/results"
    return lines + [f"{cell}: run {remedy}" for cell in missing(load(RESULTS), grid())]


def measure(quick: bool, folder: Path, only: str = "") -> list[dict[str, Any]]:
    """Measure what is missing from the cells whose name contains `only`; return their rows."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "strategies.jsonl"
    cells = [cell for cell in grid(quick) if only in str(cell)]
    found = load(file)
    for cell in cells:
        for side in SIDES:
            if (cell, side) in found:
                continue
            result = stopped_before(found, cell, side) or measured(cell, side)
            line = {**asdict(cell), "side": side, **result}
            print(f"{cell}, {side}: {_words(line)}", file=sys.stderr, flush=True)
            with file.open("a", encoding="utf-8") as results:
                results.write(json.dumps(line) + "\n")
            found[cell, side] = line
    return list(rows(found, cells))


def stopped_before(
    found: dict[tuple[Cell, str], dict[str, Any]], cell: Cell, side: str
) -> dict[str, Any] | None:
    """Return that a cell is stopped, if one of its strategy that is nowhere larger was, or None.

    Time and memory grow with each of the three sizes.
    """
    for (other, other_side), line in found.items():
        smaller = other.N <= cell.N and other.D <= cell.D and other.C <= cell.C
        same = (other.strategy, other_side) == (cell.strategy, side)
        if same and smaller and line.get("stopped") in _limits():
            return {"stopped": f"{line['stopped']} at a smaller size, {other.size}"}
    return None


def _limits() -> tuple[str, str]:
    return f"after {MINUTES} minutes", f"at {GIGABYTES} GB"


def measured(cell: Cell, side: str) -> dict[str, Any]:
    """Run one measurement in its process, on one thread; say so if it was stopped."""
    if side != "skactive" and cell.strategy in WITHOUT_PEER:
        return {"stopped": WITHOUT_PEER[cell.strategy]}
    # Processes start as copies of one that has imported everything.
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks._cell", "skactive", "skactiveml.pool"])
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with patch.dict(os.environ, one_thread):
        forkserver.ensure_running()
    results, sender = context.Pipe(duplex=False)
    strategy, *sizes = astuple(cell)
    process = context.Process(target=_cell.report, args=(sender, strategy, side, *sizes))
    process.start()
    sender.close()  # so that the other end's death is the end of results
    start, stopped = time.monotonic(), ""
    while not results.poll(0.02) and not stopped:
        if time.monotonic() - start > 60 * MINUTES:
            stopped = _limits()[0]
        elif _in_use(process.pid) > GIGABYTES * 1024:
            stopped = _limits()[1]
    if stopped:
        process.kill()
        process.join()
        return {"stopped": stopped}
    try:
        result = results.recv()
    except EOFError:
        result = "Its process was killed."
    process.join()
    if isinstance(result, dict):
        return result
    if "MemoryError" in result.rstrip().rpartition("\n")[2]:
        return {"stopped": _limits()[1]}  # NumPy asked for more than there is
    raise RuntimeError(f"The measurement of {cell}, {side} failed:\n{result}")


def _in_use(pid: int) -> float:
    """Return the memory in use by a process in MB, 0 once it has ended."""
    try:
        return memory("VmRSS", pid=pid)
    except (OSError, KeyError):  # an ended process that nobody has waited for has no memory
        return 0.0


def rows(
    found: dict[tuple[Cell, str], dict[str, Any]], cells: list[Cell]
) -> Iterator[dict[str, Any]]:
    """Return two rows per cell: the peer's time and memory, divided by ours.

    Where the peer was stopped they are bounds from below: of the time, if that stopped it, or of
    the memory. The other row then has our own figure.
    """
    for cell in cells:
        own, peer = found[cell, SIDES[0]], found[cell, SIDES[1]]
        seconds, megabytes = peer.get("seconds"), peer.get("megabytes")
        if "minutes" in peer.get("stopped", ""):
            seconds = 60 * MINUTES
        elif "GB" in peer.get("stopped", ""):
            megabytes = 1024 * GIGABYTES
        faster, lighter = _targets(cell)
        note = f"{_words(own)}; peer: {_words(peer)}"
        yield _ratio(f"{cell}: time", "s", own["seconds"], seconds, faster, note)
        # less than 1 MB cannot be told from what the interpreter needs
        megabytes = None if megabytes is None else max(megabytes, 1.0)
        yield _ratio(f"{cell}: memory", "MB", max(own["megabytes"], 1.0), megabytes, lighter)


def _ratio(
    what: str, unit: str, own: float, peer: float | None, target: float | None, note: str = ""
) -> dict[str, Any]:
    if peer is None:
        return row(what, unit, own, None, "lower", note)
    return row(what, "×", peer / own, target, "higher", note)


def _targets(cell: Cell) -> tuple[float, float | None]:
    """Return the least that the two quotients of `rows` should be."""
    if cell.strategy == "BADGE":
        return (200.0 if cell.C == 100 else 50.0), 10.0
    return (10.0, 10.0) if cell.strategy == "ProbCover" else (1.0, None)


def _words(line: dict[str, Any]) -> str:
    if "stopped" in line:
        text: str = line["stopped"]
        return text if text in WITHOUT_PEER.values() else f"stopped {text}"
    repeated = f", {line['repeated']} picks repeated" if line["repeated"] else ""
    return f"{line['seconds']:.3g} s, {line['megabytes']:.0f} MB{repeated}"
