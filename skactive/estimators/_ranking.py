"""How a batch's predicted losses are compared with its losses: in pairs, by their order."""

from __future__ import annotations

import torch
from torch import Tensor


def ranking_pairs(predicted: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Pair the first sample of a batch with the last, the second with the last but one, and so on.

    The middle sample of an odd batch is in no pair.

    Parameters
    ----------
    predicted : Tensor of shape (b,)
        The predicted losses l̂.
    losses : Tensor of shape (b,)
        The losses ℓ.

    Returns
    -------
    predicted, losses : Tensor of shape (⌊b/2⌋,)
        The differences l̂_i − l̂_j and ℓ_i − ℓ_j of i < ⌊b/2⌋ and j = b − 1 − i.
    """
    half = len(losses) // 2
    return tuple((x - x.flip(0))[:half] for x in (predicted, losses))  # type: ignore[return-value]


def ranking_terms(predicted: Tensor, losses: Tensor, margin: float) -> Tensor:
    """Return max(0, margin − sign(ℓ_i − ℓ_j) (l̂_i − l̂_j)) of each pair, (⌊b/2⌋,).

    Equal losses count as sign −1, as in the published code. No gradient flows through ℓ.
    """
    predicted, losses = ranking_pairs(predicted, losses.detach())
    sign = torch.where(losses > 0, 1.0, -1.0).to(predicted.dtype)
    return torch.relu(margin - sign * predicted)


def ranking_loss(predicted: Tensor, losses: Tensor, margin: float) -> Tensor:
    """Return R, the mean of `ranking_terms`; 0 for a batch of one sample, which has no pair."""
    terms = ranking_terms(predicted, losses, margin)
    return terms.sum() / max(len(terms), 1)


def count_ordered(predicted: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many pairs are predicted in the right order, and how many have an order."""
    predicted, losses = ranking_pairs(predicted, losses)
    return (predicted * losses.sign() > 0).sum(), (losses != 0).sum()
