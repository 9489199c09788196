"""Features that are computed once: a round on cached features, and what it takes to make them.

A round is what each turn of active learning costs besides the person who labels: fitting a logistic
regression on 1,000 labels, a query, and predicting the pool. It is measured on features in memory,
against scikit-activeml with the same classifier, where it has the strategy and it is feasible
at this size. What it replaces, embedding the pool anew, is measured per image: PNG files of
96×96 through a ResNet-18 with random weights, against a plain loop of Pillow and torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import nn
from torchvision import models

from benchmarks._report import alone, interleaved, peak_memory, row
from skactive import (
    CoreSet,
    Embedder,
    Entropy,
    ImageCache,
    KMeansSampling,
    LeastConfidence,
    Margin,
    Random,
    TypiClust,
)

CLASSES, SIDE = 10, 96
MEAN, STD = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
OURS = {
    "Random": Random(random_state=0),
    "LeastConfidence": LeastConfidence(),
    "Margin": Margin(),
    "Entropy": Entropy(),
    "CoreSet": CoreSet(random_state=0),
    "KMeansSampling": KMeansSampling(random_state=0),
    "TypiClust": TypiClust(random_state=0),
}


def problem(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of ten classes that overlap, float32, and the classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=n)
    centers = rng.normal(size=(CLASSES, d)).astype(np.float32)
    return centers[y] + 3 * rng.standard_normal((n, d), dtype=np.float32), y


def rounds(n: int, d: int, n_labelled: int, repeats: int, quick: bool) -> list[dict[str, Any]]:
    X, y = problem(n + n_labelled, d)
    pool, labelled, labels = X[:n], X[n:], y[n:]
    clf = LogisticRegression(C=0.1, max_iter=200).fit(labelled, labels)
    given = {"X_labelled": labelled, "y_labelled": labels}
    rows_given = {"embeddings": pool, "embeddings_labelled": labelled}
    ways: dict[str, Callable[[], Any]] = {
        "fit": lambda: LogisticRegression(C=0.1, max_iter=200).fit(labelled, labels),
        "predict": lambda: clf.predict(pool),
    }
    for name, strategy in OURS.items():
        ways[name] = lambda s=strategy: s.select(clf, pool, 100, **given, **rows_given)
    theirs = peers(clf, pool, labelled, labels)
    found = interleaved(ways | theirs, repeats)
    size = f"{n:,} × {d}"
    rows = [row(f"{size}: {name}", "s", found[name], None, "lower") for name in ways]
    for name in OURS:
        whole = [
            sum(parts) for parts in zip(found["fit"], found[name], found["predict"], strict=True)
        ]
        target = 1.0 if name == "Margin" and not quick else None
        rows.append(row(f"{size}: a round of {name}", "s", whole, target, "lower"))
        if f"peer: {name}" in found:
            pairs = zip(found[f"peer: {name}"], found[name], strict=True)
            ratio = [peer / own for peer, own in pairs]
            rows.append(
                row(f"{size}: {name}: scikit-activeml / skactive", "×", ratio, None, "higher")
            )
    return rows


def peers(
    clf: Any, pool: np.ndarray, labelled: np.ndarray, labels: np.ndarray
) -> dict[str, Callable[[], Any]]:
    """Return calls of scikit-activeml with the same classifier, where it is installed."""
    try:
        from skactiveml import pool as strategies
        from skactiveml.classifier import SklearnClassifier
    except ImportError:
        return {}
    X = np.concatenate([pool, labelled])
    y = np.concatenate([np.full(len(pool), np.nan), labels])
    wrapped = SklearnClassifier(clf, classes=np.arange(CLASSES)).fit(labelled, labels)
    known = {"clf": wrapped, "fit_clf": False}
    methods = {
        "LeastConfidence": "least_confident",
        "Margin": "margin_sampling",
        "Entropy": "entropy",
    }

    def by(method: str) -> Callable[[], Any]:
        strategy = strategies.UncertaintySampling(method, random_state=0)
        return lambda: strategy.query(X, y, batch_size=100, **known)

    calls = {f"peer: {name}": by(method) for name, method in methods.items()}
    core_set = strategies.CoreSet(random_state=0)
    return calls | {"peer: CoreSet": lambda: core_set.query(X, y, batch_size=100)}


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.resnet18().eval()


def write_files(folder: Path, n: int) -> list[str]:
    """Write n smooth pictures."""
    rng, files = np.random.default_rng(0), []
    for i in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        files.append(str(folder / f"{i:06}.png"))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(files[-1])
    return files


def plain_decode(files: list[str]) -> np.ndarray:
    images = np.empty((len(files), SIDE, SIDE, 3), np.uint8)
    for i, file in enumerate(files):
        with Image.open(file) as image:
            images[i] = np.asarray(image.convert("RGB"))
    return images


def plain_embed(net: nn.Module, files: list[str]) -> np.ndarray:
    """The loop that everybody writes."""
    mean, std = (torch.tensor(part)[:, None, None] for part in (MEAN, STD))
    body = nn.Sequential(*list(net.children())[:-1])
    rows = []
    with torch.inference_mode():
        for start in range(0, len(files), 64):
            x = torch.from_numpy(plain_decode(files[start : start + 64])).permute(0, 3, 1, 2)
            rows.append(body((x / 255 - mean) / std).flatten(1))
    return torch.cat(rows).numpy()


def making(n: int, repeats: int) -> list[dict[str, Any]]:
    """Rates of decoding and embedding; the cache is a new one each time, or full."""
    net = network()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_files(folder, n)
        caches = iter(range(10**6))

        def embedder(cache: Any) -> Embedder:
            return Embedder(net, device="cpu", cache=cache)

        full = embedder(folder / "full")
        np.testing.assert_allclose(
            full.transform(files), plain_embed(net, files), rtol=1e-3, atol=1e-4
        )
        size = (SIDE, SIDE)
        ImageCache(files, folder / "images", size)
        found = interleaved(
            {
                "embed, plain loop": lambda: plain_embed(net, files),
                "embed, no cache": lambda: embedder(None).transform(files),
                "embed, new cache": lambda: embedder(folder / str(next(caches))).transform(files),
                "embed, full cache": lambda: full.transform(files),
                "decode, plain loop": lambda: plain_decode(files),
                "decode, new ImageCache": lambda: ImageCache(
                    files, folder / str(next(caches)), size
                ),
                "decode, full ImageCache": lambda: np.array(
                    ImageCache(files, folder / "images", size)
                ),
            },
            repeats,
        )
    rows = [
        row(f"{name}", "images/s", [n / took for took in found[name]], None, "higher")
        for name in found
    ]
    for what, ours, plain in [
        ("embed, new cache / plain loop", "embed, new cache", "embed, plain loop"),
        ("decode, new ImageCache / plain loop", "decode, new ImageCache", "decode, plain loop"),
    ]:
        pairs = zip(found[ours], found[plain], strict=True)
        rows.append(row(what, "×", [own / other for own, other in pairs], None, "lower"))
    pairs = zip(found["embed, plain loop"], found["embed, full cache"], strict=True)
    rows.append(
        row(
            "embedding anew / full cache",
            "×",
            [anew / kept for anew, kept in pairs],
            None,
            "higher",
        )
    )
    return rows


class Small(nn.Module):
    """So small a network that files are what is measured."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, stride=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps."""
        return self.conv(x)


def memory_of(n: int) -> float:
    """Peak memory of embedding n files into a new cache, in MB."""
    with tempfile.TemporaryDirectory() as name:
        files = write_files(Path(name), n)
        Embedder(Small(), device="cpu", cache=Path(name) / "cache").transform(files)
    return peak_memory()


def measure(quick: bool) -> list[dict[str, Any]]:
    rows = rounds(2000, 32, 100, 1, quick) if quick else rounds(50_000, 512, 1000, 3, quick)
    rows += making(64, 1) if quick else making(512, 3)
    few, many = (100, 200) if quick else (1000, 8000)
    less, more = alone(memory_of, few), alone(memory_of, many)
    grown = (more - less) / (many - few) * 1000
    rows.append(row(f"embedding {many:,} files, peak memory", "MB", more, None, "lower"))
    target = None if quick else 5.0
    rows.append(row("growth of it for 1,000 files more", "MB", grown, target, "lower"))
    return rows
