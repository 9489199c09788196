"""Norms of gradients, against one backward pass per sample, on every module."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from skactive._device import unwrap
from skactive.gradients import _geometry, _gradient_norms, _takers, gradient_norms
from skactive.gradients._general import func_gradients, loop_gradients
from skactive.gradients._geometry import GEOMETRIES
from skactive.gradients._network import lend_network
from skactive.gradients._takers import NormTaker
from tests.cases import Apply, Case, all_cases, overwritten_input
from tests.gradients.spies import Spy
from tests.gradients.test_golden import golden_network
from tests.oracles import naive_norms

SCORES = pytest.mark.parametrize("score", ["entropy", "expected", "predicted"])
NORMS = pytest.mark.parametrize("norm", ["layer_sum", "global"])


@pytest.fixture
def spy(monkeypatch):
    return Spy(monkeypatch, _gradient_norms)


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12 * float(expected.abs().max()))


@pytest.mark.parametrize("case", all_cases())
@SCORES
@NORMS
def test_norms(case: Case, score, norm, spy):
    module, X = case.build()
    expected = naive_norms(unwrap(module), X.clone(), score, norm)
    before = X.clone()
    close(gradient_norms(module, X, score=score, norm=norm, batch_size=3), expected)
    assert torch.equal(X, before)
    spy.check(case.general)


# -- one layer's norms, whatever its shape --------------------------------------


def layers() -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Layers and the shapes of their inputs, some of few positions and some of few channels."""
    found: list[tuple[nn.Module, tuple[int, ...]]] = [
        (nn.Linear(5, 4), (5,)),
        (nn.Linear(5, 4), (2, 5)),
        (nn.Linear(3, 2), (4, 5, 3)),
        (nn.BatchNorm1d(5), (5,)),
        (nn.BatchNorm2d(5), (5, 3, 4)),
    ]
    for size, kernel, stride, padding, dilation, groups in product(
        ((3, 4), (7, 6)), (1, 3, (1, 3)), (1, (2, 1)), (0, 1, "same"), (1, 2), (1, 2, 4)
    ):
        tall = size[0] + (2 if padding == 1 else 0)
        if (padding == "same" and stride != 1) or (kernel != 1 and dilation == 2 and tall < 5):
            continue
        for mode in ("zeros", "circular", "reflect", "replicate"):
            layer = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups, padding_mode=mode)
            found.append((layer, (4, *size)))
    return found


@pytest.mark.parametrize("form", ["chosen", "gradient", "patches", "pixels"])
def test_formulas(form, monkeypatch):
    """Each formula gives the same for every layer, in one block or in many."""
    ways = {
        "gradient": (lambda *_: 10**9, lambda *_: 10**9),
        "patches": (lambda *_: -(10**9), lambda *_: 10**9),
        "pixels": (lambda *_: -(10**9), lambda *_: -(10**9)),
    }
    used = {"products": 0, "pixels": 0}
    for where, name in ((_geometry.Geometry, "products"), (_geometry.Conv2dGeometry, "pixels")):
        method = where.patch_products

        def count(self, *args, method=method, name=name):
            used[name] += 1
            return method(self, *args)

        monkeypatch.setattr(where, "patch_products", count)
    if form != "chosen":
        products, pixels = ways[form]
        for kind in (_geometry.Geometry, _geometry.Conv2dGeometry):
            monkeypatch.setattr(kind, "product_cost", products)
        monkeypatch.setattr(_geometry.Conv2dGeometry, "_input_product_cost", pixels)
    for block in (2**20, 1):
        monkeypatch.setattr(_takers, "_cached", lambda device, block=block: block)
        for one in measured_layers():
            check_layer(*one)
    if form == "gradient":
        assert used == {"products": 0, "pixels": 0}
    elif form == "patches":
        assert used["products"] >= used["pixels"] > 0
    elif form == "pixels":
        assert used["pixels"] > 0
    else:
        assert min(used.values()) > 0


@cache
def measured_layers() -> list[tuple[nn.Module, Tensor, Tensor, list[Tensor]]]:
    """Layers, inputs, gradients of outputs, and the squared norms by a backward pass per sample."""
    found, n = [], 3
    for layer, shape in layers():
        layer.double().eval()
        draw = torch.Generator().manual_seed(0)
        a = torch.randn(n, *shape, dtype=torch.float64, generator=draw)
        delta = torch.randn(layer(a).shape, dtype=torch.float64, generator=draw)
        norms = []
        for i in range(n):
            only = (layer(a[i : i + 1]) * delta[i : i + 1]).sum()
            grads = torch.autograd.grad(only, [layer.weight, layer.bias])
            norms.append(torch.stack([gradient.square().sum() for gradient in grads]))
        found.append((layer, a, delta, list(torch.stack(norms, 1))))
    return found


