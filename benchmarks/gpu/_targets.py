"""The steps that measure what a GPU is for: queries, selection, training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity

from benchmarks import ceilings as machine
from benchmarks._plain_loop import Recipe
from benchmarks._report import row
from benchmarks.gpu._settings import Settings, waited
from benchmarks.norms import against_one_at_a_time, peak_on
from benchmarks.query import query as fisher_query
from benchmarks.training import Case
from benchmarks.training import training as against_others
from skactive import BADGE, BAIT, CNNClassifier, CoreSet, Entropy, FisherMask, LPLGrad
from skactive.fisher import greedy_fisher, head_factors
from skactive.gradients import gradient_norms
from skactive.selection import (
    kmeans_plusplus,
    max_coverage,
    other_group_distances,
    purity_radius,
)

Rows = Iterator[dict[str, Any]]


def seconds(settings: Settings, function: Callable[[], Any]) -> float:
    """Return how long one call takes, until the device has done it."""
    start = time.perf_counter()
    waited(settings.device, function)()
    return time.perf_counter() - start


def ceilings(settings: Settings) -> Rows:
    """Measure what the device can do; later steps hold their counts against it."""
    n, images, megabytes = settings.size((8192, 4096, 4096), (128, 4, 8))
    repeats = settings.size(8, 2)

    def best(what: str, unit: str, values: list[float]) -> dict[str, Any]:
        return row(what, unit, values[1:], None, "higher")  # the first prepares

    for dtype in ("float32", "float64", "bfloat16"):
        rate = machine.products(settings.device, dtype, n, repeats)
        yield best(f"{dtype} matrix products", "GFLOP/s", rate)
    for dtype in ("float32", "bfloat16"):
        rate = machine.convolutions(settings.device, dtype, images, repeats)
        yield best(f"{dtype} convolutions", "GFLOP/s", rate)
    yield best("copying in memory", "GB/s", machine.copies(settings.device, megabytes, repeats))


def masked(settings: Settings) -> tuple[str, float]:
    """Return the network of FisherMask's queries, and the share of its parameters in the mask."""
    return settings.size(("resnet18_narrow", 0.002), ("small_cnn", 0.03))


def query(settings: Settings) -> Rows:
    """A whole FisherMask query on the narrow ResNet-18; the authors' log has 2,247 to 2,283 s."""
    N, n, n_labelled = settings.size((25_000, 2_000, 1_000), (54, 3, 10))
    target = settings.target(10.0)
    yield from fisher_query(N, n, n_labelled, settings.device, target, *masked(settings))


def norms(settings: Settings) -> Rows:
    """LPLgrad's norms with the full ResNet-18, and one image at a time."""
    network, n, few = settings.size(("ResNet-18", 10_000, 100), ("narrow ResNet-18", 8, 2))
    yield from against_one_at_a_time(network, n, few, settings.tiny, settings.device)


def head(settings: Settings, N: int, D: int, C: int = 10) -> tuple[nn.Module, Tensor]:
    """Make a last layer whose predictions are neither flat nor certain, and its inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        X, net = torch.randn(N, D).relu_(), nn.Linear(D, C)
        nn.init.normal_(net.weight, std=3 * D**-0.5)
    return net.to(settings.device), X.to(settings.device)


def bait(settings: Settings) -> Rows:
    """BAIT on a whole pool, with and without picks that are removed again."""
    N, D, n = settings.size((50_000, 512, 1_000), (200, 8, 5))
    net, X = head(settings, N, D)
    greedy_fisher(head_factors(net, X[:100]), 3, oversample=2.0)  # loads libraries
    for oversample in (1.0, 2.0):
        took: list[float] = []

        def whole(oversample: float = oversample, took: list[float] = took) -> None:
            took.append(
                seconds(
                    settings,
                    lambda: greedy_fisher(head_factors(net, X), n, oversample=oversample),
                )
            )

        peak = peak_on(settings.device, whole)
        name = f"BAIT on a whole pool, N = {N}, D = {D}, C = 10, B = {n}, oversample {oversample:g}"
        yield row(name, "s", took[0], None, "lower")
        yield row(f"{name}: peak memory", "MB", peak, None, "lower")


def badge_and_coverage(settings: Settings) -> Rows:
    """BADGE's k-means++ and ProbCover's coverage, from embeddings that are on the device."""
    N, D, C, n = settings.size((64_000, 512, 100, 1_000), (300, 8, 5, 10))
    net, H = head(settings, N, D, C)
    with torch.no_grad():
        p = net(H).softmax(1)
    S = p - torch.nn.functional.one_hot(p.argmax(1), C)
    kmeans_plusplus((S[:200], H[:200]), 3, first="largest", random_state=0)
    size = f"N = {N}, D = {D}, C = {C}, {n} picks"
    took = seconds(settings, lambda: kmeans_plusplus((S, H), n, first="largest", random_state=0))
    yield row(f"BADGE, {size}", "s", took, None, "lower")
    labels = p.argmax(1).cpu().numpy()
    X = H / H.norm(dim=1, keepdim=True).clamp_min(1e-6)
    distances: list[Any] = []
    apart = seconds(settings, lambda: distances.append(other_group_distances(X, labels)))
    yield row(f"distances to other groups, {size}", "s", apart, None, "lower")
    radius = purity_radius(distances[0], 0.95)
    cover = seconds(
        settings,
        lambda: max_coverage(X, n, radius, groups=(labels, distances[0]), random_state=0),
    )
    yield row(f"coverage, {size}", "s", cover, None, "lower", f"radius {radius:.3g}")


def training(settings: Settings) -> Rows:
    """ResNet-18 on 3×32×32 in bfloat16: CNNClassifier, a plain loop, and stock skorch."""
    recipe = Recipe(2, batch_size=512, device=settings.device, half=True)
    small = Recipe(1, batch_size=64, device=settings.device)
    full = Case("resnet18", 25_600, recipe, 1.05, 3.0, 20_000.0)
    case = settings.size(full, Case("small_cnn", 128, small, None, None))
    yield from against_others(case, settings.size(3, 1), settings.tiny)


def images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Make images of noise, uint8, and labels."""
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), np.arange(n) % 10


