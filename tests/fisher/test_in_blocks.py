"""Selection with few factors in memory: exact in one block, near it in several."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from functools import cache

import numpy as np
import pytest
import torch

from skactive.fisher import greedy_fisher, greedy_fisher_in_blocks
from skactive.fisher._dense import DenseFactors
from skactive.fisher._kronecker import KroneckerFactors
from skactive.fisher.memory import matrix_bytes, sample_bytes
from tests.fisher.test_greedy_fisher import PROBLEMS, factors_of
from tests.oracles import objective

LABELLED = np.arange(10)
POOL = np.arange(10, 540)


class Seen:
    """Gives the factors of some samples; remembers how many were requested at once."""

    def __init__(self, factors):
        self.factors, self.sizes = factors, []

    def __call__(self, positions):
        self.sizes.append(len(positions))
        return self.factors.take(torch.as_tensor(positions))


POSITIONS = {
    "twice": ([0, 0, 1, 1, 2], "'candidates'.*distinct int positions of 0 or more"),
    "bools": (np.arange(9) > 3, "'candidates'.*np.flatnonzero"),
    "floats": ([1.7, 3.2, 5.9], "'candidates'.*distinct int positions"),
    "negative": ([-1, 8, 3], "'candidates'.*distinct int positions"),
    "labelled": ([1, 2, 3], "'candidates'.*not labelled.*Position 2 is in both"),
}


@pytest.mark.parametrize(("candidates", "message"), POSITIONS.values(), ids=POSITIONS)
def test_messages_for_positions(candidates, message):
    with pytest.raises(ValueError, match=message):
        greedy_fisher_in_blocks(lambda positions: None, candidates, 2, labelled=[2])


@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("labelled", [LABELLED, None])
def test_one_block_is_the_plain_selection(oversample, labelled):
    factors = factors_of("random", torch.float64)
    expected = greedy_fisher(factors, 25, candidates=POOL, labelled=labelled, oversample=oversample)
    found = greedy_fisher_in_blocks(
        Seen(factors), POOL[::-1], 25, labelled=labelled, oversample=oversample
    )
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.removed, expected.removed)
    np.testing.assert_allclose(found.gains, expected.gains, rtol=1e-10)


@pytest.mark.parametrize("block_size", [40, 133, 265])
def test_no_more_factors_than_a_block_at_once(block_size):
    seen = Seen(factors_of("random", torch.float32))
    labelled, pool = np.arange(300), np.arange(300, 540)
    found = greedy_fisher_in_blocks(
        seen, pool, 40, labelled=labelled, block_size=block_size, random_state=0
    )
    assert max(seen.sizes) <= block_size
    assert len(set(found.indices)) == 40
    assert np.isin(found.indices, pool).all()


def test_gains_are_decreases_of_the_objective_over_the_whole_pool():
    factors = factors_of("random", torch.float64)
    V = factors.dense().numpy()
    found = greedy_fisher_in_blocks(
        Seen(factors), POOL, 6, labelled=LABELLED, block_size=100, random_state=0
    )
    values = [objective(V, found.indices[:i], POOL, LABELLED, 6) for i in range(7)]
    np.testing.assert_allclose(found.gains, -np.diff(values), rtol=1e-9)


@cache
def one_stage_and_chance(problem, n):
    """The objective of the one-stage selection and of batches at random; factors; the objective."""
    factors = factors_of(problem, torch.float64)
    V, draw = factors.dense().numpy(), np.random.default_rng(0)

    def value(picks):
        return objective(V, picks, POOL, LABELLED, n)

    one = value(greedy_fisher(factors, n, labelled=LABELLED).indices)
    return one, [value(draw.choice(POOL, n, replace=False)) for _ in range(3)], factors, value


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("block_size", "bound"), [(265, 0.01), (133, 0.02), (67, 0.3)])
def test_the_loss_in_objective_is_small(problem, block_size, bound):
    """Two, four and eight blocks; eight have room for 67 samples in the second stage, not for 4n.

    Mean of three cuts. A batch at random ends at least 80 % above the one-stage selection.
    """
    n = 30
    one, by_chance, factors, value = one_stage_and_chance(problem, n)
    two = [
        value(
            greedy_fisher_in_blocks(
                Seen(factors),
                POOL,
                n,
                labelled=LABELLED,
                block_size=block_size,
                random_state=seed,
            ).indices
        )
        for seed in range(3)
    ]
    assert np.mean(two) <= (1 + bound) * one
    assert np.mean(by_chance) > 1.8 * one


def test_seeds_and_progress():
    factors, seen = factors_of("random", torch.float32), []

    def picks(seed, **options):
        return greedy_fisher_in_blocks(
            Seen(factors), POOL, 20, block_size=100, random_state=seed, **options
        ).indices.tolist()

    first = picks(0, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 80 + 20) for i in range(100)]
    assert picks(0) == first
    seen.clear()
    greedy_fisher_in_blocks(
        Seen(factors), POOL, 20, oversample=1.5, progress=lambda *step: seen.append(step)
    )
    assert seen == [(i + 1, 30) for i in range(30)]


def test_a_pool_of_one_and_the_whole_pool():
    factors = factors_of("random", torch.float64, N=20)
    assert greedy_fisher_in_blocks(Seen(factors), [7], 1).indices.tolist() == [7]
    found = greedy_fisher_in_blocks(Seen(factors), np.arange(20), 20, block_size=20)
    assert sorted(found.indices) == list(range(20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 600}, r"'n' .* from 1 to 530 \(the candidates\)\. Got 600"),
        ({"block_size": 0}, "'block_size' .* an int of at least 1. Got 0"),
        ({"block_size": 19}, "'block_size' .* at least 20, the samples that are picked. Got 19"),
        ({"oversample": 2.0, "block_size": 39}, "'block_size' .* at least 40"),
        ({"regularization": 0}, "'regularization' .* finite number above 0. Got 0"),
        ({"oversample": 0.5}, "'oversample' .* finite number of at least 1. Got 0.5"),
    ],
)
def test_messages(change, message):
    arguments = {"n": 20, **change}
    with pytest.raises(ValueError, match=message):
        greedy_fisher_in_blocks(
            Seen(factors_of("random", torch.float32)), POOL, arguments.pop("n"), **arguments
        )


def test_factors_that_are_not_finite():
    bad = DenseFactors(torch.full((5, 2, 2), torch.inf))
    with pytest.raises(ValueError, match=r"'factors_of' .* finite\. Got DenseFactors\(5 × 2 × 2"):
        greedy_fisher_in_blocks(Seen(bad), np.arange(5), 2)


MEASURED = """
    import ctypes, sys
    import numpy as np, torch
    from skactive.fisher import DenseFactors, KroneckerFactors, greedy_fisher_in_blocks
    from skactive.fisher._concatenated import ConcatenatedFactors
    torch.set_num_threads(1)

    def peak():
        with open("/proc/self/status") as lines:
            (line,) = [line for line in lines if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    def grown(N, labelled, block, C, D, dense):
        def factors_of(positions):
            n, draw = len(positions), torch.Generator().manual_seed(int(positions[0]))
            last = KroneckerFactors(torch.randn(n, C, C, generator=draw) / 10,
                                    torch.randn(n, D, generator=draw))
            if not dense:
                return last
            rest = DenseFactors(torch.randn(n, C, dense, generator=draw))
            order = torch.arange(C * D + dense)
            return ConcatenatedFactors([rest, last], [order[:dense], order[dense:]])

        # What is freed goes back, if the allocator can: else it would be taken without a count.
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak is counted from here
        before = peak()
        greedy_fisher_in_blocks(factors_of, np.arange(N), 3, labelled=np.arange(N, N + labelled),
                                block_size=block, random_state=0)
        return peak() - before

    grown(60, 20, 30, 10, 8, 9)  # loads libraries
    for line in sys.stdin:
        print(grown(*map(int, line.split())))
"""
# The samples, those that are labelled, the block, C, D, the weights elsewhere, and how much more
# than is counted may be taken.
MEASURED_CASES = [
    (60, 20, 60, 10, 75, 600, 7e7),
    (60, 20, 30, 10, 75, 600, 7e7),
    # V written out would be 276 MB
    (6_000, 600, 6_000, 10, 100, 150, 2e8),
    # the factors of the whole pool would be 154 MB
    (12_000, 0, 1_500, 10, 10, 300, 2e8),
    (9_000, 500, 9_000, 40, 20, 0, 2e8),
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_what_is_estimated():
    """What is counted, and at most 0.2 GB of intermediate results.

    Six k × k matrices are counted, for two stages; a selection in one stage holds one fewer.
    """
    lines = "".join(f"{' '.join(map(str, case[:-1]))}\n" for case in MEASURED_CASES)
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURED)],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    for case, grown in zip(MEASURED_CASES, map(int, ran.stdout.split()), strict=True):
        N, _, block, C, D, dense, more = case
        k, numbers_each = C * D + dense, C * C + D + C * dense
        counted = matrix_bytes(k) + block * 4 * (numbers_each + 4 * C**2)
        least = 0.8 if block < N else 0.75
        assert least * counted <= grown <= counted + more, case


def test_bytes_of_a_sample_and_of_the_matrices():
    last = KroneckerFactors(torch.ones(3, 4, 4), torch.ones(3, 9))
    assert sample_bytes(last) == 4 * (4 * 4 + 9 + 4 * 4 * 4)
    assert sample_bytes(DenseFactors(torch.ones(3, 4, 5).double())) == 8 * (4 * 5 + 4 * 4 * 4)
    assert matrix_bytes(1000) == 48_000_000
