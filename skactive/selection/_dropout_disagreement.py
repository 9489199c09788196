"""How often predictions change when embeddings lose coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skactive._rng import generator
from skactive._validation import check_count, invalid, is_number
from skactive.selection._rows import as_matrix, blocks

_OWNER = "dropout_disagreement"


def dropout_disagreement(
    logits: Any,
    inputs: Any,
    weight: Any,
    *,
    p: float = 0.75,
    n_passes: int = 3,
    random_state: Any = None,
) -> np.ndarray:
    """Count the passes of dropout on the last layer's inputs that change a sample's prediction.

    In a pass each number of h is set to 0 with probability p, and divided by 1 − p otherwise, for
    each sample on its own. With h' the result, the logits are z + W(h' − h).

    Parameters
    ----------
    logits : array or tensor of shape (N, C)
        z; a tensor is worked on where it is. A constant per sample does not matter.
    inputs : array or tensor of shape (N, D)
        h, the inputs of the layer that makes the logits.
    weight : array or tensor of shape (C, D)
        W, one row per class.
    p : float, default=0.75
        From 0 to below 1.
    n_passes : int, default=3
        Number of passes.
    random_state : int, RandomState, Generator or None, default=None
        Draws; the same masks on every device.

    Returns
    -------
    ndarray of shape (N,), int64
        From 0 to `n_passes`.

    Raises
    ------
    InvalidParameterError
        If the arrays are not finite or do not belong together, or a number is out of range.

    References
    ----------
    .. [1] DropQuery, arXiv 2401.14555.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import dropout_disagreement
    >>> h, W = np.array([[1.0, 9.0], [3.0, 0.0]]), np.array([[0.0, 0.0], [1.0, -1.0]])
    >>> dropout_disagreement(h @ W.T, h, W, p=0.0)
    array([0, 0])
    """
    z, h, W = (
        as_matrix(name, given, _OWNER)
        for name, given in (("logits", logits), ("inputs", inputs), ("weight", weight))
    )
    if len(h) != len(z) or W.shape != (z.shape[1], h.shape[1]):
        must = "an array or tensor of shape (C, D), for logits (N, C) and inputs (N, D)"
        raise invalid("weight", _OWNER, must, weight)
    if not is_number(p) or not 0 <= p < 1:
        raise invalid("p", _OWNER, "a number from 0 to below 1", p)
    n_passes = check_count("n_passes", _OWNER, n_passes)
    draw = generator(random_state, _OWNER)
    W, h = W.to(z.device, z.dtype), h.to(z.device, z.dtype)
    found = torch.zeros(len(z), dtype=torch.int64, device=z.device)
    for rows in blocks(len(z), h.shape[1]):
        own, best = h[rows], z[rows].argmax(1)
        for _ in range(n_passes):
            kept = draw.random(tuple(own.shape), dtype=np.float32) >= p
            factor = torch.as_tensor(kept).to(z.device, z.dtype) / (1 - p) - 1
            found[rows] += (torch.addmm(z[rows], factor * own, W.T)).argmax(1) != best
    return found.cpu().numpy()
