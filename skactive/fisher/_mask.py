"""Masks: the few parameters on which Fisher information is computed."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._device import unwrap
from skactive._rng import generator
from skactive._validation import check_count, exact_share, invalid
from skactive.gradients.engine import trainable_parameters

_KINDS = ("global", "layerwise", "relative", "random", "head")
# Those that read the diagonal, and those whose size is not the caller's, with the reason.
_READ_THE_DIAGONAL = ("global", "layerwise", "relative")
_CAP = 0.025
_OF_GIVEN_SIZE = {
    "relative": f"takes at most {_CAP:.1%} of each tensor",
    "head": "is the last layer",
}
_OWNER = "parameter_mask"


def parameter_mask(
    diagonal: Any,
    module: nn.Module,
    *,
    kind: str = "global",
    fraction: float | str = "auto",
    n_parameters: int | None = None,
    head: str | None = None,
    random_state: Any = None,
) -> Tensor:
    """Choose the parameters that carry the most Fisher information.

    Parameters
    ----------
    diagonal : array or tensor of shape (P,), or None
        The diagonal of the Fisher information, as `diagonal_fisher` returns it. May be None for
        "random" and "head", which do not read it.
    module : torch.nn.Module
        The network, with P trainable parameters.
    kind : {"global", "layerwise", "relative", "random", "head"}, default="global"
        - "global": the whole last layer, then the largest entries of the rest, k in all; the
          authors' "standard".
        - "layerwise": in each tensor the ⌈fraction · size⌉ largest; the last layer whole; the
          authors' "dispersed".
        - "relative": in each tensor the entries above twice the tensor's mean, at most ⌈2.5 %⌉
          of it; takes no fraction.
        - "random": any k parameters.
        - "head": the last layer alone, as BAIT has it; takes no fraction.

        Ties go to the lower position.
    fraction : float or "auto", default="auto"
        k = ⌊fraction · P⌋. "auto" is max(⌊0.002 · P⌋, ⌈1.1 · last layer⌉, 1), at most P, since
        0.002, the published fraction, is less than the last layer for small networks and many
        classes; with "layerwise" it is 0.002.
    n_parameters : int or None, default=None
        k itself, in place of a fraction; with "layerwise" the fraction k/P, beside the whole last
        layer.
    head : str or None, default=None
        The name of the last layer in `module.named_modules()`, the one that makes the logits;
        None is the last Linear in module order, and where there is none the last Conv2d.
    random_state : int, RandomState, Generator or None, default=None
        Draws the random mask; None draws afresh, and not from NumPy's global generator.

    Returns
    -------
    torch.Tensor of int64, of shape (k,)
        Increasing flat positions among the trainable parameters, in `module.parameters()` order.

    Raises
    ------
    InvalidParameterError
        If the diagonal is not one of this module, if a parameter is out of range, if there is no
        last layer, or if an explicit global mask has no room for more than the last layer.

    References
    ----------
    .. [1] FisherMask, arXiv 2411.05752, and its published code.

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import parameter_mask
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1, bias=False))
    >>> diagonal = torch.tensor([0.1, 0.9, 0.2, 0.0, 0.5, 0.3, 0.0, 0.0, 0.0, 0.0])
    >>> parameter_mask(diagonal, module, n_parameters=4)
    tensor([1, 4, 8, 9])
    """
    module = unwrap(module)
    parameters = trainable_parameters(module, _OWNER)
    sizes = [p.numel() for p in parameters.values()]
    P = sum(sizes)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise invalid("kind", _OWNER, f"one of {', '.join(map(repr, _KINDS))}", kind)
    if diagonal is None and kind not in _READ_THE_DIAGONAL:
        diagonal = torch.zeros(P)
    values = _check_diagonal(diagonal, P)
    _check_size(kind, fraction, n_parameters, P)
    if kind == "relative":
        return _relative(values, sizes)
    last = _last_layer(module, parameters, head)
    n_last = int(last.sum())
    if kind == "head":
        if not n_last:
            must = "a network whose last layer has parameters that require gradients"
            raise invalid("module", _OWNER, must, type(module).__name__, "Unfreeze them.")
        return torch.nonzero(last.to(values.device)).flatten()
    if kind == "layerwise":
        return _layerwise(values, sizes, last, fraction, n_parameters)
    k = _count(kind, fraction, n_parameters, P, n_last)
    if kind == "random":
        drawn = generator(random_state, _OWNER).permutation(P)[:k]
        return torch.from_numpy(np.sort(drawn)).to(values.device)
    chosen = last.to(values.device)
    order = torch.sort(values.masked_fill(chosen, -1.0), descending=True, stable=True).indices
    chosen[order[: k - n_last]] = True
    return torch.nonzero(chosen).flatten()


def split_mask(
    mask: Any, parameters: dict[str, nn.Parameter], owner: str
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Share a mask out among the parameters.

    Parameters
    ----------
    mask : array or tensor of int, of shape (k,)
        Increasing flat positions.
    parameters : dict of str to torch.nn.Parameter
        The trainable parameters, in order.
    owner : str
        The function that has the mask, for the message.

    Returns
    -------
    dict of str to torch.Tensor
        The flat positions within each parameter that has some.
    dict of str to torch.Tensor
        Their positions in the mask.

    Raises
    ------
    InvalidParameterError
        If the mask is not increasing positions among these parameters.
    """
    P = sum(p.numel() for p in parameters.values())
    positions = torch.as_tensor(mask).cpu()
    if (
        positions.ndim != 1
        or not len(positions)
        or positions.dtype not in (torch.int64, torch.int32)
        or not bool((positions.diff() > 0).all())
        or int(positions[0]) < 0
        or int(positions[-1]) >= P
    ):
        must = f"increasing int positions from 0 to {P - 1}, at least one"
        remedy = "Pass what parameter_mask returned for this network; of a bool array, its nonzero."
        raise invalid("mask", owner, must, mask, remedy)
    wanted, columns, start = {}, {}, 0
    for name, parameter in parameters.items():
        bounds = torch.tensor([start, start + parameter.numel()], dtype=positions.dtype)
        low, high = torch.searchsorted(positions, bounds).tolist()
        if high > low:
            wanted[name] = positions[low:high].long() - start
            columns[name] = torch.arange(low, high)
        start += parameter.numel()
    return wanted, columns


