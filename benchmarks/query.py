"""A whole FisherMask query and its parts, and what a selection in two stages loses."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks._report import row, seconds
from benchmarks.selection import problem
from skactive import CNNClassifier, FisherMask
from skactive.fisher import (
    FisherFactors,
    _diagonal,
    _fisher_factors,
    greedy_fisher,
    greedy_fisher_in_blocks,
)
from skactive.gradients import _network
from skactive.strategies import _fisher_mask


@contextmanager
def clocked(device: str) -> Iterator[dict[str, float]]:
    """Add up the seconds that the parts of a query take."""
    took: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            wait(device)
            start = time.perf_counter()
            result = function(*args, **kwargs)
            wait(device)
            took[name] += time.perf_counter() - start
            return result

        return call

    parts = [
        ("diagonal", _fisher_mask, "diagonal_fisher"),
        ("factors", _fisher_mask, "fisher_factors"),
        ("factors and selection", _fisher_mask, "greedy_fisher_in_blocks"),
        ("check", _diagonal, "make_plan"),
        ("check", _fisher_factors, "make_plan"),
        ("check", _network.Network, "check_alone"),
    ]
    with ExitStack() as stack:
        for name, where, attribute in parts:
            replaced = timed(name, getattr(where, attribute))
            stack.enter_context(patch.object(where, attribute, replaced))
        yield took


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def query(
    N: int,
    n: int,
    n_labelled: int,
    device: str,
    target: float | None,
    network: str = "resnet18_narrow",
    fraction: float = 0.002,
) -> list[dict]:
    """One query at the published setting's size of network, mask and images."""
    draw = np.random.default_rng(0)
    X = draw.random((N + n_labelled, 3, 32, 32), dtype=np.float32)
    y = np.arange(n_labelled) % 10
    clf = CNNClassifier(network, max_epochs=1, random_state=0, device=device)
    clf.fit(X[:64], np.arange(64) % 10)
    strategy = FisherMask(fraction=fraction, progress=False, random_state=0)
    strategy.select(clf, X[:64], 2)  # loads libraries
    with clocked(device) as took:
        whole = seconds(
            lambda: strategy.select(clf, X[n_labelled:], n, X_labelled=X[:n_labelled], y_labelled=y)
        )
    name = torch.cuda.get_device_name() if device == "cuda" else device
    what = f"query on {name}, {N} images, B = {n}"
    rows = [row(what, "s", whole, target, "lower")]
    parts = {
        "diagonal": took["diagonal"],
        "factors": took["factors"],
        "selection": took["factors and selection"] - took["factors"],
    }
    rows += [row(f"{what}: {part}", "s", value, None, "lower") for part, value in parts.items()]
    share = 100 * took["check"] / whole
    on_checks = None if target is None else 2.0
    rows.append(row(f"{what}: checks against autograd", "%", share, on_checks, "lower"))
    return rows


def objective(V: FisherFactors, I_U: torch.Tensor, picks: np.ndarray) -> float:
    """tr(M⁻¹ I_U) without labelled samples."""
    M = V.take(torch.as_tensor(picks)).double().gram()
    M.diagonal().add_(1)
    return float(torch.linalg.solve(M, I_U).trace())


def two_stages(quick: bool) -> list[dict]:
    """By how much the objective ends above that of the selection in one stage."""
    N, n, D = (600, 15, 16) if quick else (6400, 100, 64)
    V = problem(N, 10, D, 40)
    I_U = V.gram() / N
    one = objective(V, I_U, greedy_fisher(V, n).indices)
    draw = np.random.default_rng(0)
    by_chance = np.mean([objective(V, I_U, draw.choice(N, n, replace=False)) for _ in range(3)])
    size = f"N = {N}, k = {V.shape[2]}, B = {n}"
    rows = [row(f"loss of a random batch, {size}", "%", 100 * (by_chance / one - 1), None, "lower")]
    for n_blocks in (2, 4, 8, 16):
        found = [
            greedy_fisher_in_blocks(
                lambda positions: V.take(torch.as_tensor(positions)),
                np.arange(N),
                n,
                block_size=-(-N // n_blocks),
                random_state=seed,
            ).indices
            for seed in range(1 if quick else 3)
        ]
        loss = np.mean([objective(V, I_U, picks) for picks in found]) / one - 1
        rows.append(row(f"loss of two stages, {n_blocks} blocks", "%", 100 * loss, None, "lower"))
    return rows


def measure(quick: bool) -> list[dict[str, Any]]:
    sizes = (
        [(150, 5, 20, None, None)]
        if quick
        else [(5_500, 250, 250, 90.0, None), (25_000, 2_000, 1_000, 600.0, 10.0)]
    )
    rows = []
    for N, n, n_labelled, on_cpu, on_gpu in sizes:
        rows += query(N, n, n_labelled, "cpu", on_cpu)
        if torch.cuda.is_available():
            rows += query(N, n, n_labelled, "cuda", on_gpu)
    return rows + two_stages(quick)
