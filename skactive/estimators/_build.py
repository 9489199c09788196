"""From the parameters of an estimator to the torch module that it trains."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from skactive._validation import Description, invalid
from skactive.estimators._inputs import InputFormat, InputLayer
from skactive.estimators._networks import MLP, NETWORKS, adapt_stem

TORCHVISION = "torchvision/"
_NORMS = (nn.modules.batchnorm._BatchNorm,)


class ClassifierNetwork(nn.Module):
    """A network behind its input layer: takes samples as they are stored, returns logits.

    Parameters
    ----------
    input : InputLayer
        Arranges and standardises the samples.
    network : torch.nn.Module
        Maps the arranged samples to logits.
    augmentation : callable or None
        Applied to arranged images, before they are standardised, in training mode only.
    output : int, str, callable or None
        Picks the logits where `network` returns a tuple, a mapping or an object.
    """

    def __init__(
        self,
        input: InputLayer,
        network: nn.Module,
        augmentation: Callable[[Tensor], Tensor] | None = None,
        output: int | str | Callable[[Any], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.input = input
        self.network = network
        self.augmentation = augmentation
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of a batch of samples as stored, (n, n_classes)."""
        x = self.input.arrange(x)
        if self.training and self.augmentation is not None:
            x = self.augmentation(x)
        out = self.network(self.input.standardise(x))
        if self.output is None:
            return out
        if callable(self.output):
            return self.output(out)
        if isinstance(self.output, str) and not isinstance(out, Mapping):
            return getattr(out, self.output)
        return out[self.output]

    def train(self, mode: bool = True) -> ClassifierNetwork:
        """Set the mode; BatchNorm layers whose parameters are all frozen stay in evaluation."""
        super().train(mode)
        for layer in self.network.modules():
            if isinstance(layer, _NORMS):
                parameters = list(layer.parameters(recurse=False))
                if parameters and not any(p.requires_grad for p in parameters):
                    layer.eval()
        return self


def build_network(
    module: Any,
    form: InputFormat,
    n_classes: int,
    *,
    params: Mapping[str, Any],
    weights: Any,
    owner: object,
) -> nn.Module:
    """Build the network that an estimator's `module` parameter describes.

    Parameters
    ----------
    module : str, torch.nn.Module or subclass of it
        A name, a class, or an instance, which is copied.
    form : InputFormat
        The samples' format, for the number of input channels or features.
    n_classes : int
        The number of classes, for the last layer.
    params : mapping of str to object
        Arguments for the constructor.
    weights : str, path or None
        A file with a state dict or, for torchvision's networks, the name of its weights.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    torch.nn.Module
        The network, on the CPU.
    """
    if isinstance(module, nn.Module):
        if params:
            raise invalid(
                "module_params", owner, "None where `module` is an instance", dict(params),
                "Pass the class of the module instead of an instance of it.",
            )  # fmt: skip
        network = copy.deepcopy(module)
        named = False
    elif isinstance(module, type):
        network = _construct(module, form, n_classes, params, owner)
        named = False
    else:
        network, named = _named(module, form, n_classes, params, weights, owner), True
    if weights is not None and not (named and module.startswith(TORCHVISION)):
        network.load_state_dict(_read_state(weights, owner))
    return network


def _named(
    name: str, form: InputFormat, n_classes: int, params: Mapping[str, Any], weights: Any,
    owner: object,
) -> nn.Module:  # fmt: skip
    if name == "auto":
        name = "small_cnn" if form.is_image else "mlp"
    if name == "mlp" and not form.is_image:
        return _construct(MLP, form, n_classes, params, owner)
    if name != "mlp" and not form.is_image:
        raise invalid(
            "module", owner, "'auto', 'mlp' or a torch module where X holds rows of features",
            name, "Pass input_shape=(C, H, W) if the rows are flattened images.",
        )  # fmt: skip
    if name in NETWORKS:
        return _construct(NETWORKS[name], form, n_classes, params, owner)
    if name.startswith(TORCHVISION):
        return _torchvision(name, form, n_classes, params, weights, owner)
    raise invalid(
        "module", owner,
        "'auto', " + ", ".join(map(repr, NETWORKS)) + ", 'torchvision/NAME' or a torch module"
        + ("" if form.is_image else " ('mlp' for rows)"),
        name, "torchvision's names are listed by torchvision.models.list_models().",
    )  # fmt: skip


