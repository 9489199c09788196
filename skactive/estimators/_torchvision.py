"""torchvision's classification networks, built and filled with weights by its own builders."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections import OrderedDict
from collections.abc import Mapping
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from skactive._phrases import one_line
from skactive._validation import Description, invalid
from skactive.estimators._inputs import InputFormat
from skactive.estimators._networks import adapt_stem, replace_layer
from skactive.estimators._state_dict import read_state

TORCHVISION = "torchvision/"
_WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")


def torchvision_network(
    name: str,
    form: InputFormat,
    n_classes: int,
    params: Mapping[str, Any],
    weights: Any,
    owner: object,
) -> nn.Module:
    """Build one of torchvision's classification networks.

    With weights it is what torchvision's builder makes of them: the builders rename the keys of old
    checkpoints, and set `transform_input` and sizes that belong to the weights. Only the last layer
    is a new one, unless the weights have as many classes.

    Parameters
    ----------
    name : str
        "torchvision/" and torchvision's name.
    form : InputFormat
        The samples' format, for the number of input channels.
    n_classes : int
        The number of classes.
    params : mapping of str to object
        Further arguments for the builder.
    weights : str, path, mapping, enum member or None
        torchvision's weights or their name, a state dict, or the path of one.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    torch.nn.Module
        The network, on the CPU.
    """
    short = _classifier(name, owner)
    network = _untrained(short, n_classes, params, owner)
    if weights is not None:
        head = _last_layer(network)
        layer = network.get_submodule(head)
        del network  # before there is another one
        network = _pretrained(short, head, params, weights, owner)
        if _n_outputs(network.get_submodule(head)) != n_classes:
            replace_layer(network, head, layer)
    _adapt_channels(network, form.n_channels)
    return network


def torchvision_as_published(name: str, weights: Any, owner: object) -> tuple[nn.Module, str, Any]:
    """Build one of torchvision's classification networks with the head that its weights have.

    Parameters
    ----------
    name : str
        "torchvision/" and torchvision's name.
    weights : str, path, mapping or enum member
        torchvision's weights or their name, a state dict, or the path of one.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    network : torch.nn.Module
        The network, on the CPU.
    head : str
        The layer that makes its logits.
    preset : torchvision.transforms._presets.ImageClassification
        What these weights have images prepared with; of a state dict, the default weights.
    """
    from torchvision import models

    short = _classifier(name, owner)
    head = _last_layer(_untrained(short, 2, {}, owner))
    network = _pretrained(short, head, {}, weights, owner)
    member = _published(short, weights, owner) or models.get_model_weights(short)["DEFAULT"]
    return network, head, member.transforms()


def _classifier(name: str, owner: object) -> str:
    from torchvision import models

    short = name.removeprefix(TORCHVISION)
    if short in models.list_models(module=models):
        return short
    raise invalid(
        "module",
        owner,
        "the name of one of torchvision's classification networks",
        name,
        "They are listed by torchvision.models.list_models(module=torchvision.models).",
    )


def _untrained(short: str, n_classes: int, params: Mapping[str, Any], owner: object) -> nn.Module:
    from torchvision import models

    if short in _WITH_AUXILIARY_HEADS:  # their training output is not a tensor
        params = {"aux_logits": False, "init_weights": True, **params}
    try:
        return models.get_model(short, weights=None, num_classes=n_classes, **params)
    except (TypeError, ValueError) as error:
        raise invalid(
            "module_params",
            owner,
            f"arguments that torchvision's {short} takes",
            dict(params),
            f"It says: {error}.",
        ) from error


def _last_layer(network: nn.Module) -> str:
    """Return the name of the layer whose outputs are the logits."""
    named = network.named_modules()
    return [name for name, m in named if isinstance(m, (nn.Linear, nn.Conv2d))][-1]


def _n_outputs(layer: nn.Module) -> int:
    return len(layer.weight)  # type: ignore[arg-type]


def _pretrained(
    short: str, head: str, params: Mapping[str, Any], weights: Any, owner: object
) -> nn.Module:
    """Return what torchvision's builder makes of weights, but without auxiliary heads."""
    member = _published(short, weights, owner)
    network: Any
    if member is not None:
        network = _with_published(short, member, params, weights, owner)
    else:
        network = _with_state(short, head, params, weights, owner)
    if short == "inception_v3" and not params.get("aux_logits", False):
        network.aux_logits, network.AuxLogits = False, None  # as the builder does for googlenet
    return network


