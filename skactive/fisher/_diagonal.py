"""The diagonal of the Fisher information matrix."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._batches import map_batches, n_rows
from skactive._device import NO_FLOAT64, unwrap
from skactive._rng import generator
from skactive._validation import check_count, invalid
from skactive.fisher._rank import check_rank, rows_of
from skactive.gradients.engine import (
    Geometry,
    Network,
    Plan,
    Seen,
    SquareTaker,
    Tape,
    general_gradients,
    label_rows,
    lend_network,
    make_plan,
    trainable_parameters,
)

# A chunk of samples is so small that the patches of all layers hold about this many numbers; a GPU
# has the memory for more, and is idle between small chunks.
_PATCHES_CPU, _PATCHES_GPU = 2**25, 2**29
# Samples of the first chunk, which shows how many numbers there are to one.
_FIRST = 4


def diagonal_fisher(
    module: nn.Module,
    X: Any,
    *,
    labels: str | int = "all",
    rank: int | None = None,
    batch_size: int = 256,
    device: str | torch.device | None = None,
    random_state: Any = None,
) -> Tensor:
    """Diagonal of the Fisher information matrix, averaged over samples.

    d_j = mean_x Σ_c p_c(x) (∂_j log p_c(x))², with p the network's own softmax: no label of the
    samples is used. One forward and C − 1 backward passes per batch; each layer squares its
    own per-sample gradients. With s labels drawn from p(x) for each sample, in place of all C, it
    is an unbiased estimate, mean_x 1/s Σ_i (∂_j log p_{c_i}(x))², by s backward passes.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them. It is scored in evaluation mode
        and left as it was. Half-precision weights are scored in float32.
    X : array, tensor, sequence or torch Dataset of length N
        The samples. Floats are cast to the module's type, integers passed as they are.
    labels : "all" or int, default="all"
        Sum over all C classes, or over this number of labels drawn per sample.
    rank : int or None, default=None
        r: take the diagonal of the information that the top r eigenvectors of diag(p) − p pᵀ keep,
        see `choose_rank`, by r backward passes. Only where labels="all". None is all.
    batch_size : int, default=256
        Samples per batch.
    device : str, torch.device or None, default=None
        Where to compute; None is where the module is, "auto" the best device here.
    random_state : int, RandomState, Generator or None, default=None
        Draws the labels; the same ones whatever the batch size.

    Returns
    -------
    torch.Tensor of shape (P,)
        d, over the trainable parameters in `module.parameters()` order.

    Raises
    ------
    InvalidParameterError
        If there are no samples or no trainable parameters, if the module does not return two or
        more finite logits per sample, or if it mixes the samples of a batch.

    References
    ----------
    .. [1] FisherMask, arXiv 2411.05752.

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import diagonal_fisher
    >>> module = torch.nn.Linear(1, 2, bias=False)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> diagonal_fisher(module, torch.tensor([[2.0]])).round(decimals=4)  # p = (½, ½): d = x²/4
    tensor([1., 1.])
    """
    owner = "diagonal_fisher"
    batch_size = check_count("batch_size", owner, batch_size)
    rank = check_rank(rank, owner)
    every = isinstance(labels, str) and labels == "all"
    if rank is not None and not every:
        remedy = "Both save backward passes: take one of the two."
        raise invalid("rank", owner, "None where labels are drawn", rank, remedy)
    names = {name: p.numel() for name, p in trainable_parameters(unwrap(module), owner).items()}
    with lend_network(module, X, device, owner) as network:
        draws = None if every else _draws(labels, n_rows(X), random_state).to(network.device)

        def rows_from(logits: Tensor, start: int) -> Tensor:
            if draws is None:
                return rows_of(logits, rank)
            return _drawn_rows(logits, draws[start : start + len(logits)])

        plan = make_plan(network, X, names, _square_taker, _squares)
        precise = torch.float32 if network.device.type in NO_FLOAT64 else torch.float64
        sums = {
            name: torch.zeros(size, dtype=precise, device=network.device)
            for name, size in names.items()
        }
        step = _FIRST
        with Tape(network, plan.takers, plan.head) as tape:

            def add(block: Any, start: int) -> dict[str, Tensor]:
                nonlocal step
                X = network.inputs(block)

                def rows_at(logits: Tensor, at: int) -> Tensor:
                    return rows_from(logits, start + at)

                sums, step = _block_sums(network, plan, tape, X, rows_at, step)
                return sums

            for _, block_sums in map_batches(add, X, batch_size):
                for name, squares in block_sums.items():
                    sums[name] += squares
    return (torch.cat(list(sums.values())) / n_rows(X)).to(network.dtype)


def _square_taker(geometry: Geometry, names: dict[str, str], seen: Seen) -> SquareTaker:
    return SquareTaker(geometry, names)


def _squares(name: str, gradient: Tensor) -> Tensor:
    return gradient.square()


def _draws(labels: Any, n: int, random_state: Any) -> Tensor:
    """Return a number from 0 to 1 for each label that is to be drawn, (N, s)."""
    if isinstance(labels, bool) or not isinstance(labels, Integral) or labels < 1:
        raise invalid("labels", "diagonal_fisher", "'all' or an int of at least 1", labels)
    draw = generator(random_state, "diagonal_fisher")
    return torch.from_numpy(draw.random((n, int(labels)), dtype=np.float32))


def _drawn_rows(logits: Tensor, draws: Tensor) -> Tensor:
    """Return e_c − p, over √s, for s labels c of each sample drawn from its p, (n, s, C)."""
    reached = logits.softmax(1).cumsum(1)  # (n, C)
    whole = reached[:, -1:]
    drawn = torch.searchsorted(reached, draws.to(reached.dtype) * whole, right=True)
    possible = (reached < whole).sum(1, keepdim=True)  # the last class of a probability above 0
    return label_rows(logits, drawn.minimum(possible)) / draws.shape[1] ** 0.5


def _block_sums(
    network: Network,
    plan: Plan,
    tape: Tape,
    X: Tensor,
    rows_from: Callable[[Tensor, int], Tensor],
    step: int,
) -> tuple[dict[str, Tensor], int]:
    """Σ over a batch of Σ_c p_c (∂_j log p_c)², by parameter; and the size of the next chunk."""
    sums: dict[str, Tensor] = {}

    def add(name: str, squares: Tensor) -> None:
        sums[name] = sums[name] + squares if name in sums else squares

    first, start = X[:1], 0
    most = _PATCHES_CPU if network.device.type == "cpu" else _PATCHES_GPU
    while start < len(X):
        some = X[start : start + step]
        try:
            logits = tape.forward(some)
            if start == 0:
                network.check_alone(first, logits)
            else:
                network.check_finite(logits)
            rows = rows_from(logits, start)
            takers = [taker for taker in plan.takers.values() if isinstance(taker, SquareTaker)]
            patches = [taker.patches for taker in takers if taker.patches is not None]
            held = sum(map(Tensor.numel, patches)) // len(some)
            for c in range(rows.shape[1]):
                tape.pull(rows[:, c])
                for layer, names in plan.names.items():
                    taker = plan.takers[layer]
                    assert isinstance(taker, SquareTaker)
                    for own, name in names.items():
                        add(name, taker.squares[own].flatten())
        finally:
            tape.release()
        for _, by_name in general_gradients(network, plan.paths, some, rows, _squares):
            for name, squares in by_name.items():
                add(name, squares.sum((0, 1)))
        start += len(some)
        step = max(1, most // max(1, held))
    return sums, step