def _check_diagonal(diagonal: Any, P: int) -> Tensor:
    values = torch.empty(0) if diagonal is None else torch.as_tensor(diagonal).detach()
    if (
        values.shape != (P,)
        or not values.is_floating_point()
        or not bool((torch.isfinite(values) & (values >= 0)).all())
    ):
        must = f"finite floats of at least 0, one for each of the {P} trainable parameters"
        raise invalid("diagonal", _OWNER, must, diagonal, "Pass diagonal_fisher(module, X).")
    return values


def _check_size(kind: str, fraction: Any, n_parameters: Any, P: int) -> None:
    auto = isinstance(fraction, str) and fraction == "auto"
    if not auto and not (
        isinstance(fraction, Real) and not isinstance(fraction, bool) and 0 < float(fraction) <= 1
    ):
        raise invalid("fraction", _OWNER, "'auto' or a float above 0 and up to 1", fraction)
    if n_parameters is not None:
        check_count(
            "n_parameters", _OWNER, n_parameters, high=P, high_is="the trainable parameters"
        )
    if not auto and n_parameters is not None:
        must = "'auto' where n_parameters is given"
        raise invalid("fraction", _OWNER, must, fraction, "Pass one of the two.")
    if kind in _OF_GIVEN_SIZE:
        given = "fraction" if not auto else "n_parameters" if n_parameters is not None else None
        if given:
            must = f"left at its default with a {kind!r} mask, which {_OF_GIVEN_SIZE[kind]}"
            raise invalid(given, _OWNER, must, fraction if given == "fraction" else n_parameters)


def _last_layer(module: nn.Module, parameters: dict[str, nn.Parameter], head: str | None) -> Tensor:
    """Which positions belong to the last layer, (P,) bool."""
    layers = dict(module.named_modules())
    if head is None:
        for kind in (nn.Linear, nn.Conv2d):
            found = [name for name, layer in layers.items() if isinstance(layer, kind)]
            if found:
                head = found[-1]
                break
        else:
            must = "a network with a linear or convolutional layer to make the logits"
            remedy = "Name the last layer by head=."
            raise invalid("module", _OWNER, must, type(module).__name__, remedy)
    elif head not in layers:
        names = [name for name in layers if name]
        must = f"the name of a layer, such as {names[-1]!r}" if names else "''"
        raise invalid("head", _OWNER, must, head, "See module.named_modules().")
    own = {id(p) for p in layers[head].parameters()}
    return torch.cat([torch.full((p.numel(),), id(p) in own) for p in parameters.values()])


def _round_up(part: int, total: int, digits: int) -> float:
    """Return part/total rounded up to some decimals."""
    return float(Decimal(-(-part * 10**digits // total)).scaleb(-digits))


def _count(kind: str, fraction: Any, n_parameters: int | None, P: int, n_last: int) -> int:
    if n_parameters is None and fraction == "auto":
        return min(P, max(exact_share(0.002, P), exact_share(1.1, n_last, up=True), 1))
    k = exact_share(fraction, P) if n_parameters is None else int(n_parameters)
    smallest = min(n_last + 1, P)
    if kind == "global" and k < smallest:
        share = _round_up(smallest, P, max(3, len(str(P))))
        parameter = "fraction" if n_parameters is None else "n_parameters"
        must = (
            f"large enough for more than the last layer, which has {n_last} of the {P} parameters"
        )
        remedy = (
            f"It makes a mask of {k}. The smallest that works is n_parameters={smallest}, or "
            f"fraction={share}; fraction='auto' chooses one."
        )
        raise invalid(
            parameter, _OWNER, must, fraction if n_parameters is None else n_parameters, remedy
        )
    return max(k, 1)


def _largest(values: Tensor, count: int) -> Tensor:
    return torch.sort(values, descending=True, stable=True).indices[:count]


def _layerwise(
    values: Tensor, sizes: list[int], last: Tensor, fraction: Any, n_parameters: int | None
) -> Tensor:
    P = sum(sizes)
    chosen = last.to(values.device)
    for tensor, mine in zip(values.split(sizes), chosen.split(sizes), strict=True):
        if n_parameters is not None:
            count = -(-n_parameters * len(tensor) // P)
        else:
            count = exact_share(0.002 if fraction == "auto" else fraction, len(tensor), up=True)
        mine[_largest(tensor, count)] = True
    return torch.nonzero(chosen).flatten()


def _relative(values: Tensor, sizes: list[int]) -> Tensor:
    chosen = torch.zeros_like(values, dtype=torch.bool)
    for tensor, mine in zip(values.split(sizes), chosen.split(sizes), strict=True):
        best = _largest(tensor, exact_share(_CAP, len(tensor), up=True))
        mine[best[tensor[best] > 2 * tensor.mean()]] = True
    if not chosen.any():
        must = "another kind where no entry of the diagonal is above twice its tensor's mean"
        raise invalid("kind", _OWNER, must, "relative", "Use 'head' or 'global'.")
    return torch.nonzero(chosen).flatten()
