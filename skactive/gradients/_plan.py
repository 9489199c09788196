"""Which parameter takes which path, decided anew in each call by a check on a few samples."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._batches import n_rows, take_rows
from skactive.gradients._general import Reduce, func_gradients, loop_gradients
from skactive.gradients._geometry import GEOMETRIES, Geometry
from skactive.gradients._network import Network
from skactive.gradients._takers import Taker
from skactive.gradients._tape import Tape


@dataclass
class Seen:
    """What a layer did in one forward pass.

    Attributes
    ----------
    geometry : Geometry
        Its patches and outputs.
    calls : int
        How often it ran.
    fits : bool
        Whether its input can be that of a batch of samples, one after the other.
    on_rows : bool
        Whether it is linear and ran on one row per sample.
    overwritten : bool
        Whether its input was overwritten later.
    makes_logits : bool
        Whether its output is the logits.
    size : int
        Number of input values that it got per sample.
    """

    geometry: Geometry
    calls: int = 0
    fits: bool = False
    on_rows: bool = False
    overwritten: bool = False
    makes_logits: bool = False
    size: int = 0


MakeTaker = Callable[[Geometry, dict[str, str], Seen], Taker]


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
    size : int
        Number of input values that these layers get per sample.
    """

    takers: dict[nn.Module, Taker]
    names: dict[nn.Module, dict[str, str]]
    head: nn.Module | None
    paths: dict[str, str]
    size: int


def make_plan(
    network: Network, X: Any, wanted: Collection[str], make_taker: MakeTaker, reduce: Reduce
) -> Plan:
    """Choose each parameter's path: fast where that gives what plain autograd gives.

    Parameters
    ----------
    network : Network
        The network.
    X : array, tensor, sequence or torch Dataset
        The samples. Three of them are run, and their gradients compared.
    wanted : collection of str
        The parameters' names.
    make_taker : callable
        Makes the taker of a layer, from its geometry, the names in the network of its weight and
        bias, as far as they are wanted, and what it was seen to do.
    reduce : callable
        Takes a parameter's name and one sample's gradient, flattened, and returns what is kept of
        it: what the takers take, for one sample.

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
        layer: names
        for layer, names in layers.items()
        if seen[layer].calls == 1 and seen[layer].fits
    }

    def takers_for(layers: dict[nn.Module, dict[str, str]]) -> dict[nn.Module, Taker]:
        return {
            layer: make_taker(seen[layer].geometry, names, seen[layer])
            for layer, names in layers.items()
        }

    good, plain, rows = _check(network, some, wanted, layers, takers_for(layers), reduce)
    layers = {
        layer: kept
        for layer, names in layers.items()
        if (kept := {name: full for name, full in names.items() if full in good})
    }
    general = [name for name in wanted if name not in good]
    paths = {name: "fast" if name in good else "loop" for name in wanted}
    for name in _check_func(network, some, general, plain, rows, reduce):
        paths[name] = "func"
    head = next((layer for layer in layers if seen[layer].makes_logits), None)
    return Plan(takers_for(layers), layers, head, paths, sum(seen[layer].size for layer in layers))


def _layers_of(network: Network, wanted: Collection[str]) -> dict[nn.Module, dict[str, str]]:
    """Layers of a known geometry, with the wanted parameters that are theirs alone."""
    module = network.module
    owners: dict[int, int] = {}
    for layer in module.modules():
        for parameter in layer._parameters.values():
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    layers: dict[nn.Module, dict[str, str]] = {}
    for prefix, layer in module.named_modules():
        if type(layer) not in GEOMETRIES:
            continue
        for name, parameter in layer._parameters.items():
            full = f"{prefix}.{name}" if prefix else name
            if name in ("weight", "bias") and full in wanted and owners[id(parameter)] == 1:
                layers.setdefault(layer, {})[name] = full
    return layers


def _survey(
    network: Network, layers: dict[nn.Module, dict[str, str]], X: Tensor
) -> dict[nn.Module, Seen]:
    """Run the samples once, and look at what each layer gets and gives."""
    seen = {layer: Seen(GEOMETRIES[type(layer)](layer)) for layer in layers}
    inputs: dict[nn.Module, tuple[Tensor, int]] = {}
    outputs: dict[nn.Module, tuple[Tensor, int]] = {}

    def look(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        a, it = (args[0] if args else kwargs["input"]), seen[layer]
        it.calls += 1
        it.fits = it.geometry.fits(a, len(X))
        it.on_rows = type(layer) is nn.Linear and a.ndim == 2 and len(a) == len(X)
        it.size = a.numel() // len(X)
        inputs[layer] = a, a._version
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
    for layer, (a, version) in inputs.items():
        seen[layer].overwritten = a._version != version
    for layer, (output, version) in outputs.items():
        untouched = output is logits and output._version == version
        seen[layer].makes_logits = untouched and seen[layer].on_rows
    return seen


def _check(
    network: Network,
    X: Tensor,
    wanted: Collection[str],
    layers: dict[nn.Module, dict[str, str]],
    takers: dict[nn.Module, Taker],
    reduce: Reduce,
) -> tuple[set[str], dict[str, Tensor], Tensor]:
    """Compare the samples' gradients, as the takers have them, with plain autograd's.

    All samples of the batch, since a layer that has its samples along another axis can be right
    for the first one by chance.

    Returns the names that agree, what is kept of the plain gradients (N, ...) and the rows of
    the logits that were used (N, C).
    """
    with Tape(network, takers, None) as tape:
        n, C = tape.forward(X).shape
        rows = torch.arange(1, n * C + 1, dtype=network.dtype).cos().view(n, C).to(X.device)
        tape.pull(rows, last=True)
        taken = {
            name: (takers[layer], takers[layer].taken(own))
            for layer, names in layers.items()
            for own, name in names.items()
        }
    kept: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for _, of_sample in loop_gradients(network, list(wanted), X, rows[:, None], reduce):
        for name, values in of_sample.items():
            kept[name].append(values[0, 0])
    plain = {name: torch.stack(values) for name, values in kept.items()}
    good = {
        name
        for name, (taker, values) in taken.items()
        if _agree(values, taker.expected(plain[name]))
    }
    return good, plain, rows


def _check_func(
    network: Network,
    X: Tensor,
    names: list[str],
    plain: dict[str, Tensor],
    rows: Tensor,
    reduce: Reduce,
) -> list[str]:
    """Return those of the names for which torch.func can and does give the plain gradients."""
    good = []
    for name in names:
        try:
            ((_, pulled),) = func_gradients(network, [name], X[:1], rows[:1, None], reduce)
        except (RuntimeError, ValueError, NotImplementedError):
            continue  # torch.func cannot transform this network: sample by sample, then
        if _agree(pulled[name].flatten(), plain[name][0].flatten()):
            good.append(name)
    return good


def _agree(got: Tensor, expected: Tensor) -> bool:
    """Tell whether two results agree up to rounding."""
    eps = torch.finfo(expected.dtype).eps
    # On CUDA, convolutions compute in TF32 unless told otherwise: ten bits, not 23.
    tolerance = 1e-2 if expected.is_cuda and expected.dtype == torch.float32 else eps**0.5
    return float((got - expected).abs().max()) <= tolerance * float(expected.abs().max())
