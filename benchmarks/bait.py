"""BAIT: a pick against the published loop on dense factors, and a whole pool."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._report import alone, interleaved, median, peak_memory, row, seconds
from benchmarks.selection import problem, thrifty_gains, woodbury
from skactive.fisher import greedy_fisher, head_factors
from skactive.gradients._softmax import class_rows

# The published loop works on this many samples at once: its intermediate results would be three
# times as large as the dense factors.
_AT_ONCE = 1000
_THRIFTY = "with V W and V W I_U only; the published code has twice as many such products"


def published_pick(V: Tensor, W: Tensor, I_U: Tensor) -> Tensor:
    """One pick of the published loop, with half its products of V's size."""
    gains = [thrifty_gains(some, W, I_U) for some in V.split(_AT_ONCE)]
    return woodbury(V, W, torch.cat(gains))


def against_published(quick: bool) -> list[dict[str, Any]]:
    """Seconds per pick; those of greedy_fisher with its set-up shared out among the picks."""
    N, D, n = (2_000, 32, 20) if quick else (16_000, 128, 100)
    factors = problem(N, 10, D)
    V = problem(N, 10, D, rows=class_rows).dense()
    I_U = factors.gram().float() / N
    state = {"W": torch.eye(V.shape[2])}

    def published() -> None:
        state["W"] = published_pick(V, state["W"], I_U)

    times = interleaved(
        {"published": published, "ours": lambda: greedy_fisher(factors, n)}, 1 if quick else 2
    )
    loop, pick = median(times["published"]), median(times["ours"]) / n
    size = f"N = {N}, D = {D}, C = 10"
    return [
        row(
            f"published loop on dense factors, a pick, {size}",
            "s",
            times["published"],
            None,
            "lower",
            _THRIFTY,
        ),
        row(
            f"greedy_fisher, a pick of {n}, set-up included",
            "s",
            [value / n for value in times["ours"]],
            None,
            "lower",
        ),
        row("published / greedy_fisher", "×", loop / pick, None if quick else 100.0, "higher"),
    ]


def _whole_pool(N: int, C: int, D: int, n: int, oversample: float) -> tuple[float, float]:
    """Seconds of a whole query, from the samples on, and the process's peak memory in MB."""
    draw = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    X, net = torch.randn(N, D, generator=draw).relu_(), nn.Linear(D, C)
    nn.init.normal_(net.weight, std=3 * D**-0.5)  # predictions that are neither flat nor certain
    took = seconds(lambda: greedy_fisher(head_factors(net, X), n, oversample=oversample))
    return took, peak_memory()


def whole_pool(quick: bool, oversample: float) -> list[dict[str, Any]]:
    N, C, D, n = (4_000, 10, 32, 40) if quick else (50_000, 10, 512, 1000)
    took, peak = alone(_whole_pool, N, C, D, n, oversample)
    size = f"whole pool, N = {N}, D = {D}, C = {C}, B = {n}, oversample = {oversample:g}"
    limits = (None, None) if quick else (600.0, 3000.0)
    return [
        row(size, "s", took, limits[0], "lower"),
        row(
            f"peak memory of that process, oversample = {oversample:g}",
            "MB",
            peak,
            limits[1],
            "lower",
            "interpreter, torch and samples included",
        ),
    ]


def measure(quick: bool) -> list[dict[str, Any]]:
    rows = against_published(quick)
    for oversample in (1.0, 2.0):
        rows += whole_pool(quick, oversample)
    return rows
