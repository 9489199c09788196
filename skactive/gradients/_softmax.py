"""The rows of logits whose gradients are the rows of the Fisher factor."""

from __future__ import annotations

import torch
from torch import Tensor


def class_rows(logits: Tensor, weighting: str = "probability") -> Tensor:
    """Return S, so that V = S J with J the Jacobian of the logits.

    Row c is √p_c (e_c − p), or e_c − p where uniform. The diagonal's 1 − p_c is computed as the
    sum of the other probabilities, since the difference cancels where the network is confident.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.
    weighting : {"probability", "uniform"}, default="probability"
        Whether row c carries √p_c.

    Returns
    -------
    torch.Tensor of shape (N, C, C)
        S.

    Examples
    --------
    >>> import torch
    >>> S = class_rows(torch.zeros(1, 2))
    >>> (S.mT @ S).mul(4).round()  # diag(p) − p pᵀ, times 4
    tensor([[[ 1., -1.],
             [-1.,  1.]]])
    """
    p = logits.log_softmax(1).exp()
    C = p.shape[1]
    top = p.argmax(1)
    others = 1 - p
    rest = p.scatter(1, top[:, None], 0.0).sum(1)
    others.scatter_(1, top[:, None], rest[:, None])
    rows = -p[:, None, :].expand(-1, C, C) + torch.diag_embed(p + others)
    rows.diagonal(dim1=1, dim2=2).copy_(others)
    return rows if weighting == "uniform" else p.sqrt()[:, :, None] * rows
