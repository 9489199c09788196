"""Draws of a network by its dropout: in one draw, every sample meets the same masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from skactive._device import to_device
from skactive._generators import isolated_rng
from skactive._validation import owner_name
from skactive.exceptions import UnsupportedEstimatorError

# What torch's six dropout layers call, and what networks without such layers call themselves.
_DROPOUTS: frozenset[Callable[..., Tensor]] = frozenset(
    {
        F.dropout,
        F.dropout1d,
        F.dropout2d,
        F.dropout3d,
        F.alpha_dropout,
        F.feature_alpha_dropout,
    }
)


class DropoutNetwork:
    """Runs a network with its dropout on, and with nothing else in training mode.

    A draw of the masks is a draw of the network's weights. So that it is one and the same network
    that all samples of the pool see in one pass, the masks are those of a single sample, and serve
    all. They depend on the seed alone, not on the batches or the device.

    Dropout is intercepted where it is called, as a layer or as a function. The dropout inside
    MultiheadAttention's weights and inside recurrent layers stays off.

    Parameters
    ----------
    module : callable
        The network in evaluation mode, inside `scoring`; takes inputs, returns logits.
    sample : Tensor of shape (1, ...)
        The input of one sample, which determines the masks' shapes.
    owner : object
        The strategy, for the error messages.

    Raises
    ------
    UnsupportedEstimatorError
        If no dropout is called, or none with p above 0.
    """

    def __init__(self, module: Callable[[Tensor], Tensor], sample: Tensor, owner: object) -> None:
        self._module, self._owner = module, owner
        with _Watch() as seen:
            module(sample.clone())
        if not any(p > 0 for p in seen.rates):
            raise UnsupportedEstimatorError(
                f"{owner_name(owner)} compares predictions under dropout, and the network calls no "
                "dropout with p above 0. Add nn.Dropout layers to the network, or pass several "
                "networks: a Committee, or a list of fitted estimators to select. (Dropout inside "
                "MultiheadAttention and recurrent layers is not used.)"
            )
        self._shapes = seen.shapes

    def run(self, inputs: Tensor, seed: np.random.SeedSequence) -> Tensor:
        """Return the logits of one draw; the network may overwrite its inputs.

        Parameters
        ----------
        inputs : Tensor of shape (n, ...)
            Samples.
        seed : numpy.random.SeedSequence
            Stands for the draw.

        Returns
        -------
        Tensor of shape (n, C)
            The logits.
        """
        with _Masked(self._shapes, seed, len(inputs), self._owner):
            return self._module(inputs)


class _Watch(TorchFunctionMode):
    """Notes the calls of dropout, and leaves them as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[torch.Size] = []
        self.rates: list[float] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DROPOUTS:
            self.shapes.append(args[0].shape)
            self.rates.append(kwargs["p"])
        return func(*args, **kwargs)


class _Masked(TorchFunctionMode):
    """Replaces each call of dropout by one with the mask of a single sample."""

    def __init__(
        self, shapes: list[torch.Size], seed: np.random.SeedSequence, n: int, owner: object
    ) -> None:
        super().__init__()
        self._shapes, self._seed, self._n, self._owner = shapes, seed, n, owner
        self._calls = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _DROPOUTS:
            return func(*args, **kwargs)
        (x,) = args
        seed = np.random.SeedSequence(
            self._seed.entropy, spawn_key=(*self._seed.spawn_key, self._calls)
        )
        shape = self._shape_for(x.shape)
        self._calls += 1
        # Every kind of dropout is x · scale + shift; zeros and ones reveal both. They are drawn
        # on the CPU in float64: the same masks on every device and in every precision.
        shift, one = (
            _drawn(func, torch.full(shape, value, dtype=torch.float64), kwargs["p"], seed)
            for value in (0.0, 1.0)
        )
        scale, shift = (to_device(part.to(x.dtype), x.device) for part in (one - shift, shift))
        if kwargs.get("inplace", False):
            return x.mul_(scale).add_(shift)
        return torch.addcmul(shift, x, scale)

    def _shape_for(self, shape: torch.Size) -> torch.Size:
        """Return the mask's shape for an input: that of a single sample, if it fits."""
        if self._calls < len(self._shapes):
            one = self._shapes[self._calls]
            pairs = zip(one, shape, strict=False)
            if len(one) == len(shape) and all(a == b or (a, b) == (1, self._n) for a, b in pairs):
                return one
            met = f"{tuple(one)} for one sample and {tuple(shape)} for {self._n}"
        else:
            met = f"no such call for one sample and {tuple(shape)} for {self._n}"
        raise UnsupportedEstimatorError(
            f"{owner_name(self._owner)} gives all samples the dropout mask of one, and cannot in "
            f"this network: its call of dropout number {self._calls + 1} meets {met}. Keep the "
            "samples on an axis of their own where dropout is called, or pass several networks: a "
            "Committee, or a list of fitted estimators to select."
        )


def _drawn(func: Any, x: Tensor, p: float, seed: np.random.SeedSequence) -> Tensor:
    with isolated_rng(int(seed.generate_state(1)[0]), names=("torch",)):
        return func(x, p=p, training=True)
