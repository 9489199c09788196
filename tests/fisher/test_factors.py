"""Each product of each kind of factor, against the same product of V itself."""

from __future__ import annotations

import pytest
import torch

from skactive._device import NO_FLOAT64
from skactive.fisher import _factors, choose_rank, greedy_fisher, last_layer_factors
from skactive.fisher._block_factors import BlockFactors
from skactive.fisher._concatenated import ConcatenatedFactors
from skactive.fisher._dense import DenseFactors
from skactive.fisher._kronecker import KroneckerFactors
from tests.pretended import pretended

N, C = 7, 3


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def make(kind: str):
    last = KroneckerFactors(randn(N, C, 4), randn(N, 5, seed=1))
    if kind == "Kronecker":
        return last
    dense = DenseFactors(randn(N, C, 6, seed=2))
    if kind == "dense":
        return dense
    hidden = KroneckerFactors(randn(N, C, 2, seed=3), randn(N, 5, seed=4))
    order = torch.randperm(36, generator=torch.Generator().manual_seed(5))
    if kind == "in order":
        order = torch.arange(36)
    return ConcatenatedFactors([dense, last, hidden], order.split([6, 20, 10]))


@pytest.fixture(params=["Kronecker", "dense", "concatenated", "in order"])
def factors(request):
    return make(request.param)


@pytest.fixture(params=[1, _factors._BLOCK], ids=["one sample a block", "one block"])
def _block(request, monkeypatch):
    monkeypatch.setattr(_factors, "_BLOCK", request.param)


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.usefixtures("_block")
def test_products(factors):
    V = factors.dense()
    k = V.shape[2]
    assert factors.shape == V.shape == (N, C, k)
    W = randn(k, k, seed=6)
    W = W + W.T
    T = randn(N, C, 9, seed=7)
    for m in (2, 9):  # fewer columns than samples, and more
        M = randn(k, m, seed=8)
        close(factors.matmul(M), V @ M)
    close(factors.tmatmul(T), torch.einsum("nck,ncm->km", V, T))
    close(factors.quadratic(W), V @ W @ V.mT)
    two = factors.quadratic(W, W @ W)
    assert two.is_contiguous()
    close(two, torch.cat([V @ W @ V.mT, V @ W @ W @ V.mT], 2))
    rows = randn(N, 2, k, seed=9)
    close(factors.contract(rows), rows @ V.mT)


@pytest.mark.usefixtures("_block")
def test_gram(factors):
    V = factors.dense()
    close(factors.gram(), torch.einsum("nck,ncl->kl", V, V))
    weights = torch.tensor([0.5, 0.0, 2.0, 0.0, 1.0, 0.25, 0.0])
    close(factors.gram(weights), torch.einsum("nck,n,ncl->kl", V, weights.double(), V))
    close(factors.traces(), V.square().sum((1, 2)))


def test_gram_of_float32_is_float64():
    factors = make("concatenated")
    single = ConcatenatedFactors(
        [
            DenseFactors(factors.parts[0].values.float()),
            *(KroneckerFactors(p.left.float(), p.right.float()) for p in factors.parts[1:]),
        ],
        factors.columns,
    )
    V = single.double().dense()  # before the products round to float32
    assert single.gram().dtype == torch.float64
    close(single.gram(), torch.einsum("nck,ncl->kl", V, V))


def test_rows_take_and_own_order(factors):
    V = factors.dense()
    close(factors.rows(3), V[3])
    close(factors.rows(-1), V[-1])
    close(factors.rows(torch.tensor([4, 1])), V[[4, 1]])
    close(factors.take(slice(2, 4)).dense(), V[2:4])
    assert len(factors) == N
    own = factors.in_own_order().dense()
    close(own.sort(2).values, V.sort(2).values)


def test_memory_of_a_last_layer_is_that_of_its_sides():
    factors = KroneckerFactors(randn(N, 10, 10), randn(N, 512))
    assert factors.left.numel() + factors.right.numel() == N * (100 + 512)
    assert factors.shape == (N, 10, 5120)
    assert repr(factors) == "KroneckerFactors(7 × 10 × 5120, torch.float64, cpu)"


def test_an_index_out_of_range():
    with pytest.raises(IndexError):
        make("dense").rows(N)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: DenseFactors(randn(2, 3)),
            r"'values'.*floating-point tensor of shape \(N, C, k\)",
        ),
        (lambda: KroneckerFactors(randn(2, 3), randn(2, 3)), r"'left'.*shape \(N, C, O\)"),
        (lambda: KroneckerFactors(randn(2, 3, 3), randn(3, 3)), r"'right'.*shape \(2, D\)"),
        (lambda: KroneckerFactors(randn(2, 3, 3), randn(2, 3).float()), "'right'.*left's dtype"),
        (
            lambda: ConcatenatedFactors([DenseFactors(randn(2, 3, 2))], [torch.tensor([0, 2])]),
            "'columns'.*positions 0 to 1, shared out as",
        ),
    ],
)
def test_messages(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_with_as_float32(dtype):
    draw = torch.Generator().manual_seed(0)
    logits, h = (torch.randn(30, n, generator=draw).to(dtype) for n in (3, 4))
    for curvature in ("full", "blocks", "binary"):
        half, single = (
            last_layer_factors(f, x, curvature=curvature)
            for f, x in ((logits, h), (logits.float(), h.float()))
        )
        assert half.dtype == torch.float32
        assert greedy_fisher(half, 4).indices.tolist() == greedy_fisher(single, 4).indices.tolist()
    dense = torch.randn(30, 3, 4, generator=draw).to(dtype)
    found = greedy_fisher(dense, 4).indices.tolist()
    assert found == greedy_fisher(dense.float(), 4).indices.tolist()
    assert found == greedy_fisher(DenseFactors(dense), 4).indices.tolist()
    assert choose_rank(logits) == choose_rank(logits.float())


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b, c: DenseFactors(a),
        lambda a, b, c: KroneckerFactors(a, b),
        lambda a, b, c: BlockFactors(c, b),
    ],
    ids=["dense", "kronecker", "blocks"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_factors_are_on_the_cpu_where_a_device_has_no_float64(make, dtype, request):
    given = [torch.randn(size).to(dtype) for size in [(6, 2, 3), (6, 4), (6, 3)]]
    expected = make(*given).gram()
    NO_FLOAT64.add("meta")
    request.addfinalizer(lambda: NO_FLOAT64.discard("meta"))
    with pretended():
        factors = make(*(part.to("meta") for part in given))
        assert factors.device.type == "cpu"
        assert torch.equal(factors.gram(), expected)