def _published(short: str, weights: Any, owner: object) -> Any:
    """Return the member of torchvision's enumeration that is meant; None for files and states."""
    from torchvision import models

    enum = models.get_model_weights(short)
    if isinstance(weights, enum):
        return weights
    name = weights.removeprefix(f"{enum.__name__}.") if isinstance(weights, str) else None
    if name in enum.__members__:
        return enum[name]
    is_state = isinstance(weights, (Mapping, os.PathLike))
    if is_state or (isinstance(weights, str) and os.path.exists(weights)):
        return None
    raise invalid(
        "weights",
        owner,
        f"the path of a file with a state dict, or the name of torchvision's weights for {short}: "
        f"{', '.join(map(repr, enum.__members__))}",
        weights,
        "There is no such file or name.",
    )


def _with_published(
    short: str, member: Any, params: Mapping[str, Any], weights: Any, owner: object
) -> nn.Module:
    from torchvision import models

    try:
        return models.get_model(short, weights=member, **params)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        folder = os.path.join(torch.hub.get_dir(), "checkpoints")
        raise invalid(
            "weights",
            owner,
            f"weights that torchvision finds in {folder}, or can download",
            weights,
            f"It says: {error}. Without a network, put the file from {member.url} there, or pass "
            "its path as weights.",
        ) from error
    except (TypeError, ValueError) as error:
        raise invalid(
            "module_params",
            owner,
            f"arguments that torchvision's {short} takes together with weights",
            dict(params),
            f"It says: {error}.",
        ) from error


def _with_state(
    short: str, head: str, params: Mapping[str, Any], weights: Any, owner: object
) -> nn.Module:
    from torchvision import models

    state = read_state(weights, owner)
    try:
        _add_auxiliary_heads(short, head, params, state)
        member = _stand_in(models.get_model_weights(short), state, head, params)
        return models.get_model(short, weights=member, **params)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise invalid(
            "weights",
            owner,
            f"weights of {TORCHVISION}{short}",
            Description(f"a state dict of {list(state)[:3]} and so on"),
            f"torchvision says: {one_line(error, 300)}.",
        ) from error


def _add_auxiliary_heads(
    short: str, head: str, params: Mapping[str, Any], state: OrderedDict[str, Tensor]
) -> None:
    """Add those that the builder asks for, and a network without them has not saved."""
    from torchvision import models

    if short not in _WITH_AUXILIARY_HEADS or any(key.lower().startswith("aux") for key in state):
        return
    options = {**params, "aux_logits": True, "init_weights": False}
    n_classes = len(state[f"{head}.weight"])
    whole = models.get_model(short, weights=None, num_classes=n_classes, **options).state_dict()
    state.update((key, value) for key, value in whole.items() if key.lower().startswith("aux"))


def _stand_in(
    enum: Any, state: OrderedDict[str, Tensor], head: str, params: Mapping[str, Any]
) -> Any:
    """Return a member that the enumeration does not have, whose weights are a state dict."""
    usual = enum["DEFAULT"].value
    meta = {**usual.meta, "categories": range(len(state[f"{head}.weight"]))}
    meta["min_size"] = _image_size(state, params, meta["min_size"])
    member = object.__new__(enum)
    member._name_, member._value_ = "OWN", dataclasses.replace(usual, meta=meta)
    member.get_state_dict = lambda *args, **kwargs: state
    return member


def _image_size(
    state: Mapping[str, Tensor], params: Mapping[str, Any], usual: tuple[int, int]
) -> tuple[int, int]:
    """Return the size of images that weights are for: transformers have parameters that know it."""
    if "input_size" in params:
        return tuple(params["input_size"])
    if "encoder.pos_embedding" in state and "conv_proj.weight" in state:
        n_tokens, patch = (
            state["encoder.pos_embedding"].shape[1],
            state["conv_proj.weight"].shape[3],
        )
        return (patch * math.isqrt(n_tokens - 1),) * 2
    return usual


def _adapt_channels(network: Any, n_channels: int) -> None:
    """Let a network for three channels take another number of them, in place."""
    if n_channels != 3 and getattr(network, "transform_input", False):
        # Its forward pass changes three channels one by one before they reach the first layer.
        network._transform_input = functools.partial(_transformed_mean, type(network))
    else:
        adapt_stem(network, n_channels)


def _transformed_mean(kind: Any, x: Tensor) -> Tensor:
    """Return the mean of the channels, (n, 3, H, W), as a network transforms three of them."""
    colours = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return kind._transform_input(SimpleNamespace(transform_input=True), colours)