def check_layer(layer: nn.Module, a: Tensor, delta: Tensor, norms: list[Tensor]) -> None:
    taker = NormTaker(GEOMETRIES[type(layer)](layer), ["weight", "bias"], copies=False)
    taker.record(a, len(a))
    with torch.no_grad():
        taker.take(delta)
    for name, expected in zip(("weight", "bias"), norms, strict=True):
        torch.testing.assert_close(
            taker.taken(name),
            expected,
            rtol=1e-9,
            atol=1e-12,
            msg=f"{layer} on {tuple(a.shape)}, {name}",
        )


@pytest.mark.parametrize(
    ("layer", "shape", "calls"),
    [
        (nn.Conv2d(16, 16, 3, padding=1), (16, 32, 32), 0),  # T·O·d = 2.4e6 < T²·O = 1.7e7
        (nn.Conv2d(128, 128, 3, padding=1), (128, 4, 4), 1),  # T²·O = 3.3e4
        (nn.Conv2d(128, 128, 3, padding=1, groups=128), (128, 4, 4), 0),  # O/g·d = 9
        (nn.Linear(64, 10), (64,), 1),  # ‖δ‖²‖a‖²
    ],
)
def test_the_cheaper_formula_is_chosen(layer, shape, calls, monkeypatch):
    used = []
    geometry = GEOMETRIES[type(layer)](layer)
    products = geometry.patch_products
    monkeypatch.setattr(geometry, "patch_products", lambda a, n: used.append(n) or products(a, n))
    taker = NormTaker(geometry, ["weight"], copies=False)
    a = torch.randn(2, *shape)
    taker.record(a, 2)
    with torch.no_grad():
        taker.take(torch.randn_like(layer(a)))
    assert len(used) == calls


def test_products_that_cancel_give_zero_not_nan():
    layer = nn.Conv2d(64, 64, 3, padding=1)
    taker = NormTaker(GEOMETRIES[type(layer)](layer), ["weight"], copies=False)
    a = torch.ones(1, 64, 4, 4)
    delta = torch.zeros(1, 64, 4, 4)
    delta[..., 1, 1], delta[..., 1, 2], delta[..., 2, 1], delta[..., 2, 2] = 0.1, -0.1, -0.1, 0.1
    for scale in (1.0, 1.1, 1.3, 1e3):  # each rounds differently
        taker.record(a * scale, 1)
        taker.take(delta * scale)
        assert 0 <= float(taker.taken("weight")) < 1e-2 * scale**4


# -- scores ---------------------------------------------------------------------


@SCORES
@NORMS
@pytest.mark.parametrize("classes", [2, 100])
def test_numbers_of_classes(score, norm, classes):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, classes)
    ).double()
    X = torch.randn(6, 1, 6, 6, dtype=torch.float64)
    expected = naive_norms(module, X, score, norm)
    close(gradient_norms(module, X, score=score, norm=norm), expected)


@SCORES
@NORMS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_saturated_softmax_gives_zeros(score, norm, dtype):
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    with torch.no_grad():
        module[2].weight.mul_(1e30)
        module[2].bias.copy_(torch.tensor([1e35, -1e35, 0.0]))
    got = gradient_norms(module, torch.ones(3, 4), score=score, norm=norm)
    assert torch.equal(got, torch.zeros(3, dtype=dtype))


@NORMS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_entropy_is_flat_at_a_uniform_softmax(norm, dtype):
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    with torch.no_grad():
        module[2].weight.zero_()
        module[2].bias.zero_()
    X = torch.randn(3, 4, dtype=dtype)
    got = gradient_norms(module, X, norm=norm)
    assert float(got.max()) < 10 * torch.finfo(dtype).eps
    assert float(gradient_norms(module, X, score="predicted", norm=norm).min()) > 0.1


@pytest.mark.parametrize("gap", [1.0, 12.0, 20.0, 40.0])
def test_confident_scores_do_not_cancel(gap):
    # At a gap of 20, p = 1 − 2e-9 and in float32 both 1 − p and log p are 0.
    module = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[gap], [0.0]]))
    X = torch.ones(1, 1)
    for score in ("entropy", "predicted", "expected"):
        got = gradient_norms(module, X, score=score)
        q = torch.tensor(1 / (1 + np.exp(gap)), dtype=torch.float64)  # the small one of the two
        # ∂H/∂f = ±p q (log p − log q), ∂ log p_c/∂f = ±(1 − p_c); two entries each
        lengths = {"entropy": q * (1 - q) * gap, "predicted": q, "expected": 2 * q * (1 - q)}
        torch.testing.assert_close(got.double(), 2**0.5 * lengths[score][None], rtol=1e-5, atol=0)


