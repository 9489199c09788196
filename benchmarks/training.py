"""Training and prediction: CNNClassifier, the best plain PyTorch loop, and stock skorch.

All three train the same network from the same float32 images in memory, with the same optimizer,
batch size and number of epochs; what is timed is all of it, from the images to the trained network.
The plain loop is `_plain_loop.py`, in both layouts of memory: the ratio is to the faster one. Stock
skorch is a NeuralNetClassifier with its default loader, without validation, as the others are.
Prediction is that of uint8 images, against a loop in batches of the size that suits the machine best.

PLACEHOLDER
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier

from benchmarks._plain_loop import Recipe, predict_proba, standardised, train
from benchmarks._report import median, row
from skactive import CNNClassifier
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
        How many to train on.
    recipe : Recipe
        The training.
    over_plain, over_skorch, speed : float or None
        Targets: at most this ratio of our time to the plain loop's, at least this ratio of stock
        skorch's to ours, at least so many images a second.
    """

    module: str
    images: int
    recipe: Recipe
    over_plain: float | None
    over_skorch: float | None
    speed: float | None = None


def turns(
    ways: dict[str, Callable[[], Any]], repeats: int, device: str
) -> dict[str, tuple[float, float]]:
    """Median seconds, and median CPU seconds, of several functions that take turns."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, function in ways.items():
            start, cpu = time.perf_counter(), time.process_time()
            function()
            if device == "cuda":
                torch.cuda.synchronize()
            took[name].append((time.perf_counter() - start, time.process_time() - cpu))
    return {
        name: (median([wall for wall, _ in times]), median([cpu for _, cpu in times]))
        for name, times in took.items()
    }


def problem(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise on a brightness that tells the class, uint8."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=n)
    X = rng.integers(0, 56, (n, *SHAPE), dtype=np.uint8)
    X += (20 * y[:, None, None, None]).astype(np.uint8)
    return X, y


def ours(case: Case, X: np.ndarray, y: np.ndarray) -> CNNClassifier:
    recipe = case.recipe
    return CNNClassifier(
        case.module, max_epochs=recipe.epochs, batch_size=recipe.batch_size, device=recipe.device,
        amp=recipe.half, random_state=0,
    ).fit(X, y)  # fmt: skip


def plain(case: Case, X: np.ndarray, y: np.ndarray, channels_last: bool) -> torch.nn.Module:
    recipe = replace(case.recipe, channels_last=channels_last)
    net = NETWORKS[case.module](SHAPE[0], CLASSES)
    return train(net, standardised(torch.from_numpy(X), recipe), torch.from_numpy(y), recipe)


def stock(case: Case, X: np.ndarray, y: np.ndarray) -> NeuralNetClassifier:
    recipe = case.recipe
    return NeuralNetClassifier(
        NETWORKS[case.module], module__in_channels=SHAPE[0], module__num_classes=CLASSES,
        criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=recipe.lr,
        optimizer__momentum=recipe.momentum, optimizer__weight_decay=recipe.weight_decay,
        max_epochs=recipe.epochs, batch_size=recipe.batch_size, iterator_train__shuffle=True,
        train_split=None, device=recipe.device, verbose=0,
    ).fit(X, y)  # fmt: skip


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
    best = min("channels last", "channels first", key=lambda name: took[name][0])
    where = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    name = f"{case.module} on {where}"
    seen = case.images * case.recipe.epochs
    wall = {"ours": took["ours"][0], "plain": took[best][0], "skorch": took["skorch"][0]}
    cpu = {"ours": took["ours"][1], "plain": took[best][1], "skorch": took["skorch"][1]}
    targets = [None] * 3 if quick else [case.speed, case.over_plain, case.over_skorch]
    rows = [
        row(f"{name}: CNNClassifier", "images/s", seen / wall["ours"], targets[0], "higher"),
        row(f"{name}: plain loop, {best}", "images/s", seen / wall["plain"], None, "higher"),
        row(f"{name}: stock skorch", "images/s", seen / wall["skorch"], None, "higher"),
        row(f"{name}: CNNClassifier / plain loop, time", "×", wall["ours"] / wall["plain"],
            targets[1], "lower"),
        row(f"{name}: stock skorch / CNNClassifier, time", "×", wall["skorch"] / wall["ours"],
            targets[2], "higher"),
    ]  # fmt: skip
    if device == "cpu":
        rows += [
            row(f"{name}: CNNClassifier / plain loop, CPU seconds", "×",
                cpu["ours"] / cpu["plain"], None, "lower"),
            row(f"{name}: stock skorch / CNNClassifier, CPU seconds", "×",
                cpu["skorch"] / cpu["ours"], None, "higher"),
        ]  # fmt: skip
    rate = OPERATIONS[case.module] * seen / wall["ours"] / 1e9
    rows.append(row(f"{name}: CNNClassifier, arithmetic", "GFLOP/s", rate, None, "higher"))
    return rows


def prediction(n: int, repeats: int, quick: bool) -> list[dict[str, Any]]:
    X, y = problem(n)
    clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0, device="cpu")
    clf.fit(X[:500], y[:500])
    net, layer = copy.deepcopy(clf.module_.network), clf.module_.input
    images = torch.from_numpy(X)
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: clf.predict_proba(X)}
    for channels_last in (True, False):
        for size in (32, 64, 128, 256):
            layout = "last" if channels_last else "first"
            ways[f"batches of {size}, channels {layout}"] = partial(
                predict_proba, net, images, layer.mean, layer.std, size, channels_last
            )
    p = predict_proba(net, images[:500], layer.mean, layer.std, 64, True)
    np.testing.assert_allclose(clf.predict_proba(X[:500]), p, rtol=1e-3, atol=1e-5)
    took = turns(ways, repeats, "cpu")
    best = min((name for name in ways if name != "ours"), key=lambda name: took[name][0])
    wall, cpu = (took["ours"][i] / took[best][i] for i in (0, 1))
    name = f"small_cnn: predict_proba of {n:,} images"
    return [
        row(name, "images/s", n / took["ours"][0], None, "higher"),
        row(f"{name}, plain loop, {best}", "images/s", n / took[best][0], None, "higher"),
        row(f"{name} / plain loop, time", "×", wall, None if quick else 1.1, "lower"),
        row(f"{name} / plain loop, CPU seconds", "×", cpu, None, "lower"),
    ]


def ceiling(device: str, half: bool) -> float:
    """Measured speed of matrix products, in GFLOP/s."""
    n = 8192 if device == "cuda" else 1024
    A = torch.randn(n, n, device=device, dtype=torch.bfloat16 if half else torch.float32)
    took = turns({"product": lambda: A @ A}, 20, device)["product"][0]
    return 2 * n**3 / took / 1e9


def measure(quick: bool) -> list[dict[str, Any]]:
    repeats = 1 if quick else 7
    peak = ceiling("cpu", half=False)
    rows = [row("float32 matrix products on the CPU", "GFLOP/s", peak, None, "higher")]
    small, epochs = (500, 1) if quick else (10_000, 3)
    rows += training(Case("small_cnn", small, Recipe(epochs), 1.05, 1.3), repeats, quick)
    small = 64 if quick else 1_000
    rows += training(Case("resnet18_narrow", small, Recipe(1), 1.05, None), repeats, quick)
    rows += prediction(2_000 if quick else 100_000, repeats, quick)
    if torch.cuda.is_available():
        peak = ceiling("cuda", half=True)
        rows.append(row("bfloat16 matrix products on CUDA", "GFLOP/s", peak, None, "higher"))
        recipe = Recipe(1 if quick else 2, batch_size=512, device="cuda", half=True)
        case = Case("resnet18", 2_048 if quick else 51_200, recipe, 1.05, 3.0, 20_000.0)
        rows += training(case, 1 if quick else 3, quick)
    return rows
