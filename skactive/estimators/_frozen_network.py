"""A network that is not trained: from a batch of images to one row of features each."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from skactive._device import to_device, unwrap
from skactive._draws import drawn_from
from skactive._generators import isolated_rng, put_back
from skactive._phrases import one_line
from skactive._scoring import scoring
from skactive._validation import Description, describe, invalid
from skactive.estimators._build import ClassifierNetwork, copied, load_weights
from skactive.estimators._channel_axis import channel_axis
from skactive.estimators._network_identity import digest_of
from skactive.estimators._preprocessing import Preprocessing, of_module, of_torchvision
from skactive.estimators._torchvision import TORCHVISION, torchvision_as_published
from skactive.exceptions import InvalidParameterError

# How outputs of layers become features: another number for each way, so that no cache mixes them.
_READING = 2


@dataclass(frozen=True)
class Tap:
    """Where features are read: a layer, and whether what it reads or what it returns is meant."""

    layer: str
    reads: bool


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """A network in evaluation mode, and what is read of it.

    Parameters
    ----------
    module : torch.nn.Module
        The network, on the device; nobody else's.
    preprocessing : Preprocessing
        What images have to be scaled by.
    tap : Tap or None
        Where features are read; None looks for the place at the first batch.
    pooling : {"mean", "first"}
        What is taken of tokens.
    device : torch.device
        Where it is.
    amp : bool
        Whether it computes in bfloat16.
    owner : object
        Whose it is, for the error messages.
    layout : torch.memory_format or None, default=None
        How images lie in memory; None is as they come.
    """

    module: nn.Module
    preprocessing: Preprocessing
    tap: Tap | None
    pooling: str
    device: torch.device
    amp: bool
    owner: object
    layout: torch.memory_format | None = None

    def tapped(self, images: Tensor) -> FrozenNetwork:
        """Return the network with the place found where its features are, by running an image."""
        if self.tap is not None:
            return self
        return replace(self, tap=self._find_tap(images))

    def laid_out(self, images: Tensor) -> tuple[FrozenNetwork, Tensor]:
        """Return the network with the layout found that images are given it in, and features.

        In channels last convolutions on a CPU are faster. A network that looks at its maps as rows,
        say, by Tensor.view, cannot take them.
        """
        if self.layout is not None:
            return self, self.features(images)
        convolves = any(isinstance(layer, nn.Conv2d) for layer in self.module.modules())
        if self.device.type == "cpu" and convolves:
            faster = replace(self, layout=torch.channels_last)
            with suppress(InvalidParameterError):
                return faster, faster.features(images)
        plain = replace(self, layout=torch.contiguous_format)
        return plain, plain.features(images)

    def identity(self) -> tuple[bytes, dict[str, Any]]:
        """Return what tells the features apart from others', and the same for a person."""
        about: dict[str, Any] = {
            "module": type(self.module).__qualname__,
            "features": repr(self.tap),
            "pooling": self.pooling,
            "preprocessing": repr(self.preprocessing),
            "amp": self.amp,
        }
        if self.tap is None or not self.tap.reads:
            about["reading"] = _READING
        digest = hashlib.blake2b(digest_of(self.module), digest_size=32)
        digest.update(repr(about).encode())
        return digest.digest(), about

    def features(self, images: Tensor) -> Tensor:
        """Return a row of features for each image, (n, D), float32, on the CPU.

        Parameters
        ----------
        images : Tensor of shape (n, C, H, W)
            In the size and the colours that the network takes, not scaled yet.
        """
        assert self.tap is not None
        layer, found = self.module.get_submodule(self.tap.layer), list[Tensor | Description]()

        def read(values: Any) -> None:  # at once: what comes later may overwrite them
            found[:] = [self._pooled(layer, tensor_in(values), images)]

        if self.tap.reads:
            hook = layer.register_forward_pre_hook(
                lambda _, args, kwargs: read(args[0] if args else next(iter(kwargs.values()))),
                with_kwargs=True,
            )
        else:
            hook = layer.register_forward_hook(lambda _, args, out: read(out))
        try:
            self._run(images)
        finally:
            hook.remove()
        if not found:
            must = "a layer that runs when the network does"
            remedy = "Choose one that its forward calls."
            raise invalid("layer", self.owner, must, self.tap.layer, remedy)
        if isinstance(found[0], Description):
            n = len(images)
            must = (
                f"a layer that returns maps ({n}, C, H, W) or ({n}, H, W, C), tokens ({n}, T, D) "
                f"or features ({n}, D) for {n} images"
            )
            remedy = "Name another layer, or wrap the module in one whose forward returns such."
            raise invalid("layer", self.owner, must, found[0], remedy)
        return found[0].float().cpu()

    def _run(self, images: Tensor) -> Any:
        """Run the network; what it draws, it draws alike each time."""
        automatic = torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp)
        alike = isolated_rng(0, self.device, drawn_from(self.module, training=False))
        with alike, scoring(self.module), torch.no_grad(), automatic:
            values = self.preprocessing.scaled(to_device(images, self.device))
            floating = (p.dtype for p in self.module.parameters() if p.is_floating_point())
            try:
                layout = self.layout or torch.preserve_format
                return self.module(values.to(next(floating, values.dtype), memory_format=layout))
            except torch.OutOfMemoryError:
                raise
            except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
                raise invalid(
                    "module",
                    self.owner,
                    f"a network that takes images of shape {tuple(images.shape[1:])}",
                    Description(type(self.module).__name__),
                    f"It says: {one_line(error, 200)}. Pass the size= and the number of channels "
                    "that it was trained with.",
                ) from error

    def _find_tap(self, images: Tensor) -> Tap:
        """Choose the input of the linear layer that makes the output, or else the output itself."""
        seen: list[tuple[str, Tensor]] = []
        hooks = [
            layer.register_forward_hook(
                lambda _, args, out, name=name: seen.append((name, out.detach().clone()))
            )
            for name, layer in self.module.named_modules()
            if isinstance(layer, nn.Linear)
        ]
        try:
            whole = self._run(images[:1])
        finally:
            for hook in hooks:
                hook.remove()
        out = tensor_in(whole)
        head = next((name for name, each in reversed(seen) if _makes(each, out)), None)
        return Tap("", reads=False) if head is None else Tap(head, reads=True)

    def _pooled(self, layer: nn.Module, found: Any, images: Tensor) -> Tensor | Description:
        """Return one row per image: of maps their average, of tokens that or the first.

        It shares no memory with what was found. Of what cannot be used, its description.
        """
        usable = isinstance(found, Tensor) and found.ndim in (2, 3, 4) and len(found) == len(images)
        if not usable:
            return Description(f"one that returns {describe(found)}")
        if found.ndim == 4:
            axis = channel_axis(layer, tuple(found.shape), tuple(images.shape[2:]))
            return found.float().mean((2, 3) if axis == 1 else (1, 2))
        if found.ndim == 3:
            return found.float().mean(1) if self.pooling == "mean" else found[:, 0].clone()
        return found.clone()


