"""Combinations of the logits: those whose gradients are wanted."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor


def class_rows(
    logits: Annotated[Tensor, "N C"], weighting: str = "probability"
) -> Annotated[Tensor, "N C C"]:
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
    top, rest = _split_off_best(p)
    others = (1 - p).scatter_(1, top, rest)
    rows = -p[:, None, :].expand(-1, C, C) + torch.diag_embed(p + others)
    rows.diagonal(dim1=1, dim2=2).copy_(others)
    return rows if weighting == "uniform" else p.sqrt()[:, :, None] * rows


def label_rows(
    logits: Annotated[Tensor, "N C"], labels: Annotated[Tensor, "N S"]
) -> Annotated[Tensor, "N S C"]:
    """Return e_c − p for some labels c of each sample: rows of `class_rows`, of no others.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.
    labels : torch.Tensor of int64, of shape (N, S)
        The labels.

    Returns
    -------
    torch.Tensor of shape (N, S, C)
        The rows.

    Examples
    --------
    >>> import torch
    >>> label_rows(torch.zeros(1, 2), torch.tensor([[1]]))
    tensor([[[-0.5000,  0.5000]]])
    """
    p = logits.log_softmax(1).exp()
    others = (1 - p).scatter_(1, *_split_off_best(p))
    rows = -p[:, None, :].repeat(1, labels.shape[1], 1)
    return rows.scatter_(2, labels[:, :, None], others.gather(1, labels)[:, :, None])


def class_roots(logits: Annotated[Tensor, "N C"]) -> Annotated[Tensor, "N C"]:
    """Return √(p_c (1 − p_c)) of each class, the roots of the diagonal of diag(p) − p pᵀ.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.

    Returns
    -------
    torch.Tensor of shape (N, C)
        The roots; where p rounds to 1, its 1 − p is the sum of the other probabilities.

    Examples
    --------
    >>> import torch
    >>> class_roots(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """
    p = logits.log_softmax(1).exp()
    others = (1 - p).scatter_(1, *_split_off_best(p))
    return p.sqrt() * others.clamp_min(0).sqrt()


def reduced_rows(logits: Annotated[Tensor, "N C"]) -> Annotated[Tensor, "N C-1 C"]:
    """Return C − 1 rows R with RᵀR = diag(p) − p pᵀ, which has that rank.

    Row c, with t_c = Σ_{j≥c} p_j the probability of class c or a later one, is

        √(p_c t_{c+1} / t_c) (e_c − Σ_{j>c} p_j/t_{c+1} e_j),

    from drawing the label class by class: c or a later one? It has one row fewer than `class_rows`,
    and nothing cancels.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.

    Returns
    -------
    torch.Tensor of shape (N, C - 1, C)
        R.

    Examples
    --------
    >>> import torch
    >>> R = reduced_rows(torch.zeros(1, 2))
    >>> (R.mT @ R).mul(4).round()  # diag(p) − p pᵀ, times 4
    tensor([[[ 1., -1.],
             [-1.,  1.]]])
    """
    p = logits.log_softmax(1).exp()
    C = p.shape[1]
    from_here = p.flip(1).cumsum(1).flip(1)  # t_1, …, t_C
    here, later = from_here[:, :-1], from_here[:, 1:]
    shares = p[:, None, :] / torch.where(later > 0, later, 1)[:, :, None]  # (N, C - 1, C)
    rows = torch.eye(C, dtype=p.dtype, device=p.device)[:-1] - shares.triu(1)
    scale = (p[:, :-1] * (later / torch.where(here > 0, here, 1))).sqrt()
    return scale[:, :, None] * rows


def predicted_row(logits: Annotated[Tensor, "N C"]) -> Annotated[Tensor, "N C"]:
    """Return e_ŷ − p for the predicted label ŷ, so that its gradient is that of log p_ŷ.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.

    Returns
    -------
    torch.Tensor of shape (N, C)
        The row.

    Examples
    --------
    >>> import torch
    >>> predicted_row(torch.tensor([[1.0, 1.0]]))
    tensor([[ 0.5000, -0.5000]])
    """
    p = logits.log_softmax(1).exp()
    return (-p).scatter_(1, *_split_off_best(p))


def entropy_row(logits: Annotated[Tensor, "N C"]) -> Annotated[Tensor, "N C"]:
    """Return ∂H/∂f = −p (log p + H), with H = −Σ_c p_c log p_c and p = softmax(f).

    Its sum is zero, so that the entry of the likeliest class follows from the others, which keep
    their digits where the network is confident.

    Parameters
    ----------
    logits : torch.Tensor of shape (N, C)
        The logits.

    Returns
    -------
    torch.Tensor of shape (N, C)
        The row.

    Examples
    --------
    >>> import torch
    >>> entropy_row(torch.tensor([[0.0, 0.0], [0.0, 1e9]])).abs()  # uniform, and saturated
    tensor([[0., 0.],
            [0., 0.]])
    """
    log_p = logits.log_softmax(1)
    p = log_p.exp()
    top, rest = _split_off_best(p)
    # log max p = log(1 − rest) keeps its digits where max p rounds to 1.
    log_best = torch.where(rest < 0.5, torch.log1p(-rest), log_p.gather(1, top))
    log_p = log_p.scatter(1, top, log_best).clamp_min(torch.finfo(p.dtype).min)  # 0 · log 0 = 0
    H = -(p * log_p).sum(1, keepdim=True)
    row = (-p * (log_p + H)).scatter_(1, top, 0.0)
    return row.scatter_(1, top, -row.sum(1, keepdim=True))


def _split_off_best(p: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeliest class, (N, 1), and Σ of the others' p, (N, 1), which is 1 − max p."""
    top = p.argmax(1, keepdim=True)
    return top, p.scatter(1, top, 0.0).sum(1, keepdim=True)
