"""Which parameter takes which path, decided anew in each call by a check on one sample."""

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
        The samples. Three of them are run, and the first one's gradients are compared.
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

    good, reference, row = _check(network, some, wanted, layers, takers_for(layers))
    layers = {
        layer: kept for layer, names in layers.items()
        if (kept := {name: full for name, full in names.items() if full in good})
    }  # fmt: skip
    general = [name for name in wanted if name not in good]
    paths = {name: "fast" if name in good else "loop" for name in wanted}
    for name in _check_func(network, some[:1], general, reference, row):
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
            logits = network.logits(network.module(X))
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
    """Compare the first sample's gradients, as the takers have them, with plain autograd's.

    Returned are the names that agree, the plain gradients, and the row of logits that was used.
    """
    parameters = {name: network.module.get_parameter(name) for name in wanted}
    with Tape(network, takers, None) as tape:
        try:
            for parameter in parameters.values():
                parameter.requires_grad_(True)
            logits = tape.forward(X)
            row = torch.cos(torch.arange(logits.shape[1], dtype=logits.dtype) + 1).to(logits)
            rows = torch.zeros_like(logits)
            rows[0] = row
            gradients = dict(zip(parameters, tape.plain(rows, list(parameters.values())), strict=True))
        finally:
            for parameter in parameters.values():
                parameter.requires_grad_(False)
        good = set()
        for layer, names in layers.items():
            for name, full in names.items():
                first, others = takers[layer].sample_gradient(name)
                expected = takers[layer].expected(gradients[full], name)
                if _agree(first, expected, gradients[full], others):
                    good.add(full)
    return good, gradients, row


def _check_func(
    network: Network, first: Tensor, names: list[str], reference: dict[str, Tensor], row: Tensor
) -> list[str]:
    """Return those of the names for which torch.func can and does give the plain gradients."""
    good = []
    for name in names:
        try:
            pulled = func_gradients(network, [name], first, row[None, None], lambda _, g: g)
            ((_, _, gradient),) = pulled
        except (RuntimeError, ValueError, NotImplementedError):
            continue  # torch.func cannot transform this network: sample by sample, then
        plain = reference[name]
        if _agree(gradient.flatten(), plain.flatten(), plain, gradient.new_zeros(0)):
            good.append(name)
    return good


def _agree(got: Tensor, expected: Tensor, gradient: Tensor, others: Tensor) -> bool:
    """Tell whether entries agree up to rounding, and other samples' entries are zero."""
    eps = torch.finfo(gradient.dtype).eps
    # On CUDA, convolutions compute in TF32 unless told otherwise: ten bits, not 23.
    tolerance = 1e-2 if gradient.is_cuda and gradient.dtype == torch.float32 else eps**0.5
    floor = 100 * eps * float(gradient.abs().max())
    bound = tolerance * float(expected.abs().max()) + floor
    stray = float(others.abs().max()) if others.numel() else 0.0
    return float((got - expected).abs().max()) <= bound and stray <= floor
