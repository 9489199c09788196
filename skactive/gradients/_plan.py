"""Which parameter takes which path, decided anew in each call by a check on a few samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._torch import n_rows, take_rows
from skactive.gradients._general import func_gradients
from skactive.gradients._geometry import Geometry, geometry_of
from skactive.gradients._network import Network
from skactive.gradients._takers import Taker
from skactive.gradients._tape import Tape

Wanted = Mapping[str, Tensor]
MakeTaker = Callable[[Geometry, dict[str, Tensor], bool], Taker]


@dataclass(frozen=True)
class Plan:
    """The paths, and the takers of the layers on the fast one.

    Attributes
    ----------
    takers : dict of torch.nn.Module to Taker
        The layers on the fast path.
    names : dict of torch.nn.Module to dict of str to str
        Their parameters' names in the network, by their names in the layer.
    head : torch.nn.Module or None
        The one of them whose output is the logits, if any.
    paths : dict of str to {"fast", "func", "loop"}
        The path of each wanted parameter.
    """

    takers: dict[nn.Module, Taker]
    names: dict[nn.Module, dict[str, str]]
    head: nn.Module | None
    paths: dict[str, str]


@dataclass
class _Seen:
    """What a layer did in one forward pass."""

    calls: int = 0
    fits: bool = False
    on_rows: bool = False
    makes_logits: bool = False


def make_plan(network: Network, X: Any, wanted: Wanted, make_taker: MakeTaker) -> Plan:
    """Choose each parameter's path: fast where that gives what plain autograd gives.

    Parameters
    ----------
    network : Network
        The network.
    X : array, tensor, sequence or torch Dataset
        The samples. Three of them are run, and their gradients compared.
    wanted : mapping of str to torch.Tensor
        The parameters' names, each with the flat positions wanted in it.
    make_taker : callable
        Makes the taker of a layer, from its geometry, what is wanted of its weight and bias, and
        whether it runs on one row a sample.

    Returns
    -------
    Plan
        The plan.
    """
    total = n_rows(X)
    some = network.inputs(take_rows(X, np.unique([0, total // 2, total - 1])))
    layers = _layers_of(network, wanted)
    seen = _survey(network, layers, some)
    layers = {
        layer: names for layer, names in layers.items()
        if seen[layer].calls == 1 and seen[layer].fits
    }  # fmt: skip

    def takers_for(layers: dict[nn.Module, dict[str, str]]) -> dict[nn.Module, Taker]:
        takers = {}
        for layer, names in layers.items():
            geometry = geometry_of(layer)
            assert geometry is not None
            own = {name: wanted[full] for name, full in names.items()}
            takers[layer] = make_taker(geometry, own, seen[layer].on_rows)
        return takers

    good, plain, rows = _check(network, some, wanted, layers, takers_for(layers))
    layers = {
        layer: kept for layer, names in layers.items()
        if (kept := {name: full for name, full in names.items() if full in good})
    }  # fmt: skip
    general = [name for name in wanted if name not in good]
    paths = {name: "fast" if name in good else "loop" for name in wanted}
    for name in _check_func(network, some, wanted, general, plain, rows):
        paths[name] = "func"
    head = next((layer for layer in layers if seen[layer].makes_logits), None)
    return Plan(takers_for(layers), layers, head, paths)


def _layers_of(network: Network, wanted: Wanted) -> dict[nn.Module, dict[str, str]]:
    """Layers of a known geometry, with the wanted parameters that are theirs alone."""
    module = network.module
    owners: dict[int, int] = {}
    for layer in module.modules():
        for parameter in layer._parameters.values():
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    layers: dict[nn.Module, dict[str, str]] = {}
    for prefix, layer in module.named_modules():
        if geometry_of(layer) is None:
            continue
        for name, parameter in layer._parameters.items():
            full = f"{prefix}.{name}" if prefix else name
            if name in ("weight", "bias") and full in wanted and owners[id(parameter)] == 1:
                layers.setdefault(layer, {})[name] = full
    return layers


def _survey(
    network: Network, layers: dict[nn.Module, dict[str, str]], X: Tensor
) -> dict[nn.Module, _Seen]:
    """Run the samples once, and look at what each layer gets and gives."""
    seen = {layer: _Seen() for layer in layers}
    outputs: dict[nn.Module, tuple[Tensor, int]] = {}

    def look(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        a, geometry, it = (args[0] if args else kwargs["input"]), geometry_of(layer), seen[layer]
        assert geometry is not None
        it.calls += 1
        it.fits = geometry.fits(a, len(X))
        it.on_rows = type(layer) is nn.Linear and a.ndim == 2 and len(a) == len(X)
        outputs[layer] = output, output._version

    hooks = []
    try:
        for layer in layers:
            hooks.append(layer.register_forward_hook(look, with_kwargs=True))
        with torch.no_grad():
            logits = network.run(X)
    finally:
        for hook in hooks:
            hook.remove()
    network.check_finite(logits)
    for layer, (output, version) in outputs.items():
        untouched = output is logits and output._version == version
        seen[layer].makes_logits = untouched and seen[layer].on_rows
    return seen


def _check(
    network: Network, X: Tensor, wanted: Wanted, layers: dict[nn.Module, dict[str, str]],
    takers: dict[nn.Module, Taker],
) -> tuple[set[str], dict[str, Tensor], Tensor]:  # fmt: skip
    """Compare the samples' gradients, as the takers have them, with plain autograd's.

    All samples of the batch, since a layer that has its samples along another axis can be right
    for the first one by chance.

    Returned are the names that agree, the plain gradients (N, wanted) and the rows of the logits
    that were used (N, C).
    """
    parameters = {name: network.module.get_parameter(name) for name in wanted}
    plain: dict[str, list[Tensor]] = {name: [] for name in wanted}
    good = set()
    with Tape(network, takers, None) as tape:
        try:
            for parameter in parameters.values():
                parameter.requires_grad_(True)
            n, C = tape.forward(X).shape
            rows = torch.arange(1, n * C + 1, dtype=network.dtype).cos().view(n, C).to(X.device)
            for i in range(n):
                only_i = torch.zeros_like(rows)
                only_i[i] = rows[i]
                gradients = tape.plain(only_i, list(parameters.values()))
                for name, gradient in zip(wanted, gradients, strict=True):
                    plain[name].append(gradient.flatten()[wanted[name].to(X.device)])
            tape.plain(rows, list(parameters.values()))
        finally:
            for parameter in parameters.values():
                parameter.requires_grad_(False)
        reference = {name: torch.stack(gradients) for name, gradients in plain.items()}
        for layer, names in layers.items():
            for own, name in names.items():
                if _agree(takers[layer].taken(own), takers[layer].expected(reference[name])):
                    good.add(name)
    return good, reference, rows


def _check_func(
    network: Network, X: Tensor, wanted: Wanted, names: list[str], plain: dict[str, Tensor],
    rows: Tensor,
) -> list[str]:  # fmt: skip
    """Return those of the names for which torch.func can and does give the plain gradients."""

    def entries(name: str, gradient: Tensor) -> Tensor:
        return gradient[wanted[name].to(gradient.device)]

    good = []
    for name in names:
        try:
            pulled = list(func_gradients(network, [name], X[:1], rows[:1, None], entries))
        except (RuntimeError, ValueError, NotImplementedError):
            continue  # torch.func cannot transform this network: sample by sample, then
        if _agree(pulled[0][2].flatten(), plain[name][0]):
            good.append(name)
    return good


def _agree(got: Tensor, expected: Tensor) -> bool:
    """Tell whether two results agree up to rounding."""
    eps = torch.finfo(expected.dtype).eps
    # On CUDA, convolutions compute in TF32 unless told otherwise: ten bits, not 23.
    tolerance = 1e-2 if expected.is_cuda and expected.dtype == torch.float32 else eps**0.5
    return float((got - expected).abs().max()) <= tolerance * float(expected.abs().max())
