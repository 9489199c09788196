"""From the settings of a CNNClassifier to the skorch net that it trains."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch.callbacks import LRScheduler
from skorch.helper import predefined_split
from torch import nn, optim

from skactive._device import resolve_device
from skactive._generators import isolated_rng
from skactive._validation import Phrase, invalid
from skactive.estimators._augment import AUGMENTATIONS
from skactive.estimators._build import ClassifierNetwork, build_network, in_precision
from skactive.estimators._callbacks import SCHEDULES, RecordAccuracy, Schedule
from skactive.estimators._check_logits import check_logits
from skactive.estimators._inputs import InputFormat, InputLayer
from skactive.estimators._net import ArrayDataset, Net
from skactive.estimators._own_callbacks import check_names, checked_callbacks
from skactive.estimators._parameter_names import check_callbacks, check_param_groups

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}
# Settings of the inner net that CNNClassifier has parameters for, or that are its own business.
RESERVED = (
    "amp",
    "batch_size",
    "callbacks",
    "classes",
    "compile",
    "criterion",
    "deterministic",
    "device",
    "dataset",
    "iterator_train",
    "iterator_valid",
    "lr",
    "max_epochs",
    "module",
    "optimizer",
    "order_seed",
    "predict_nonlinearity",
    "train_seed",
    "train_split",
    "verbose",
    "warm_start",
)


class Seeds(NamedTuple):
    """What a fit draws from: initial weights, order of samples, training, validation split.

    The last is for what trains beside the network, whose own draws it must not shift.
    """

    init: int
    order: int
    train: int
    split: int
    beside: int


@dataclass(frozen=True)
class Architecture:
    """What is trained: a network, and what it is built for.

    Parameters
    ----------
    module, module_params, weights, output : object
        See CNNClassifier.
    n_classes : int
        The number of classes.
    form : InputFormat
        The samples' format.
    dtype : torch.dtype
        What the network computes in.
    scaling : tuple of two ndarray
        What is subtracted from each channel, and what divides it.
    """

    module: Any
    module_params: Mapping[str, Any] | None
    weights: Any
    output: Any
    n_classes: int
    form: InputFormat
    dtype: torch.dtype
    scaling: tuple[np.ndarray, np.ndarray]

    def network(self, seed: int, owner: object) -> nn.Module:
        """Return the network before training, which returns logits and has something to train."""
        with isolated_rng(seed):
            network = build_network(
                self.module,
                self.form,
                self.n_classes,
                params=self.module_params or {},
                weights=self.weights,
                owner=owner,
            )
            in_precision(network, self.dtype)
            whole = ClassifierNetwork(self.input_layer(network), network, None, self.output)
            check_logits(whole, self.form, self.n_classes, owner)
        if not any(p.requires_grad for p in network.parameters()):
            raise invalid(
                "module",
                owner,
                "a network with something to train",
                self.module,
                "Set requires_grad=True on the parameters of its last layer, at least.",
            )
        return network

    def input_layer(self, network: nn.Module) -> InputLayer:
        """Return what arranges and standardises the samples for a network."""
        # A custom module may rely on another layout, in a `view`.
        usable = isinstance(self.module, str) and not any(map(_fails_last, network.modules()))
        return InputLayer(self.form, *self.scaling, self.dtype, usable)


@dataclass(frozen=True)
class Training:
    """How it is trained; each is CNNClassifier's parameter of that name."""

    augment: Any
    max_epochs: int
    batch_size: int
    optimizer: Any
    optimizer_params: Mapping[str, Any] | None
    lr: float
    momentum: float
    weight_decay: float
    lr_schedule: Any
    callbacks: Any
    device: Any
    amp: bool
    compile: bool
    deterministic: bool
    verbose: int
    net_params: Mapping[str, Any] | None


def make_net(
    architecture: Architecture,
    training: Training,
    seeds: Seeds,
    owner: object,
    *,
    valid: ArrayDataset | None = None,
    fitted: nn.Module | None = None,
    kind: type[Net] = Net,
    **settings: Any,
) -> Net:
    """Build the skorch net of a classifier.

    Parameters
    ----------
    architecture : Architecture
        What is trained.
    training : Training
        How it is trained.
    seeds : Seeds
        What to draw from.
    owner : object
        The classifier, for the error messages.
    valid : ArrayDataset or None, default=None
        Validation data.
    fitted : torch.nn.Module or None, default=None
        The network to go on with instead of a new one.
    kind : type, default=Net
        The class of the net.
    **settings : dict
        Further arguments for it.

    Returns
    -------
    Net
        The net, initialised, on its device.

    Raises
    ------
    InvalidParameterError
        If a setting cannot be used.
    """
    device = resolve_device(training.device, owner)
    network = architecture.network(seeds.init, owner) if fitted is None else fitted
    net = kind(
        ClassifierNetwork,
        module__input=architecture.input_layer(network),
        module__network=network,
        module__augmentation=_augmentation(training, architecture.form, device, owner),
        module__output=architecture.output,
        criterion=nn.CrossEntropyLoss,
        criterion__reduction="none",
        **_optimizer_settings(training, network, device, owner),
        max_epochs=training.max_epochs,
        batch_size=training.batch_size,
        train_split=None if valid is None else predefined_split(valid),
        classes=np.arange(architecture.n_classes),
        callbacks=_callbacks(training, owner),
        callbacks__valid_acc=None,
        callbacks__print_log__sink=print,
        device=str(device),
        compile=training.compile,
        verbose=int(training.verbose),
        order_seed=seeds.order,
        train_seed=seeds.train,
        amp=training.amp,
        deterministic=training.deterministic,
        **settings,
        **_net_settings(training.net_params or {}, settings, owner),
    )
    check_names(net, owner)
    net.initialize()
    check_callbacks(net, owner)
    return net


