"""Pools in shards: what blocks, files and workers cost beside scoring the array in one process.

The pool is uint8 images of 32×32×3 in 100 .npy files, 1,000,000 of them or, with --quick, 6,000
in 6 files; the network is that of the benchmark `pools`. Three ways find the same picks: the array
in memory in one process; the shards there, block by block, results written; and two workers
of joblib's loky, the time of starting them left out. All on one thread, as two workers of two
threads each would wait for each other on two cores. The overhead is that of
the second against the first, in turns, since nothing else differs between them. Memory is what a
process allocates, as in `pools`, for two sizes of the pool; that of workers is the largest.

Of strategies in two stages it is measured what they lose, as the share of the objective that
they reach of what one process reaches, which sees the whole pool. Of the trace objectives of BAIT
and FisherMask (the latter's on every twentieth sample and the mask of one process), of the radius
of CoreSet and of BADGE's potential of k-means++ it is one process / two stages; of the coverage of
MaxHerding and, weighted by margins, of UHerding, two stages / one process. 1 is no loss; sampling
makes numbers above it.

`--only` takes a part: `losses` or `overhead`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor

from benchmarks._machine import memory
from benchmarks._report import alone, row, seconds
from benchmarks.pools import PeakMemory, _fitted, _labels

NAMES = ("Margin", "GradientNorm")
PICKS, BATCH = 100, 250


def make_shards(folder: Path, N: int, shards: int) -> None:
    """Write N images of noise on a brightness that shows the class, in equal shards."""
    rng, size = np.random.default_rng(0), N // shards
    for i in range(shards):
        noise = rng.integers(0, 56, (size, 32, 32, 3), dtype=np.uint8)
        noise += _labels(i * size, size)[:, None, None, None] * 20
        np.save(folder / f"{i:03}.npy", noise)


def _opened(folder: Path) -> tuple[Any, Any, Any]:
    from skactive import ShardedPool

    warnings.simplefilter("ignore")
    pool = ShardedPool.from_npy(str(folder / "*.npy"))
    X, y = pool[:500], _labels(0, 500)
    return pool, _fitted("Margin", X, y), (X, y)


def overhead(name: str, folder: Path, repeats: int) -> list[tuple[float, float, float]]:
    """Seconds of the array, of the blocks in this process, and of two workers; the same picks."""
    import skactive

    torch.set_num_threads(1)
    pool, clf, _ = _opened(folder)
    few = skactive.ShardedPool.from_npy(str(folder / "00[01].npy"))
    array = np.asarray(pool)
    strategy = getattr(skactive, name)(batch_size=BATCH, random_state=0)
    strategy.select(clf, array[:1_000], PICKS)
    found, picks = [], []

    def timed(X: Any, **given: Any) -> float:
        shutil.rmtree(folder / "work", ignore_errors=True)
        return seconds(lambda: picks.append(strategy.select(clf, X, PICKS, **given).indices))

    for _ in range(repeats):
        one, blocks = timed(array), timed(pool, work=folder / "work")
        with joblib.parallel_config("loky", n_jobs=2):
            if not found:  # starts them
                strategy.select(clf, few, PICKS, work=folder / "work")
            found.append((one, blocks, timed(pool, work=folder / "work")))
    get_reusable_executor().shutdown()  # or the process would wait for them, five minutes
    assert all(np.array_equal(some, picks[0]) for some in picks)
    return found


class WorkersMemory(PeakMemory):
    """The most that any child of this process allocates inside the block, in MB."""

    every = 0.05

    def now(self) -> float:
        """What the largest child holds now."""
        found = [0.0]
        for task in Path("/proc/self/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError, KeyError):  # it has ended
                    found.append(memory("RssAnon", pid=child))
        return max(found)


def peaks(name: str, folder: Path) -> tuple[float, float]:
    """Peak memory of the caller and of the larger of two workers, in MB."""
    import skactive

    pool, clf, _ = _opened(folder)
    strategy = getattr(skactive, name)(batch_size=BATCH, random_state=0)
    shutil.rmtree(folder / "work", ignore_errors=True)
    with joblib.parallel_config("loky", n_jobs=2), PeakMemory() as own, WorkersMemory() as workers:
        strategy.select(clf, pool, PICKS, work=folder / "work")
        time.sleep(0.1)
    get_reusable_executor().shutdown()
    return own.value, workers.value


def losses(folder: Path, n: int) -> dict[str, float]:
    """Return the shares of their objectives that strategies in two stages reach."""
    from skactive import BADGE, BAIT, CoreSet, FisherMask, MaxHerding, UHerding
    from skactive.fisher import fisher_factors
    from skactive.gradients import head_inputs

    pool, clf, (X, y) = _opened(folder)
    array = np.asarray(pool)
    found = head_inputs(clf.module_, clf.check_samples(array), batch_size=BATCH)
    h, p = found.inputs.double(), found.logits.double().softmax(1)
    g = p.clone()
    g[torch.arange(len(g)), p.argmax(1)] -= 1  # the residual, BADGE's s of s ⊗ h
    of_labels = head_inputs(clf.module_, clf.check_samples(X), batch_size=BATCH)

    def farthest(at: Any) -> float:
        centers = torch.cat([of_labels.inputs.double(), h[at]])
        return float(torch.cdist(h, centers).amin(1).max())

    def potential(at: Any) -> float:
        own, some = g.square().sum(1) * h.square().sum(1), g[at] @ g.T * (h[at] @ h.T)
        return float((own[None] - 2 * some + own[at][:, None]).amin(0).clamp_min(0).sum())

    def trace(at: Any) -> float:
        at = torch.as_tensor(at)
        mean = _fisher(p, h) / len(p)
        q = of_labels.logits.double().softmax(1)
        known = _fisher(q, of_labels.inputs.double()) + _fisher(p[at], h[at])
        ridge = torch.eye(len(mean), dtype=torch.float64)
        return float(torch.linalg.solve(known + ridge, mean).trace())

    fisher = FisherMask(fraction=0.12, progress=False, random_state=0)
    mask = fisher.choose_mask(clf, array)

    def factors(images: np.ndarray) -> Any:
        return fisher_factors(clf.module_, clf.check_samples(images), mask, batch_size=BATCH)

    def masked_trace(at: Any) -> float:
        labelled, batch = (factors(some).gram().double() for some in (X, array[at]))
        known = (labelled + n * batch) / (len(X) + n)  # as FisherMask scales them
        known.diagonal().add_(1)
        some = factors(array[::20])
        return float(torch.linalg.solve(known, some.gram().double() / len(some)).trace())

    first, second = p.topk(2, 1).values.T
    by_margin = 1 - (first - second)

    def covered(at: Any, weights: Any = None) -> float:
        e = torch.nn.functional.normalize(h)
        centers = torch.nn.functional.normalize(of_labels.inputs.double())
        kernel = (-torch.cdist(e, torch.cat([centers, e[at]])).square()).exp().amax(1)
        return float((kernel if weights is None else weights * kernel).mean())

    known = {"X_labelled": X, "y_labelled": y}
    shares = {}
    for strategy, value, sign in (
        (CoreSet(random_state=0), farthest, -1),
        (BADGE(random_state=0), potential, -1),
        (BAIT(random_state=0), trace, -1),
        (fisher, masked_trace, -1),
        (MaxHerding(random_state=0), covered, 1),
        (
            UHerding(temperature=1.0, sigma=1.0, random_state=0),
            lambda at: covered(at, by_margin),
            1,
        ),
    ):
        one = value(strategy.select(clf, array, n, **known).indices)
        two = value(strategy.select(clf, pool, n, work=folder / "work", **known).indices)
        shares[type(strategy).__name__] = (two / one) ** sign
    return shares


def _fisher(p: Any, h: Any) -> Any:
    """Return Σ (diag p − p pᵀ) ⊗ h hᵀ over samples."""
    C, D = p.shape[1], h.shape[1]

    def block(a: int, b: int) -> torch.Tensor:
        weights = p[:, a] * (float(a == b) - p[:, b])
        return (weights[:, None] * h).T @ h

    parts = [block(a, b) for a in range(C) for b in range(C)]
    return torch.stack(parts).reshape(C, C, D, D).swapaxes(1, 2).reshape(C * D, C * D)


def measure(quick: bool, only: str = "") -> list[dict[str, Any]]:
    small, large = (2_000, 6_000) if quick else (100_000, 1_000_000)
    shards, n = (6, 50) if quick else (100, 200)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_shards(folder, small - small % shards, shards)
        for strategy, share in alone(losses, folder, n).items() if only in "losses" else ():
            what = f"{strategy} in two stages, N = {small:,}: share of the objective"
            rows.append(row(what, "×", share, None, "higher"))
        if only not in "overhead":
            return rows
        before = {strategy: alone(peaks, strategy, folder) for strategy in NAMES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_shards(folder, large, shards)
        for strategy in NAMES:
            what = f"{strategy}, N = {large:,}"
            times = alone(overhead, strategy, folder, 1 if quick else 3)
            rows += _of_times(what, np.array(times), None if quick else 1.05)
            peak, at_first = alone(peaks, strategy, folder), before[strategy]
            for who, value, less in zip(("caller", "worker"), peak, at_first, strict=True):
                note = f"at N = {small:,} {less:.0f} MB"
                rows.append(row(f"{what}: peak memory, {who}", "MB", value, None, "lower", note))
    return rows


def _of_times(what: str, times: np.ndarray, target: float | None) -> list[dict[str, Any]]:
    one, blocks, workers = times.T
    cores = f"{len(os.sched_getaffinity(0))} cores"
    return [
        row(f"{what}: the array, one process", "s", one.tolist(), None, "lower"),
        row(f"{what}: in blocks / the array", "×", (blocks / one).tolist(), target, "lower"),
        row(
            f"{what}: two workers / the array", "×", (workers / one).tolist(), None, "lower", cores
        ),
    ]
