"""How far one query walks through the source: `python -m tests.walk`.

Counts the files of skactive that a query enters, how often it goes from one of them to another, and
how often the pool's first sample goes through the network alone. tests/test_walk.py
bounds them.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import skactive
from skactive import CNNClassifier, FisherMask

ROOT = str(Path(skactive.__file__).parent)


@dataclass
class Walk:
    """What was counted.

    Attributes
    ----------
    files : Counter of str
        Calls of functions per file.
    changes : int
        How often a call went from one file to another, and how often one came back: two per call.
    pairs : Counter of (str, str)
        These calls alone, by the functions that called and were called, each with its file.
    alone : int
        How often the pool's first sample went through the network as a batch of its own.
    """

    files: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    alone: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)


def walk(query: Any, clf: Any, X_pool: np.ndarray, **labelled: Any) -> Walk:
    """Run one query, and count."""
    found = Walk()
    stack: list[tuple[str, str]] = []
    first = torch.as_tensor(X_pool[:1], dtype=torch.float32).flatten()

    def follow(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if not file.startswith(ROOT):
            return
        if event == "call":
            found.files[file] += 1
            if stack and stack[-1][0] != file:
                found.changes += 2
                found.pairs[_named(*stack[-1]), _named(file, frame.f_code.co_name)] += 1
            stack.append((file, frame.f_code.co_name))
        elif event == "return" and stack:
            stack.pop()

    def look(_: Any, args: tuple[Any, ...]) -> None:
        x = args[0]
        if len(x) == 1 and x.numel() == len(first):
            found.alone += bool(torch.equal(x.flatten().float(), first))

    hook = clf.module_.register_forward_pre_hook(look)
    sys.setprofile(follow)
    try:
        query.select(clf, X_pool, 50, **labelled)
    finally:
        sys.setprofile(None)
        hook.remove()
    return found


def _named(file: str, function: str) -> str:
    return f"{Path(file).stem}.{function}"


def fisher_mask_walk() -> Walk:
    """Query 50 of a pool of 1,000 with FisherMask, at the default batch sizes."""
    rng = np.random.default_rng(0)
    X, y = rng.random((1100, 1, 12, 12), dtype=np.float32), np.arange(1100) % 10
    clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0).fit(X[:100], y[:100])
    labelled = {"X_labelled": X[:100], "y_labelled": y[:100]}
    query = FisherMask(random_state=0)
    query.select(clf, X[100:], 2, **labelled)  # imports modules, which goes through a hook of ours
    return walk(query, clf, X[100:], **labelled)


if __name__ == "__main__":
    found = fisher_mask_walk()
    for file, count in found.files.most_common():
        print(f"{count:6} {Path(file).relative_to(ROOT)}")
    for (one, other), count in found.pairs.most_common(30):
        print(f"{count:6} {one} -> {other}")
    print(f"{len(found.files)} files, {found.changes} changes of file")
    print(f"the first sample alone: {found.alone} times")
