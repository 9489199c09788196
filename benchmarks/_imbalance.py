"""Pools of Fashion-MNIST by their imbalance, and strategies compared on them in pairs.

A pool is drawn anew for each seed. What is compared is the area under the curve of balanced
accuracy, seed by seed. Each seed of a pool is a line of NAME.jsonl as soon as it is finished, and
is found there by a run that is started again.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from sklearn.utils import Bunch

from benchmarks._report import row
from skactive import Embedder
from skactive.datasets import load_fashion_mnist, long_tail_counts, make_imbalanced
from skactive.experiments import run_experiment

BALANCED, STEP = "balanced", "step"
TAIL, REVERSED, DRAWN = "long tail", "long tail reversed", "long tail, order drawn by seed"
# Exponential, from 1 to this part of it.
RATIO = 0.02
_EXAMPLE = Path(__file__).parent.parent / "examples" / "features_without_labels.py"


@dataclass(frozen=True)
class Size:
    """How large everything is.

    Attributes
    ----------
    subset : str
        Of Fashion-MNIST, see `load_fashion_mnist`.
    per_class, in_tail, rare : int
        Images of each class in a balanced pool, of the most frequent one of a long tail, and of the
        three rare classes of the step, whose other one has twenty times as many.
    n, n_few : int
        Labels at first and per round, on the balanced pool and on the smaller ones.
    epochs, n_rounds : int
        Epochs of `small_cnn`, and queries.
    """

    subset: str
    per_class: int
    in_tail: int
    rare: int
    n: int
    n_few: int
    epochs: int
    n_rounds: int


SMALL = Size("4k", per_class=100, in_tail=300, rare=15, n=50, n_few=20, epochs=30, n_rounds=4)
FULL = Size("full", per_class=1000, in_tail=3500, rare=250, n=50, n_few=50, epochs=40, n_rounds=5)
TINY = Size("4k", per_class=30, in_tail=30, rare=3, n=10, n_few=5, epochs=1, n_rounds=1)


def counts_of(pool: str, size: Size, seed: int) -> dict[int, int]:
    """Number of images per class."""
    if pool == BALANCED:
        return dict.fromkeys(range(10), size.per_class)
    if pool == STEP:
        return {0: size.rare, 1: 20 * size.rare, 2: size.rare, 3: size.rare}
    order = {TAIL: range(10), REVERSED: range(9, -1, -1), DRAWN: None}[pool]
    of_all = np.repeat(np.arange(10), size.in_tail)
    return long_tail_counts(
        of_all, RATIO, order=None if order is None else list(order), random_state=seed
    )


def features(folder: Path, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """32 features of all images and test images; those that are in the folder, if they are there.

    Principal components of an encoder that was trained without labels on the images to choose from,
    as in examples/features_without_labels.py, for 6 epochs.
    """
    file = folder / f"features-{size.subset}-{min(size.epochs, 6)}.npz"
    if not file.exists():
        data = load_fashion_mnist(size.subset)
        train = runpy.run_path(str(_EXAMPLE))["train_without_labels"]
        embedder = Embedder(train(data.X_train, epochs=min(size.epochs, 6)), normalize=None)
        both = [normalize(embedder.transform(X)) for X in (data.X_train, data.X_test)]
        reduce = PCA(32, random_state=0).fit(both[0])
        found = [reduce.transform(X) for X in both]
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, *(X / found[0].std() for X in found))
    with np.load(file) as held:
        return held["arr_0"], held["arr_1"]


@dataclass(frozen=True)
class Found:
    """What came out of a seed of a pool, by the name of the arm.

    Attributes
    ----------
    area : dict of str to float
        Under the curve of balanced accuracy.
    majority : dict of str to float
        Share of the most frequent class in what was asked for.
    """

    area: dict[str, float]
    majority: dict[str, float]


def play(
    estimator: Any,
    arms: Mapping[str, Any],
    pool: str,
    size: Size,
    seed: int,
    n_jobs: int,
    features: tuple[np.ndarray, np.ndarray] | None = None,
    initial: str = "random",
) -> Found:
    """Run all arms with one seed on its own pool; features are those of all images, or None."""
    data: Bunch = load_fashion_mnist(size.subset)
    counts = counts_of(pool, size, seed)
    at, y = make_imbalanced(np.arange(len(data.y_train)), data.y_train, counts, random_state=seed)
    shown = np.isin(data.y_test, list(counts))
    X, X_test = (data.X_train, data.X_test) if features is None else features
    if "classes" in estimator.get_params():
        arms = {name: _knows(arm, estimator, counts) for name, arm in arms.items()}
    n = size.n if pool == BALANCED else size.n_few
    results = run_experiment(
        estimator,
        arms,
        X[at],
        y,
        X_test[shown],
        data.y_test[shown],
        n_initial=n,
        n_instances=n,
        n_rounds=size.n_rounds,
        initial=initial,
        seeds=[seed],
        n_jobs=n_jobs,
        n_threads=1,
        progress=False,
    )
    areas = results.aubc("balanced_accuracy").set_index("strategy")["aubc"]
    most, majority = str(max(counts, key=lambda c: counts[c])), {}
    for name, asked in results.frame.groupby("strategy")["queried_classes"]:
        many = [(of.get(most, 0), sum(of.values())) for of in asked]
        majority[str(name)] = sum(one for one, _ in many) / sum(total for _, total in many)
    return Found({name: float(areas[name]) for name in arms}, majority)


def _knows(arm: Any, estimator: Any, counts: Mapping[int, int]) -> Any:
    """Return an arm whose network has an output for each class of the pool."""
    own, strategy = arm if isinstance(arm, tuple) else (estimator, arm)
    params = own.get_params(deep=False) | {"classes": sorted(counts)}
    return type(own)(**params), strategy


def stored(
    file: Path, keys: Iterable[tuple[str, int]], compute: Callable[[str, int], Found]
) -> dict[str, dict[int, Found]]:
    """Return what there is for each pool and seed; what is not in the file is computed."""
    found: dict[str, dict[int, Found]] = {}
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            one_of = found.setdefault(one["pool"], {})
            one_of[one["seed"]] = Found(one["area"], one["majority"])
    for pool, seed in keys:
        if seed in found.get(pool, {}):
            continue
        new = compute(pool, seed)
        found.setdefault(pool, {})[seed] = new
        line = {"pool": pool, "seed": seed, "area": new.area, "majority": new.majority}
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
    return found


def difference(of_seeds: Mapping[int, Found], one: str, other: str) -> tuple[np.ndarray, float]:
    """Return the paired differences of areas, and half of a 95 % interval of their mean."""
    pairs = np.array([found.area[one] - found.area[other] for found in of_seeds.values()])
    if len(pairs) < 2:
        return pairs, float("nan")
    half = student.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / len(pairs) ** 0.5
    return pairs, float(half)


def paired(pool: str, of_seeds: Mapping[int, Found], one: str, other: str) -> dict[str, Any]:
    """Return a row: a difference, its interval, and how many seeds were ahead."""
    pairs, half = difference(of_seeds, one, other)
    note = f"± {half:.3f}, {len(pairs)} seeds, ahead in {(pairs > 0).sum()}"
    return row(f"{pool}: {one} − {other}", "", float(pairs.mean()), None, "higher", note)
