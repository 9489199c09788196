"""Greedy selection by Fisher information: BAIT's objective, by an exact low-rank update."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._batches import as_tensor
from skactive._validation import check_count, exact_share, invalid
from skactive.fisher._components import on_directions, share_kept, top_directions, weighted_trace
from skactive.fisher._dense import DenseFactors
from skactive.fisher._factors import FisherFactors
from skactive.fisher._fisher_picks import FisherPicks
from skactive.fisher._forms import check_whole, curvature_of, regularization_of, trace_of
from skactive.fisher._pick import pick
from skactive.fisher._positions import (
    check_apart,
    check_at_least,
    check_components,
    check_regularization,
    check_weights,
    positions,
)

_OWNER = "greedy_fisher"


def greedy_fisher(
    factors: Any,
    n: int,
    *,
    candidates: Any = None,
    labelled: Any = None,
    weights: Any = None,
    regularization: float | str = 1.0,
    oversample: float = 1.0,
    components: int | None = None,
) -> FisherPicks:
    """Pick the samples that most reduce the expected error by Fisher information.

    Greedily minimises tr(M⁻¹ I_T) over batches S of n candidates, with

        M = λI + n_L/(n_L+n) I_L + n/(n_L+n) Σ_{x∈S} V(x)ᵀ V(x),

    I_L the mean Fisher information of the n_L labelled samples, and I_T that of candidates and
    labelled together, or another average of Fisher information. The gains are those of the
    published loop; a step costs O(N·C²·k) in place of O(N·C·k²). Gains are kept in the factors'
    precision, and the best few of each step computed in float64; where the two differ by too much,
    all are computed anew, and factors in float32 that are too ill-scaled for that go on as float64,
    in twice the memory.

    Parameters
    ----------
    factors : FisherFactors, or array or tensor of shape (N, C, k)
        V, as `skactive.fisher.fisher_factors` returns it.
    n : int
        The size of the batch.
    candidates : array of int or None, default=None
        Positions of the samples to pick from; None is all that are not labelled.
    labelled : array of int or None, default=None
        Positions of the labelled samples; None is none, and the I_L term is absent.
    weights : array of float of shape (N,) or None, default=None
        How much each sample counts in I_T, at least 0; scaled to sum to 1. None is all candidates
        and labelled samples alike. `target_weights` makes them from class shares.
    regularization : float or "auto", default=1.0
        λ, above 0; "auto" is tr(I_T)/k, the mean eigenvalue of I_T, so that the picks do not depend
        on the scale of the factors.
    oversample : float, default=1.0
        ⌈oversample · n⌉ are picked, and the least useful removed one by one; 2 in BAIT's paper.
    components : int or None, default=None
        Number m of directions: with U the top m eigenvectors of I_T, V is replaced by V U, so that
        a step costs O(N·C²·m). It is the same objective, on the directions that it averages most
        over; the picks may be others. None is all directions.

    Returns
    -------
    FisherPicks
        Positions into the factors' samples, and as `gains` by how much each pick lowered the
        objective; `removed`, `n_refreshes` and `kept` too. Equal gains go to the lower position.

    Raises
    ------
    InvalidParameterError
        If the factors are not finite floats of shape (N, C, k), or a parameter is out of range.

    References
    ----------
    .. [1] BAIT, arXiv 2106.09675, algorithm 1; FisherMask, arXiv 2411.05752.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.fisher import greedy_fisher
    >>> V = np.array([[[1.0, 0.0]], [[3.0, 0.0]], [[0.0, 2.0]]])
    >>> picks = greedy_fisher(V, 2)
    >>> picks.indices, picks.gains.round(3)
    (array([1, 2]), array([3.   , 1.067]))
    """
    V = _as_factors(factors)
    pool, labels = _check_positions(candidates, labelled, len(V), V.device)
    n = check_count("n", _OWNER, n, high=len(pool), high_is="the candidates")
    given = check_regularization(regularization, _OWNER)
    check_at_least("oversample", oversample, 1.0, _OWNER)
    n_picks = min(len(pool), exact_share(oversample, n, up=True))
    m = check_components(components, _OWNER)
    w = _target(V, pool, labels, weights)
    whole, k = None, V.shape[2]
    if m is not None:
        check_whole(V, "components", _OWNER)
        whole = weighted_trace(V, w)
        _check_finite(V, whole)
        V = on_directions(V, top_directions([(V, w)], m))
    I_T = V.information(w)
    _check_finite(V, *I_T)
    of_labels = V.information(_weights(V, labels)) if len(labels) else None
    trace = trace_of(I_T)
    regularization = regularization_of(given, trace if whole is None else whole, k)
    curvature = curvature_of(V)(I_T, of_labels, len(labels), n, regularization)
    picks = pick(V, pool, curvature, n_picks, n)
    return picks if whole is None else replace(picks, kept=share_kept(trace, whole))


def _as_factors(factors: Any) -> FisherFactors:
    if isinstance(factors, FisherFactors):
        return factors.in_own_order()
    values = as_tensor(factors)
    good = values.ndim == 3 and values.is_floating_point() and min(values.shape) > 0
    if not good or not bool(torch.isfinite(values).all()):
        must = "what fisher_factors returns, or finite floats of shape (N, C, k)"
        raise invalid("factors", _OWNER, must, factors)
    return DenseFactors(values)


def _check_finite(V: FisherFactors, *information: Tensor) -> None:
    if not all(bool(torch.isfinite(one).all()) for one in information):
        raise invalid("factors", _OWNER, "finite, and their squares too", V)


def _target(V: FisherFactors, pool: Tensor, labels: Tensor, weights: Any) -> Tensor:
    """How much each sample counts in I_T: by weights, or candidates and labelled samples alike."""
    if weights is not None:
        return torch.from_numpy(check_weights(weights, _OWNER, len(V))).to(V.device)
    w = _weights(V, pool) + _weights(V, labels)
    return w / w.sum()


def _weights(V: FisherFactors, positions: Tensor) -> Tensor:
    """1 at these samples, 0 at the others."""
    weights = torch.zeros(len(V), dtype=torch.float64, device=V.device)
    return weights.index_fill_(0, positions, 1.0)


def _check_positions(
    candidates: Any, labelled: Any, N: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    labels = np.arange(0) if labelled is None else positions("labelled", labelled, _OWNER, N)
    if candidates is None:
        pool = np.setdiff1d(np.arange(N), labels)
        if not len(pool):
            must = f"fewer than all {N} samples where candidates=None"
            raise invalid("labelled", _OWNER, must, labelled, "Nothing is left to pick.")
    else:
        pool = np.sort(positions("candidates", candidates, _OWNER, N))
        check_apart(pool, labels, _OWNER)
    return torch.as_tensor(pool, device=device), torch.as_tensor(labels, device=device)
