"""FisherMask on fewer directions and rows: seconds, and the share reached of the objective.

`--only` takes a part: `small`, `narrow` or `paper`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._report import row, seconds
from skactive import CNNClassifier, FisherMask
from skactive._pool import Pool
from skactive.datasets import load_fashion_mnist
from skactive.fisher import FisherFactors, fisher_factors
from skactive.strategies.base._networks import PoolNetwork

SETTINGS: dict[str, dict[str, Any]] = {
    "full": {},
    "components = 16": {"components": 16},
    "components = 32": {"components": 32},
    "components = 64": {"components": 64},
    "rank = 1": {"rank": 1},
    "rank = 2": {"rank": 2},
    "rank = 3": {"rank": 3},
    'rank = "auto"': {"rank": "auto"},
    "rank = 2, components = 32": {"rank": 2, "components": 32},
}


def objective(V: FisherFactors, I_U: Tensor, n_L: int, n: int, picks: np.ndarray) -> float:
    """tr(M⁻¹ I_U) for a batch of n, the first n_L samples of V being labelled."""
    weights = torch.zeros(len(V), dtype=torch.float64)
    weights[:n_L] = 1
    weights[n_L + torch.as_tensor(picks)] = n
    M = V.gram(weights / (n_L + n))
    M.diagonal().add_(1)
    return float(torch.linalg.solve(M, I_U).trace())


def network(kind: str, N: int, n_labelled: int, n: int) -> list[dict[str, Any]]:
    """Each setting on one network and pool, against the full greedy."""
    data = load_fashion_mnist()
    X, y = data.X_train[: N + n_labelled], data.y_train[: N + n_labelled]
    labelled, pool = X[:n_labelled], X[n_labelled:]
    clf = CNNClassifier(kind, max_epochs=15, random_state=0).fit(labelled, y[:n_labelled])
    strategy = FisherMask(progress=False, random_state=0)
    strategy.select(clf, pool[:64], 2)  # loads libraries
    mask = strategy.choose_mask(clf, pool)
    opened = PoolNetwork(clf, strategy, None)
    V = fisher_factors(opened.module, opened.samples(Pool.of(X, "X")), mask, weighting="reduced")
    I_U = V.gram() / len(V)
    found, took = {}, {}
    for name, setting in SETTINGS.items():
        lean = FisherMask(progress=False, random_state=0, **setting)

        def query(lean: FisherMask = lean, name: str = name) -> None:
            found[name] = lean.select(clf, pool, n, X_labelled=labelled)

        took[name] = seconds(query)
    draw = np.random.default_rng(0)
    by_chance = [draw.choice(N, n, replace=False) for _ in range(5)]

    def value(picks: np.ndarray) -> float:
        return objective(V, I_U, n_labelled, n, picks)

    random = float(np.mean([value(picks) for picks in by_chance]))
    whole, start = value(found["full"].indices), value(np.arange(0))
    size = f"{kind}, pool of {N}, {n_labelled} labels, k = {len(mask)}, B = {n}"
    rows = [
        row(f"{size}: a query", "s", took["full"], None, "lower"),
        row(
            f"{size}: a random batch's share of the full greedy's reduction",
            "%",
            100 * (start - random) / (start - whole),
            None,
            "higher",
        ),
    ]
    full = set(found["full"].indices.tolist())
    for name in list(SETTINGS)[1:]:
        kept = ", ".join(f"{what} {share:.3f}" for what, share in found[name].kept.items())
        common = len(full & set(found[name].indices.tolist()))
        rows += [
            row(f"{size}, {name}: a query", "s", took[name], None, "lower"),
            row(
                f"{size}, {name}: share reached, random batches 0 and full greedy 1",
                "",
                (random - value(found[name].indices)) / (random - whole),
                None,
                "higher",
                f"kept: {kept}; {common} of {n} picks in common",
            ),
        ]
    return rows


# Networks, images of the pool, labels and picks: of the paper the last.
CELLS = {
    "small": ("small_cnn", 2_000, 250, 40),
    "narrow": ("resnet18_narrow", 400, 150, 30),
    "paper": ("resnet18_narrow", 5_500, 250, 250),
}


def measure(quick: bool, only: str = "") -> list[dict[str, Any]]:
    if quick:
        return network("small_cnn", 150, 40, 8)
    return [one for name, cell in CELLS.items() if only in name for one in network(*cell)]
