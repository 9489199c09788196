"""From the parameters of an estimator to the torch module that it trains."""

from __future__ import annotations

import copy
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skactive._phrases import one_line
from skactive._validation import Description, Phrase, describe, invalid
from skactive.estimators._augment import AUGMENTATIONS
from skactive.estimators._inputs import InputFormat, InputLayer
from skactive.estimators._networks import NETWORKS, ROW_NETWORKS
from skactive.estimators._state_dict import read_state
from skactive.estimators._torchvision import TORCHVISION, torchvision_network

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

    Attributes
    ----------
    beside : tuple of torch.nn.Module
        Nothing, or a module that trains beside the network. It is no part of it, but its state
        goes where the network's goes: as metadata of the state dict, which has no keys for it.
        What takes the network back to an earlier epoch takes it back, too.
    """

    beside: tuple[nn.Module, ...] = ()

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
        # Ours keep the scale; those of users are looked at once, on the first batch.
        self._scale_known = augmentation in (None, *AUGMENTATIONS.values())

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of a batch of samples as stored, (n, n_classes)."""
        x = self.input.arrange(x)
        if self.training and self.augmentation is not None:
            scale = None if self._scale_known else _scale(x)
            x = _augmented(self.augmentation, x)
            if scale is not None:
                _check_scale(scale, _scale(x))
                self._scale_known = True
        return self.logits(self.network(self.input.standardise(x)))

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.beside and hasattr(destination, "_metadata"):
            state = self.beside[0].state_dict(keep_vars=keep_vars)
            destination._metadata[prefix[:-1]]["beside"] = state

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)
        if self.beside and "beside" in local_metadata:
            error_messages = rest[-1]
            try:
                self.beside[0].load_state_dict(local_metadata["beside"])
            except RuntimeError as error:
                error_messages.append(str(error))

    def logits(self, out: Any) -> Tensor:
        """Pick the logits, (n, n_classes), out of what the network returned."""
        if self.output is None:
            return out
        if callable(self.output):
            return self.output(out)
        if isinstance(self.output, str) and not isinstance(out, Mapping):
            return getattr(out, self.output)
        return out[self.output]

    def train(self, mode: bool = True) -> ClassifierNetwork:
        """Set the mode; BatchNorm layers of frozen parts of the network stay in evaluation."""
        super().train(mode)
        if mode and not all(p.requires_grad for p in self.network.parameters()):
            for part in self.network.modules():
                trainable = [p.requires_grad for p in part.parameters()]
                if trainable and not any(trainable):
                    for layer in part.modules():
                        if isinstance(layer, _NORMS):
                            layer.eval()
        return self


# How much larger or smaller the numbers are that an augmentation may return.
_LARGER, _SMALLER = 4, 8