def _augmentation(
    training: Training, form: InputFormat, device: torch.device, owner: object
) -> Any:
    given = training.augment
    augment = AUGMENTATIONS.get(given, given) if given else None
    if augment is not None and not form.is_image:
        raise invalid("augment", owner, Phrase("{None} where X holds rows of features"), given)
    if isinstance(augment, nn.Module):  # a copy, and not part of the network
        return functools.partial(copy.deepcopy(augment).train().to(device))
    return augment


def _fails_last(layer: nn.Module) -> bool:
    """Return whether oneDNN's backward pass of a layer may crash, or be wrong, with channels last.

    It may for a strided convolution of single pixels with fewer than 16 channels.
    """
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels // layer.groups < 16
    )


def _optimizer_settings(
    training: Training, network: nn.Module, device: torch.device, owner: object
) -> dict[str, Any]:
    optimizer = OPTIMIZERS.get(training.optimizer, training.optimizer)
    if not (isinstance(optimizer, type) and issubclass(optimizer, optim.Optimizer)):
        raise invalid(
            "optimizer",
            owner,
            "'sgd', 'adam', 'adamw' or a subclass of torch.optim.Optimizer",
            training.optimizer,
        )
    takes = inspect.signature(optimizer).parameters
    given = training.optimizer_params or {}
    for name in given:
        if name == "lr" or (name != "param_groups" and name not in takes):
            free = [p for p in takes if p not in ("params", "lr", "weight_decay", "momentum")]
            raise invalid(
                f"optimizer__{name}",
                owner,
                f"a setting of {optimizer.__name__}, which has {', '.join(free)}",
                given[name],
                "The learning rate is CNNClassifier's own parameter lr.",
            )
    if "param_groups" in given:
        check_param_groups(given["param_groups"], network, owner)
    settings = {"weight_decay": training.weight_decay} if "weight_decay" in takes else {}
    if issubclass(optimizer, optim.SGD):
        settings["momentum"] = training.momentum
    # All parameters in one kernel. With dampening, momentum does not start from buffers of zeros.
    open_ = not given.keys() & {"fused", "foreach", "differentiable", "capturable", "dampening"}
    if optimizer in OPTIMIZERS.values() and open_ and device.type in ("cpu", "cuda"):
        settings["fused"] = all(p.is_floating_point() for p in network.parameters())
    settings |= given
    named = {f"optimizer__{name}": value for name, value in settings.items()}
    return {"optimizer": optimizer, "lr": training.lr, **named}


def _callbacks(training: Training, owner: object) -> list[Any]:
    own = checked_callbacks(training.callbacks, owner)
    kinds = [c if isinstance(c, type) else type(c) for _, c in own]
    if training.lr_schedule is not None and any(issubclass(k, LRScheduler) for k in kinds):
        raise invalid(
            "lr_schedule",
            owner,
            Phrase("{None} where callbacks has skorch's LRScheduler"),
            training.lr_schedule,
            "Pass lr_schedule=None, or leave the callback out.",
        )
    callbacks: list[Any] = [("record_accuracy", RecordAccuracy())]
    if training.lr_schedule is not None:
        factor = SCHEDULES.get(training.lr_schedule, training.lr_schedule)
        callbacks.append(("schedule", Schedule(factor)))
    return callbacks + own


def _net_settings(
    given: Mapping[str, Any], settings: dict[str, Any], owner: object
) -> dict[str, Any]:
    reserved = {*RESERVED, *(name.partition("__")[0] for name in settings)}
    for name in given:
        first = name.partition("__")[0]
        if first in reserved and name != "criterion__label_smoothing":
            raise invalid(
                f"net__{name}",
                owner,
                "a setting of the skorch net that CNNClassifier leaves open",
                given[name],
                "The loss is the weighted cross-entropy; weigh with class_weight."
                if first == "criterion"
                else f"Use CNNClassifier's own parameter for {first!r}, if it has one.",
            )
    return dict(given)