@pytest.fixture(scope="module")
def golden():
    folder = Path(__file__).parents[1] / "golden"
    with np.load(folder / "golden_lplgrad_small.npz") as file:
        return dict(file)


def test_golden_scores(golden):
    """The published scores of the entropy.

    The published "expected" scheme lets the gradient flow through p as well, so that its score is
    the same up to rounding; `score="expected"` is the classical expected gradient length.
    """
    network, X = golden_network()
    got = gradient_norms(network, X)
    for key in ("entropy_gradnorm", "expected_gradnorm"):
        np.testing.assert_allclose(got, golden[key], rtol=1e-4, atol=1e-6)
    lengths = gradient_norms(network, X, score="expected")
    assert not np.allclose(lengths, golden["expected_gradnorm"], rtol=0.1)


# -- batches and parts ----------------------------------------------------------


def small_net() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.GroupNorm(2, 4),
        nn.Flatten(),
        nn.Linear(64, 3),
    ).double()
    return module, torch.randn(13, 1, 6, 6, dtype=torch.float64)


@SCORES
@pytest.mark.parametrize("batch_size", [1, 4, 13, 100])
@pytest.mark.parametrize("part", [1, 500, 2**23])
def test_batches_and_parts_make_no_difference(score, batch_size, part, monkeypatch):
    module, X = small_net()
    expected = naive_norms(module, X, score, "layer_sum")
    monkeypatch.setattr(_gradient_norms, "_PART", part)
    close(gradient_norms(module, X, score=score, batch_size=batch_size), expected)


def test_one_forward_and_one_backward_pass_a_part(monkeypatch):
    module, X = small_net()
    passes = {"forward": 0, "backward": 0}
    tape = _gradient_norms.Tape
    for name, method in (("forward", tape.forward), ("backward", tape.pull)):

        def count(self, *args, name=name, method=method, **kwargs):
            passes[name] += 1
            return method(self, *args, **kwargs)

        monkeypatch.setattr(tape, "forward" if name == "forward" else "pull", count)
    gradient_norms(module, X, batch_size=4)
    assert passes == {"forward": 4 + 1, "backward": 4 + 1}  # one of each is the check's
    gradient_norms(module, X, batch_size=4, score="expected")
    assert passes == {"forward": 2 * (4 + 1), "backward": 2 * (4 + 1) + 4 * (3 - 1)}


class Sometimes(nn.Module):
    """Overwrites a layer's input, but not for the samples that are checked."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        if len(x) > 4:
            return overwritten_input(self, x)
        h = self.stem(x)
        return self.head((h + self.block(h)).tanh())


def test_an_input_that_is_overwritten_only_later():
    with pytest.raises(RuntimeError, match=r"input of Linear.* was overwritten.* must run alike"):
        gradient_norms(Sometimes(), torch.randn(60, 4), batch_size=12)


def test_inputs_are_not_copied_unless_overwritten():
    made = []
    record = NormTaker.record

    def spy(self, a, n):
        record(self, a, n)
        made.append((self.geometry.layer, self.a.data_ptr() == a.data_ptr()))

    module = Apply(
        overwritten_input, stem=nn.Linear(4, 5), block=nn.Linear(5, 5), head=nn.Linear(5, 3)
    )
    module.block.weight.requires_grad_(False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NormTaker, "record", spy)
        gradient_norms(module, torch.randn(5, 4))
    assert made
    assert all(shared for layer, shared in made if layer is not module.block)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"score": "margin"}, r"'score'.*one of 'entropy', 'expected', 'predicted'.*'margin'"),
        ({"norm": "max"}, r"'norm' parameter of gradient_norms.*'layer_sum', 'global'.*'max'"),
    ],
)
def test_messages(options, match):
    with pytest.raises(ValueError, match=match):
        gradient_norms(nn.Linear(4, 3), torch.zeros(2, 4), **options)


@pytest.mark.parametrize("C", [3, 24])
def test_the_general_path_holds_a_batch_once_whatever_the_classes(C):
    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            sizes.append(out.numel() if isinstance(out, Tensor) else 0)
            return out

    body = nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    module = nn.Sequential(*body, nn.Linear(4, C)).double()
    X, rows = torch.randn(8, 1, 12, 12).double(), torch.randn(8, C, C).double()
    of = (["1.weight", "1.bias"], X, rows, lambda name, gradient: gradient)
    with lend_network(module, X, None, "a test") as network:
        plain = [kept for _, kept in loop_gradients(network, *of)]
        with Sizes():
            parts = [kept for _, kept in func_gradients(network, *of)]
    for name in of[0]:
        found, expected = (torch.cat([kept[name] for kept in some]) for some in (parts, plain))
        torch.testing.assert_close(found, expected)
    assert max(sizes) == max(8 * 4 * 10 * 10, 8 * C * C)  # the maps of a batch, or the rows
