"""The diagonal of the Fisher information matrix."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skactive._torch import map_batches, n_rows, unwrap
from skactive._validation import check_count
from skactive.gradients._general import general_gradients
from skactive.gradients._geometry import Geometry
from skactive.gradients._mask import trainable_parameters
from skactive.gradients._network import Network, lend_network
from skactive.gradients._plan import Plan, Seen, make_plan
from skactive.gradients._softmax import class_rows
from skactive.gradients._takers import SquareTaker
from skactive.gradients._tape import Tape

# A chunk of samples is so small that the patches of all layers hold about this many numbers.
_PATCHES = 2**25


def diagonal_fisher(
    module: nn.Module,
    X: Any,
    *,
    batch_size: int = 256,
    device: str | torch.device | None = None,
) -> Tensor:
    """Diagonal of the Fisher information matrix, averaged over samples.

    d_j = mean_x Σ_c p_c(x) (∂_j log p_c(x))², with p the network's own softmax: no label is used.
    One forward and C backward passes a batch; each layer squares its own per-sample gradients.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them. It is scored in evaluation mode
        and left as it was. Half-precision weights are scored in float32.
    X : array, tensor, sequence or torch Dataset of length N
        The samples. Floats are cast to the module's type, integers passed as they are.
    batch_size : int, default=256
        Samples a batch.
    device : str, torch.device or None, default=None
        Where to compute; None is where the module is, "auto" the best device here.

    Returns
    -------
    torch.Tensor of shape (P,)
        d, over the trainable parameters in `module.parameters()` order.

    Raises
    ------
    InvalidParameterError
        If there are no samples or no trainable parameters, if the module does not return two or
        more finite logits a sample, or if it mixes the samples of a batch.

    References
    ----------
    .. [1] FisherMask, arXiv 2411.05752, section 3.

    Examples
    --------
    >>> import torch
    >>> from skactive.gradients import diagonal_fisher
    >>> module = torch.nn.Linear(1, 2, bias=False)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> diagonal_fisher(module, torch.tensor([[2.0]])).round(decimals=4)  # p = (½, ½): d = x²/4
    tensor([1., 1.])
    """
    owner = "diagonal_fisher"
    batch_size = check_count("batch_size", owner, batch_size)
    names = {name: p.numel() for name, p in trainable_parameters(unwrap(module), owner).items()}
    with lend_network(module, X, device, owner) as network:
        plan = make_plan(network, X, names, _square_taker, _squares)
        precise = torch.float32 if network.device.type == "mps" else torch.float64
        sums = {
            name: torch.zeros(size, dtype=precise, device=network.device)
            for name, size in names.items()
        }
        with Tape(network, plan.takers, plan.head) as tape:

            def add(block: Any, start: int) -> dict[str, Tensor]:
                return _block_sums(network, plan, tape, network.inputs(block))

            for _, block_sums in map_batches(add, X, batch_size):
                for name, squares in block_sums.items():
                    sums[name] += squares
    return (torch.cat(list(sums.values())) / n_rows(X)).to(network.dtype)


def _square_taker(geometry: Geometry, names: dict[str, str], seen: Seen) -> SquareTaker:
    return SquareTaker(geometry, names)


def _squares(name: str, gradient: Tensor) -> Tensor:
    return gradient.square()


def _block_sums(network: Network, plan: Plan, tape: Tape, X: Tensor) -> dict[str, Tensor]:
    """Σ over a batch of Σ_c p_c (∂_j log p_c)², by parameter."""
    sums: dict[str, Tensor] = {}

    def add(name: str, squares: Tensor) -> None:
        sums[name] = sums[name] + squares if name in sums else squares

    first, start, step = X[:1], 0, min(4, len(X))
    while start < len(X):
        some = X[start : start + step]
        try:
            logits = tape.forward(some)
            network.check_finite(logits)
            if start == 0:
                network.check_alone(first, logits)
            rows = class_rows(logits)
            takers = [taker for taker in plan.takers.values() if isinstance(taker, SquareTaker)]
            held = sum(taker.held() for taker in takers) // len(some)
            for c in range(rows.shape[1]):
                tape.pull(rows[:, c])
                for layer, names in plan.names.items():
                    taker = plan.takers[layer]
                    assert isinstance(taker, SquareTaker)
                    for own, name in names.items():
                        add(name, taker.squares[own].flatten())
        finally:
            tape.release()
        for name, _, squares in general_gradients(network, plan.paths, some, rows, _squares):
            add(name, squares.sum((0, 1)))
        start += len(some)
        step = max(1, _PATCHES // max(1, held))
    return sums
