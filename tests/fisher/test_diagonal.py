"""The diagonal by labels that are drawn: unbiased, by enumeration."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from skactive._device import unwrap
from skactive.fisher import _diagonal, diagonal_fisher
from skactive.gradients._softmax import class_rows, label_rows
from tests.cases import CASES
from tests.oracles import naive_diagonal


@pytest.fixture
def draw_always(monkeypatch):
    """Have every number that is drawn be a given one."""

    def fix(u):
        monkeypatch.setattr(_diagonal, "_draws", lambda labels, n, _: torch.full((n, labels), u))

    return fix


NAMES = ["linear rows", "hundred classes", "batch norm 2d", "layer norm", "tied linear", "vit"]


@pytest.mark.parametrize("name", NAMES)
def test_the_expectation_over_labels_is_the_diagonal(name, draw_always):
    """Of one sample: Σ_c p_c times the estimate for label c."""
    module, X = CASES[name].build(1)
    module = unwrap(module).eval()
    with torch.no_grad():
        p = module(X).softmax(1)[0]
    edges = torch.cat([torch.zeros(1, dtype=p.dtype), p.cumsum(0)])
    expectation = torch.zeros_like(diagonal_fisher(module, X))
    for c in range(len(p)):
        draw_always(float(edges[c] + edges[c + 1]) / 2)  # between its bounds: label c
        expectation += p[c] * diagonal_fisher(module, X, labels=1)
    torch.testing.assert_close(expectation, naive_diagonal(module, X), rtol=1e-9, atol=1e-14)


def test_labels_are_drawn_in_proportion_to_p():
    """Numbers spaced evenly over [0, 1) give each label its share."""
    logits = torch.tensor([[0.0, 1.0, -2.0, 0.5]], dtype=torch.float64)
    u = (torch.arange(100_000) + 0.5)[None] / 100_000
    rows = _diagonal._drawn_rows(logits, u)[0] * 100_000**0.5  # e_c − p
    p = logits.softmax(1)[0]
    torch.testing.assert_close((rows + p).mean(0), p, rtol=0, atol=2e-5)


def test_a_label_of_no_probability_is_never_drawn():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf]])
    rows = _diagonal._drawn_rows(logits, torch.tensor([[0.0, 1.0]]))
    assert not rows.any()  # both are the label of probability 1, whose gradient is 0


def test_several_labels_are_averaged(draw_always):
    module, X = CASES["linear rows"].build()
    draw_always(0.3)
    torch.testing.assert_close(
        diagonal_fisher(module, X, labels=3), diagonal_fisher(module, X, labels=1)
    )


def test_seeds_and_batches():
    module, X = CASES["layer norm"].build(9)

    def drawn(seed, batch_size=256):
        return diagonal_fisher(module, X, labels=2, random_state=seed, batch_size=batch_size)

    first = drawn(0)
    assert torch.equal(first, drawn(0))
    torch.testing.assert_close(first, drawn(0, batch_size=2))
    assert not torch.allclose(first, drawn(1))
    before = torch.get_rng_state()
    drawn(None)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("labels", [0, -1, True, 1.5, "some", None])
def test_message_for_labels(labels):
    module, X = CASES["linear rows"].build()
    with pytest.raises(ValueError, match="'labels' .* 'all' or an int of at least 1. Got"):
        diagonal_fisher(module, X, labels=labels)


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_drawn_rows_are_those_of_all_classes(scale):
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) * scale
    labels = torch.randint(5, (6, 3), generator=torch.Generator().manual_seed(1))
    chosen = labels[:, :, None].expand(-1, -1, 5)
    assert torch.equal(label_rows(logits, labels), class_rows(logits, "uniform").gather(1, chosen))


def test_what_is_held_grows_with_the_labels_that_are_drawn():
    """Not with the square of the number of classes."""
    largest = []

    class Largest(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            largest.append(out.numel() if isinstance(out, torch.Tensor) else 0)
            return out

    with Largest():
        _diagonal._drawn_rows(torch.zeros(4, 300), torch.full((4, 2), 0.5))
    assert max(largest) == 4 * 2 * 300
