"""Statistics of learning curves: arrays in, numbers out."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy import stats

# Scores that differ by no more than this share of the largest are equal up to rounding.
ROUNDING = 1e-12


def aubc(n_labelled: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the area under the budget curve, divided by the range of budgets.

    Parameters
    ----------
    n_labelled : ndarray of shape (n_budgets,)
        The numbers of labels, rising.
    scores : ndarray of shape (..., n_budgets)
        The scores at these.

    Returns
    -------
    ndarray of shape (...,)
        The mean height of the curve, by trapezoids; the score itself if there is one budget.
    """
    if len(n_labelled) == 1:
        return scores[..., 0]
    widths = np.diff(n_labelled)
    return ((scores[..., 1:] + scores[..., :-1]) / 2 * widths).sum(-1) / widths.sum()


def labels_needed(n_labelled: np.ndarray, scores: np.ndarray, level: float) -> float:
    """Return the number of labels at which a curve first reaches a level.

    Parameters
    ----------
    n_labelled : ndarray of shape (n_budgets,)
        The numbers of labels, rising.
    scores : ndarray of shape (n_budgets,)
        The scores at these; straight lines join them.
    level : float
        The score to be reached.

    Returns
    -------
    float
        The number of labels; the first budget if it is reached there, infinity if nowhere; NaN
        where the level is NaN, or all scores are. Budgets whose score is NaN are left out.
    """
    measured = ~np.isnan(scores)
    n_labelled, scores = n_labelled[measured], scores[measured]
    if np.isnan(level) or not len(scores):
        return np.nan
    reached = np.flatnonzero(scores >= level)
    if not len(reached):
        return np.inf
    i = reached[0]
    if i == 0:
        return float(n_labelled[0])
    share = (level - scores[i - 1]) / (scores[i] - scores[i - 1])
    return float(n_labelled[i - 1] + share * (n_labelled[i] - n_labelled[i - 1]))


class Test(NamedTuple):
    """A statistic and its two-sided p-value."""

    statistic: float
    p: float