def _augmented(augmentation: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the batch that an augmentation makes, of the shape and dtype of what it was given.

    Predictions are made on images as they are stored: on another scale, they would be of no use.
    """
    out: Any = augmentation(x)
    if isinstance(out, Tensor) and (out.shape, out.dtype) == (x.shape, x.dtype):
        return out.to(x.device)
    if not isinstance(out, Tensor):
        got, remedy = f"{describe(out)} out", "Return a tensor."
    elif out.dtype != x.dtype:
        low, high = (float(value) for value in out.detach().aminmax())
        got = f"{out.dtype} from {low:.3g} to {high:.3g} out"
        remedy = (
            "Leave conversions and normalisation out of it: the estimator does both, here and "
            "where it predicts."
        )
    else:
        got, remedy = f"shape {tuple(out.shape)} out", "Keep the number and the size of the images."
    must = "a function that returns a batch of the shape and dtype that it is given"
    given = f"{x.dtype} of shape {tuple(x.shape)} in, {got},"
    raise invalid("augment", "the classifier", must, Description(given), remedy)


class _Scale(NamedTuple):
    """Mean and standard deviation of a batch."""

    mean: float
    std: float

    def __str__(self) -> str:
        return f"a mean of {self.mean:.3g} and a standard deviation of {self.std:.3g}"


def _scale(x: Tensor) -> _Scale:
    std, mean = torch.std_mean(x.detach().float(), correction=0)  # MPS has no float64
    return _Scale(*torch.stack([mean, std]).tolist())


def _check_scale(given: _Scale, found: _Scale) -> None:
    """Raise where an augmentation returns numbers on another scale, or none.

    No blur, noise or change of contrast multiplies the spread of a batch of images by four;
    standardising images in 0 to 1 does. A blur may divide it by any number, but not the mean, too.
    """
    finite = math.isfinite(found.mean)
    larger = given.std > 0 and found.std > _LARGER * given.std
    smaller = found.std * _SMALLER < given.std and abs(found.mean) * _SMALLER < abs(given.mean)
    if finite and not (larger or smaller):
        return
    raise invalid(
        "augment",
        "the classifier",
        "a function that returns a batch on the scale that it is given",
        Description(f"{given} in, {found if finite else 'NaN or infinity'} out,"),
        "Leave conversions and normalisation out of it: the estimator does both, here and where it "
        "predicts.",
    )


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
    module : str, torch.nn.Module or callable
        A name, an instance, which is copied, or what makes one: a class, a function, a partial.
    form : InputFormat
        The samples' format, for the number of input channels or features.
    n_classes : int
        The number of classes, for the last layer.
    params : mapping of str to object
        Arguments for the constructor.
    weights : str, path, mapping, enum member or None
        A state dict, a file with one or, for torchvision's networks, the name of its weights.
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
                "module_params",
                owner,
                Phrase("{None} where `module` is an instance"),
                dict(params),
                "Pass the class of the module instead of an instance of it.",
            )
        if isinstance(module, ClassifierNetwork):
            must = "a network without the input layer of another classifier"
            got = Description("the module_ of one")
            raise invalid("module", owner, must, got, "Pass module_.network.")
        network, named = copied(module, owner), False
    elif callable(module):
        network, named = _construct(module, form, n_classes, params, owner), False
        if not isinstance(module, type):  # a function may return the same network each time
            with suppress(RuntimeError):  # torch cannot copy all that it can train
                network = copy.deepcopy(network)
    else:
        network, named = _named(module, form, n_classes, params, weights, owner), True
    network = _on_cpu(network, owner)
    if weights is not None and not (named and module.startswith(TORCHVISION)):
        load_weights(network, weights, owner)
    return network


def copied(module: nn.Module, owner: object) -> nn.Module:
    """Return a copy of a network, or raise where torch can make none that is trained by itself."""
    remedy = "Pass the module that it was made from."
    if isinstance(module, torch.jit.ScriptModule):
        got = Description(f"a {type(module).__name__} of torch.jit")
        raise invalid("module", owner, "a network in Python", got, remedy)
    try:
        return copy.deepcopy(module)
    except RuntimeError as error:  # torch copies no tensor that is computed from others
        remedy = (
            "What was pruned, or has the old weight_norm, can be copied after "
            "torch.nn.utils.prune.remove or remove_weight_norm."
        )
        must = "a network that can be copied"
        got = Description(f"a {type(module).__name__} that torch cannot copy")
        raise invalid("module", owner, must, got, remedy) from error


def _on_cpu(network: nn.Module, owner: object) -> nn.Module:
    """Bring a network to the CPU, or raise where its parameters are nowhere, on "meta"."""
    try:
        return network.to("cpu")
    except NotImplementedError as error:
        must = "a network whose parameters have values"
        got = Description(f"a {type(network).__name__} on the device 'meta'")
        remedy = "Build it on the CPU."
        raise invalid("module", owner, must, got, remedy) from error


def in_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Convert a network as `network.to(dtype)` does, but complex numbers to complex ones."""
    like = {True: dtype.to_complex(), False: dtype}
    return network._apply(
        lambda t: t.to(like[t.is_complex()]) if t.is_floating_point() or t.is_complex() else t
    )


def load_weights(network: nn.Module, weights: Any, owner: object) -> None:
    """Put a state dict, or that of a file, into a network, or raise if it is another one's."""
    state = read_state(weights, owner)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise invalid(
            "weights",
            owner,
            f"the state dict of this network, {type(network).__name__}",
            weights,
            f"{one_line(error, 300)}. Of a fitted CNNClassifier, save "
            "module_.network.state_dict().",
        ) from error


def _named(
    name: str,
    form: InputFormat,
    n_classes: int,
    params: Mapping[str, Any],
    weights: Any,
    owner: object,
) -> nn.Module:
    if name == "auto":
        name = "small_cnn" if form.is_image else "mlp"
    known = NETWORKS if form.is_image else ROW_NETWORKS
    if name in known:
        return _construct(known[name], form, n_classes, params, owner)
    names = ", ".join(map(repr, ["auto", *known]))
    if not form.is_image:
        raise invalid(
            "module",
            owner,
            f"{names} or a torch module where X holds rows of features",
            name,
            "Pass input_shape=(C, H, W) if the rows are flattened images.",
        )
    if name.startswith(TORCHVISION):
        return torchvision_network(name, form, n_classes, params, weights, owner)
    remedy = "torchvision's names are listed by torchvision.models.list_models()."
    if name in ROW_NETWORKS:
        remedy = f"{name!r} is for rows of features: flatten the images for it."
    raise invalid("module", owner, f"{names}, 'torchvision/NAME' or a torch module", name, remedy)


def _construct(
    make: Callable[..., Any],
    form: InputFormat,
    n_classes: int,
    params: Mapping[str, Any],
    owner: object,
) -> nn.Module:
    """Call a module's constructor with those of the data's sizes that it takes."""
    try:
        signature = inspect.signature(make)
    except ValueError:
        signature = inspect.Signature()
    kinds = "a name or a torch.nn.Module class or instance, or a function that returns one"
    if isinstance(make, type) and not issubclass(make, nn.Module):
        raise invalid("module", owner, kinds, make)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    sizes = {"in_channels" if form.is_image else "in_features": form.n_channels}
    sizes |= {"num_classes": n_classes, "n_classes": n_classes}
    bound = make.keywords if isinstance(make, functools.partial) else {}
    offered = {
        name: size
        for name, size in sizes.items()
        if name in signature.parameters and name not in bound
    }
    unknown = [name for name in params if name not in signature.parameters]
    if unknown and not takes_any:
        free = [name for name in signature.parameters if name not in sizes]
        raise invalid(
            f"module__{unknown[0]}",
            owner,
            f"a parameter of {_name(make)}, which takes {', '.join(free) or 'none'}",
            params[unknown[0]],
            "Remove it, or choose another module.",
        )
    try:
        network = make(**(offered | dict(params)))
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise invalid(
            "module",
            owner,
            f"a module that can be built with {offered | dict(params)}",
            make,
            f"Its constructor says: {error}. Pass its arguments in module_params.",
        ) from error
    if not isinstance(network, nn.Module):
        must = f"{kinds}; {_name(make)} returned a {type(network).__name__}"
        raise invalid("module", owner, must, make)
    return network


def _name(make: Callable[..., Any]) -> str:
    while isinstance(make, functools.partial):
        make = make.func
    return getattr(make, "__name__", type(make).__name__)
