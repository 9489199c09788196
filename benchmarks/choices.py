"""Which defaults BAIT should have: components, rank and regularization, by objective and accuracy.

On three pools, drawn anew for each of ten seeds: balanced, a long tail whose order of classes is
drawn by the seed, and the step of FisherMask's paper. `features`: a logistic regression on 32
principal components of an encoder that was trained without labels on the pool's images, as in
examples/features_without_labels.py with 6 epochs; `end to end`: `small_cnn`. Without backward
steps, `oversample=1`. On the step the first labels are of all classes alike: twenty at random are
now and then of one class, which no regression can be fitted to.

The rule, written down before the first run:

- `components` or `rank` become a default only if, on each of the three pools, the batch reaches at
  least the share 1 of the objective, on the scale from random batches, 0, to the full greedy, 1, in
  the mean of the seeds; the 95 % interval of the paired differences of area under the curve of
  balanced accuracy lies below 0 on none of them; and the mean over all is not below 0.
- Another `regularization` becomes the default only if that interval, of it against 1, lies above 0
  on each of the three pools, both on features and end to end.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from benchmarks import _imbalance
from benchmarks._imbalance import (
    BALANCED,
    DRAWN,
    STEP,
    Found,
    Size,
    features,
    paired,
    play,
    stored,
)
from benchmarks._report import row
from benchmarks.lean import objective
from skactive import BAIT, CNNClassifier, Margin
from skactive.datasets import initial_positions, load_fashion_mnist, make_imbalanced
from skactive.fisher import greedy_fisher, last_layer_factors

# Fixed before the first run, and not used before.
SEEDS = range(310, 320)
POOLS = (BALANCED, DRAWN, STEP)
PRESENT = "full, regularization 1"
SPARING: dict[str, dict[str, Any]] = {
    "components 16": {"components": 16},
    "components 32": {"components": 32},
    "components 64": {"components": 64},
    "rank 2": {"rank": 2},
    "rank 3": {"rank": 3},
    "rank 2, components 32": {"rank": 2, "components": 32},
}
REGULARIZATIONS: dict[str, dict[str, Any]] = {
    "regularization auto": {"regularization": "auto"},
    "regularization 0.1": {"regularization": 0.1},
}


def head() -> LogisticRegression:
    return LogisticRegression(max_iter=1000)


def shares(E: np.ndarray, pool: str, size: Size, seed: int) -> dict[str, float]:
    """The share of the objective that each sparing form reaches with its first batch."""
    data = load_fashion_mnist(size.subset)
    counts = _imbalance.counts_of(pool, size, seed)
    at, y = make_imbalanced(np.arange(len(data.y_train)), data.y_train, counts, random_state=seed)
    n = size.n if pool == BALANCED else size.n_few
    if pool == STEP:
        first = initial_positions(y, n // len(counts), per_class=True, random_state=seed)
        order = np.concatenate([first, np.setdiff1d(np.arange(len(y)), first)])
        at, y, n = at[order], y[order], len(first)
    logits = head().fit(E[at[:n]], y[:n]).decision_function(E[at])
    V = last_layer_factors(torch.from_numpy(logits), torch.from_numpy(E[at]))
    I_U = V.gram() / len(V)

    def value(picks: np.ndarray) -> float:
        return objective(V, I_U, n, n, picks)

    def greedy(rank: int | None = None, components: int | None = None) -> float:
        some = last_layer_factors(torch.from_numpy(logits), torch.from_numpy(E[at]), rank=rank)
        picks = greedy_fisher(some, n, labelled=np.arange(n), components=components)
        return value(picks.indices - n)

    draw = np.random.default_rng(seed)
    by_chance = [draw.choice(len(V) - n, n, replace=False) for _ in range(5)]
    random, whole = float(np.mean([value(picks) for picks in by_chance])), greedy()
    return {name: (random - greedy(**form)) / (random - whole) for name, form in SPARING.items()}


def on_features(folder: Path, size: Size, pools: Any, seeds: Any) -> list[dict[str, Any]]:
    both = features(folder, size)
    settings = {PRESENT: {}} | SPARING | REGULARIZATIONS
    arms = {name: BAIT(oversample=1, **form) for name, form in settings.items()}
    arms["Margin"] = Margin()
    keys = [(pool, seed) for seed in seeds for pool in pools]
    n_jobs = torch.get_num_threads()

    def compute(pool: str, seed: int) -> Found:
        return play(head(), arms, pool, size, seed, n_jobs, both, _initial(pool))

    file, rows = folder / f"choices-features-{size.per_class}.jsonl", []
    for pool, of_seeds in stored(file, keys, compute).items():
        name = f"features, {pool}"
        reached = [shares(both[0], pool, size, seed) for seed in seeds]
        for form in SPARING:
            values = [one[form] for one in reached]
            note = f"from {min(values):.3f} to {max(values):.3f}"
            what = f"{name}: {form}, share reached, random batches 0 and full greedy 1"
            rows.append(row(what, "", float(np.mean(values)), None, "higher", note))
        others = [arm for arm in arms if arm != PRESENT]
        rows += [paired(name, of_seeds, other, PRESENT) for other in others]
    return rows


def end_to_end(folder: Path, size: Size, pools: Any, seeds: Any) -> list[dict[str, Any]]:
    settings = {PRESENT: {}} | REGULARIZATIONS
    arms = {name: BAIT(oversample=1, **form) for name, form in settings.items()}
    keys = [(pool, seed) for seed in seeds for pool in pools]
    network = CNNClassifier("small_cnn", max_epochs=size.epochs)
    compute = partial(_of_network, network, arms, size)
    file, rows = folder / f"choices-networks-{size.per_class}.jsonl", []
    for pool, of_seeds in stored(file, keys, compute).items():
        name = f"end to end, {pool}"
        rows += [paired(name, of_seeds, other, PRESENT) for other in REGULARIZATIONS]
    return rows


def _of_network(network: Any, arms: Any, size: Size, pool: str, seed: int) -> Found:
    n_jobs = torch.get_num_threads()
    return play(network, arms, pool, size, seed, n_jobs, initial=_initial(pool))


def _initial(pool: str) -> str:
    return "balanced" if pool == STEP else "random"


def measure(quick: bool, folder: Path = Path("out"), only: str = "") -> list[dict[str, Any]]:
    size, pools, seeds = _imbalance.SMALL, POOLS, list(SEEDS)
    if quick:
        size, pools, seeds = _imbalance.TINY, (DRAWN,), [0, 1]
    parts = {"features": on_features, "end to end": end_to_end}
    chosen = [part for name, part in parts.items() if only in name]
    return [one for part in chosen for one in part(folder, size, pools, seeds)]
