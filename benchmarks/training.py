"""Training and prediction: CNNClassifier, the best plain PyTorch loop, and stock skorch.

All three train the same network from the same float32 images in memory, with the same optimizer,
batch size and number of epochs; what is timed is all of it, from the images to the trained network.
The plain loop is `_plain_loop.py`, in both layouts of memory: ratios are to the faster one; glibc
keeps its memory as it keeps ours (see `allocator`), without which it is slower. Stock
skorch is a NeuralNetClassifier with its default loader, without validation, as the others are.
Prediction is that of uint8 images, against a loop in the layout and batch size that are fastest.
A ratio is the median of those of single turns, in which the ways follow one another; the one in CPU
seconds tolerates a machine that others use as well.

What bounds it. An image of 3×32×32 takes small_cnn 3·9·16·32² + 16·9·32·16² + 32·9·64·8² = 2.80
million multiplications and additions, and training three times as many but for the gradient of the
image: 15.9 MFLOP. The convolutions, near the speed of matrix products, are 45 % of a step's time on
one core. As much goes into BatchNorm, ReLU and pooling, which pass about twenty times over maps of
115 KB per image. Both are the same for whoever calls torch, but for the layout: with the channels
first a step takes 1.6 times as long. What is ours is small: of the 5,000 to 7,000 µs of a batch of
32, gathering by `index_select` takes 8 (indexing takes 33), standardising 50 to 80, and the step of
the fused SGD 40 (90 if not fused).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier

from benchmarks._plain_loop import Recipe, predict_proba, standardised, train
from benchmarks._report import row, turns
from benchmarks.ceilings import products
from skactive import CNNClassifier
from skactive._allocator import memory_kept
from skactive.estimators._networks import NETWORKS

CLASSES, SHAPE = 10, (3, 32, 32)
# Floating-point operations of training on one image, counted above.
OPERATIONS = {"small_cnn": 15.9e6, "resnet18_narrow": 209e6, "resnet18": 3.33e9}


@dataclass(frozen=True)
class Case:
    """One comparison of training.

    Attributes
    ----------
    module : str
        The network.
    images : int
        Number of images to train on.
    recipe : Recipe
        The training.
    over_plain, over_skorch, speed : float or None
        Targets: at most this ratio of our time to the plain loop's, at least this ratio of stock
        skorch's to ours, at least this many images per second.
    """

    module: str
    images: int
    recipe: Recipe
    over_plain: float | None
    over_skorch: float | None
    speed: float | None = None


def fastest(took: dict[str, np.ndarray], names: Iterable[str]) -> str:
    return min(names, key=lambda name: np.median(took[name][:, 0]))


def problem(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise on a brightness that shows the class, uint8."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=n)
    X = rng.integers(0, 56, (n, *SHAPE), dtype=np.uint8)
    X += (20 * y[:, None, None, None]).astype(np.uint8)
    return X, y


def ours(case: Case, X: np.ndarray, y: np.ndarray) -> CNNClassifier:
    recipe = case.recipe
    return CNNClassifier(
        case.module,
        max_epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        device=recipe.device,
        amp=recipe.half,
        random_state=0,
    ).fit(X, y)


def plain(case: Case, X: np.ndarray, y: np.ndarray, channels_last: bool) -> torch.nn.Module:
    recipe = replace(case.recipe, channels_last=channels_last)
    net = NETWORKS[case.module](SHAPE[0], CLASSES)
    with memory_kept():
        return train(net, standardised(torch.from_numpy(X), recipe), torch.from_numpy(y), recipe)


def stock(case: Case, X: np.ndarray, y: np.ndarray) -> NeuralNetClassifier:
    recipe = case.recipe
    return NeuralNetClassifier(
        NETWORKS[case.module],
        module__in_channels=SHAPE[0],
        module__num_classes=CLASSES,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        lr=recipe.lr,
        optimizer__momentum=recipe.momentum,
        optimizer__weight_decay=recipe.weight_decay,
        max_epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        device=recipe.device,
        verbose=0,
    ).fit(X, y)


def training(case: Case, repeats: int, quick: bool) -> list[dict[str, Any]]:
    X, y = problem(case.images)
    X = X / np.float32(255)
    device = case.recipe.device
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(case, X, y),
        "channels last": lambda: plain(case, X, y, True),
        "channels first": lambda: plain(case, X, y, False),
        "skorch": lambda: stock(case, X, y),
    }
    turns(ways, 1, device)  # algorithms are chosen, memory is reserved
    took = turns(ways, repeats, device)
    best = fastest(took, ("channels last", "channels first"))
    over_plain = (took["ours"] / took[best]).T.tolist()
    over_ours = (took["skorch"] / took["ours"]).T.tolist()
    seen = case.images * case.recipe.epochs
    speed = {way: (seen / times[:, 0]).tolist() for way, times in took.items()}
    where = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    name = f"{case.module} on {where}"
    targets = [None] * 3 if quick else [case.speed, case.over_plain, case.over_skorch]
    rate = (OPERATIONS[case.module] / 1e9 * seen / took["ours"][:, 0]).tolist()
    rows = [
        row(f"{name}: CNNClassifier", "images/s", speed["ours"], targets[0], "higher"),
        row(f"{name}: plain loop", "images/s", speed[best], None, "higher", best),
        row(f"{name}: stock skorch", "images/s", speed["skorch"], None, "higher"),
        row(f"{name}: CNNClassifier / plain loop", "×", over_plain[0], targets[1], "lower"),
        row(f"{name}: stock skorch / CNNClassifier", "×", over_ours[0], targets[2], "higher"),
        row(f"{name}: arithmetic of CNNClassifier", "GFLOP/s", rate, None, "higher"),
    ]
    if device == "cpu":
        rows += [
            row(
                f"{name}: CNNClassifier / plain loop, CPU seconds",
                "×",
                over_plain[1],
                None,
                "lower",
            ),
            row(
                f"{name}: stock skorch / CNNClassifier, CPU seconds",
                "×",
                over_ours[1],
                None,
                "higher",
            ),
        ]
    return rows


def prediction(n: int, repeats: int, quick: bool) -> list[dict[str, Any]]:
    X, y = problem(n)
    clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0, device="cpu")
    clf.fit(X[:500], y[:500])
    net, layer = copy.deepcopy(clf.module_.network), clf.module_.input
    images = torch.from_numpy(X)
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: clf.predict_proba(X)}

    @memory_kept()
    def plain(size: int, channels_last: bool) -> np.ndarray:
        return predict_proba(net, images, layer.mean, layer.std, size, channels_last)

    for channels_last in (True, False):
        for size in (64, 256):
            layout = "last" if channels_last else "first"
            ways[f"batches of {size}, channels {layout}"] = partial(plain, size, channels_last)
    p = predict_proba(net, images[:500], layer.mean, layer.std, 64, True)
    np.testing.assert_allclose(clf.predict_proba(X[:500]), p, rtol=1e-3, atol=1e-5)
    took = turns(ways, repeats, "cpu")
    best = fastest(took, [way for way in ways if way != "ours"])
    wall, cpu = (took["ours"] / took[best]).T.tolist()
    name = f"small_cnn: predict_proba of {n:,} images"
    speed = {way: (n / times[:, 0]).tolist() for way, times in took.items()}
    return [
        row(name, "images/s", speed["ours"], None, "higher"),
        row(f"{name}, plain loop", "images/s", speed[best], None, "higher", best),
        row(f"{name} / plain loop", "×", wall, None if quick else 1.1, "lower"),
        row(f"{name} / plain loop, CPU seconds", "×", cpu, None, "lower"),
    ]


def measure(quick: bool) -> list[dict[str, Any]]:
    repeats = 1 if quick else 7
    peak = products("cpu", "float32", 1024)
    rows = [row("float32 matrix products on the CPU", "GFLOP/s", peak, None, "higher")]
    small, epochs = (500, 1) if quick else (10_000, 3)
    rows += training(Case("small_cnn", small, Recipe(epochs), 1.05, 1.3), repeats, quick)
    small = 64 if quick else 1_000
    rows += training(Case("resnet18_narrow", small, Recipe(1), 1.05, None), repeats, quick)
    rows += prediction(2_000 if quick else 100_000, repeats, quick)
    if torch.cuda.is_available():
        # 3.33 GFLOP per image, counted likewise: 20,000 per second are 67 TFLOP/s
        peak = products("cuda", "bfloat16", 8192)
        rows.append(row("bfloat16 matrix products on CUDA", "GFLOP/s", peak, None, "higher"))
        recipe = Recipe(1 if quick else 2, batch_size=512, device="cuda", half=True)
        case = Case("resnet18", 2_048 if quick else 51_200, recipe, 1.05, 3.0, 20_000.0)
        rows += training(case, 1 if quick else 3, quick)
    return rows
