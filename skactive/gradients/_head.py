"""The layer that makes the logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skactive._batches import take_rows
from skactive._device import unwrap
from skactive._validation import Description, InvalidParameterError, invalid
from skactive.gradients._network import lend_network

_OWNER = "find_head"


def find_head(module: nn.Module, X: Any) -> str:
    """Name the layer that makes the logits, by running the network on one sample.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them.
    X : array, tensor or sequence of length N
        Samples; the first is run.

    Returns
    -------
    str
        The name, as in `module.named_modules()`, of the last Linear or convolutional layer to run
        whose output, flattened, has the softmax of the logits. One sample does not show that it
        has for all; `head_inputs` looks at each.

    Raises
    ------
    InvalidParameterError
        If there is none, or the network cannot be scored.

    Examples
    --------
    >>> import torch
    >>> from skactive.gradients import find_head
    >>> body = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> find_head(body, torch.zeros(1, 2))
    '2'
    """
    module = unwrap(module)
    outputs: list[tuple[str, Tensor]] = []
    layers = {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))
    }
    hooks = []
    try:
        for name, layer in layers.items():
            hooks.append(
                layer.register_forward_hook(
                    lambda _layer, _args, output, name=name: outputs.append((name, output.clone()))
                )
            )
        with lend_network(module, X, None, _OWNER) as network, torch.no_grad():
            logits = network.run(network.inputs(take_rows(X, slice(0, 1))))
    finally:
        for hook in hooks:
            hook.remove()
    for name, output in reversed(outputs):
        if output.numel() == logits.numel() and bool(same_softmax(output, logits)):
            return name
    raise without_head(module, _OWNER)


def same_softmax(output: Tensor, logits: Tensor) -> Tensor:
    """Return whether a layer's output has the softmax of the logits, (n, C): a tensor of one bool.

    It may differ from them by a constant per sample, as logits from log p do.
    """
    output = output.reshape(logits.shape).to(logits.dtype)
    return torch.isclose(output.log_softmax(1), logits.log_softmax(1), rtol=1e-4, atol=1e-5).all()


def without_head(module: nn.Module, owner: str) -> InvalidParameterError:
    """Return the error for a network of which no layer makes the logits."""
    return invalid(
        "module",
        owner,
        "a network whose logits are the output of a linear or convolutional layer",
        Description(type(module).__name__),
        "Put the layer that makes the logits last, or use a strategy that reads probabilities.",
    )
