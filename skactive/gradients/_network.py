"""A network lent for scoring: frozen, in evaluation mode, in float32 or float64, on one device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from skactive._batches import as_tensor, check_not_iterable_dataset, n_rows
from skactive._device import HALF, module_device, resolve_device, unwrap
from skactive._plain_torch import Switched
from skactive._scoring import scoring
from skactive._validation import describe, invalid
from skactive.gradients._precision import FloatTypes, computes_in_half

_LONE = "Its score must depend on one sample alone."
# Fused attention, in which layers' hooks do not fire, is off.
_PLAIN_KERNELS = Switched(
    torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled, False
)
# Of recurrent layers in evaluation mode cuDNN has no backward pass; torch's own kernels have.
_WITHOUT_CUDNN = Switched(
    lambda: torch.backends.cudnn.enabled,
    lambda on: setattr(torch.backends.cudnn, "enabled", on),
    False,
)


class Network:
    """What `lend_network` yields.

    Parameters
    ----------
    module : torch.nn.Module
        The network, unwrapped.
    owner : str
        The function that scores, for messages.

    Attributes
    ----------
    device : torch.device
        Where it computes.
    dtype : torch.dtype
        What it computes in.
    precision : torch.dtype
        The same, or float32 of a network in float64 that was seen to compute a part in float32.
    """

    def __init__(self, module: nn.Module, owner: str) -> None:
        self.module, self.owner = module, owner
        self.device = module_device(module)
        floating = (p.dtype for p in module.parameters() if p.is_floating_point())
        self.dtype = self.precision = next(floating, torch.float32)

    def inputs(self, block: Any) -> Tensor:
        """Return samples as the network takes them: floats in its dtype, integers as they are."""
        tensor = as_tensor(block)
        dtype = self.dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(self.device, dtype)

    def run(self, X: Tensor) -> Tensor:
        """Return the logits of samples; on a copy, which the network may overwrite."""
        return self.logits(self.module(X.clone()))

    def run_watched(self, X: Tensor) -> tuple[Tensor, set[torch.dtype]]:
        """Do the same, and return also in which types it computes; `precision` is the lowest."""
        with FloatTypes() as found:
            logits = self.run(X)
        if self.dtype == torch.float64 and found.seen - {torch.float64}:
            self.precision = torch.float32
        return logits, found.seen

    def logits(self, output: Any) -> Tensor:
        """Return the logits (N, C) from what the network returned: that, or its first item."""
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(first, Tensor) or first.ndim != 2 or first.shape[1] < 2:
            must = (
                "a network that returns logits (N, C) with C ≥ 2, or a tuple that begins with them"
            )
            got = describe(first) if isinstance(first, Tensor) else type(first).__name__
            remedy = f"It returned {got}. A head of one logit needs a second one."
            raise invalid("module", self.owner, must, type(self.module).__name__, remedy)
        return self.widened(first)

    def widened(self, values: Tensor) -> Tensor:
        """Return numbers in half precision in the network's own, and others as they are."""
        return values.to(self.dtype) if values.dtype in HALF else values

    def check_finite(self, logits: Tensor) -> None:
        """Raise if a logit is NaN or infinite."""
        if not bool(torch.isfinite(logits).all()):
            must = "samples for which the network's logits are finite"
            remedy = "Remove NaN and infinity from X; if there are none, the network has diverged."
            raise invalid("X", self.owner, must, logits.detach(), remedy)

    def check_alone(self, first: Tensor, logits: Tensor) -> None:
        """Raise if a logit is not finite, or the first sample's differ from those on its own."""
        with torch.no_grad():
            self.check_alike(first, self.run(first), logits)

    def check_alike(self, first: Tensor, alone: Tensor, logits: Tensor) -> None:
        """Raise if a logit is not finite, or the first sample's are not those on its own, (1, C).

        For both a GPU is waited for once.
        """
        difference = (alone[0] - logits[0]).abs().max()
        tolerance = 1e-8 if self.precision == torch.float64 else 1e-2
        differ = difference > tolerance * logits[0].abs().max().clamp(min=1e-6)
        if bool(differ | ~torch.isfinite(logits).all()):
            self.check_finite(logits)
            before, (_, seen) = self.precision, self.run_watched(first)
            if seen & HALF:
                raise computes_in_half(self.module, self.owner, "a part", min(seen & HALF, key=str))
            if self.precision != before:
                self.check_alike(first, alone, logits)
                return
            must = "a network that scores each sample by itself"
            remedy = (
                "The first sample's logits change with the batch that it is in; look for "
                f"a normalisation over the batch, or a mixing of samples. {_LONE}"
            )
            raise invalid("module", self.owner, must, type(self.module).__name__, remedy)


def trainable_parameters(module: nn.Module, owner: str) -> dict[str, nn.Parameter]:
    """Return the parameters that require gradients, by name, in `parameters()` order."""
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not parameters:
        must = "a network with parameters that require gradients"
        raise invalid("module", owner, must, type(module).__name__, "Unfreeze some of them.")
    return parameters


def _check_batch_norms(module: nn.Module, owner: str) -> None:
    for name, layer in module.named_modules():
        norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
        if norm and (layer.running_mean is None or layer.running_var is None):
            must = "a network that scores each sample by itself"
            remedy = (
                f"Layer {name!r} has no running statistics, so it mixes the samples of a batch; "
                f"build it with track_running_stats=True. {_LONE}"
            )
            raise invalid("module", owner, must, layer, remedy)


@contextmanager
def _moved(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Put parameters and buffers on a device, halves in float32; then as they were."""
    before = []
    try:
        for tensor in (*module.parameters(), *module.buffers()):
            dtype = torch.float32 if tensor.dtype in HALF else tensor.dtype
            if (tensor.dtype, tensor.device) != (dtype, device):
                before.append((tensor, tensor.data))
                tensor.data = tensor.data.to(device, dtype)
        yield
    finally:
        for tensor, data in before:
            tensor.data = data


def _without_cudnn(module: nn.Module) -> AbstractContextManager[None]:
    recurrent = any(isinstance(layer, nn.RNNBase) for layer in module.modules())
    return _WITHOUT_CUDNN if recurrent else nullcontext()


@contextmanager
def lend_network(
    module: nn.Module, X: Any, device: str | torch.device | None, owner: str
) -> Iterator[Network]:
    """Lend a module for scoring X, and put everything back as it was.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits; compiled and parallel wrappers are taken off.
    X : array, tensor, sequence or torch Dataset
        The samples; only their number is looked at.
    device : str, torch.device or None
        Where to compute; None is where the module is.
    owner : str
        The function that scores, for messages.

    Yields
    ------
    Network
        The network, its parameters frozen.

    Raises
    ------
    InvalidParameterError
        If X is empty or cannot be indexed, or a normalisation mixes samples.
    """
    check_not_iterable_dataset("X", owner, X)
    if n_rows(X) == 0:
        raise invalid("X", owner, "at least one sample", X)
    module = unwrap(module)
    _check_batch_norms(module, owner)
    where = module_device(module) if device is None else resolve_device(device, owner)
    with scoring(module), _moved(module, where), _PLAIN_KERNELS, _without_cudnn(module):
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        yield Network(module, owner)
