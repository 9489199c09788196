"""The contract of selectors: functions that turn arrays into positions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from skactive._validation import invalid
from skactive.selection import Picks
from skactive.testing._battery import (
    require,
    require_picks,
    require_refused,
    require_same,
    require_unchanged,
    run_checks,
)
from skactive.testing._setting import snapshot

_N = 5


def check_selector(function: Callable[..., Any], *, X: Any = None) -> None:
    """Check that a function chooses from an array as those of `skactive.selection` do.

    It is called as `function(X, n)`, with `random_state=` where it has such a parameter, and
    returns positions, or `Picks`. Checked are positions and gains; that 0 and N + 1 are refused
    with a ValueError; that equal rows are different samples; that a `random_state` determines the
    picks; that a tensor and an array in another memory layout give the same ones; and that neither
    the array nor a process-wide generator is changed.

    Parameters
    ----------
    function : callable
        The selector. Further parameters are set by `functools.partial`.
    X : array-like of shape (N, …) or None, default=None
        What to choose from, at least 6 samples; None is 40 random rows of length 3.

    Raises
    ------
    CheckFailedError
        An AssertionError that names the check, and what was found. Later checks are not run.
    InvalidParameterError
        If `function` cannot be called, or X has fewer than 6 samples.

    See Also
    --------
    check_strategy : The same for query strategies.

    Examples
    --------
    >>> from functools import partial
    >>> from skactive.selection import k_center_greedy, max_coverage
    >>> from skactive.testing import check_selector
    >>> check_selector(k_center_greedy)
    >>> check_selector(partial(max_coverage, radius=1.0))
    """
    if not callable(function):
        raise invalid("function", check_selector, "a function of X and n", function)
    X = np.random.default_rng(0).normal(size=(40, 3)) if X is None else np.asarray(X)
    if X.ndim < 1 or len(X) <= _N:
        raise invalid("X", check_selector, f"an array of more than {_N} samples", X)
    inner = getattr(function, "func", function)
    name = getattr(inner, "__name__", type(inner).__name__)
    seeded = "random_state" in inspect.signature(function).parameters
    run_checks(name, _CHECKS, _Selector(function, name, seeded, X))


@dataclass(frozen=True, eq=False)
class _Selector:
    """A function, its name, whether it has a `random_state`, and what it chooses from."""

    function: Callable[..., Any]
    name: str
    seeded: bool
    X: np.ndarray

    def copied(self) -> _Selector:
        """Return the same with an array of its own."""
        return replace(self, X=self.X.copy())

    def ask(self, X: Any, n: int, seed: int = 0) -> np.ndarray:
        """Return the positions, checked."""
        found = self.function(X, n, random_state=seed) if self.seeded else self.function(X, n)
        of_its_kind = isinstance(found, Picks)
        indices, gains = (found.indices, found.gains) if of_its_kind else (found, None)
        return require_picks(self.name, indices, gains, n, len(X))


def _picks(selector: _Selector) -> None:
    for n in sorted({1, 2, _N, len(selector.X)}):
        selector.ask(selector.X, n)


def _refusals(selector: _Selector) -> None:
    for n in (0, len(selector.X) + 1):
        require_refused(partial(selector.ask, selector.X, n), f"n={n} of {len(selector.X)}")


def _repeated(selector: _Selector) -> None:
    selector.ask(np.repeat(selector.X[:2], _N, axis=0), 2 * _N - 1)


def _seeds(selector: _Selector) -> None:
    first, again = (selector.ask(selector.X, _N) for _ in range(2))
    require_same(first, again, "Asked twice alike, it picked")


def _kinds(selector: _Selector) -> None:
    first = selector.ask(selector.X, _N)
    tensor = torch.as_tensor(selector.X.copy())
    require_same(first, selector.ask(tensor, _N), "Of an array and a tensor it picked")
    turned = np.asfortranarray(selector.X)
    require_same(first, selector.ask(turned, _N), "Of rows and of columns in memory it picked")


def _as_found(selector: _Selector) -> None:
    untouched, before = selector.X.copy(), snapshot(None)
    selector.ask(selector.X, _N)
    require(np.array_equal(untouched, selector.X, equal_nan=True), "It wrote into X.")
    require_unchanged("It", before, snapshot(None))


_CHECKS = {
    "picks are distinct positions, as many as were asked for": _picks,
    "more samples than there are, and none, are refused": _refusals,
    "equal rows are different samples": _repeated,
    "the same call gives the same picks": _seeds,
    "arrays and tensors give the same picks": _kinds,
    "X and the generators are left as found": _as_found,
}
