"""BAIT's three forms of the last layer's information: objective, picks in common, time, memory.

And the blocks against a plain rounding step of Approx-FIRAL, in turns in one run. `--only` takes a
part: `full`, `rounding`, `many` (100 and 1,000 classes, an hour or more, and 8 GB), `thousand` (the
first 50 picks of these) or `binary`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._report import alone, interleaved, peak_memory, row
from benchmarks._rounding import rounded
from skactive.fisher import (
    DenseFactors,
    FisherFactors,
    SeparateFactors,
    greedy_fisher,
    last_layer_factors,
)

FORMS = ("full", "blocks", "binary")
# η of the rounding step, as multiples of √(C·D); the paper tries several, and so does this.
ETAS = (0.1, 1.0, 10.0)
# Weights of a mask elsewhere than in the last layer, and rows of theirs.
ELSEWHERE, ROWS = 512, 2


def features(N: int, C: int, D: int) -> tuple[Tensor, Tensor]:
    """Embeddings in C clusters, of which some are large, and the logits of a layer that is fair."""
    draw = np.random.default_rng(0)
    centers = draw.standard_normal((C, D))
    y = np.minimum(draw.geometric(3 / C, N) - 1, C - 1)
    h = np.maximum(centers[y] + draw.standard_normal((N, D)), 0)
    logits = (h - h.mean(0)) @ centers.T * (6 / D)
    return torch.from_numpy(logits).float(), torch.from_numpy(h).float()


def _factors(form: str, N: int, C: int, D: int) -> FisherFactors:
    logits, h = features(N, C, D)
    if form != "mask in blocks":
        return last_layer_factors(logits, h, curvature=form)
    rest = torch.randn(N, ROWS, ELSEWHERE, generator=torch.Generator().manual_seed(0))
    head = last_layer_factors(logits, h, curvature="blocks")
    return SeparateFactors([head, DenseFactors(rest.div_(10))])


def _selection(form: str, N: int, C: int, D: int, n: int) -> tuple[np.ndarray, list[float], float]:
    """Picks; seconds of the set-up, with a first pick, and of it with all picks; memory."""
    V = _factors(form, N, C, D)
    begin = time.perf_counter()
    greedy_fisher(V, 1)
    took = [time.perf_counter() - begin]
    begin = time.perf_counter()
    picks = greedy_fisher(V, n).indices
    took.append(time.perf_counter() - begin)
    return picks, took, peak_memory()


def _objectives(N: int, C: int, D: int, batches: list[np.ndarray]) -> list[float]:
    """tr(M⁻¹ I_U) by the full information, without labelled samples."""
    V = last_layer_factors(*features(N, C, D))
    I_U, values = V.gram() / N, []
    for batch in batches:
        M = V.take(torch.as_tensor(batch)).gram()
        M.diagonal().add_(1)
        values.append(float(torch.linalg.solve(M, I_U).trace()))
    return values


def against_full(N: int, C: int, D: int, n: int) -> list[dict[str, Any]]:
    found = {form: alone(_selection, form, N, C, D, n) for form in FORMS}
    draw = np.random.default_rng(0)
    by_chance = [draw.choice(N, n, replace=False) for _ in range(5)]
    batches = [found[form][0] for form in FORMS] + by_chance
    values = alone(_objectives, N, C, D, batches)
    random, whole = float(np.mean(values[3:])), values[0]
    size, rows = f"N = {N}, C = {C}, D = {D}, B = {n}", []
    for form, value in zip(FORMS, values, strict=False):
        picks, (begin, took), peak = found[form]
        common = len(set(picks.tolist()) & set(found["full"][0].tolist()))
        rows += [
            row(f"{form}, {size}: set-up and a first pick", "s", begin, None, "lower"),
            row(f"{form}, {size}: set-up and all picks", "s", took, None, "lower"),
            row(f"{form}, {size}: peak memory of that process", "MB", peak, None, "lower"),
        ]
        if form != "full":
            what = f"{form}, {size}: share reached, random batches 0 and full greedy 1"
            share = (random - value) / (random - whole)
            note = f"{common} of {n} picks in common"
            rows.append(row(what, "", share, None, "higher", note))
    return rows


def against_rounding(N: int, C: int, D: int, n: int, repeats: int = 3) -> list[dict[str, Any]]:
    """Blocks, and the rounding step on the same ω and h."""
    logits, h = features(N, C, D)
    V = last_layer_factors(logits, h, curvature="blocks")
    omega, h = V.roots.square(), V.right
    scale, found = float(C * h.shape[1]) ** 0.5, {}
    ways = {"blocks": lambda: found.update(blocks=greedy_fisher(V, n).indices)}
    for eta in ETAS:
        ways[f"{eta:g}"] = lambda eta=eta: found.update(
            {f"{eta:g}": rounded(omega, h, n, eta * scale)}
        )
    took = interleaved(ways, repeats)
    draw = np.random.default_rng(0)
    by_chance = [draw.choice(N, n, replace=False) for _ in range(5)]
    full = greedy_fisher(last_layer_factors(logits, h[:, :-1]), n).indices
    values = _objectives(N, C, D, [full, *found.values(), *by_chance])
    whole, random = values[0], float(np.mean(values[-5:]))
    shares = dict(
        zip(found, [(random - one) / (random - whole) for one in values[1:-5]], strict=True)
    )
    best = max(list(shares)[1:], key=lambda eta: shares[eta])
    size = f"N = {N}, C = {C}, D = {D}, B = {n}"
    ratios = [one / ours for one, ours in zip(took[best], took["blocks"], strict=True)]
    common = len(set(found[best].tolist()) & set(found["blocks"].tolist()))
    scale_of = "share reached, random batches 0 and full greedy 1"
    return [
        row(f"rounding step / blocks, {size}: set-up and all picks", "×", ratios, None, "higher"),
        row(
            f"blocks, {size}, beside the rounding step: {scale_of}",
            "",
            shares["blocks"],
            None,
            "higher",
        ),
        row(
            f"rounding step, {size}: {scale_of}",
            "",
            shares[best],
            None,
            "higher",
            f"η = {best} √(CD), the best of {len(ETAS)}; {common} of {n} picks in common",
        ),
    ]


def large(
    form: str, N: int, C: int, D: int, n: int, seconds: float | None, megabytes: float | None
) -> list[dict[str, Any]]:
    _, (begin, took), peak = alone(_selection, form, N, C, D, n)
    size = f"{form}, N = {N}, C = {C}, D = {D}, B = {n}"
    return [
        row(f"{size}: set-up and a first pick", "s", begin, None, "lower"),
        row(f"{size}: a further pick", "s", max(took - begin, 0.0) / (n - 1), None, "lower"),
        row(f"{size}: set-up and all picks", "s", took, seconds, "lower"),
        row(f"{size}: peak memory of that process", "MB", peak, megabytes, "lower"),
    ]


def many_classes() -> list[dict[str, Any]]:
    return (
        large("blocks", 10_000, 100, 128, 50, None, None)
        + large("blocks", 50_000, 100, 512, 100, None, 3_000)
        + large("mask in blocks", 50_000, 100, 512, 100, None, 3_000)
        + large("blocks", 50_000, 1_000, 512, 1_000, 35 * 60, 8_000)
    )


CELLS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "full": lambda: against_full(4000, 10, 64, 100) + against_full(2000, 30, 32, 60),
    "rounding": lambda: (
        against_rounding(2000, 10, 32, 40)
        + against_rounding(2000, 10, 128, 40)
        + against_rounding(2000, 40, 32, 40)
        + against_rounding(4000, 10, 32, 40)
    ),
    "many": many_classes,
    "thousand": lambda: large("blocks", 50_000, 1_000, 512, 50, None, 8_000),
    "binary": lambda: large("binary", 50_000, 10, 512, 1_000, 15, None),
}


def measure(quick: bool, only: str = "") -> list[dict[str, Any]]:
    if quick:
        return (
            against_full(300, 5, 8, 10)
            + against_rounding(200, 4, 6, 5, 1)
            + large("blocks", 500, 20, 16, 5, None, None)
            + large("mask in blocks", 300, 10, 16, 5, None, None)
        )
    return [one for name, cell in CELLS.items() if only in name for one in cell()]