def tensor_in(out: Any) -> Any:
    """Return the tensor in what a layer returned: tokens before logits, else the first one."""
    if isinstance(out, Mapping):
        named = [out[key] for key in ("last_hidden_state", "logits") if out.get(key) is not None]
        return tensor_in((*named, *out.values()))
    if isinstance(out, (tuple, list)):
        return next((tensor_in(each) for each in out if each is not None), out)
    return out


def _makes(logits: Tensor, out: Any) -> bool:
    """Whether the output of a layer is the network's, or its softmax is."""
    if not isinstance(out, Tensor) or out.ndim != 2 or logits.numel() != out.numel():
        return False
    logits, out = logits.reshape(out.shape).float(), out.float()
    alike = (logits, logits.softmax(1), logits.log_softmax(1))
    return any(torch.allclose(each, out, rtol=1e-4, atol=1e-5) for each in alike)


def find_network(
    module: Any, weights: Any, owner: object
) -> tuple[nn.Module, Preprocessing, Tap | None]:
    """Return a network of one's own, what it has images prepared with, and its features' place.

    Parameters
    ----------
    module : str or torch.nn.Module
        "torchvision/NAME", or a module, which is copied.
    weights : str, path, mapping, enum member or None
        What it is filled with.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    network : torch.nn.Module
        In evaluation mode, on the CPU.
    preprocessing : Preprocessing
        What is known of its images.
    tap : Tap or None
        The input of its last layer, where the name says which that is.
    """
    if isinstance(module, nn.Module):
        network, tap = copied(unwrap(module), owner), None
        known = of_module(network)
        network = network.network if isinstance(network, ClassifierNetwork) else network
        if weights is not None:
            load_weights(network, weights, owner)
        return network.eval().requires_grad_(False), known, tap
    if not module.startswith(TORCHVISION):
        remedy = "Other libraries' networks are passed as modules."
        raise invalid("module", owner, "'torchvision/NAME' or a torch module", module, remedy)
    if weights is None:
        raise invalid(
            "weights",
            owner,
            f"the weights of {module}: their name, such as 'DEFAULT', or the path of a file",
            weights,
            "Features of a network without them are of no use.",
        )
    with put_back():
        network, head, preset = torchvision_as_published(module, weights, owner)
    known = of_torchvision(preset, network)
    return network.eval().requires_grad_(False), known, Tap(head, reads=True)


def check_has_weights(network: nn.Module, owner: object) -> None:
    """Raise if a layer is lazy and has not run yet, or lies on torch's meta device."""
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if is_lazy(tensor) or tensor.is_meta:
            why = "a lazy layer that" if is_lazy(tensor) else "on torch's meta device and"
            got = Description(f"{name!r}, which is {why} has no numbers yet")
            remedy = "Run a batch through it, or load weights, before."
            raise invalid("module", owner, "a network that has its weights", got, remedy)


def check_layer(network: nn.Module, layer: str, owner: object) -> Tap:
    """Return the place that a name means, or raise if the network has no such layer."""
    names = [name for name, _ in network.named_modules()]
    if layer in names:
        return Tap(layer, reads=False)
    near = difflib.get_close_matches(layer, names, 3) or [n for n in names if "." not in n][:12]
    raise invalid(
        "layer",
        owner,
        f"the name of a layer of {type(network).__name__}, as in named_modules()",
        layer,
        f"There are {', '.join(map(repr, near))}.",
    )