def against_training(settings: Settings) -> Rows:
    """A query of each kind against the training that it steers: 2,000 labels, 50 epochs."""
    N, n_labelled, n, epochs = settings.size((25_000, 2_000, 250, 50), (120, 40, 5, 1))
    X, y = images(N + n_labelled)
    labelled, pool = (X[:n_labelled], y[:n_labelled]), X[n_labelled:]
    network = settings.size("resnet18", "small_cnn")
    clf = CNNClassifier(
        network,
        batch_size=128,
        amp=not settings.tiny,
        device=settings.device,
        random_state=0,
    )
    clf.set_params(max_epochs=1).fit(*labelled)  # algorithms are chosen, memory is reserved
    clf.set_params(max_epochs=epochs)
    fit = seconds(settings, lambda: clf.fit(*labelled))
    name = f"{network}, {n_labelled} labels, {epochs} epochs"
    yield row(f"training, {name}", "s", fit, None, "lower")
    options: dict[str, Any] = {"random_state": 0, "batch_size": 256}
    given = {"X_labelled": labelled[0], "y_labelled": labelled[1]}
    for query in (
        Entropy(**options),
        BADGE(**options),
        CoreSet(**options),
        LPLGrad(**options),
        BAIT(**options, oversample=1.0),
        FisherMask(**options, progress=False),
    ):
        query.select(clf, pool[:100], 2, **given)  # loads libraries
        took = seconds(settings, lambda query=query: query.select(clf, pool, n, **given))
        what = f"{type(query).__name__} of {n} from {N}"
        yield row(f"{what}: query", "s", took, None, "lower")
        yield row(f"{what}: query / training", "×", took / fit, None, "lower", name)


def profile(settings: Settings) -> Rows:
    """Trace what is slowest against its count, at a smaller size; the table goes to profile.txt."""
    over = {
        name: settings.found.get(f"{name}: measured / at the ceiling", 0.0) for name in PROFILED
    }
    name = max(over, key=lambda key: over[key])
    function = PROFILED[name](settings)
    waited(settings.device, function)()
    kinds = [ProfilerActivity.CPU]
    kinds += [ProfilerActivity.CUDA] if settings.device == "cuda" else []
    with torch.profiler.profile(activities=kinds) as trace:
        wall = seconds(settings, function)
    averages = trace.key_averages()
    on_cuda = settings.device == "cuda"
    order = "self_cuda_time_total" if on_cuda else "self_cpu_time_total"
    table = averages.table(sort_by=order, row_limit=40, max_name_column_width=90)
    (settings.out / "profile.txt").write_text(f"{name}\n\n{table}\n", encoding="utf-8")
    kernels = [event for event in averages if event.device_type == DeviceType.CUDA]
    busy = sum(event.self_device_time_total for event in kernels) / 1e6
    launches = sum(event.count for event in averages if "LaunchKernel" in event.key)
    yield row(f"profile of {name}: time", "s", wall, None, "lower", "while it was traced")
    yield row(f"profile of {name}: the device's kernels", "s", busy, None, "lower")
    yield row(f"profile of {name}: launches", "kernels", launches, None, "lower")


def _profiled_norms(settings: Settings) -> Callable[[], Any]:
    from benchmarks.norms import prepared

    name, n = settings.size(("ResNet-18", 1_024), ("narrow ResNet-18", 4))
    net, X = prepared(name, n, settings.device)
    return lambda: gradient_norms(net, X)


def _profiled_query(settings: Settings) -> Callable[[], Any]:
    N, n = settings.size((2_000, 100), (40, 2))
    network, fraction = masked(settings)
    X, y = images(N)
    clf = CNNClassifier(network, max_epochs=1, random_state=0, device=settings.device)
    clf.fit(X[:64], y[:64])
    strategy = FisherMask(fraction=fraction, progress=False, random_state=0)
    return lambda: strategy.select(clf, X, n)


def _profiled_bait(settings: Settings) -> Callable[[], Any]:
    net, X = head(settings, *settings.size((50_000, 512), (100, 8)))
    return lambda: greedy_fisher(head_factors(net, X), settings.size(50, 3))


def _profiled_training(settings: Settings) -> Callable[[], Any]:
    X, y = images(settings.size(10_240, 64))
    network = settings.size("resnet18", "small_cnn")
    clf = CNNClassifier(
        network, max_epochs=1, batch_size=512, amp=not settings.tiny, device=settings.device
    )
    return lambda: clf.fit(X, y)


PROFILED: dict[str, Callable[[Settings], Callable[[], Any]]] = {
    "FisherMask's query": _profiled_query,
    "norms": _profiled_norms,
    "BAIT": _profiled_bait,
    "training": _profiled_training,
}
