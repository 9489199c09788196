"""Strategies on embeddings that are not in the grid: against scikit-activeml, and on a large pool.

Both sides get the same float32 embeddings of norm 1, and choose a batch of 100 without labels.
Those that read probabilities too are measured alone, with 100 labelled samples. On one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks._cell import BATCH, Given, problem
from benchmarks._machine import memory
from benchmarks._report import alone, row


def measured(
    side: Callable[[np.ndarray], np.ndarray], N: int, D: int
) -> tuple[float, float, list[int]]:
    """Return CPU seconds, the peak memory above that in use before in MB, and the picks."""
    torch.set_num_threads(1)
    H = problem("MaxHerding", N, D, 10).H
    side(H[: 3 * BATCH])  # imports, first calls
    with open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")  # the peak from here on
    before, start = memory("VmRSS"), time.process_time()
    picks = side(H)
    return time.process_time() - start, memory("VmHWM") - before, picks.tolist()


def ours(H: np.ndarray) -> np.ndarray:
    from skactive import MaxHerding

    return MaxHerding().select(None, H, BATCH, embeddings=H).indices


def theirs(H: np.ndarray) -> np.ndarray:
    from skactiveml.pool import MaxHerding

    query = MaxHerding(metric_dict={"gamma": 1.0}, random_state=0)
    found: np.ndarray = query.query(H, np.full(len(H), np.nan), batch_size=BATCH)
    return found


def agreement(a: list[int], b: list[int]) -> int:
    """Return how many picks are the same, up to the first that differs."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))


def max_herding(quick: bool) -> list[dict[str, Any]]:
    N, D = (1_000, 64) if quick else (16_000, 256)
    size = f"MaxHerding, N = {N}, D = {D}"
    seconds, megabytes, picks = alone(measured, ours, N, D)
    peer_seconds, peer_megabytes, peer_picks = alone(measured, theirs, N, D)
    same = agreement(picks, peer_picks)
    target = None if quick else 20.0
    note = f"{seconds:.3g} and {peer_seconds:.3g} s of one core"
    rows = [
        row(
            f"{size}: scikit-activeml / skactive, time",
            "×",
            peer_seconds / seconds,
            target,
            "higher",
            note,
        )
    ]
    # less than 1 MB cannot be told from what the interpreter needs
    ratio = peer_megabytes / max(megabytes, 1.0)
    note = f"{megabytes:.0f} and {peer_megabytes:.0f} MB"
    rows.append(
        row(f"{size}: scikit-activeml / skactive, memory", "×", ratio, target, "higher", note)
    )
    rows.append(
        row(f"{size}: the same picks, before the first that differs", "", same, None, "higher")
    )
    N, D = (4_000, 64) if quick else (50_000, 512)
    seconds, megabytes, _ = alone(measured, ours, N, D)
    size = f"MaxHerding, N = {N}, D = {D}"
    rows.append(row(f"{size}: a batch of {BATCH}", "s", seconds, None, "lower"))
    limit = None if quick else 1024.0
    rows.append(row(f"{size}: memory", "MB", megabytes, limit, "lower"))
    return rows


def a_batch(name: str, N: int, D: int) -> tuple[float, float]:
    """Return CPU seconds and MB of a strategy that reads embeddings and probabilities."""
    import skactive

    torch.set_num_threads(1)
    given = problem(name, N, D, 10)
    params: dict[str, Any] = {"temperature": 1.0} if name == "UHerding" else {}
    query = getattr(skactive, name)(random_state=0, **params)
    clf, few = Given(given.p), given.positions[: len(given.H_labelled)]
    before, start = memory("VmRSS"), time.process_time()
    query.select(
        clf,
        given.positions,
        BATCH,
        X_labelled=few,
        y_labelled=given.y_labelled,
        embeddings=given.H,
        embeddings_labelled=given.H_labelled,
    )
    return time.process_time() - start, memory("VmHWM") - before


def others(quick: bool) -> list[dict[str, Any]]:
    N, D = (1_000, 64) if quick else (16_000, 256)
    rows = []
    for name in ("UHerding", "ClusterMargin", "CLUE", "CAL"):
        seconds, megabytes = alone(a_batch, name, N, D)
        size = f"{name}, N = {N}, D = {D}, 100 labelled"
        rows.append(row(f"{size}: a batch of {BATCH}", "s", seconds, None, "lower"))
        rows.append(row(f"{size}: memory", "MB", megabytes, None, "lower"))
    return rows


def measure(quick: bool) -> list[dict[str, Any]]:
    return max_herding(quick) + others(quick)
