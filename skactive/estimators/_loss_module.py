"""The loss-prediction module that trains beside a classifier's network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LossModule(nn.Module):
    """From the pooled features of a network's stages to the loss that is to be expected.

    Each stage has a linear layer and a ReLU; a last linear layer joins the stages.

    Parameters
    ----------
    channels : sequence of int
        The channels of each stage.
    dim : int
        The width of each stage's linear layer.
    dtype : torch.dtype, default=torch.float32
        What it computes in.

    References
    ----------
    Learning Loss, arXiv 1905.03677, section 3.2.
    """

    def __init__(
        self, channels: Sequence[int], dim: int, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Linear(c, dim, dtype=dtype) for c in channels)
        self.joined = nn.Linear(len(channels) * dim, 1, dtype=dtype)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return the predicted losses (n,) of pooled features, (n, channels) of each stage."""
        dtype = self.joined.weight.dtype  # in mixed precision the features have half of it
        hidden = [
            torch.relu(layer(x.to(dtype))) for layer, x in zip(self.stages, features, strict=True)
        ]
        return self.joined(torch.cat(hidden, 1)).squeeze(1)