def _construct(
    cls: type[nn.Module], form: InputFormat, n_classes: int, params: Mapping[str, Any],
    owner: object,
) -> nn.Module:  # fmt: skip
    """Call a module's constructor, with what it takes of the data's sizes."""
    signature = inspect.signature(cls)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    sizes = {"in_channels": form.n_channels, "in_features": form.n_channels}
    sizes |= {"num_classes": n_classes, "n_classes": n_classes}
    offered = {name: size for name, size in sizes.items() if name in signature.parameters}
    unknown = [name for name in params if name not in signature.parameters]
    if unknown and not takes_any:
        free = [name for name in signature.parameters if name not in sizes]
        raise invalid(
            f"module__{unknown[0]}", owner,
            f"a parameter of {cls.__name__}, which takes {', '.join(free) or 'none'}",
            params[unknown[0]], "Remove it, or choose another module.",
        )  # fmt: skip
    return cls(**(offered | dict(params)))


def _torchvision(
    name: str, form: InputFormat, n_classes: int, params: Mapping[str, Any], weights: Any,
    owner: object,
) -> nn.Module:  # fmt: skip
    from torchvision import models

    short = name.removeprefix(TORCHVISION)
    if short not in models.list_models(module=models):
        raise invalid(
            "module", owner, "the name of one of torchvision's classification networks", name,
            "They are listed by torchvision.models.list_models(module=torchvision.models).",
        )  # fmt: skip
    network = models.get_model(short, weights=None, num_classes=n_classes, **params)
    if weights is None:
        adapt_stem(network, form.n_channels)
        return network
    known = {w.name: w for w in models.get_model_weights(short)}
    if weights in known or weights == "DEFAULT":
        enum = models.get_model_weights(short)[weights]
        state = enum.get_state_dict(progress=True, check_hash=True)
    else:
        state = _read_state(weights, owner)
    # The head has its own number of classes; everything else must fit.
    head = [key for key, value in network.state_dict().items() if key in state
            and state[key].shape != value.shape]  # fmt: skip
    result = network.load_state_dict(
        {key: value for key, value in state.items() if key not in head}, strict=False
    )
    last = {key.rpartition(".")[0] for key in head}
    if len(last) > 1 or result.unexpected_keys or set(result.missing_keys) != set(head):
        raise invalid(
            "weights", owner, f"weights of {name}", weights,
            f"They differ in {(head + result.unexpected_keys + result.missing_keys)[:3]}.",
        )  # fmt: skip
    adapt_stem(network, form.n_channels)
    return network


def _read_state(weights: Any, owner: object) -> dict[str, Tensor]:
    if not isinstance(weights, (str, PathLike)):
        raise invalid("weights", owner, "the path of a file with a state dict, or None", weights)
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise invalid(
            "weights", owner, "the path of a file with a state dict, or the name of torchvision's "
            "weights for a 'torchvision/NAME' module", weights,
            "Save one with torch.save(module.state_dict(), path).",
        ) from None  # fmt: skip
    return state


def check_logits(network: nn.Module, form: InputFormat, n_classes: int, owner: object) -> None:
    """Run two blank samples through a network, and raise unless logits (2, n_classes) come out.

    Lazy layers find their sizes in this run.
    """
    dtype = torch.uint8 if form.integer else torch.float32
    blank = torch.zeros((2, *form.stored), dtype=dtype)
    network.eval()
    with torch.no_grad():
        out = network(blank)
    if not isinstance(out, Tensor):
        raise invalid(
            "output", owner,
            f"the position or name of the logits, since the module returns a "
            f"{type(out).__name__}", getattr(network, "output", None),
            "Pass output=0 for the first element, output='logits' for a named one.",
        )  # fmt: skip
    if tuple(out.shape) != (2, n_classes):
        one_logit = (out.ndim == 2 and out.shape[1] == 1) or out.ndim == 1
        raise invalid(
            "module", owner,
            f"a network that returns logits of shape (n, {n_classes}), a column a class",
            Description(f"outputs of shape {('n', *out.shape[1:])}".replace("'", "")),
            "Give binary problems two logits; a single one is not supported." if one_logit
            else "Build its last layer with that many outputs; a class that takes num_classes= "
            "is given the number.",
        )  # fmt: skip
