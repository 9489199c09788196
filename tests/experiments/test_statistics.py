"""Each statistic against a case worked out by hand."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from skactive.experiments._statistics import (
    aubc,
    bootstrap_mean,
    friedman,
    holm,
    labels_needed,
    nemenyi,
    numbered,
    paired_t,
    signed_rank,
)


def test_area_by_hand():
    n = np.array([10, 20, 40])
    # (10 · 0.5 + 20 · 0.7) / 30
    assert aubc(n, np.array([0.4, 0.6, 0.8])) == pytest.approx(19 / 30)
    both = aubc(n, np.array([[0.4, 0.6, 0.8], [1, 1, 1]]))
    np.testing.assert_allclose(both, [19 / 30, 1])
    assert np.isnan(aubc(n, np.array([0.4, np.nan, 0.8])))
    assert aubc(np.array([10]), np.array([[0.3]])) == [0.3]


def test_labels_needed_by_hand():
    n, curve = np.array([10, 20, 40]), np.array([0.4, 0.6, 0.5])
    assert labels_needed(n, curve, 0.4) == 10
    assert labels_needed(n, curve, 0.1) == 10
    assert labels_needed(n, curve, 0.45) == pytest.approx(12.5)
    assert labels_needed(n, curve, 0.6) == 20
    assert labels_needed(n, curve, 0.61) == np.inf
    fallen = np.array([0.4, 0.3, 0.5])
    assert labels_needed(n, fallen, 0.45) == pytest.approx(35)


def test_nothing_is_needed_for_what_was_not_measured():
    n, curve = np.array([10, 20, 40]), np.array([0.4, np.nan, 0.6])
    assert np.isnan(labels_needed(n, curve, np.nan))
    assert np.isnan(labels_needed(n, np.full(3, np.nan), 0.5))
    assert labels_needed(n, curve, 0.5) == pytest.approx(25)  # straight from 10 to 40
    assert labels_needed(n, curve, 0.7) == np.inf


def test_paired_t_by_hand():
    # Differences 1, 2, 3: mean 2, sd 1, t = 2 √3; with 2 degrees of freedom
    # p = 1 − t / √(2 + t²) = 1 − √(12 / 14).
    t, p = paired_t(np.array([2.0, 4, 6]), np.array([1.0, 2, 3]))
    assert t == pytest.approx(2 * 3**0.5)
    assert p == pytest.approx(1 - (12 / 14) ** 0.5)
    assert paired_t(np.array([0.5, 0.25]), np.array([0.5, 0.25])) == (0, 1)
    assert paired_t(np.array([0.5, 0.75]), np.array([0.25, 0.5])) == (np.inf, 0)
    assert paired_t(np.array([0.25, 0.5]), np.array([0.5, 0.75])) == (-np.inf, 0)


def test_the_level_of_badge_is_2_776_for_five_seeds():
    shape = np.array([-2.0, -1, 0, 1, 2])  # sd √2.5, so that t = √5 · mean / √2.5 = mean · √2
    for expected, significant in [(2.775, False), (2.777, True)]:
        t, p = paired_t(shape + expected / 2**0.5, np.zeros(5))
        assert t == pytest.approx(expected)
        assert (p < 0.05) == significant


def test_paired_t_is_scipys_for_each_column_without_the_pairs_that_are_missing():
    draw = np.random.default_rng(0)
    a, b = draw.random((2, 6, 3, 4))
    a[2, 1], b[4, 1, 2] = np.nan, np.nan
    t, p = paired_t(a, b)
    expected = stats.ttest_rel(a, b, nan_policy="omit")
    np.testing.assert_allclose(t, expected.statistic)
    np.testing.assert_allclose(p, expected.pvalue)
    a[:, 0] = b[:, 0] + 0.1  # up to rounding
    t, p = paired_t(a, b)
    assert (t[0] == np.inf).all()
    assert (p[0] == 0).all()


def test_signed_rank_by_hand():
    # Differences 1, 2, -3, 4, 5: the negative rank sum is 3. Of the 32 signs, those with a
    # negative rank sum of at most 3 are {}, {1}, {2}, {3}, {1, 2}: p = 2 · 5 / 32.
    a = np.array([1.0, 2, -3, 4, 5])
    assert signed_rank(a, np.zeros(5)) == (3, pytest.approx(10 / 32))
    with_tie = np.append(a, 0)
    assert signed_rank(with_tie, np.zeros(6)) == (3, pytest.approx(10 / 32))
    assert signed_rank(np.ones(3), np.ones(3)) == (0, 1)
    assert signed_rank(np.ones(1), np.zeros(1)).p == 1


def rank_sum_p(difference):
    """All 2ⁿ signs of the ranks: how often is the smaller sum this small?"""
    ranks = stats.rankdata(np.abs(difference))
    total = ranks.sum()

    def smaller(signs):
        positive = ranks[np.array(signs)].sum()
        return min(positive, total - positive)

    sums = [smaller(signs) for signs in product([True, False], repeat=len(ranks))]
    return np.mean(np.array(sums) <= smaller(difference > 0))


@pytest.mark.parametrize("seed", range(8))
def test_signed_rank_counts_all_signs(seed):
    rng = np.random.default_rng(seed)
    difference = rng.choice([-4, -3, -2, -1, 1, 2, 3, 4], size=rng.integers(2, 11)).astype(float)
    a = rng.random(len(difference))
    # Ties, up to the rounding noise of adding and subtracting.
    assert signed_rank(a + difference, a).p == pytest.approx(rank_sum_p(difference))


def test_signed_rank_of_many_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for n in (50, 51):
        a, b = rng.random((2, n))
        method = "exact" if n == 50 else "auto"  # which is the normal approximation above 50
        assert signed_rank(a, b) == pytest.approx(tuple(stats.wilcoxon(a - b, method=method)))


def test_rounding_is_no_difference():
    one, third = np.full(6, 0.3), np.full(6, 0.1 + 0.2)  # 0.30000000000000004
    assert signed_rank(third, one) == (0, 1)
    # Five equal differences and a larger one of the other sign: ranks 3 (five times) and 6.
    a = np.array([0.8, 0.7, 0.6, 0.5, 0.4, 0.1])
    b = np.array([0.6, 0.5, 0.4, 0.3, 0.2, 0.9])
    assert len(set((a - b)[:5])) > 1
    assert signed_rank(a, b).statistic == 6
    scores = np.array([[0.3, 0.1 + 0.2, 0.2], [0.1 + 0.2, 0.3, 0.2]])
    np.testing.assert_array_equal(nemenyi(scores, 0.05).ranks, [1.5, 1.5, 3])
    assert friedman(scores) == pytest.approx(friedman(np.array([[2.0, 2, 1], [2, 2, 1]])))
    assert friedman(np.array([[0.3, 0.1 + 0.2, 0.3]] * 3)) == 1


def test_numbers_by_size():
    values = np.array([0.5, 0.1, 0.5 + 1e-15, 0.2, 0.1])
    assert numbered(values, 1e-12).tolist() == [2, 0, 2, 1, 0]
    assert numbered(values, 0).tolist() == [2, 0, 3, 1, 0]
    assert numbered(values[:0], 0).tolist() == []


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.5])), [1, 1])
    np.testing.assert_allclose(holm(np.array([0.02])), [0.02])


def test_the_bootstrap_is_that_of_all_resamples():
    values = np.array([0.0, 1, 4])
    every = np.array([np.mean(resample) for resample in product(values, repeat=3)])
    # 27 equally likely means: 0 has a share of 1/27, 4 too.
    low, high = bootstrap_mean(values, 0.8, 200_000, np.random.default_rng(0))
    expected = np.quantile(every, [0.1, 0.9], method="inverted_cdf")
    np.testing.assert_allclose([low, high], expected)
    assert bootstrap_mean(np.array([0.5]), 0.8, 10, np.random.default_rng(0)) == (
        pytest.approx((np.nan, np.nan), nan_ok=True)
    )
    again = bootstrap_mean(values, 0.8, 100, np.random.default_rng(1))
    assert again == bootstrap_mean(values, 0.8, 100, np.random.default_rng(1))


def test_nemenyi_as_demsar_has_it():
    # Demšar (2006), section 3.2.2: 4 classifiers on 14 data sets, q = 2.569, CD = 1.25.
    rng = np.random.default_rng(0)
    scores = rng.random((14, 4))
    assert nemenyi(scores, 0.05).critical_difference == pytest.approx(1.25, abs=0.005)
    # and 2.291 at 0.10: CD = 1.12.
    assert nemenyi(scores, 0.10).critical_difference == pytest.approx(1.12, abs=0.005)


def test_mean_ranks_by_hand():
    scores = np.array([[0.9, 0.8, 0.7], [0.5, 0.6, 0.5]])
    ranks, p, critical = nemenyi(scores, 0.05)
    np.testing.assert_allclose(ranks, [(1 + 2.5) / 2, (2 + 1) / 2, (3 + 2.5) / 2])
    np.testing.assert_allclose(np.diag(p), 1)
    np.testing.assert_allclose(p, p.T)
    # Ranks that differ by just the critical difference have p = alpha.
    scale = critical / stats.studentized_range.ppf(0.95, 3, np.inf)
    far = stats.studentized_range.sf(1.25 / scale, 3, np.inf)
    assert p[1, 2] == pytest.approx(far)


def test_nemenyi_as_scikit_posthocs_has_it():
    posthocs = pytest.importorskip("scikit_posthocs")
    scores = np.random.default_rng(3).random((6, 5))
    theirs = posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    np.testing.assert_allclose(nemenyi(scores, 0.05).p, theirs, atol=1e-6)
