"""Gradients of parameters that no fast path serves: by torch.func, or sample by sample.

Only with respect to these parameters, a few tensors at a time, in chunks of samples, and with
masked entries gathered at once: C × P numbers per sample are never held.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from skactive.gradients._checkpoints import check_checkpoints
from skactive.gradients._network import Network

# Gradients of a chunk of samples hold about this many numbers, activations aside.
_BLOCK = 2**22
_MOST_SAMPLES = 64

Reduce = Callable[[str, Tensor], Tensor]


def _groups(network: Network, names: Sequence[str], n_rows: int) -> Iterator[list[str]]:
    """Put small tensors together, so that one pass serves several."""
    group: list[str] = []
    size = 0
    for name in names:
        own = network.module.get_parameter(name).numel() * n_rows
        if group and size + own > _BLOCK:
            yield group
            group, size = [], 0
        group.append(name)
        size += own
    if group:
        yield group


def func_gradients(
    network: Network, names: Sequence[str], X: Tensor, rows: Tensor, reduce: Reduce
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield reduced gradients of rows of the logits, by torch.func.

    Parameters
    ----------
    network : Network
        The network.
    names : sequence of str
        Parameters' names.
    X : torch.Tensor of shape (N, ...)
        The samples.
    rows : torch.Tensor of shape (N, R, C)
        R combinations of each sample's logits.
    reduce : callable
        Takes a parameter's name and the gradient of one sample and row, flattened, and returns
        what is kept of it.

    Yields
    ------
    tuple of int and dict of str to torch.Tensor
        The position of a chunk's first sample, and what was kept of the chunk, (n, R, ...), by the
        names of some of the parameters.
    """
    for group in _groups(network, names, rows.shape[1]):
        yield from _group_gradients(network, group, X, rows, reduce)


def _group_gradients(
    network: Network, names: Sequence[str], X: Tensor, rows: Tensor, reduce: Reduce
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    module = network.module
    parameters = {name: module.get_parameter(name).detach() for name in names}
    size = sum(p.numel() for p in parameters.values())

    def one_sample(x: Tensor, sample_rows: Tensor) -> dict[str, Tensor]:
        def logits(values: dict[str, Tensor]) -> Tensor:
            return network.logits(functional_call(module, values, (x[None],)))[0]

        pull = vjp(logits, parameters)[1]

        def one_row(row: Tensor) -> dict[str, Tensor]:
            (gradients,) = pull(row)
            return {name: reduce(name, gradient.flatten()) for name, gradient in gradients.items()}

        return vmap(one_row, chunk_size=max(1, _BLOCK // size))(sample_rows)

    step = min(_MOST_SAMPLES, max(1, _BLOCK // (size * rows.shape[1])))
    for start in range(0, len(X), step):
        some = slice(start, start + step)
        with warnings.catch_warnings():
            # Operations that torch.func runs sample by sample are slow, and right.
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            kept = vmap(one_sample, randomness="different")(X[some].clone(), rows[some])
        yield start, {name: values.detach() for name, values in kept.items()}


@dataclass
class Measured:
    """Reduces gradients as another function does, and notes the largest entry of each.

    Parameters
    ----------
    reduce : callable
        As for `func_gradients`.

    Attributes
    ----------
    largest : list of torch.Tensor
        The absolute values.
    """

    reduce: Reduce
    largest: list[Tensor] = field(default_factory=list, init=False)

    def __call__(self, name: str, gradient: Tensor) -> Tensor:
        if gradient.numel():
            low, high = gradient.aminmax()  # a tenth of the time of a maximum norm
            self.largest.append(torch.maximum(-low, high))
        return self.reduce(name, gradient)


def loop_gradients(
    network: Network, names: Sequence[str], X: Tensor, rows: Tensor, reduce: Reduce
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield the same as `func_gradients`, sample by sample: for what torch.func cannot transform.

    Parameters
    ----------
    network : Network
        The network.
    names : sequence of str
        Parameters' names.
    X : torch.Tensor of shape (N, ...)
        The samples.
    rows : torch.Tensor of shape (N, R, C)
        R combinations of each sample's logits.
    reduce : callable
        As for `func_gradients`.

    Yields
    ------
    tuple of int and dict of str to torch.Tensor
        The position of a sample, and what was kept of it, (1, R, ...), by the parameters' names.
    """
    parameters = {name: network.module.get_parameter(name) for name in names}
    for i in range(len(X)):
        try:
            for parameter in parameters.values():
                parameter.requires_grad_(True)
            logits = network.run(X[i : i + 1])
            kept: dict[str, list[Tensor]] = {name: [] for name in names}
            for row in rows[i]:
                gradients = _plain_gradients(network, logits, list(parameters.values()), row)
                for name, gradient in zip(names, gradients, strict=True):
                    kept[name].append(reduce(name, gradient.flatten()))
        finally:
            for parameter in parameters.values():
                parameter.requires_grad_(False)
        yield i, {name: torch.stack(values)[None].detach() for name, values in kept.items()}


def _plain_gradients(
    network: Network, logits: Tensor, parameters: list[nn.Parameter], row: Tensor
) -> tuple[Tensor, ...]:
    """Return the gradients of a combination of one sample's logits, (1, C)."""
    if not logits.requires_grad:  # none of the parameters is used
        return tuple(torch.zeros_like(parameter) for parameter in parameters)
    try:
        return torch.autograd.grad(
            logits,
            parameters,
            row[None],
            retain_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
    except RuntimeError:
        check_checkpoints(network.module, logits, network.owner)
        raise


def general_gradients(
    network: Network, paths: Mapping[str, str], X: Tensor, rows: Tensor, reduce: Reduce
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield what `func_gradients` and `loop_gradients` do, each for its parameters.

    Parameters
    ----------
    network : Network
        The network.
    paths : mapping of str to {"fast", "func", "loop"}
        Each parameter's path; those on the fast path are passed over.
    X : torch.Tensor of shape (N, ...)
        The samples.
    rows : torch.Tensor of shape (N, R, C)
        R combinations of each sample's logits.
    reduce : callable
        As for `func_gradients`.

    Yields
    ------
    tuple of int and dict of str to torch.Tensor
        As `func_gradients`.
    """
    for path, gradients in (("func", func_gradients), ("loop", loop_gradients)):
        names = [name for name, its_path in paths.items() if its_path == path]
        if names:
            yield from gradients(network, names, X, rows, reduce)
