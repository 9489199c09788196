"""Where a loss-prediction module reads a network: which layers, and what of their outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from skactive._device import module_device
from skactive._scoring import scoring
from skactive._validation import Description, Phrase, invalid
from skactive.estimators._build import ClassifierNetwork
from skactive.estimators._channel_axis import channel_axis
from skactive.estimators._parameter_names import near_names

_Result = TypeVar("_Result")
_EXAMPLES = 3  # an odd number, which is the batch axis rather than one of a layer's own
_USABLE = (
    "maps (n, C, H, W), token sequences (n, T, C) or flat features (n, C), with the samples on the "
    "first axis"
)


class _Output(NamedTuple):
    """What a layer returned for the examples."""

    axis: int  # of the channels
    resolution: tuple[int, ...]  # the sizes of the other axes, without the samples
    pooled: Tensor  # (n, channels)
    learnt: bool  # whether a layer with parameters came before it, or is it


@dataclass(frozen=True)
class FeatureTaps:
    """Layers of a network whose outputs are read, as averages over positions.

    Parameters
    ----------
    axes : dict of str to int
        The names of the layers, and for each the axis of its output that holds the channels.
    channels : tuple of int
        The number of channels of each.
    """

    axes: dict[str, int]
    channels: tuple[int, ...]

    def run(
        self, network: nn.Module, forward: Callable[[], _Result]
    ) -> tuple[_Result, list[Tensor]]:
        """Call a function that runs the network, and read the layers meanwhile.

        Parameters
        ----------
        network : torch.nn.Module
            The network; hooks are on its layers during the call only.
        forward : callable
            Runs it.

        Returns
        -------
        result : object
            What `forward` returned.
        features : list of Tensor of shape (n, channels)
            What the layers returned when they last ran, averaged over positions.
        """
        found: dict[str, Tensor] = {}

        def reader(name: str, axis: int) -> Callable[[nn.Module, Any, Tensor], None]:
            def read(layer: nn.Module, inputs: Any, output: Tensor) -> None:
                found[name] = _pool(output, axis)  # at once

            return read

        hooks = [
            network.get_submodule(name).register_forward_hook(reader(name, axis))
            for name, axis in self.axes.items()
        ]
        try:
            result = forward()
        finally:
            for hook in hooks:
                hook.remove()
        silent = [name for name in self.axes if name not in found]
        if silent:
            raise RuntimeError(
                f"The layers {silent} of {type(network).__name__}, whose outputs are to be read, "
                "did not run. Name layers in feature_layers= that run for every batch."
            )
        return result, [found[name] for name in self.axes]


def find_taps(whole: ClassifierNetwork, names: Sequence[str] | None, owner: object) -> FeatureTaps:
    """Choose the layers of a network that a loss-prediction module reads.

    Parameters
    ----------
    whole : ClassifierNetwork
        The network behind its input layer.
    names : sequence of str or None
        The layers, as the network names its submodules. None takes the stages of a network that is
        `skactive.protocols.Staged`, as skactive's own are; of others, for each size of map or
        number of tokens, the last layer to finish that returns it, without those whose average over
        positions is another layer's or the logits. Flat features, the last of each width, are taken
        where there are neither maps nor tokens.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    FeatureTaps
        The layers.

    Raises
    ------
    InvalidParameterError
        If the network has no such layers, or they return nothing that can be used.
    """
    network = whole.network
    names = _readable_stages(whole) if names is None else names
    if names is None:
        layers = [
            name
            for name, layer in network.named_modules()
            if name and not isinstance(layer, _DropoutNd)  # passes on what another layer returned
        ]
        outputs, logits = _watch(whole, layers)
        chosen = _last_of_each_resolution(outputs, logits)
        if not chosen:
            raise invalid(
                "module",
                owner,
                f"a network with layers before the last one that return {_USABLE}",
                Description(type(network).__name__),
                "Choose another module, or name layers that can be read in feature_layers=.",
            )
    else:
        _check_names(network, names, owner)
        outputs, _ = _watch(whole, names)
        for name in names:
            if name not in outputs:
                raise invalid(
                    "feature_layers",
                    owner,
                    f"names of layers that run and return {_USABLE}",
                    name,
                    "This layer does not. Name another, or pass None to have them found.",
                )
        chosen = {name: outputs[name] for name in names}
    return FeatureTaps(
        {name: output.axis for name, output in chosen.items()},
        tuple(output.pooled.shape[1] for output in chosen.values()),
    )


def _readable_stages(whole: ClassifierNetwork) -> list[str] | None:
    """Return the names of a network's stages, if it has some, and all of them can be read."""
    stages = getattr(whole.network, "stages", None)
    if not isinstance(stages, nn.Module):
        return None
    names = [f"stages.{name}" for name, _ in stages.named_children()]
    found, _ = _watch(whole, names)
    return names if names and len(found) == len(names) else None