def paired_t(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare paired measurements by Student's t-tests.

    Parameters
    ----------
    a, b : ndarray of shape (n, ...)
        The measurements, a test for each column. A pair of which one is NaN does not count; at
        least two have to be left.

    Returns
    -------
    t, p : ndarray of shape (...)
        t = √n · mean(a − b) / sd(a − b), positive where a is larger, and the two-sided p-value.
        Differences that are all 0 give t = 0 and p = 1; all equal to another number, t = ±∞ and
        p = 0.
    """
    difference = a - b
    n = np.sum(~np.isnan(difference), axis=0)
    size = np.where(np.isnan(difference), 0, np.maximum(np.abs(a), np.abs(b)))
    rounding = ROUNDING * size.max(axis=0)  # 0.7 − 0.5 is not 0.8 − 0.6
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of pairs without two measurements
        mean = np.nanmean(difference, axis=0)
        spread = np.nanmax(difference, axis=0) - np.nanmin(difference, axis=0)
        t = np.sqrt(n) * mean / np.nanstd(difference, axis=0, ddof=1)
    equal = np.where(np.abs(mean) <= rounding, 0, np.copysign(np.inf, mean))
    t = np.where(spread <= rounding, equal, t)
    return t, 2 * stats.t.sf(np.abs(t), n - 1)


def signed_rank(a: np.ndarray, b: np.ndarray) -> Test:
    """Compare paired measurements by Wilcoxon's signed-rank test.

    Parameters
    ----------
    a, b : ndarray of shape (n,)
        The measurements.

    Returns
    -------
    Test
        The smaller of the two rank sums and the p-value: exact for up to 50 differences, equal ones
        among them or not, else by the normal approximation. Pairs without a difference are left
        out; with none left, p = 1. What differs by 1e-12 of the largest number or less is equal.
    """
    difference = a - b
    rounding = ROUNDING * max(np.abs(a).max(), np.abs(b).max())
    difference = difference[np.abs(difference) > rounding]
    n = len(difference)
    if not n:
        return Test(0.0, 1.0)
    ranks = stats.rankdata(numbered(np.abs(difference), rounding))
    if n > 50:
        # "auto" is the normal approximation then; as a method of its own, SciPy renamed it.
        return Test(*map(float, stats.wilcoxon(np.sign(difference) * ranks)))
    smaller = min(ranks[difference > 0].sum(), ranks[difference < 0].sum())
    # How likely each rank sum is if the signs are those of fair coins; twice a rank is whole.
    doubled = (2 * ranks).astype(int)
    chance = np.zeros(doubled.sum() + 1)
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] += chance[:-rank].copy()
        chance /= 2
    return Test(float(smaller), float(min(2 * chance[: int(2 * smaller) + 1].sum(), 1.0)))


def numbered(values: np.ndarray, rounding: float) -> np.ndarray:
    """Number values by size; those that follow each other by no more than rounding share one.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The values.
    rounding : float
        The largest step between two that count as equal.

    Returns
    -------
    ndarray of shape (n,) and dtype int64
        From 0, the smallest.
    """
    order = np.argsort(values, kind="stable")
    numbers = np.zeros(len(values), dtype=np.int64)
    numbers[order[1:]] = np.cumsum(np.diff(values[order]) > rounding)
    return numbers


def friedman(scores: np.ndarray) -> float:
    """Test whether methods have the same ranks.

    Parameters
    ----------
    scores : ndarray of shape (N, k)
        Of k methods on N blocks; ties as for `nemenyi`.

    Returns
    -------
    float
        The p-value of Friedman's test; 1 if all are equal on all blocks, NaN for two methods.
    """
    rows = _numbered_rows(scores)
    if scores.shape[1] < 3:
        return np.nan
    return float(stats.friedmanchisquare(*rows.T).pvalue) if rows.any() else 1.0


def _numbered_rows(scores: np.ndarray) -> np.ndarray:
    return np.array([numbered(row, ROUNDING * np.abs(row).max()) for row in scores])


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values for their number by Holm's step-down method.

    Parameters
    ----------
    p : ndarray of shape (m,)
        The p-values.

    Returns
    -------
    ndarray of shape (m,)
        The i-th smallest times m − i + 1, none smaller than those before it, at most 1.
    """
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted


def bootstrap_mean(
    values: np.ndarray, level: float, n_resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return an interval for the mean, by the percentile bootstrap.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The measurements.
    level : float
        The share of the resamples' means that the interval holds.
    n_resamples : int
        Number of resamples to draw.
    rng : Generator
        Draws them.

    Returns
    -------
    tuple of float
        The ends of the interval; NaN for fewer than two measurements.
    """
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    means = values[rng.integers(n, size=(n_resamples, n))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


class Nemenyi(NamedTuple):
    """Mean ranks, p-values of their differences, and the difference that is significant."""

    ranks: np.ndarray
    p: np.ndarray
    critical_difference: float


def nemenyi(scores: np.ndarray, alpha: float) -> Nemenyi:
    """Compare k methods on N blocks by their mean ranks.

    Parameters
    ----------
    scores : ndarray of shape (N, k)
        Higher is better; ties share the mean of their ranks. Scores of a block that differ by
        1e-12 of its largest or less are ties.
    alpha : float
        The level of significance.

    Returns
    -------
    Nemenyi
        Ranks from 1, the best, of shape (k,); p-values of shape (k, k), 1 on the diagonal; and the
        critical difference q_α √(k(k+1) / 6N), with q_α the quantile of the studentised range at
        infinitely many degrees of freedom, divided by √2.
    """
    n_blocks, k = scores.shape
    ranks = stats.rankdata(-_numbered_rows(scores), axis=1).mean(axis=0)
    scale = np.sqrt(k * (k + 1) / (6 * n_blocks)) / np.sqrt(2)
    p = stats.studentized_range.sf(np.abs(ranks[:, None] - ranks) / scale, k, np.inf)
    np.fill_diagonal(p, 1.0)
    critical = stats.studentized_range.ppf(1 - alpha, k, np.inf) * scale
    return Nemenyi(ranks, np.minimum(p, 1.0), float(critical))
