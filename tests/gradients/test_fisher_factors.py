"""Factors and the diagonal, against one backward pass a sample and class, on every module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skactive._torch import unwrap
from skactive.gradients import _diagonal, _fisher_factors, diagonal_fisher, fisher_factors
from tests.cases import Case, all_cases
from tests.oracles import naive_diagonal, naive_rows

RTOL = 1e-9


class Spy:
    """Sees the plan of each call, and how often the general paths ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: dict[str, str] = {}
        self.general = 0
        for module in (_diagonal, _fisher_factors):
            make_plan, general = module.make_plan, module.general_gradients

            def plan(*args, make_plan=make_plan):
                made = make_plan(*args)
                self.paths = made.paths
                return made

            def gradients(*args, general=general):
                for item in general(*args):
                    self.general += 1
                    yield item

            monkeypatch.setattr(module, "make_plan", plan)
            monkeypatch.setattr(module, "general_gradients", gradients)

    def check(self, general: frozenset[str]) -> None:
        assert {name for name, path in self.paths.items() if path != "fast"} == general
        assert (self.general > 0) == bool(general)


@pytest.fixture
def spy(monkeypatch):
    return Spy(monkeypatch)


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
