"""The top eigenvectors of diag(p) − p pᵀ, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skactive.gradients import _top_rows
from skactive.gradients._top_rows import spectrum, top_rows


def logits(kind: str, C: int = 6, N: int = 9) -> torch.Tensor:
    f = torch.randn(N, C, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if kind == "uniform":
        return f[:1] * 0 + torch.arange(N)[:, None]
    return {
        "random": f,
        "confident": 8 * f,
        "saturated": 200 * f,
        "equal in groups": (f > 0).double() + 3 * (f > 1),
        "zeros": f.where(f > 0, -torch.inf).where(f.isfinite() & (f != f.min()), -torch.inf),
        "all but one zero": torch.eye(C, dtype=torch.float64)[torch.arange(N) % C].log(),
        "two likely": f - 40 * (torch.arange(C) > 1),
    }[kind]


KINDS = [
    "random",
    "uniform",
    "confident",
    "saturated",
    "equal in groups",
    "zeros",
    "all but one zero",
    "two likely",
]


def naive(f: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """diag(p) − p pᵀ of each sample, its eigenvalues and eigenvectors, the largest first."""
    p = f.softmax(1).numpy()
    F = np.stack([np.diag(one) - np.outer(one, one) for one in p])
    values, vectors = np.linalg.eigh(F)
    return F, values[:, ::-1], vectors[:, :, ::-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", [2, 3, 6, 40])
@pytest.mark.parametrize("rank", [1, 2, 5])
def test_rows_are_eigenvectors(kind, C, rank):
    f = logits(kind, C)
    if kind == "zeros":
        f[:, 0] = 1  # of which one class at least is none
    F, values, _ = naive(f)
    R = top_rows(f, rank).numpy()
    r = min(rank, C - 1)
    assert R.shape == (len(f), r, C)
    own = np.einsum("nrc,nsc->nrs", R, R)
    lengths = np.einsum("nrr->nr", own)
    np.testing.assert_allclose(lengths, values[:, :r], atol=2e-11)
    np.testing.assert_allclose(own, lengths[:, :, None] * np.eye(r), atol=1e-14)  # orthogonal
    np.testing.assert_allclose(R @ F, lengths[:, :, None] * R, atol=2e-11)
    sums, trace = spectrum(f, rank)
    np.testing.assert_allclose(sums, values[:, :r].sum(0), atol=1e-10)
    np.testing.assert_allclose(trace, np.einsum("ncc->", F), atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_are_the_whole(kind):
    f = logits(kind)
    F, _, _ = naive(f.where(f.isfinite(), -1e5))
    R = top_rows(f, 10).numpy()
    np.testing.assert_allclose(R.transpose(0, 2, 1) @ R, F, atol=2e-11)


def test_what_is_apart_is_the_eigendecomposition_itself():
    f = logits("random")
    _, values, vectors = naive(f)
    expected = np.sqrt(values[:, None, :2]) * vectors[:, :, :2]
    found = top_rows(f, 2).numpy()
    signs = np.sign(np.einsum("nrc,ncr->nr", found, expected))[:, :, None]
    np.testing.assert_allclose(signs * found, expected.transpose(0, 2, 1), atol=1e-9)


def test_small_probabilities_keep_their_digits():
    """λ₁ = 2q(1 − q)… of (1 − q, q) and of (1 − 2q, q, q), where 1 − q is 1 in float64."""
    q = 1e-30
    two = top_rows(torch.tensor([[0.0, np.log(q)]], dtype=torch.float64), 1)
    expected = np.sqrt(q) * np.array([1.0, -1.0])
    np.testing.assert_allclose(two[0, 0] * two[0, 0, 0].sign(), expected, rtol=1e-9)
    three = top_rows(torch.tensor([[0.0, np.log(q), np.log(q)]], dtype=torch.float64), 2)
    np.testing.assert_allclose(three.square().sum(2)[0], [3 * q, q], rtol=1e-9)
    assert not top_rows(torch.tensor([[0.0, -1e5]]), 1).any()  # 0, and no NaN


def test_float32_and_any_cut_into_blocks(monkeypatch):
    f = logits("random", N=30)
    expected = top_rows(f, 3)
    found = top_rows(f.float(), 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    monkeypatch.setattr(_top_rows, "_BLOCK", 1)
    assert torch.equal(top_rows(f, 3), expected)


def test_a_few_steps_do(monkeypatch):
    steps = []
    real = _top_rows._terms
    monkeypatch.setattr(_top_rows, "_terms", lambda *a: steps.append(1) or real(*a))
    for kind in KINDS:
        steps.clear()
        top_rows(logits(kind, C=40, N=200), 3)
        assert len(steps) <= 20, kind
