"""How little of others has to be mixed into embeddings for predictions to change."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import invalid
from skactive.selection._rows import as_centers, as_matrix, blocks

_OWNER = "mixing_thresholds"


def mixing_thresholds(logits: Any, inputs: Any, weight: Any, anchors: Any) -> np.ndarray:
    """Return how far samples have to be mixed with some anchor for their prediction to change.

    Mixing h with an anchor a by shares α, one per coordinate, is h + α ⊙ (a − h). The shares that
    raise the loss ℓ under the predicted label most, at a length of ε‖a − h‖ and to first order, are

        α = ε ‖a − h‖ ∇ℓ / ‖∇ℓ‖ ⊘ (a − h),    ∇ℓ = Wᵀ(p − e_ŷ),

    a step of that length along the gradient. The logits are linear in it, so that the smallest ε at
    which another class overtakes ŷ is known; once it has, ŷ does not come back. Coordinates in
    which h and a are equal cannot change by mixing, and do not.

    Parameters
    ----------
    logits : array or tensor of shape (N, C)
        z; a tensor is worked on where it is. A constant per sample does not matter.
    inputs : array or tensor of shape (N, D)
        h, the inputs of the layer that makes the logits.
    weight : array or tensor of shape (C, D)
        W, one row per class.
    anchors : array or tensor of shape (K, D)
        The embeddings a to mix with, such as the means of labelled classes.

    Returns
    -------
    ndarray of shape (N,)
        The smallest ε over the anchors; infinity where no step changes the prediction.

    Raises
    ------
    InvalidParameterError
        If the arrays are not made of finite rows, or do not belong together.

    References
    ----------
    .. [1] ALFA-Mix, arXiv 2203.07034.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import mixing_thresholds
    >>> h, W = np.array([[3.0, 1.0]]), np.eye(2)
    >>> mixing_thresholds(h @ W.T, h, W, [[3.1, 5.0]]).round(3)  # 2^(1/2) over a distance of 4
    array([0.353])
    """
    z, h, W = (
        as_matrix(name, given, _OWNER)
        for name, given in (("logits", logits), ("inputs", inputs), ("weight", weight))
    )
    if z.shape[1] < 2 or len(h) != len(z) or W.shape != (z.shape[1], h.shape[1]):
        must = "an array or tensor of shape (C, D), for logits (N, C ≥ 2) and inputs (N, D)"
        raise invalid("weight", _OWNER, must, weight)
    W, h = W.to(z.device, z.dtype), h.to(z.device, z.dtype)
    others = as_centers(anchors, h, _OWNER, "anchors")
    found = torch.full((len(z),), torch.inf, dtype=z.dtype, device=z.device)
    for rows in blocks(len(z), h.shape[1] + z.shape[1]):
        found[rows] = _of_block(z[rows], h[rows], W, others)
    return found.cpu().double().numpy()


def _of_block(
    z: Annotated[Tensor, "n C"],
    h: Annotated[Tensor, "n D"],
    W: Annotated[Tensor, "C D"],
    anchors: Annotated[Tensor, "K D"],
) -> Annotated[Tensor, "n"]:
    best = z.argmax(1, keepdim=True)
    gaps = z.gather(1, best) - z
    gradient = _directions(gaps, best) @ W
    gradient /= torch.linalg.vector_norm(gradient, dim=1, keepdim=True).clamp_min_(_tiny(z))
    found = torch.full_like(z[:, 0], torch.inf)
    steps = _steps(gaps, gradient @ W.T, best)
    for anchor in anchors:
        needed = steps
        equal = h == anchor
        some = equal.any(1).nonzero()[:, 0]
        if len(some):
            held = gradient[some].masked_fill(equal[some], 0)
            needed = steps.index_copy(0, some, _steps(gaps[some], held @ W.T, best[some]))
        apart = torch.linalg.vector_norm(h - anchor, dim=1)
        torch.minimum(found, torch.where(apart > 0, needed / apart, torch.inf), out=found)
    return found


def _directions(gaps: Tensor, best: Tensor) -> Tensor:
    """Return p − e_ŷ up to a positive factor per sample, which keeps its digits where p is sure."""
    runner_up = gaps.scatter(1, best, torch.inf).amin(1, keepdim=True)
    p = (runner_up - gaps).exp()
    p.scatter_(1, best, 0.0)
    return p.scatter_(1, best, -p.sum(1, keepdim=True))


def _steps(gaps: Tensor, slopes: Tensor, best: Tensor) -> Tensor:
    """Return the step at which the first class overtakes ŷ, (n,), as logits have these slopes."""
    closing = slopes - slopes.gather(1, best)
    return torch.where(closing > 0, gaps / closing.clamp_min(_tiny(gaps)), torch.inf).amin(1)


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny
