"""Which of the process-wide random generators a network may draw from, by what it is made of."""

from __future__ import annotations

import torch
from torch import nn

from skactive._generators import ALL

# They draw nothing, neither in training nor in evaluation mode; subclasses may.
_QUIET = frozenset(
    {
        nn.AdaptiveAvgPool2d,
        nn.AvgPool2d,
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.Conv1d,
        nn.Conv2d,
        nn.CrossEntropyLoss,
        nn.Flatten,
        nn.GELU,
        nn.GroupNorm,
        nn.Identity,
        nn.LayerNorm,
        nn.Linear,
        nn.MaxPool2d,
        nn.ModuleDict,
        nn.ModuleList,
        nn.ReLU,
        nn.Sequential,
        nn.Sigmoid,
        nn.Tanh,
        nn.Unflatten,
    }
)
_DROPOUT = (nn.Dropout, nn.Dropout2d)
# They draw in evaluation mode, too.
_NEVER_QUIET = (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
# Their layers draw from torch's generators, and in training mode only.
_KNOWN = ("torch.nn.modules.", "torchvision.")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def drawn_from(*modules: nn.Module, training: bool) -> tuple[str, ...]:
    """Return the names of the generators that modules may draw from when they run.

    Parameters
    ----------
    *modules : torch.nn.Module
        The networks.
    training : bool
        Whether they run in training mode, forward and backward; else in evaluation mode.

    Returns
    -------
    tuple of {"python", "numpy", "torch"}
        Of what is not known, all of them.
    """
    needs = {_needs(layer, training) for module in modules for layer in module.modules()}
    hooked = any(p._backward_hooks for m in modules for p in m.parameters()) if training else False
    if hooked or ALL in needs:
        return ALL
    return ("torch",) if ("torch",) in needs else ()


def _needs(layer: nn.Module, training: bool) -> tuple[str, ...]:
    kind = type(layer)
    if any(getattr(layer, name) for name in _HOOKS):
        return ALL
    if kind in _QUIET or kind.__module__.startswith("skactive."):
        return ()  # skactive's own networks draw by the layers in them alone
    if not kind.__module__.startswith(_KNOWN) or kind in _NEVER_QUIET:
        return ALL
    # On a GPU dropout moves the generator with p=0 as well.
    off = kind in _DROPOUT and layer.p == 0 and not torch.cuda.is_available()
    silent = off or not training
    return () if silent else ("torch",)
