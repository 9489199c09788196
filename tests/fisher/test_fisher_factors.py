"""Factors and the diagonal, against one backward pass per sample and class, on every module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skactive._device import unwrap
from skactive.fisher import _diagonal, _fisher_factors, diagonal_fisher, fisher_factors
from skactive.gradients._softmax import class_rows, reduced_rows
from tests.cases import CASES, Case, all_cases
from tests.gradients.spies import Spy
from tests.oracles import naive_diagonal, naive_rows

RTOL = 1e-9


@pytest.fixture
def spy(monkeypatch):
    return Spy(monkeypatch, _diagonal, _fisher_factors)


def close(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=RTOL, atol=1e-12 * float(expected.abs().max()))


def whole(module: nn.Module) -> torch.Tensor:
    return torch.arange(sum(p.numel() for p in module.parameters() if p.requires_grad))


@pytest.mark.parametrize("case", all_cases())
@pytest.mark.parametrize("weighting", ["probability", "uniform"])
def test_factors_on_all_parameters(case: Case, weighting, spy):
    module, X = case.build()
    V = naive_rows(unwrap(module), X.clone(), weighting)
    before = X.clone()
    got = fisher_factors(module, X, whole(module), weighting=weighting, batch_size=3)
    close(got.dense(), V)
    assert torch.equal(X, before)
    spy.check(case.general)


@pytest.mark.parametrize("case", all_cases())
def test_reduced_factors_have_the_same_information(case: Case):
    module, X = case.build()
    V = naive_rows(unwrap(module), X.clone())
    R = fisher_factors(module, X, whole(module), weighting="reduced", batch_size=3).dense()
    assert R.shape == (len(V), V.shape[1] - 1, V.shape[2])
    for n in range(len(V)):
        close(R[n].T @ R[n], V[n].T @ V[n])


def test_reduced_rows_where_the_network_is_confident():
    logits = torch.tensor([[0.0, 60.0, 3.0], [60.0, 0.0, 1.0], [0.0, 1.0, 40.0], [0.0, 0.0, 0.0]])
    for values in (logits, logits.flip(1)):
        S, R = class_rows(values.double()), reduced_rows(values.double())
        found, expected = R.mT @ R, S.mT @ S
        sizes = expected.diagonal(dim1=1, dim2=2).sqrt()
        error = (found - expected).abs() / (sizes[:, :, None] * sizes[:, None])
        assert error.max() < 1e-14
        torch.testing.assert_close(reduced_rows(values), R.float(), rtol=1e-6, atol=0)
    saturated = reduced_rows(torch.tensor([[0.0, 1e9, 0.0], [1e9, 0.0, 0.0], [0.0, 0.0, 1e9]]))
    assert torch.equal(saturated, torch.zeros(3, 2, 3))


@pytest.mark.parametrize("case", all_cases())
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_factors_on_a_mask(case: Case, share, spy):
    module, X = case.build()
    V = naive_rows(unwrap(module), X.clone())
    chosen = torch.rand(V.shape[2], generator=torch.Generator().manual_seed(1)) < share
    mask = torch.nonzero(chosen).flatten()
    got = fisher_factors(module, X, mask, batch_size=3)
    close(got.dense(), V[:, :, mask])
    assert set(spy.paths.values()) <= {"fast", "func", "loop"}
    assert {name for name, path in spy.paths.items() if path != "fast"} <= case.general


@pytest.mark.parametrize("case", all_cases())
def test_diagonal(case: Case, spy):
    module, X = case.build()
    close(diagonal_fisher(module, X, batch_size=3), naive_diagonal(unwrap(module), X.clone()))
    spy.check(case.general)


def test_a_mask_on_parameters_that_are_never_used(spy):
    module, X = CASES["never called"].build()
    got = fisher_factors(module, X, torch.arange(4))
    assert torch.equal(got.dense(), torch.zeros(5, 3, 4, dtype=torch.float64))
    spy.check(frozenset({"spare.weight"}))
