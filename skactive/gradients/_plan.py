"""Which parameter takes which path, decided anew in each call by a check on a few samples."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from skactive._batches import n_rows, take_rows
from skactive._device import HALF
from skactive.gradients._general import Measured, Reduce, func_gradients, loop_gradients
from skactive.gradients._geometry import GEOMETRIES, Geometry
from skactive.gradients._network import Network
from skactive.gradients._precision import computes_in_half
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

    good, plain = _check(network, some, wanted, layers, takers_for(layers), reduce)
    layers = {
        layer: kept
        for layer, names in layers.items()
        if (kept := {name: full for name, full in names.items() if full in good})
    }
    general = [name for name in wanted if name not in good]
    paths = {name: "fast" if name in good else "loop" for name in wanted}
    for name in _check_func(some, general, plain):
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
    recording: set[nn.Module] = set()

    def look(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        a, it = (args[0] if args else kwargs["input"]), seen[layer]
        if output.dtype in HALF:
            what = f"the output of {layer}"
            raise computes_in_half(network.module, network.owner, what, output.dtype)
        it.calls += 1
        it.fits = it.geometry.fits(a, len(X))
        it.on_rows = type(layer) is nn.Linear and a.ndim == 2 and len(a) == len(X)
        it.size = a.numel() // len(X)
        inputs[layer] = a, _version(a)
        outputs[layer] = output, _version(output)
        if torch.is_grad_enabled() and not output.is_inference():
            recording.add(layer)

    hooks = []
    try:
        for layer in layers:
            hooks.append(layer.register_forward_hook(look, with_kwargs=True))
        # All is frozen: it records no gradients, but layers tell whether they would.
        logits = network.run_watched(X)[0] if network.dtype == torch.float64 else network.run(X)
    finally:
        for hook in hooks:
            hook.remove()
    network.check_finite(logits)
    for layer, (a, version) in inputs.items():
        seen[layer].overwritten = _version(a) != version
    for layer, (output, version) in outputs.items():
        untouched = output is logits and _version(output) == version and layer in recording
        seen[layer].makes_logits = untouched and seen[layer].on_rows
    return seen


def _version(tensor: Tensor) -> int:
    """Return how often a tensor was written to; of inference tensors that is not counted."""
    return 0 if tensor.is_inference() else tensor._version


class _Plain(NamedTuple):
    """What plain autograd gave for the samples that are checked.

    Attributes
    ----------
    network : Network
        The network.
    reduce : callable
        Takes a parameter's name and a gradient, and returns what is kept of it.
    rows : torch.Tensor of shape (N, C)
        The combinations of the logits that were used.
    kept : dict of str to torch.Tensor
        What was kept of the gradients, (N, ...).
    largest : torch.Tensor
        The largest entry of a gradient, of any of the parameters.
    """

    network: Network
    reduce: Reduce
    rows: Tensor
    kept: dict[str, Tensor]
    largest: Tensor

    def agrees(self, name: str, got: Tensor, of: Callable[[Tensor], Tensor]) -> bool:
        """Tell whether a result is `of` what was kept of the plain gradients, up to rounding.

        A gradient that is zero, as that of a bias before a normalisation, is computed as a sum of
        rounding errors, which differs from one way of computing it to the next. Such errors are a
        share of the network's largest gradient, however small a parameter's own is.
        """
        tolerance, expected = _tolerance(self.network), of(self.kept[name])
        difference = (got - expected).abs().max()
        if bool(difference <= tolerance * expected.abs().max()):
            return True
        error = self.largest.nan_to_num(0.0, 0.0) * tolerance**1.5
        gradient = error.expand(self.network.module.get_parameter(name).numel())
        allowed = of(self.reduce(name, gradient).expand_as(self.kept[name]))
        return bool(difference <= allowed.max())


def _each(kept: Tensor) -> Tensor:
    return kept


def _sum(kept: Tensor) -> Tensor:
    return kept.sum(0)


def _first(kept: Tensor) -> Tensor:
    return kept[0]


def _tolerance(network: Network) -> float:
    # On CUDA, convolutions compute in TF32 unless told otherwise: ten bits, not 23.
    if network.device.type == "cuda" and network.precision == torch.float32:
        return 1e-2
    return torch.finfo(network.precision).eps ** 0.5


def _check(
    network: Network,
    X: Tensor,
    wanted: Collection[str],
    layers: dict[nn.Module, dict[str, str]],
    takers: dict[nn.Module, Taker],
    reduce: Reduce,
) -> tuple[set[str], _Plain]:
    """Compare the samples' gradients, as the takers have them, with plain autograd's.

    All samples of the batch, since a layer that has its samples along another axis can be right
    for the first one by chance. Returns the names that agree, and the plain gradients.
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
    measured = Measured(reduce)
    kept: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for _, of_sample in loop_gradients(network, list(wanted), X, rows[:, None], measured):
        for name, values in of_sample.items():
            kept[name].append(values[0, 0])
    stacked = {name: torch.stack(values) for name, values in kept.items()}
    plain = _Plain(network, reduce, rows, stacked, torch.stack(measured.largest).max())
    good = {
        name
        for name, (taker, values) in taken.items()
        if plain.agrees(name, values, _sum if taker.summed else _each)
    }
    return good, plain


def _check_func(X: Tensor, names: list[str], plain: _Plain) -> list[str]:
    """Return those of the names for which torch.func can and does give the plain gradients."""
    good = []
    first, rows = X[:1], plain.rows[:1, None]
    for name in names:
        try:
            ((_, pulled),) = func_gradients(plain.network, [name], first, rows, plain.reduce)
        except (RuntimeError, ValueError, NotImplementedError):
            continue  # torch.func cannot transform this network: sample by sample, then
        if plain.agrees(name, pulled[name][0, 0], _first):
            good.append(name)
    return good
