"""Gradient norms of a pool against one plain forward and backward pass over it.

That pass, in evaluation mode and with the gradients of all weights, is the floor: whatever reads
gradients does at least about as much. It is timed in batches of 256, the default of
`gradient_norms`, and of 64, which suit a CPU's caches better; the ratios are to the faster one. The
two slow ways take one image at a time, as the published code does, and `torch.func`'s gradients of
each sample; they are timed on fewer images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from benchmarks._networks import FULL, NARROW, resnet18
from benchmarks._report import alone, interleaved, median, peak_memory, peak_memory_gpu, row
from skactive.gradients import gradient_norms

NETWORKS = {"narrow ResNet-18": NARROW, "ResNet-18": FULL}


def entropy(logits: Tensor) -> Tensor:
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum()


def plain(net: nn.Module, X: Tensor, batch_size: int) -> None:
    """One forward and backward pass."""
    for some in X.split(batch_size):
        net.zero_grad()
        entropy(net(some)).backward()


def published(net: nn.Module, X: Tensor) -> Tensor:
    """One image at a time, and a number read from each parameter tensor."""
    scores = []
    for x in X:
        grads = torch.autograd.grad(entropy(net(x[None])), list(net.parameters()))
        scores.append(sum(float(g.norm()) for g in grads))
    return torch.tensor(scores)


def by_func(net: nn.Module, X: Tensor, chunk: int) -> Tensor:
    """Gradients of each sample by `torch.func`, in chunks that fit into memory."""
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def one(values: dict[str, Tensor], x: Tensor) -> Tensor:
        return entropy(functional_call(net, values, (x[None],)))

    scores = []
    for some in X.split(chunk):
        grads = vmap(grad(one), in_dims=(None, 0))(parameters, some)
        scores.append(torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).sum(0))
    return torch.cat(scores)


def prepared(name: str, n: int, device: str = "cpu") -> tuple[nn.Module, Tensor]:
    """Return a network and images."""
    net = resnet18(NETWORKS[name]).eval().to(device)
    return net, torch.randn(n, 3, 32, 32, device=device)


def peak_of(name: str, way: str, n: int) -> float:
    """Peak memory, in MB, of this process after one way of scoring."""
    net, X = prepared(name, n)
    gradient_norms(net, X) if way == "norms" else plain(net, X, 256)
    return peak_memory()


def on_cpu(name: str, quick: bool) -> list[dict[str, Any]]:
    n, few, repeats = (16, 2, 1) if quick else (4096 if name.startswith("n") else 1024, 24, 5)
    net, X = prepared(name, n)
    torch.testing.assert_close(gradient_norms(net, X[:2]), published(net, X[:2]), rtol=1e-3, atol=0)
    plain(net, X[:few], 256)
    times = interleaved(
        {
            "256": lambda: plain(net, X, 256),
            "norms": lambda: gradient_norms(net, X),
            "64": lambda: plain(net, X, 64),
            "published": lambda: published(net, X[:few]),
            "func": lambda: by_func(net, X[:few], 8),
        },
        repeats,
    )
    images = {"published": few, "func": few}
    each = {
        way: [1e3 * value / images.get(way, n) for value in values] for way, values in times.items()
    }
    took = {way: median(values) for way, values in each.items()}
    floor = min(took["256"], took["64"])
    rows = [
        row(
            f"{name}: a pass over {n} images in batches of {size}, an image",
            "ms",
            each[size],
            None,
            "lower",
        )
        for size in ("256", "64")
    ]
    rows += [
        row(f"{name}: gradient_norms, an image", "ms", each["norms"], None, "lower"),
        row(
            f"{name}: gradient_norms / the faster pass (aim 1.5)",
            "×",
            took["norms"] / floor,
            None if quick else 2.0,
            "lower",
        ),
        row(
            f"{name}: gradient_norms / pass in batches of 256",
            "×",
            took["norms"] / took["256"],
            None,
            "lower",
        ),
        row(
            f"{name}: one image at a time / gradient_norms",
            "×",
            took["published"] / took["norms"],
            None,
            "higher",
        ),
        row(
            f"{name}: torch.func / gradient_norms",
            "×",
            took["func"] / took["norms"],
            None,
            "higher",
        ),
    ]
    for way, what in (("norms", "gradient_norms"), ("plain", "the pass in batches of 256")):
        peak = alone(peak_of, name, way, n)
        rows.append(row(f"{name}: peak memory of {what}", "MB", peak, None, "lower"))
    return rows


def on_cuda(quick: bool) -> list[dict[str, Any]]:
    n, few = (256, 8) if quick else (10_000, 100)
    return against_one_at_a_time("ResNet-18", n, few, quick, "cuda")


def against_one_at_a_time(
    network: str, n: int, few: int, quick: bool, device: str
) -> list[dict[str, Any]]:
    """Norms of a pool on a device, and of a few images one at a time."""
    net, X = prepared(network, n, device)

    def waiting(function: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            function()
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    ways = {
        "plain": waiting(lambda: plain(net, X, 256)),
        "norms": waiting(lambda: gradient_norms(net, X)),
        "published": waiting(lambda: published(net, X[:few])),
    }
    interleaved(ways, 1)  # algorithms are chosen and memory is reserved
    peak = peak_on(device, ways["norms"])
    times = interleaved(ways, 1 if quick else 5)
    ratio = median(times["published"]) / few / (median(times["norms"]) / n)
    where = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    name = f"{network} on {where}, {n} images"
    return [
        row(f"{name}: a pass", "s", times["plain"], None, "lower"),
        row(f"{name}: gradient_norms", "s", times["norms"], None if quick else 2.0, "lower"),
        row(
            f"{name}: one image at a time / gradient_norms",
            "×",
            ratio,
            None if quick else 60.0,
            "higher",
        ),
        row(f"{name}: peak memory of gradient_norms", "MB", peak, None, "lower"),
    ]


def peak_on(device: str, function: Callable[[], Any]) -> float:
    """Call a function; return the most memory in MB that tensors took meanwhile on a GPU."""
    if device != "cuda":
        function()
        return peak_memory()
    peak_memory_gpu()
    function()
    return peak_memory_gpu()


def measure(quick: bool) -> list[dict[str, Any]]:
    rows = [line for name in NETWORKS for line in on_cpu(name, quick)]
    return rows + on_cuda(quick) if torch.cuda.is_available() else rows
