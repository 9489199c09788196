"""What bounds each target: arithmetic and bytes counted by hand, at the rates that were measured.

ResNet-18 on 3×32×32 takes 1.11 GFLOP forward, the narrow one a sixteenth, and thrice as much with
both gradients. Its maps hold 614,400 numbers (the narrow one a quarter) and are passed over about
20 times forward and backward. Times of arithmetic and of bytes are added, as if nothing overlapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks._report import row
from benchmarks.gpu._settings import Settings

FORWARD, NARROW = 1.11e9, 16
MAPS, PASSES = 614_400, 20
TRAINED = 51_200
GIGA = 1e9


def floors(settings: Settings) -> Iterator[dict[str, Any]]:
    """Hold the targets' times against their counts, which are those of the full sizes."""
    rates = {
        f"{name.split()[0]} {name.split()[-1]}": value * GIGA
        for name, value in settings.found.items()
        if name.endswith(("matrix products", "convolutions"))
    }
    rates["bytes"] = settings.found["copying in memory"] * GIGA
    for name, (is_it, count, images) in COUNTS.items():
        values = [value for what, value in settings.found.items() if is_it(what)]
        if not values:  # that step failed, or had no time
            continue
        took = images / values[0] if images else values[0]
        parts = count()
        floor = sum(amount / rates[rate] for rate, amount in parts.items())
        said = ", ".join(f"{amount / GIGA:.3g} G at {rate}" for rate, amount in parts.items())
        yield row(f"{name}: at the ceiling", "s", floor, None, "lower", said)
        yield row(f"{name}: measured / at the ceiling", "×", took / floor, None, "lower")


def _query() -> dict[str, float]:
    """25,000 images and 1,000 labelled ones, B = 2,000; 1,403 weights in the mask, C = 10.

    The diagonal from 1,024 images by a forward pass and nine with both gradients, factors by a
    forward pass and nine with those of the inputs; a pick is V [U, H], and reads V once.
    """
    n, k, rows, picks = 26_000, 1_403, 9, 2_000
    forward = FORWARD / NARROW
    through = 1_024 * forward * (1 + 2 * rows) + n * forward * (1 + rows)
    maps = 4.0 * (MAPS / 4) * (PASSES / 2)  # bytes of one way through the network
    return {
        "float32 convolutions": through,
        "float32 products": picks * n * rows * k * 2 * rows * 2.0,
        "bytes": picks * n * rows * k * 4.0 + n * maps * (1 + rows),
    }


def _norms() -> dict[str, float]:
    """10,000 images, forward and backward to the inputs; norms take as much as a forward pass."""
    n = 10_000
    return {
        "float32 convolutions": n * 2 * FORWARD,
        "float32 products": n * FORWARD,
        "bytes": n * 4.0 * MAPS * PASSES,
    }


def _bait() -> dict[str, float]:
    """1,000 picks of N = 50,000, D = 512, C = 10: V [U, H], and 8 rescored in float64."""
    N, D, C, rows, picks = 50_000, 512, 10, 9, 1_000
    k = (D + 1) * C
    return {
        "float32 products": picks * N * D * C * 2.0 * 2 * rows,
        "float64 products": picks * 8 * rows * 2 * 2.0 * k**2,
        "bytes": picks * (N * (D + rows * C) * 4.0 + 4 * 8.0 * k**2),
    }


def _badge() -> dict[str, float]:
    """1,000 picks, each of which reads S and H once."""
    N, D, C, picks = 64_000, 512, 100, 1_000
    return {
        "float32 products": picks * N * (D + C) * 2.0,
        "bytes": picks * N * (D + C) * 4.0,
    }


def _coverage() -> dict[str, float]:
    """All distances once, though groups save some."""
    N, D = 64_000, 512
    return {"float32 products": 2.0 * N**2 * D, "bytes": 4.0 * N**2}


def _training() -> dict[str, float]:
    """Of 51,200 images, in two bytes a number."""
    return {"bfloat16 convolutions": TRAINED * 3 * FORWARD, "bytes": TRAINED * 2.0 * MAPS * PASSES}


# Which row it is, what is counted, and of how many images if the row has images per second.
COUNTS: dict[str, tuple[Callable[[str], bool], Callable[[], dict[str, float]], int]] = {
    "FisherMask's query": (lambda what: what.startswith("query on") and ":" not in what, _query, 0),
    "norms": (lambda what: what.endswith("images: gradient_norms"), _norms, 0),
    "BAIT": (lambda what: what.startswith("BAIT on") and what.endswith("oversample 1"), _bait, 0),
    "BADGE": (lambda what: what.startswith("BADGE, N"), _badge, 0),
    "coverage": (lambda what: what.startswith("coverage, N"), _coverage, 0),
    "training": (lambda what: what.endswith(": CNNClassifier"), _training, TRAINED),
}
