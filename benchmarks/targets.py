"""What a balanced target is worth: BAIT aimed at all classes alike, on pools by their imbalance.

Balanced accuracy, with and without weights of the classes in the loss. On five pools, drawn anew
for each seed: a long tail in the order of the classes, the same tail in reverse, one whose order is
drawn by the seed, the step of FisherMask's paper, and a balanced one.

By itself it takes the 3,000 images that come with the package, and a logistic regression on
features that were trained without labels, a matter of minutes. `--only networks` trains `small_cnn`
from scratch in each round, on the same pools. `--only full` does so with all of Fashion-MNIST, long
tails of 9,900 images, the step of 5,750 and a balanced pool of 10,000, and takes hours.
`--threads N` plays N rounds at a time, on one thread each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from benchmarks import _imbalance
from benchmarks._imbalance import (
    BALANCED,
    DRAWN,
    REVERSED,
    STEP,
    TAIL,
    Found,
    features,
    paired,
    play,
    stored,
)
from benchmarks._report import row
from skactive import BADGE, BAIT, CNNClassifier, Margin

# Fixed before the first run, and not used before.
FIRST_SEED = 300
SEEDS = {TAIL: 10, STEP: 10, BALANCED: 5, REVERSED: 5, DRAWN: 8}  # those of the first trials
AIMED, WEIGHTED = "balanced target", ", weighted loss"
STRATEGIES = {
    "Margin": Margin(),
    "BADGE": BADGE(),
    "pool as target": BAIT(oversample=1),
    AIMED: BAIT(oversample=1, target="balanced"),
}
ALSO_WEIGHTED = ("Margin", AIMED)


def measure(quick: bool, folder: Path = Path("out"), only: str = "") -> list[dict[str, Any]]:
    size, seeds = _imbalance.FULL if only == "full" else _imbalance.SMALL, SEEDS
    if quick:
        size, seeds = _imbalance.TINY, {DRAWN: 2, STEP: 1}
    plain: Any = LogisticRegression(max_iter=1000)
    rows_of = None if only else features(folder, size)
    if only:
        plain = CNNClassifier("small_cnn", max_epochs=size.epochs)
    weighted = clone(plain).set_params(class_weight="balanced")
    compared = STRATEGIES | {
        name + WEIGHTED: (weighted, STRATEGIES[name]) for name in ALSO_WEIGHTED
    }
    name = f"targets-{'quick' if quick else only or 'features'}"
    keys = [
        (pool, FIRST_SEED + i)
        for i in range(max(seeds.values()))
        for pool, n in seeds.items()
        if i < n
    ]
    n_jobs = torch.get_num_threads()

    def compute(pool: str, seed: int) -> Found:
        return play(plain, compared, pool, size, seed, n_jobs, rows_of)

    rows = []
    for pool, of_seeds in stored(folder / f"{name}.jsonl", keys, compute).items():
        rows += [paired(pool, of_seeds, AIMED, other) for other in STRATEGIES if other != AIMED]
        rows.append(paired(pool, of_seeds, AIMED + WEIGHTED, "Margin" + WEIGHTED))
        rows += [paired(pool, of_seeds, one + WEIGHTED, one) for one in ALSO_WEIGHTED]
        if pool != BALANCED:
            for one in STRATEGIES:
                share = sum(f.majority[one] for f in of_seeds.values()) / len(of_seeds)
                what = f"{pool}: {one}, share of the most frequent class in what it asked for"
                rows.append(row(what, "%", 100 * share, None, "lower"))
    return rows
