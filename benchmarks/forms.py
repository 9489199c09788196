"""BAIT's three forms of the last layer's information: objective, picks in common, time, memory."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._report import alone, peak_memory, row
from skactive.fisher import greedy_fisher, last_layer_factors

FORMS = ("full", "blocks", "binary")


def features(N: int, C: int, D: int) -> tuple[Tensor, Tensor]:
    """Embeddings in C clusters, of which some are large, and the logits of a layer that is fair."""
    draw = np.random.default_rng(0)
    centers = draw.standard_normal((C, D))
    y = np.minimum(draw.geometric(3 / C, N) - 1, C - 1)
    h = np.maximum(centers[y] + draw.standard_normal((N, D)), 0)
    logits = (h - h.mean(0)) @ centers.T * (6 / D)
    return torch.from_numpy(logits).float(), torch.from_numpy(h).float()


def _selection(form: str, N: int, C: int, D: int, n: int) -> tuple[np.ndarray, list[float], float]:
    """Picks; seconds of the factors and set-up, with a first pick, and of all picks; memory."""
    logits, h = features(N, C, D)
    begin = time.perf_counter()
    V = last_layer_factors(logits, h, curvature=form)
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


def large(form: str, N: int, C: int, D: int, n: int) -> list[dict[str, Any]]:
    _, (begin, took), peak = alone(_selection, form, N, C, D, n)
    size = f"{form}, N = {N}, C = {C}, D = {D}, B = {n}"
    return [
        row(f"{size}: set-up and a first pick", "s", begin, None, "lower"),
        row(f"{size}: a further pick", "s", max(took - begin, 0.0) / (n - 1), None, "lower"),
        row(f"{size}: peak memory of that process", "MB", peak, None, "lower"),
    ]


def measure(quick: bool) -> list[dict[str, Any]]:
    if quick:
        return against_full(300, 5, 8, 10) + large("blocks", 500, 20, 16, 5)
    return (
        against_full(4000, 10, 64, 100)
        + against_full(2000, 30, 32, 60)
        + large("blocks", 10_000, 100, 128, 50)
        + large("binary", 50_000, 10, 512, 50)
    )
