"""Selectors: those that are there pass, and each fault fails the check that says so."""

from functools import partial

import numpy as np
import pytest
import torch

from skactive.exceptions import CheckFailedError, InvalidParameterError
from skactive.selection import (
    Picks,
    batch_bald,
    k_center_greedy,
    kmeans_plusplus,
    max_coverage,
    top_n,
)
from skactive.testing import check_selector

RNG = np.random.default_rng(0)
DRAWS = np.log(RNG.dirichlet(np.ones(3), size=(12, 5)))

SELECTORS = {
    "k_center_greedy": (k_center_greedy, None),
    "with centers": (partial(k_center_greedy, centers=np.zeros((1, 3))), None),
    "kmeans_plusplus": (kmeans_plusplus, None),
    "max_coverage": (partial(max_coverage, radius=1.0), None),
    "top_n": (top_n, RNG.normal(size=20)),
    "batch_bald": (batch_bald, DRAWS),
}


@pytest.mark.parametrize(("function", "X"), SELECTORS.values(), ids=SELECTORS)
def test_those_that_are_there_pass(function, X):
    check_selector(function, X=X)


def checked(n, X):
    if not 1 <= n <= len(X):
        raise ValueError(n)


def first(X, n):
    checked(n, X)
    return np.arange(n)


def writes(X, n):
    np.asarray(X)[0] = 0
    return first(X, n)


def draws(X, n):
    checked(n, X)
    np.random.rand()
    return np.arange(n)


def unique(X, n):
    checked(n, X)
    return np.unique(np.asarray(X), axis=0, return_index=True)[1][:n]


def unseeded(X, n, *, random_state=None):
    checked(n, X)
    return np.random.default_rng().permutation(len(X))[:n]


def by_kind(X, n):
    checked(n, X)
    return np.arange(n) + isinstance(X, torch.Tensor) * (n < len(X))


def by_layout(X, n):
    checked(n, X)
    return np.arange(n) + (not np.asarray(X).flags.c_contiguous)


WRONG = {
    "too few": (lambda X, n: np.arange(n - 1), "picks are distinct", "must return"),
    "a mask": (lambda X, n: np.arange(len(X)) < n, "picks are distinct", "np.flatnonzero"),
    "negative": (lambda X, n: -1 - np.arange(n), "picks are distinct", "Got position -1"),
    "a tuple": (lambda X, n: (np.arange(n), None), "picks are distinct", "of type tuple"),
    "NaN gains": (lambda X, n: Picks(np.arange(n), np.full(n, np.nan)), "picks are", "NaN"),
    "short gains": (lambda X, n: Picks(np.arange(n), np.ones(n + 1)), "picks are", "not 1 num"),
    "any number": (lambda X, n: np.arange(min(n, len(X))), "more samples than", "must return|n="),
    "unique": (unique, "equal rows are different samples", "must return 9"),
    "unseeded": (unseeded, "the same call gives the same", "Asked twice alike"),
    "by kind": (by_kind, "arrays and tensors", "an array and a tensor"),
    "by layout": (by_layout, "arrays and tensors", "columns in memory"),
    "writes": (writes, "X and the generators", "wrote into X"),
    "draws": (draws, "X and the generators", "changed the generator of NumPy"),
}


@pytest.mark.parametrize(("function", "check", "found"), WRONG.values(), ids=WRONG)
def test_each_fault_fails_its_check(function, check, found):
    with pytest.raises(CheckFailedError, match=f"({check}).*({found})"):
        check_selector(function)


def test_what_cannot_be_checked():
    with pytest.raises(InvalidParameterError, match="'function' parameter of check_selector"):
        check_selector(3)
    with pytest.raises(InvalidParameterError, match="'X' parameter of check_selector"):
        check_selector(first, X=np.zeros((5, 2)))
    check_selector(first)