def _check_names(network: nn.Module, names: Sequence[str], owner: object) -> None:
    known = [name for name, _ in network.named_modules(remove_duplicate=False) if name]
    if not names or len(set(names)) < len(names):
        raise invalid(
            "feature_layers",
            owner,
            Phrase("{None}, or a list of different names, at least one"),
            names,
        )
    for name in names:
        if name not in known:
            raise invalid(
                "feature_layers",
                owner,
                f"names of submodules of {type(network).__name__}",
                name,
                near_names(str(name), known),
            )


def _watch(whole: ClassifierNetwork, names: Sequence[str]) -> tuple[dict[str, _Output], Tensor]:
    """Run random samples through a network, and see what layers return in their last call.

    Layers that return nothing usable are left out; the order is that in which they finish.
    """
    network, form = whole.network, whole.input.form
    shape = form.arrange(torch.empty(_EXAMPLES, *form.stored)).shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(module_device(whole), whole.input.mean.dtype)
    found: dict[str, _Output] = {}
    learnt = False

    def watcher(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def watch(layer: nn.Module, inputs: Any, output: Any) -> None:
            nonlocal learnt
            learnt = learnt or any(True for _ in layer.parameters())
            found.pop(name, None)
            usable = isinstance(output, Tensor) and output.is_floating_point()
            if usable and 2 <= output.ndim <= 4 and len(output) == _EXAMPLES:
                axis = channel_axis(layer, tuple(output.shape), tuple(shape[2:]) or (1, 1))
                sizes = list(output.shape[1:])
                del sizes[axis if axis < 0 else axis - 1]
                found[name] = _Output(axis, tuple(sizes), _pool(output, axis), learnt)

        return watch

    hooks = [network.get_submodule(n).register_forward_hook(watcher(n)) for n in names]
    try:
        with scoring(whole), torch.no_grad():
            logits = whole.logits(network(x))
    finally:
        for hook in hooks:
            hook.remove()
    return found, logits


def _last_of_each_resolution(outputs: dict[str, _Output], logits: Tensor) -> dict[str, _Output]:
    last: dict[tuple[int, ...], str] = {}
    for name, output in outputs.items():
        if output.learnt and not _same(output.pooled, logits):
            sizes = output.resolution or (0, output.pooled.shape[1])  # flat: each width is one
            key = (len(output.resolution), *sizes)
            last.pop(key, None)
            last[key] = name
    spread = [name for name in last.values() if outputs[name].resolution]
    chosen: dict[str, _Output] = {}
    for name in spread or last.values():
        if not any(_same(outputs[name].pooled, other.pooled) for other in chosen.values()):
            chosen[name] = outputs[name]
    return chosen


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-6)


def _pool(output: Tensor, axis: int) -> Tensor:
    """Average over all axes but the first and that of the channels, (n, channels).

    What is returned shares no memory with the output, which a later layer may overwrite.
    """
    positions = [i for i in range(1, output.ndim) if i != axis % output.ndim]
    return output.mean(positions) if positions else output.clone()
