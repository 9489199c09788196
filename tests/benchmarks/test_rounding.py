"""The rounding step that BAIT's blocks are compared with, against inverses; and pools in pairs."""

import numpy as np
import pytest
import torch

from benchmarks._imbalance import (
    BALANCED,
    DRAWN,
    REVERSED,
    SMALL,
    STEP,
    TAIL,
    Found,
    counts_of,
    difference,
    stored,
)
from benchmarks._rounding import _nu, blocks_of, rounded


def plain(omega, h, n, eta):
    """Each step tries every sample: the least Σ_c tr[(B_c + η ω_c h hᵀ)⁻¹ Σ_c]."""
    Sigma = blocks_of(omega, h).numpy() * (n / len(h))
    omega, h = omega.numpy(), h.numpy()
    C, D = omega.shape[1], h.shape[1]
    H, picks = np.zeros((C, D, D)), []
    for _ in range(n):
        eigenvalues = [
            np.linalg.eigvals(np.linalg.solve(S, M)).real for S, M in zip(Sigma, H, strict=True)
        ]
        nu = _nu(torch.from_numpy(np.array(eigenvalues)), eta)
        values = [
            np.inf
            if i in picks
            else sum(
                np.trace(
                    np.linalg.solve(
                        nu * Sigma[c] + eta * (H[c] + omega[i, c] * np.outer(h[i], h[i])), Sigma[c]
                    )
                )
                for c in range(C)
            )
            for i in range(len(h))
        ]
        picks.append(int(np.argmin(values)))
        H += omega[picks[-1], :, None, None] * np.outer(h[picks[-1]], h[picks[-1]])
    return picks


@pytest.mark.parametrize("eta", [0.5, 20.0])
def test_picks_are_those_of_plain_inverses(eta):
    draw = torch.Generator().manual_seed(0)
    omega = torch.rand(30, 3, generator=draw, dtype=torch.float64) / 4
    h = torch.randn(30, 4, generator=draw, dtype=torch.float64)
    assert rounded(omega, h, 6, eta).tolist() == plain(omega, h, 6, eta)


def test_nu_makes_the_trace_one():
    values = torch.rand(3, 4, dtype=torch.float64)
    nu = _nu(values, 2.0)
    assert float(((nu + 2 * values) ** -2).sum()) == pytest.approx(1)
    assert _nu(torch.zeros(3, 4), 2.0) == pytest.approx(12**0.5)


def test_pools():
    assert set(counts_of(BALANCED, SMALL, 0).values()) == {100}
    assert counts_of(STEP, SMALL, 0) == {0: 15, 1: 300, 2: 15, 3: 15}
    assert list(counts_of(TAIL, SMALL, 0)) == list(range(10))
    assert list(counts_of(REVERSED, SMALL, 0)) == list(range(9, -1, -1))
    assert len({tuple(counts_of(DRAWN, SMALL, seed)) for seed in range(5)}) == 5


def test_what_is_stored_is_not_computed_again(tmp_path):
    asked = []

    def compute(pool, seed):
        asked.append((pool, seed))
        return Found({"a": seed / 2, "b": 0.0}, {"a": 0.5, "b": 1.0})

    keys = [("p", 1), ("p", 2), ("q", 1)]
    first = stored(tmp_path / "here.jsonl", keys[:2], compute)
    found = stored(tmp_path / "here.jsonl", keys, compute)
    assert asked == keys
    assert found["p"] == first["p"]
    pairs, half = difference(found["p"], "a", "b")
    assert pairs.tolist() == [0.5, 1.0]
    assert half == pytest.approx(12.706 * 0.25, rel=1e-4)  # t of one degree of freedom
