"""What the objective averages over, where that is not the pool as it is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skactive._validation import as_numbers, invalid
from skactive.exceptions import EmptyClassWarning

_OWNER = "target_weights"


def target_weights(probabilities: Any, shares: Any = "balanced") -> np.ndarray:
    """Weights of samples under which the predicted classes have given shares.

    w_i = Σ_c τ_c p_c(x_i) / Σ_j p_c(x_j), which sum to 1: each class c hands out its share τ_c in
    proportion to how much a sample is predicted to be of it. With them I_T = Σ_i w_i V(x_i)ᵀ V(x_i)
    is the Fisher information of a population that has these shares, as far as p is right.

    Parameters
    ----------
    probabilities : array of shape (N, C)
        p of each sample.
    shares : "balanced" or array of shape (C,), default="balanced"
        τ, of at least 0 each; scaled to sum to 1. "balanced" is 1/C each.

    Returns
    -------
    ndarray of float64, of shape (N,)
        w.

    Raises
    ------
    InvalidParameterError
        If these are no probabilities, or no shares of their classes.

    Warns
    -----
    EmptyClassWarning
        If no sample has any probability of a class that has a share: it is left out, and the other
        shares are scaled up.

    Notes
    -----
    A share goes out in full however small the probabilities are: that of a class which was listed
    and never labelled goes to samples by what says nothing about it. Only where all of them are 0
    is it left out.

    Examples
    --------
    >>> from skactive.fisher import target_weights
    >>> target_weights([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    array([0.25, 0.25, 0.5 ])
    """
    p = _check_probabilities(probabilities)
    tau = _check_shares(shares, p.shape[1])
    totals = p.sum(0)
    empty = np.flatnonzero((totals == 0) & (tau > 0))
    if len(empty):
        tau = _without(tau, empty)
    return (p / np.where(totals > 0, totals, 1)) @ tau


def _check_probabilities(probabilities: Any) -> np.ndarray:
    p = as_numbers(probabilities)
    good = p is not None and p.ndim == 2 and p.dtype.kind == "f" and min(p.shape) > 0
    if p is None or not good or not (np.isfinite(p) & (p >= 0)).all():
        must = "finite floats of at least 0, of shape (N, C)"
        raise invalid("probabilities", _OWNER, must, probabilities)
    return p.astype(np.float64)


def _check_shares(shares: Any, C: int) -> np.ndarray:
    if isinstance(shares, str) and shares == "balanced":
        return np.full(C, 1 / C)
    tau = None if isinstance(shares, str) else as_numbers(shares)
    good = tau is not None and tau.shape == (C,) and tau.dtype.kind in "iuf"
    if tau is None or not good or not (np.isfinite(tau) & (tau >= 0)).all() or not tau.any():
        must = f"'balanced', or {C} finite shares of at least 0, not all of them 0"
        raise invalid("shares", _OWNER, must, shares)
    return tau / tau.sum(dtype=np.float64)


def _without(tau: np.ndarray, empty: np.ndarray) -> np.ndarray:
    if len(empty) == np.count_nonzero(tau):
        must = "shares of at least one class that some sample is predicted to be of"
        raise invalid("shares", _OWNER, must, tau)
    warnings.warn(
        f"No sample has any probability of class {', '.join(map(str, empty.tolist()))}, counted "
        "from 0: left out of the target, and the other shares are scaled up.",
        EmptyClassWarning,
        stacklevel=3,
    )
    tau = tau.copy()
    tau[empty] = 0
    return tau / tau.sum()
