"""What the layer that makes the logits reads, for a whole pool: the network's own embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skactive._batches import map_batches, n_rows, one_behind, take_rows
from skactive._device import unwrap
from skactive._validation import Description, check_count, invalid
from skactive.gradients._head import find_head, same_softmax, without_head
from skactive.gradients._network import lend_network

_OWNER = "head_inputs"


@dataclass(frozen=True)
class HeadInputs:
    """What `head_inputs` returns, on the network's device and in its precision.

    Attributes
    ----------
    inputs : torch.Tensor of shape (N, D)
        h(x), what the head reads.
    logits : torch.Tensor of shape (N, C)
        What it makes of it.
    bias : bool
        Whether the head has a bias: its gradients are then those of the rows [h, 1].
    weight : torch.Tensor of shape (C, D)
        The head's weight W, a copy. The logits are W h + b, up to a constant per sample.
    """

    inputs: Tensor
    logits: Tensor
    bias: bool
    weight: Tensor


def head_inputs(
    module: nn.Module,
    X: Any,
    *,
    batch_size: int = 256,
    device: str | torch.device | None = None,
) -> HeadInputs:
    """Read a pool's embeddings and logits in one pass: the input and output of the head.

    The head is the layer that makes the logits, see `find_head`. For a convolution, which then has
    one position, h(x) is the patch that it reads. The gradient of log p_c with respect to the
    head's weight is (e_c − p) ⊗ h(x).

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them. It is scored in evaluation mode
        and left as it was. Half-precision weights are scored in float32.
    X : array, tensor, sequence or torch Dataset of length N
        The samples. Floats are cast to the module's type, integers passed as they are.
    batch_size : int, default=256
        Samples per batch.
    device : str, torch.device or None, default=None
        Where to compute; None is where the module is, "auto" the best device here.

    Returns
    -------
    HeadInputs
        `inputs` (N, D), `logits` (N, C), the head's `weight` (C, D), and whether it has a `bias`.

    Raises
    ------
    InvalidParameterError
        If there are no samples, the logits are not finite or not those of a linear or
        convolutional layer in one group, or the module mixes the samples of a batch.

    Examples
    --------
    >>> import torch
    >>> from skactive.gradients import head_inputs
    >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(2, 3))
    >>> found = head_inputs(net, torch.tensor([[1.0, -1.0], [2.0, 3.0]]))
    >>> found.inputs
    tensor([[1., 0.],
            [2., 3.]])
    >>> found.logits.shape, found.bias
    (torch.Size([2, 3]), True)
    """
    batch_size = check_count("batch_size", _OWNER, batch_size)
    module = unwrap(module)
    with lend_network(module, X, device, _OWNER) as network, torch.no_grad():
        head = module.get_submodule(find_head(module, take_rows(X, slice(0, 1))))
        _check_head(module, head)
        read: list[Tensor] = []
        made: list[Tensor] = []

        def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            a = (args[0] if args else kwargs["input"]).detach().clone()
            read.append(network.widened(a))

        def keep_output(_: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
            made.append(output.detach().clone())

        def compute(block: Any, start: int) -> tuple[Tensor, ...]:
            read.clear()
            made.clear()
            samples = network.inputs(block)
            logits = network.run(samples)
            rows, same = _rows(head, read[-1], len(samples)), same_softmax(made[-1], logits)
            first = samples[:1].clone()  # what is kept holds no batch
            return rows, logits, same, first, network.run(first)

        weight = cast(Tensor, head.weight).detach().flatten(1).clone()
        hooks = [
            head.register_forward_pre_hook(keep, with_kwargs=True),
            head.register_forward_hook(keep_output),
        ]
        try:
            found: tuple[Tensor, ...] = ()
            all_same = torch.ones((), dtype=torch.bool, device=network.device)  # looked at once
            for block, some in one_behind(map_batches(compute, X, batch_size)):
                *parts, same, first, alone = some
                network.check_alike(first, alone, parts[1])
                all_same &= same
                if not found:
                    found = tuple(part.new_empty(n_rows(X), part.shape[1]) for part in parts)
                for whole, part in zip(found, parts, strict=True):
                    whole[block] = part
            if not bool(all_same):
                raise without_head(module, _OWNER)
        finally:
            for hook in hooks:
                hook.remove()
    return HeadInputs(found[0], found[1], bias=head.bias is not None, weight=weight)


def _check_head(module: nn.Module, head: Any) -> None:
    transposed = isinstance(head, nn.modules.conv._ConvTransposeNd)
    if transposed or getattr(head, "groups", 1) > 1:
        must = "a network whose logits are the output of a linear layer, or of a plain convolution"
        got = Description(f"{type(module).__name__} with the head {head}")
        raise invalid("module", _OWNER, must, got, "Replace the head by an nn.Linear.")


def _rows(head: Any, a: Tensor, n: int) -> Tensor:
    """Return the head's input as (n, D): for a convolution the one patch, padding included."""
    if isinstance(head, nn.Linear):
        return a.reshape(n, head.in_features)
    mode = "constant" if head.padding_mode == "zeros" else head.padding_mode
    padding = head._reversed_padding_repeated_twice
    a = F.pad(a, padding, mode=mode) if any(padding) else a
    for axis, (size, apart) in enumerate(zip(head.kernel_size, head.dilation, strict=True), 2):
        a = a.narrow(axis, 0, apart * (size - 1) + 1)
        a = a.index_select(axis, torch.arange(0, a.shape[axis], apart, device=a.device))
    return a.reshape(n, -1)
