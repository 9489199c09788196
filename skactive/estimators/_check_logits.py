"""Whether a network returns logits, one row per sample: tried before it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from skactive._validation import Description, invalid
from skactive.estimators._build import ClassifierNetwork
from skactive.estimators._inputs import InputFormat

_KEEP_SAMPLES = (
    "A squeeze() removes the axis of a lone sample, too: say .flatten(1) in its place, or name the "
    "axes to remove."
)


def check_logits(
    network: ClassifierNetwork, form: InputFormat, n_classes: int, owner: object
) -> None:
    """Run two blank samples through a network, and raise unless logits (2, n_classes) come out.

    Lazy layers find their sizes in this run. Then a sample alone has to give (1, n_classes).
    """
    network.eval()
    out = _blank_logits(network, form, 2, owner)
    p = out.double()
    if n_classes > 1 and out.ndim == 2 and p.min() >= 0 and (p.sum(1) - 1).abs().max() < 1e-5:
        raise invalid(
            "module",
            owner,
            "a network that returns logits",
            Description("outputs that look like probabilities: none negative, a sum of 1"),
            "Remove the softmax at its end; the loss and predict_proba apply it.",
        )
    if tuple(out.shape) != (2, n_classes):
        one_logit = (out.ndim == 2 and out.shape[1] == 1) or out.ndim == 1
        raise invalid(
            "module",
            owner,
            f"a network that returns logits of shape (n, {n_classes}), one column per class",
            Description(f"outputs of shape {('n', *out.shape[1:])}".replace("'", "")),
            "Give binary problems two logits; a single one is not supported."
            if one_logit
            else "Build its last layer with that many outputs; a class that takes num_classes= "
            "is given the number.",
        )
    alone = _blank_logits(network, form, 1, owner)
    if tuple(alone.shape) != (1, n_classes):
        raise invalid(
            "module",
            owner,
            f"a network that returns logits of shape (1, {n_classes}) for one sample",
            Description(f"outputs of shape {tuple(alone.shape)}"),
            _KEEP_SAMPLES,
        )


def _blank_logits(network: ClassifierNetwork, form: InputFormat, n: int, owner: object) -> Tensor:
    """Return what a network makes of n blank samples, if that is a tensor."""
    blank = torch.zeros((n, *form.stored), dtype=torch.uint8 if form.integer else torch.float32)
    try:
        with torch.no_grad():
            raw = network.network(network.input(blank))
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        remedy = (
            f"It cannot take them: {error}. Choose another network, or samples of another size."
        )
        must = f"a network for samples of shape {form.shape}"
        if n == 1:
            must = "a network that also takes a batch of one sample"
            remedy = f"It takes two samples, and of one it says: {error}. {_KEEP_SAMPLES}"
        name = Description(type(network.network).__name__)
        raise invalid("module", owner, must, name, remedy) from error
    out = _picked(network, raw, owner)
    if not isinstance(out, Tensor):
        raise invalid(
            "output",
            owner,
            f"the position or name of the logits, since the module returns a {type(out).__name__}",
            network.output,
            "Pass output=0 for the first element, output='logits' for a named one.",
        )
    return out


def _picked(network: ClassifierNetwork, raw: Any, owner: object) -> Any:
    """Return what `output` picks out of what a network returned."""
    if callable(network.output):
        return network.output(raw)
    try:
        return network.logits(raw)
    except (LookupError, AttributeError, TypeError) as error:
        held = f"a {type(raw).__name__}"
        if isinstance(raw, (Mapping, tuple, list)):
            held += f" of {list(raw)}" if isinstance(raw, Mapping) else f" of {len(raw)}"
        must = f"the name or position of the logits in what the module returns, {held}"
        remedy = "" if not isinstance(raw, Tensor) else "Leave output=None: these are the logits."
        raise invalid("output", owner, must, network.output, remedy) from error
