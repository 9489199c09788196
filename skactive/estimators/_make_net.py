"""From the settings of a CNNClassifier to the skorch net that it trains."""

from __future__ import annotations

import copy
import functools
import inspect
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
from skactive.estimators._build import ClassifierNetwork, build_network, check_logits
from skactive.estimators._callbacks import SCHEDULES, RecordAccuracy, Schedule
from skactive.estimators._inputs import InputLayer
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


def make_net(
    clf: Any,
    seeds: Seeds,
    valid: ArrayDataset | None,
    keep_weights: bool = False,
    kind: type[Net] = Net,
    **settings: Any,
) -> Net:
    """Build the skorch net of a classifier whose classes, format and scaling are known.

    Parameters
    ----------
    clf : CNNClassifier
        Gives the settings.
    seeds : Seeds
        What to draw from.
    valid : ArrayDataset or None
        Validation data.
    keep_weights : bool, default=False
        Whether to build it around the fitted network instead of a new one.
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
    device = resolve_device(clf.device, clf)
    if keep_weights:
        network = clf.module_.network
    else:
        with isolated_rng(seeds.init):
            network = build_network(
                clf.module,
                clf._format,
                len(clf.classes_),
                params=clf.module_params or {},
                weights=clf.weights,
                owner=clf,
            )
            network.to(clf._dtype)
            whole = ClassifierNetwork(_input_layer(clf, network), network, None, clf.output)
            check_logits(whole, clf._format, len(clf.classes_), clf)
        if not any(p.requires_grad for p in network.parameters()):
            raise invalid(
                "module",
                clf,
                "a network with something to train",
                clf.module,
                "Set requires_grad=True on the parameters of its last layer, at least.",
            )
    augment = AUGMENTATIONS.get(clf.augment, clf.augment) if clf.augment else None
    if augment is not None and not clf._format.is_image:
        raise invalid("augment", clf, Phrase("{None} where X holds rows of features"), clf.augment)
    if isinstance(augment, nn.Module):  # a copy, and not part of the network
        augment = functools.partial(copy.deepcopy(augment).train().to(device))
    net = kind(
        ClassifierNetwork,
        module__input=_input_layer(clf, network),
        module__network=network,
        module__augmentation=augment,
        module__output=clf.output,
        criterion=nn.CrossEntropyLoss,
        criterion__reduction="none",
        **_optimizer_settings(clf, network, device),
        max_epochs=clf.max_epochs,
        batch_size=clf.batch_size,
        train_split=None if valid is None else predefined_split(valid),
        classes=np.arange(len(clf.classes_)),
        callbacks=_callbacks(clf),
        callbacks__valid_acc=None,
        callbacks__print_log__sink=print,
        device=str(device),
        compile=clf.compile,
        verbose=int(clf.verbose),
        order_seed=seeds.order,
        train_seed=seeds.train,
        amp=clf.amp,
        deterministic=clf.deterministic,
        **settings,
        **_net_settings(clf, settings),
    )
    check_names(net, clf)
    net.initialize()
    check_callbacks(net, clf)
    return net


def _input_layer(clf: Any, network: nn.Module) -> InputLayer:
    mean, std = clf._scaling
    # A custom module may rely on another layout, in a `view`.
    channels_last = isinstance(clf.module, str) and not any(map(_fails_last, network.modules()))
    return InputLayer(clf._format, mean, std, clf._dtype, channels_last)


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


def _optimizer_settings(clf: Any, network: nn.Module, device: torch.device) -> dict[str, Any]:
    optimizer = OPTIMIZERS.get(clf.optimizer, clf.optimizer)
    if not (isinstance(optimizer, type) and issubclass(optimizer, optim.Optimizer)):
        raise invalid(
            "optimizer",
            clf,
            "'sgd', 'adam', 'adamw' or a subclass of torch.optim.Optimizer",
            clf.optimizer,
        )
    takes = inspect.signature(optimizer).parameters
    given = clf.optimizer_params or {}
    for name in given:
        if name == "lr" or (name != "param_groups" and name not in takes):
            free = [p for p in takes if p not in ("params", "lr", "weight_decay", "momentum")]
            raise invalid(
                f"optimizer__{name}",
                clf,
                f"a setting of {optimizer.__name__}, which has {', '.join(free)}",
                given[name],
                "The learning rate is CNNClassifier's own parameter lr.",
            )
    if "param_groups" in given:
        check_param_groups(given["param_groups"], network, clf)
    settings = {"weight_decay": clf.weight_decay} if "weight_decay" in takes else {}
    if issubclass(optimizer, optim.SGD):
        settings["momentum"] = clf.momentum
    # All parameters in one kernel. With dampening, momentum does not start from buffers of zeros.
    open_ = not given.keys() & {"fused", "foreach", "differentiable", "capturable", "dampening"}
    if optimizer in OPTIMIZERS.values() and open_ and device.type in ("cpu", "cuda"):
        settings["fused"] = all(p.is_floating_point() for p in network.parameters())
    settings |= given
    named = {f"optimizer__{name}": value for name, value in settings.items()}
    return {"optimizer": optimizer, "lr": clf.lr, **named}


def _callbacks(clf: Any) -> list[Any]:
    own = checked_callbacks(clf.callbacks, clf)
    kinds = [c if isinstance(c, type) else type(c) for _, c in own]
    if clf.lr_schedule is not None and any(issubclass(k, LRScheduler) for k in kinds):
        raise invalid(
            "lr_schedule",
            clf,
            Phrase("{None} where callbacks has skorch's LRScheduler"),
            clf.lr_schedule,
            "Pass lr_schedule=None, or leave the callback out.",
        )
    callbacks: list[Any] = [("record_accuracy", RecordAccuracy())]
    if clf.lr_schedule is not None:
        factor = SCHEDULES.get(clf.lr_schedule, clf.lr_schedule)
        callbacks.append(("schedule", Schedule(factor)))
    return callbacks + own


def _net_settings(clf: Any, settings: dict[str, Any]) -> dict[str, Any]:
    reserved = {*RESERVED, *(name.partition("__")[0] for name in settings)}
    for name in clf.net_params or {}:
        first = name.partition("__")[0]
        if first in reserved and name != "criterion__label_smoothing":
            raise invalid(
                f"net__{name}",
                clf,
                "a setting of the skorch net that CNNClassifier leaves open",
                clf.net_params[name],
                "The loss is the weighted cross-entropy; weigh with class_weight."
                if first == "criterion"
                else f"Use CNNClassifier's own parameter for {first!r}, if it has one.",
            )
    return dict(clf.net_params or {})
