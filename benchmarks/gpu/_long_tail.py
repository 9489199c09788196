"""CIFAR-10-LT in what time is left: four strategies, 250 + 10 × 250 labels, ResNet-18.

Held against the areas of Lüth et al. (arXiv 2301.10625): three seeds of Random .545, Entropy .579,
BADGE .589, CoreSet .616, each trained for longer than there is time for here. The strategies run
side by side, each in a process of its own, with the same start, the same number of epochs, and
balanced weights where the published training has balanced batches.
"""

from __future__ import annotations

import json
import math
import queue
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from benchmarks._report import row
from benchmarks.gpu._settings import Settings, waited
from benchmarks.gpu.sheets import read
from skactive import BADGE, CNNClassifier, CoreSet, Entropy, Random
from skactive.datasets import initial_positions

PUBLISHED = {"Random": 0.545, "Entropy": 0.579, "BADGE": 0.589, "CoreSet": 0.616}
ARMS = {"Random": Random, "Entropy": Entropy, "BADGE": BADGE, "CoreSet": CoreSet}
BATCH = 128
EPOCHS = (10, 200)
# By how much four processes slow each other down, at a guess; and the part of the time to plan for.
_SHARED, _PLANNED = 2.0, 0.8
# A process that shares the device can overrun by a training.
_SPARE = 12.0


def long_tail(settings: Settings) -> Iterator[dict[str, Any]]:
    """Run the four strategies, seed by seed, as long as another seed fits into the time."""
    if settings.data is None:
        yield row("CIFAR-10-LT: not run, for want of --data", "", 0.0, None, "lower")
        return
    end = time.monotonic() + settings.seconds - settings.size(_SPARE, 1.0)
    epochs = settings.size(_affordable(settings, end - time.monotonic()), 1)
    yield row("CIFAR-10-LT: epochs of each training", "epochs", epochs, None, "higher")
    areas: dict[str, list[float]] = defaultdict(list)
    for seed in range(settings.size(20, 1)):
        start = time.monotonic()
        found = _side_by_side(settings, seed, epochs, end)
        yield from _of_a_seed(found, seed, 1 + rounds(settings)[1], areas)
        if time.monotonic() + 1.1 * (time.monotonic() - start) > end:
            break
    for name, values in areas.items():
        what = f"CIFAR-10-LT, {name}: area of the accuracy, mean of the seeds"
        yield row(what, "", values, None, "higher", f"published {PUBLISHED[name]}")


def rounds(settings: Settings) -> tuple[int, int]:
    """Return the labels of a round, and the number of rounds after the first."""
    labels: tuple[int, int] = settings.size((250, 10), (20, 2))
    return labels


def classifier(settings: Settings, epochs: int, seed: int) -> CNNClassifier:
    """Return what is trained in each round."""
    return CNNClassifier(
        settings.size("resnet18", "small_cnn"),
        max_epochs=epochs,
        batch_size=BATCH,
        augment="crop_flip",
        class_weight="balanced",
        classes=range(10),
        amp=not settings.tiny,
        device=settings.device,
        random_state=seed,
    )


def _affordable(settings: Settings, seconds: float) -> int:
    """Return the number of epochs for which all rounds of a seed fit into the time."""
    X, y, *_ = read(settings.data)
    n, more = rounds(settings)
    few = min(len(X), 8 * BATCH)
    took = math.inf
    for _ in range(2):  # the first chooses algorithms
        start = time.perf_counter()
        waited(settings.device, lambda: classifier(settings, 2, 0).fit(X[:few], y[:few]))()
        took = min(took, time.perf_counter() - start)
    step = took / (2 * math.ceil(few / BATCH))
    steps = sum(math.ceil(n * (r + 1) / BATCH) for r in range(more + 1))
    return int(np.clip(_PLANNED * seconds / (steps * step * _SHARED), *EPOCHS))


def _side_by_side(settings: Settings, seed: int, epochs: int, end: float) -> dict[str, list[float]]:
    """Return the accuracies of each strategy, round by round; fewer if the time is over."""
    context = get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(
            target=_report, args=(results, settings, name, seed, epochs, end), daemon=True
        )
        for name in ARMS
    ]
    for process in processes:
        process.start()
    found: dict[str, list[float]] = {name: [] for name in ARMS}
    running = len(processes)
    with (settings.out / "long_tail.jsonl").open("a", encoding="utf-8") as file:
        while running and time.monotonic() < end:
            try:
                name, result = results.get(timeout=0.2)
            except queue.Empty:
                running = sum(process.is_alive() for process in processes)
                continue
            if isinstance(result, float):
                found[name].append(result)
            running -= result is None
            line = {"strategy": name, "seed": seed, "epochs": epochs, "accuracy": result}
            file.write(json.dumps(line) + "\n")
            file.flush()
    for process in processes:
        process.terminate()
        process.join()
    return found


def _of_a_seed(
    found: dict[str, list[float]], seed: int, n_rounds: int, areas: dict[str, list[float]]
) -> Iterator[dict[str, Any]]:
    """Report the rounds that all four have; the areas are kept if these are all rounds."""
    common = min(map(len, found.values()))
    for name, accuracies in found.items():
        if common < 2:
            continue
        curve = np.array(accuracies[:common])
        area = float((curve[:-1] + curve[1:]).mean() / 2)
        what = f"CIFAR-10-LT, {name}, seed {seed}: area of the accuracy, {common} rounds"
        listed = "accuracies " + " ".join(f"{a:.3f}" for a in curve)
        yield row(what, "", area, None, "higher", listed)
        if common == n_rounds:
            areas[name].append(area)


def _report(
    results: Any, settings: Settings, name: str, seed: int, epochs: int, end: float
) -> None:
    """Send the accuracies of one strategy, or the traceback of what went wrong, and None."""
    torch.set_num_threads(2)
    try:
        for accuracy in _accuracies(settings, name, seed, epochs, end):
            results.put((name, accuracy))
    except Exception:
        results.put((name, traceback.format_exc()))
    results.put((name, None))


def _accuracies(
    settings: Settings, name: str, seed: int, epochs: int, end: float
) -> Iterator[float]:
    X, y, X_test, y_test = read(settings.data)
    n, more = rounds(settings)
    labelled = initial_positions(y, n, random_state=seed)
    for r in range(more + 1):
        clf = classifier(settings, epochs, seed).fit(X[labelled], y[labelled])
        yield float((clf.predict(X_test) == y_test).mean())
        if r == more or time.monotonic() > end:
            return
        pool = np.setdiff1d(np.arange(len(X)), labelled)
        given = {"X_labelled": X[labelled], "y_labelled": y[labelled]}
        chosen = ARMS[name](random_state=1000 * seed + r).select(clf, X[pool], n, **given)
        labelled = np.concatenate([labelled, pool[chosen.indices]])
