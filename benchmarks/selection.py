"""Greedy Fisher selection against the published loop, and its growth with the pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks._report import alone, interleaved, median, peak_memory, row, seconds
from skactive.fisher import DenseFactors, FisherFactors, KroneckerFactors, greedy_fisher
from skactive.fisher._concatenated import ConcatenatedFactors
from skactive.gradients._softmax import class_rows, reduced_rows


def problem(
    N: int, C: int, D: int, elsewhere: int = 0, rows: Callable[[Tensor], Tensor] = reduced_rows
) -> FisherFactors:
    """Factors of a last layer on D features, and of some weights elsewhere; float32.

    In C − 1 rows, as FisherMask and BAIT have them, or in C, as in the published code.
    """
    draw = torch.Generator().manual_seed(0)
    S = rows(2 * torch.randn(N, C, generator=draw))
    last = KroneckerFactors(S, torch.randn(N, D, generator=draw).relu_())
    if not elsewhere:
        return last
    dense = DenseFactors(S @ (0.3 * torch.randn(N, C, elsewhere, generator=draw)))
    order = torch.arange(elsewhere + C * D)
    return ConcatenatedFactors([dense, last], [order[:elsewhere], order[elsewhere:]])


def published_step(V: Tensor, W: Tensor, I_U: Tensor) -> Tensor:
    """One step of the published loop: all gains anew, the best one, Woodbury.

    With four products of V's size, as in BAIT's code and FisherMask's.
    """
    eye = torch.eye(V.shape[1])
    inner = torch.linalg.inv(eye + V @ W @ V.mT)
    gains = (V @ W @ I_U @ W @ V.mT @ inner).diagonal(dim1=1, dim2=2).sum(1)
    return woodbury(V, W, gains)


def thrifty_step(V: Tensor, W: Tensor, I_U: Tensor) -> Tensor:
    """The same with two products of V's size."""
    return woodbury(V, W, thrifty_gains(V, W, I_U))


def thrifty_gains(V: Tensor, W: Tensor, I_U: Tensor) -> Tensor:
    """All gains, by V W and V W I_U."""
    VW = V @ W
    A, B = VW @ V.mT, (VW @ I_U) @ VW.mT
    return torch.linalg.solve(torch.eye(V.shape[1]) + A, B).diagonal(dim1=1, dim2=2).sum(1)


def woodbury(V: Tensor, W: Tensor, gains: Tensor) -> Tensor:
    """Return W after the sample of the largest gain has been added."""
    V_s = V[int(gains.argmax())]
    WV = W @ V_s.T
    return W - WV @ torch.linalg.solve(torch.eye(len(V_s)) + V_s @ WV, WV.T)


def against_published(quick: bool) -> list[dict[str, Any]]:
    """A batch of 250, as FisherMask's, set-up included."""
    N, n = (500, 20) if quick else (2000, 250)
    factors = problem(N, 10, 128, 122)
    V = problem(N, 10, 128, 122, class_rows).dense()
    dense = DenseFactors(factors.dense())
    I_U = factors.gram().float() / N
    inverses = {step: torch.eye(V.shape[2]) for step in (published_step, thrifty_step)}

    def one(step: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        inverses[step] = step(V, inverses[step], I_U)

    times = interleaved(
        {
            "published": lambda: one(published_step),
            "thrifty": lambda: one(thrifty_step),
            "structured": lambda: greedy_fisher(factors, n),
            "dense": lambda: greedy_fisher(dense, n),
        },
        3,
    )
    loop, thrifty = median(times["published"]), median(times["thrifty"])
    size = f"(N, C, k) = ({N}, 10, {V.shape[2]})"
    rows = [
        row(f"published loop, a pick, {size}", "s", times["published"], None, "lower"),
        row("the same with half the products, a pick", "s", times["thrifty"], None, "lower"),
    ]
    for name in ("structured", "dense"):
        pick = median(times[name]) / n
        what = f"greedy_fisher, {name} factors, a pick of {n}"
        rows.append(row(what, "s", [value / n for value in times[name]], None, "lower"))
        target = 150.0 if name == "structured" and not quick else None
        rows.append(row(f"published / {name}", "×", loop / pick, target, "higher"))
        rows.append(row(f"with half the products / {name}", "×", thrifty / pick, None, "higher"))
    return rows


def pool(N: int, C: int, D: int, n: int) -> tuple[float, float]:
    """Seconds per pick, set-up included, and the process's peak memory in MB."""
    factors = problem(N, C, D)
    took = seconds(lambda: greedy_fisher(factors, n)) / n
    return took, peak_memory()


def measure(quick: bool) -> list[dict[str, Any]]:
    rows = against_published(quick)
    n = 20 if quick else 100
    N = 5_000 if quick else 50_000
    took, peak = alone(pool, N, 10, 128, n)
    rows.append(
        row(
            f"a pick, N = {N}, C = 10, D = 128, {n} picks",
            "s",
            took,
            None if quick else 0.08,
            "lower",
        )
    )
    rows.append(
        row(
            "peak memory of that process, D = 128",
            "MB",
            peak,
            None if quick else 1000,
            "lower",
            "interpreter and torch included",
        )
    )
    for N in (1_000, 4_000) if quick else (1_000, 10_000, 50_000, 200_000):
        took, peak = alone(pool, N, 10, 64, 20)
        rows.append(
            row(
                f"a pick per 1,000 samples, N = {N}, C = 10, D = 64, 20 picks",
                "ms",
                took / N * 1e6,
                None,
                "lower",
            )
        )
        rows.append(row(f"peak memory, N = {N}", "MB", peak, None, "lower"))
    N = 1_000 if quick else 4_000
    took, peak = alone(pool, N, 100, 16, 5)
    rows.append(row(f"a pick, N = {N}, C = 100, D = 16", "s", took, None, "lower"))
    rows.append(row("peak memory of that process, D = 16", "MB", peak, None, "lower"))
    return rows
