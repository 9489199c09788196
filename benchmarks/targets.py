"""What a balanced target is worth: BAIT aimed at all classes alike, on pools by their imbalance.

Balanced accuracy of `small_cnn`, trained from scratch, with and without weights of the classes in
its loss. On five pools, drawn anew for each seed: a long tail in the order of the classes, the same
tail in reverse, one whose order is drawn by the seed, the step of FisherMask's paper, and a
balanced one. The pools are of the 3,000 images that come with the package, with five seeds each;
`--only full` takes all of Fashion-MNIST, with long tails of 9,900 images, the step of 5,750 and a
balanced pool of 10,000, and more seeds, which takes hours. `--threads N` plays N rounds at a time,
on one thread each.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import _imbalance
from benchmarks._imbalance import BALANCED, DRAWN, REVERSED, STEP, TAIL, paired, play, stored
from benchmarks._report import row
from skactive import BADGE, BAIT, CNNClassifier, Margin

# Fixed before the first run, and not used before.
FIRST_SEED = 300
SEEDS = dict.fromkeys([TAIL, STEP, BALANCED, REVERSED, DRAWN], 5)
SEEDS_FULL = {TAIL: 10, STEP: 10, BALANCED: 5, REVERSED: 5, DRAWN: 8}  # those of the first trials
AIMED, WEIGHTED = "balanced target", ", weighted loss"
STRATEGIES = {
    "Margin": Margin(),
    "BADGE": BADGE(),
    "pool as target": BAIT(oversample=1),
    AIMED: BAIT(oversample=1, target="balanced"),
}
ALSO_WEIGHTED = ("Margin", AIMED)


def arms(epochs: int) -> tuple[CNNClassifier, dict[str, Any]]:
    """The strategies with a plain network, and some with one whose loss weights the classes."""
    plain = CNNClassifier("small_cnn", max_epochs=epochs)
    weighted = CNNClassifier("small_cnn", max_epochs=epochs, class_weight="balanced")
    return plain, STRATEGIES | {
        name + WEIGHTED: (weighted, STRATEGIES[name]) for name in ALSO_WEIGHTED
    }


def measure(quick: bool, folder: Path = Path("out"), only: str = "") -> list[dict[str, Any]]:
    size, seeds = _imbalance.SMALL, SEEDS
    if only == "full":
        size, seeds = _imbalance.FULL, SEEDS_FULL
    if quick:
        size, seeds = _imbalance.TINY, {DRAWN: 2, STEP: 1}
    name = "targets-quick" if quick else f"targets-{size.subset}"
    plain, compared = arms(size.epochs)
    keys = [
        (pool, FIRST_SEED + i)
        for i in range(max(seeds.values()))
        for pool, n in seeds.items()
        if i < n
    ]
    compute = partial(_one, plain, compared, size)
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


def _one(plain: Any, compared: Any, size: Any, pool: str, seed: int) -> _imbalance.Found:
    return play(plain, compared, pool, size, seed, n_jobs=torch.get_num_threads())
