"""The shapes in the annotations of the rooms of arrays are those of what is passed and returned."""

from typing import Annotated

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("jaxtyping")
pytest.importorskip("beartype")

from jaxtyping import TypeCheckError

from skactive import fisher, gradients, selection
from skactive.fisher import DenseFactors, _full
from skactive.fisher._blocks import BlockCurvature
from skactive.fisher._kronecker import KroneckerFactors
from skactive.gradients import _softmax
from skactive.gradients._geometry import Conv2dGeometry
from skactive.selection import _mixing
from skactive.selection._rows import Rows
from tests.shapes import check_all

N, C = 12, 3
DRAW = np.random.default_rng(0)


def network() -> nn.Module:
    """One layer of each geometry, groups, and a last layer."""
    layers = [nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(1, 3)]
    return nn.Sequential(*layers, nn.Linear(16, C)).double().eval()


def samples() -> torch.Tensor:
    return torch.from_numpy(DRAW.normal(size=(N, 2, 4, 4)))


def fisher_information() -> None:
    module, X = network(), samples()
    fisher.diagonal_fisher(module, X, labels=2)
    fisher.diagonal_fisher(module, X, rank=1)
    k = sum(p.numel() for p in module.parameters())
    mixed = fisher.fisher_factors(module, X, np.arange(5, k), weighting="uniform")
    few = fisher.fisher_factors(module, X, np.arange(0, k, 7), weighting="reduced")
    for V in (mixed, few, mixed.in_own_order(), fisher.head_factors(module, X, curvature="binary")):
        fisher.greedy_fisher(V, 3, labelled=[0, 1], oversample=1.5)
        fisher.greedy_fisher(V, 3, components=2)
        V.traces()
        V.dense()
    blocks = fisher.head_factors(module, X, curvature="blocks")
    mixed.tmatmul(torch.ones(N, C, 2, dtype=torch.float64))
    apart = fisher.fisher_factors(module, X, np.arange(k), curvature="blocks")
    for V in (blocks, apart):
        fisher.greedy_fisher(V, 3, labelled=[0, 1], oversample=1.5)
        _, rows, k = V.shape
        V.tmatmul(torch.ones(N, rows, 2, dtype=torch.float64))
        V.matmul(torch.eye(k).double())
        V.contract(V.dense())
        V.quadratic(torch.eye(k).double(), torch.eye(k).double())
        V.gram(torch.ones(N))
        V.traces()


def lengths_of_gradients() -> None:
    for score in ("entropy", "predicted", "expected"):
        gradients.gradient_norms(network(), samples(), score=score)
    big = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.Flatten(), nn.Linear(256, C)).eval()
    gradients.gradient_norms(big, torch.rand(3, 64, 2, 2))  # from products of patches
    tokens = nn.Sequential(nn.Linear(2, 2), nn.Flatten(), nn.Linear(16, C)).eval()
    gradients.gradient_norms(tokens, torch.rand(3, 8, 2))


def rows() -> None:
    X = DRAW.normal(size=(N, 4))
    logits, weight = DRAW.normal(size=(N, C)), DRAW.normal(size=(C, 4))
    selection.k_center_greedy(X, 2, centers=X[:3])
    selection.mixing_thresholds(logits, X, weight, X[:2])
    selection.typicality(X)
    selection.typicality(np.repeat(X, 2, axis=0))
    selection.nearest_neighbors(X)
    fisher.choose_rank(logits, "auto")
    selection.max_coverage(X, 2, radius=1.0)
    log_p = torch.from_numpy(DRAW.normal(size=(N, 5, C))).log_softmax(2)
    selection.batch_bald(log_p, 2, random_state=0)


def test_shapes(monkeypatch):
    calls = check_all(monkeypatch)
    fisher_information()
    lengths_of_gradients()
    rows()
    assert len(calls) > 40
    never = sorted(name for name, n in calls.items() if not n)
    assert never == []


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda: _softmax.class_rows(torch.zeros(N, C, 1)), "N C"),
        (lambda: _full.gains_of(torch.zeros(N, C, C), torch.zeros(N, C, 1)), "N C C"),
        (lambda: _mixing._of_block(*torch.zeros(4, C, 5)), "C D"),  # but "n C" has other columns
        (lambda: DenseFactors(torch.zeros(N, C, 4)).tmatmul(torch.zeros(N, 4)), "N C m"),
        (lambda: DenseFactors(torch.zeros(N, C, 4)).quadratic(torch.zeros(4, 1)), "k k"),
    ],
)
def test_an_argument_of_another_shape_is_found(call, shape, monkeypatch):
    check_all(monkeypatch)
    with pytest.raises(TypeCheckError, match=shape):
        call()


def distances_to_one(self, others) -> Annotated[Tensor, "N M"]:
    return self.norms


@pytest.mark.parametrize(
    ("kind", "name", "wrong", "run"),
    [
        (KroneckerFactors, "dense", lambda self: self.right, fisher_information),
        (DenseFactors, "contract", lambda self, T: T.sum(1), fisher_information),
        (BlockCurvature, "gains", lambda self, *_: (torch.ones(2, 1), True), fisher_information),
        (Conv2dGeometry, "patches", lambda self, a, n: a.flatten(1), lengths_of_gradients),
        (Rows, "squared_distances", distances_to_one, rows),
    ],
)
def test_a_result_of_another_shape_is_found(kind, name, wrong, run, monkeypatch):
    wrong.__name__ = name  # a lambda's is no name
    monkeypatch.setattr(kind, name, wrong)
    check_all(monkeypatch)
    with pytest.raises(TypeCheckError, match="checking the return value"):
        run()
