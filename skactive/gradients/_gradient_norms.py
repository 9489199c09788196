"""Norms of each sample's gradient, without these gradients.

Weights are frozen, so that the backward pass makes the gradients at the layers' outputs only: about
two thirds of an ordinary pass. In place of the weights' gradients come the norms. What bounds them
on a CPU are, in this order, the matrix products of convolutions with many positions, which a
general matrix product does at half the speed of an ordinary pass's own kernels, the copies of
patches, and reading each layer's input and output gradient once more. `python -m benchmarks norms`
measures all of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skactive._batches import map_batches, n_rows
from skactive._device import unwrap
from skactive._validation import check_count, invalid
from skactive.gradients._general import general_gradients
from skactive.gradients._geometry import Geometry
from skactive.gradients._network import Network, lend_network, trainable_parameters
from skactive.gradients._plan import Plan, Seen, make_plan
from skactive.gradients._softmax import class_rows, entropy_row, predicted_row
from skactive.gradients._takers import NormTaker
from skactive.gradients._tape import Tape

_SCORES = ("entropy", "expected", "predicted")
_NORMS = ("layer_sum", "global")

# On a CPU a batch is run in parts whose layers' inputs hold about this many numbers: more leave
# the caches, and fewer make convolutions slow. Both cost a tenth or more with ResNet-18.
_PART = 2**25


def gradient_norms(
    module: nn.Module,
    X: Any,
    *,
    score: str = "entropy",
    norm: str = "layer_sum",
    batch_size: int = 256,
    device: str | torch.device | None = None,
) -> Tensor:
    """Norm of the gradient with respect to all trainable parameters, sample by sample.

    One forward and one backward pass per batch, of the sum of the samples' scores; each layer then
    has its samples' norms from its input and from the gradient at its output. With
    score="expected", C backward passes.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them. It is scored in evaluation mode
        and left as it was. Half-precision weights are scored in float32.
    X : array, tensor, sequence or torch Dataset of length N
        The samples. Floats are cast to the module's type, integers passed as they are.
    score : {"entropy", "expected", "predicted"}, default="entropy"
        With p the network's own softmax:

        - "entropy": ‖∇H(p(x))‖, H = −Σ_c p_c log p_c, as LPLgrad has it. It is 0 where p is
          saturated, and also where it is uniform.
        - "expected": Σ_c p_c ‖∇(−log p_c(x))‖, the expected gradient length.
        - "predicted": ‖∇(−log p_ŷ(x))‖ of the likeliest class ŷ.
    norm : {"layer_sum", "global"}, default="layer_sum"
        The sum of the Euclidean norms of the parameter tensors' gradients, as in LPLgrad's
        published code, or the Euclidean norm of the whole gradient.
    batch_size : int, default=256
        Samples per batch.
    device : str, torch.device or None, default=None
        Where to compute; None is where the module is, "auto" the best device here.

    Returns
    -------
    torch.Tensor of shape (N,)
        The norms, on the device where they were computed.

    Raises
    ------
    InvalidParameterError
        If there are no samples or no trainable parameters, if the module does not return two or
        more finite logits per sample, or if it mixes the samples of a batch.

    References
    ----------
    .. [1] LPLgrad, arXiv 2411.15217, for "entropy".
    .. [2] B. Settles, M. Craven and S. Ray, Multiple-instance active learning, NIPS 2007, for
       "expected".
    .. [3] BADGE, arXiv 1906.03671, section 3, for "predicted".

    Examples
    --------
    >>> import torch
    >>> from skactive.gradients import gradient_norms
    >>> module = torch.nn.Linear(1, 2, bias=False)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> X = torch.tensor([[2.0], [4.0]])
    >>> gradient_norms(module, X, score="predicted").square().round(decimals=4)  # x²/2
    tensor([2., 8.])
    >>> gradient_norms(module, X, score="entropy")  # p is uniform: the entropy's maximum
    tensor([0., 0.])
    """
    owner = "gradient_norms"
    batch_size = check_count("batch_size", owner, batch_size)
    for name, value, known in (("score", score, _SCORES), ("norm", norm, _NORMS)):
        if value not in known:
            raise invalid(name, owner, "one of " + ", ".join(map(repr, known)), value)
    names = list(trainable_parameters(unwrap(module), owner))
    with lend_network(module, X, device, owner) as network:
        plan = make_plan(network, X, names, _norm_taker, _square_sum)
        norms = torch.empty(n_rows(X), dtype=network.dtype, device=network.device)
        with Tape(network, plan.takers, plan.head) as tape:

            def compute(block: Any, start: int) -> Tensor:
                return _block_norms(network, plan, tape, network.inputs(block), score, norm)

            for block, some in map_batches(compute, X, batch_size):
                norms[block] = some
    return norms


def _norm_taker(geometry: Geometry, names: dict[str, str], seen: Seen) -> NormTaker:
    return NormTaker(geometry, names, seen.overwritten)


def _square_sum(name: str, gradient: Tensor) -> Tensor:
    return gradient.square().sum()


def _block_norms(
    network: Network, plan: Plan, tape: Tape, X: Tensor, score: str, norm: str
) -> Tensor:
    """Return the norms of a batch, part by part."""
    step = len(X)
    if network.device.type == "cpu":
        step = max(1, _PART // max(1, plan.size))
    norms = []
    for start, some in enumerate(X.split(step)):
        try:
            logits = tape.forward(some)
            if start == 0:
                network.check_alone(X[:1], logits)
            else:
                network.check_finite(logits)
            rows = _rows(logits, score)
            norms.append(_part_norms(network, plan, tape, some, rows, norm).sum(1))
        finally:
            tape.release()
    return torch.cat(norms)


def _rows(logits: Tensor, score: str) -> Tensor:
    """Return the combinations of the logits, (n, R, C), the norms of whose gradients add up."""
    if score == "entropy":
        return entropy_row(logits)[:, None]
    if score == "predicted":
        return predicted_row(logits)[:, None]
    # p_c ‖∇ log p_c‖ = ‖p_c ∇ log p_c‖, which is 0 and not 0 · ∞ where p is saturated
    return logits.softmax(1).sqrt()[:, :, None] * class_rows(logits)


def _part_norms(
    network: Network, plan: Plan, tape: Tape, X: Tensor, rows: Tensor, norm: str
) -> Tensor:
    """Return the norms of the gradients of rows of the logits, (n, R)."""
    n, R, _ = rows.shape
    norms = rows.new_zeros(n, R)
    for r in range(R):
        tape.pull(rows[:, r], last=r == R - 1)
        for layer, names in plan.names.items():
            for own in names:
                squared = plan.takers[layer].taken(own)
                norms[:, r] += squared.sqrt() if norm == "layer_sum" else squared
    for start, by_name in general_gradients(network, plan.paths, X, rows, _square_sum):
        for squared in by_name.values():
            part = norms[start : start + len(squared)]
            part += squared.sqrt() if norm == "layer_sum" else squared
    return norms if norm == "layer_sum" else norms.sqrt_()
