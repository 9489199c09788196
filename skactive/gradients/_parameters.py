"""The trainable parameters of a network, by name."""

from __future__ import annotations

from torch import nn

from skactive._validation import invalid


def trainable_parameters(module: nn.Module, owner: str) -> dict[str, nn.Parameter]:
    """Return the parameters that require gradients, by name, in `parameters()` order."""
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not parameters:
        must = "a network with parameters that require gradients"
        raise invalid("module", owner, must, type(module).__name__, "Unfreeze some of them.")
    return parameters
