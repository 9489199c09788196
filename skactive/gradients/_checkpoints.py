"""Activation checkpoints of the kind through which torch gives no gradients to those who ask."""

from __future__ import annotations

from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointFunction

from skactive._validation import invalid


def check_checkpoints(module: nn.Module, logits: Tensor, owner: str) -> None:
    """Raise if a graph goes through a checkpoint with use_reentrant=True.

    Through such a one goes `torch.autograd.backward` alone, which fills `.grad`.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    logits : torch.Tensor
        What it returned.
    owner : str
        The function that scores.
    """
    waiting, seen = [logits.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [each for each, _ in node.next_functions]
        if getattr(node, "_forward_cls", None) is CheckpointFunction:
            must = "a network whose activations are kept, or checkpointed with use_reentrant=False"
            remedy = "Pass use_reentrant=False, or switch checkpointing off before the query."
            raise invalid("module", owner, must, type(module).__name__, remedy)
