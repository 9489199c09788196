"""Factors of each sample's Fisher information on the last layer, by one forward pass."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skactive._batches import as_tensor
from skactive._validation import invalid
from skactive.fisher._block_factors import BlockFactors
from skactive.fisher._factors import at_least_single
from skactive.fisher._kronecker import KroneckerFactors
from skactive.fisher._rank import check_rank, rows_of
from skactive.gradients import head_inputs
from skactive.gradients.engine import class_roots

_OWNER = "last_layer_factors"

CURVATURES = ("full", "blocks", "binary")


def head_factors(
    module: nn.Module,
    X: Any,
    *,
    curvature: str = "full",
    rank: int | None = None,
    batch_size: int = 256,
    device: str | torch.device | None = None,
) -> KroneckerFactors | BlockFactors:
    """Factors V(x) of the Fisher information I(x) = V(x)ᵀ V(x) on the layer that makes the logits.

    V(x) = R ⊗ h(x), with h(x) the layer's input, followed by a 1 where it has a bias, and R of
    C − 1 rows with RᵀR = diag(p) − p pᵀ. These are the numbers of `fisher_factors` on the mask of
    that layer with weighting="reduced", the bias after each output's weights, and no gradients are
    computed.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them. It is scored in evaluation mode
        and left as it was. Half-precision weights are scored in float32.
    X : array, tensor, sequence or torch Dataset of length N
        The samples. Floats are cast to the module's type, integers passed as they are.
    curvature : {"full", "blocks", "binary"}, default="full"
        What is kept of I(x) = (diag(p) − p pᵀ) ⊗ h hᵀ: all of it, the blocks p_c (1 − p_c) h hᵀ of
        each class with itself, or one block q (1 − q) h hᵀ with q = max p.
    rank : int or None, default=None
        r: in place of C − 1 rows per sample, those of the top r eigenvectors of diag(p) − p pᵀ,
        which keep the most of V(x)ᵀ V(x) in r rows, see `choose_rank`. None is all.
    batch_size : int, default=256
        Samples per batch.
    device : str, torch.device or None, default=None
        Where to compute and to keep the factors; None is where the module is, "auto" the best
        device here.

    Returns
    -------
    KroneckerFactors or BlockFactors
        V, of shape (N, C − 1, C·D), in C² − C + D numbers per sample; D counts the 1. With a rank,
        r rows in C·r + D numbers. In blocks C rows in C + D numbers, binary one row of D columns.

    Raises
    ------
    InvalidParameterError
        As `head_inputs`, and if there is a rank where the curvature is not "full", or either of
        them is not as above.

    References
    ----------
    .. [1] BAIT, arXiv 2106.09675; blocks: Approx-FIRAL, arXiv 2409.07392; one block: arXiv
       2404.08981.

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import head_factors
    >>> module = torch.nn.Linear(1, 2, bias=False)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> head_factors(module, torch.tensor([[2.0]])).gram()  # x² (diag(p) − p pᵀ)
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=torch.float64)
    """
    found = head_inputs(module, X, batch_size=batch_size, device=device)
    return last_layer_factors(
        found.logits, found.inputs, bias=found.bias, curvature=curvature, rank=rank
    )


def last_layer_factors(
    logits: Any,
    inputs: Any,
    *,
    bias: bool = True,
    curvature: str = "full",
    rank: int | None = None,
) -> KroneckerFactors | BlockFactors:
    """Do what `head_factors` does, from logits and embeddings that are at hand.

    Parameters
    ----------
    logits : array or tensor of shape (N, C)
        What the last layer makes of them.
    inputs : array or tensor of shape (N, D)
        h(x), the embeddings.
    bias : bool, default=True
        Whether the last layer has a bias.
    curvature : {"full", "blocks", "binary"}, default="full"
        As in `head_factors`.
    rank : int or None, default=None
        As in `head_factors`.

    Returns
    -------
    KroneckerFactors or BlockFactors
        V, of shape (N, C − 1, C·D), or C·(D + 1) columns with a bias.

    Raises
    ------
    InvalidParameterError
        If these are not finite floats of the same number of samples, or there is a rank where the
        curvature is not "full".

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import last_layer_factors
    >>> last_layer_factors(torch.zeros(1, 2), torch.tensor([[2.0]]), bias=False).gram()
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=torch.float64)
    """
    f, h = as_tensor(logits), as_tensor(inputs)
    _check_floats("logits", f, "(N, C), C at least 2")
    f = at_least_single(f)
    if f.shape[1] < 2:
        raise invalid("logits", _OWNER, "logits of two classes or more", logits)
    _check_floats("inputs", h, f"({len(f)}, D)")
    if len(h) != len(f):
        raise invalid("inputs", _OWNER, f"one row per row of logits, {len(f)}", inputs)
    h = h.to(f)
    h = F.pad(h, (0, 1), value=1.0) if bias else h
    if curvature not in CURVATURES:
        raise invalid("curvature", _OWNER, "'full', 'blocks' or 'binary'", curvature)
    rank = check_rank(rank, _OWNER)
    if curvature == "full":
        return KroneckerFactors(rows_of(f, rank), h)
    if rank is not None:
        must, remedy = f"None where curvature={curvature!r}", "Blocks have one row per class."
        raise invalid("rank", _OWNER, must, rank, remedy)
    roots = class_roots(f)
    if curvature == "blocks":
        return BlockFactors(roots, h)
    best = f.argmax(1, keepdim=True)
    return KroneckerFactors(roots.gather(1, best)[:, :, None], h)


def _check_floats(name: str, values: Tensor, shape: str) -> None:
    good = values.ndim == 2 and values.is_floating_point() and min(values.shape) > 0
    if not good or not bool(torch.isfinite(values).all()):
        raise invalid(name, _OWNER, f"finite floats of shape {shape}", values)
