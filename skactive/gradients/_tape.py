"""One forward pass, then as many backward passes as wanted, with each layer's share taken."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Annotated, Any, cast

import torch
from torch import Tensor, nn

from skactive.gradients._checkpoints import check_checkpoints
from skactive.gradients._network import Network
from skactive.gradients._takers import Taker


class _Start(torch.autograd.Function):
    """The identity, from which autograd records; a copy, so that in-place layers may follow."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, probe: Tensor) -> Tensor:
        return output.clone()

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[None, None]:
        return None, None


class Tape:
    """Hooks on some layers of a network, for as long as the `with` block lasts.

    The graph of a forward pass begins at the output of the earliest of the layers, so that a
    backward pass goes no further back. Gradients are seen by tensor hooks set as a layer returns:
    they see the gradient at its output also if the next layer overwrites that in place, where
    module backward hooks raise.

    Parameters
    ----------
    network : Network
        The network.
    takers : mapping of torch.nn.Module to Taker
        The layers, each with what is taken from it.
    head : torch.nn.Module or None
        The one of them, if any, whose output is the logits: its gradients are the rows pulled,
        so that it needs no backward pass.

    Attributes
    ----------
    X, logits : torch.Tensor
        The batch and its logits, after `forward`.
    """

    def __init__(
        self, network: Network, takers: Mapping[nn.Module, Taker], head: nn.Module | None
    ) -> None:
        self.network, self.takers, self.head = network, takers, head
        self.X = self.logits = torch.empty(0)
        self._probe = torch.zeros(
            (), device=network.device, dtype=network.dtype, requires_grad=True
        )
        self._shapes: dict[nn.Module, list[torch.Size]] = {}
        self._taken: set[nn.Module] = set()
        self._recording = self._pulling = False
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> Tape:
        try:
            for layer in self.takers:
                self._hooks.append(layer.register_forward_hook(self._on_call, with_kwargs=True))
        except BaseException:
            self._remove_hooks()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._remove_hooks()
        for taker in self.takers.values():
            taker.clear()

    def _remove_hooks(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def forward(self, X: Annotated[Tensor, "N ..."]) -> Annotated[Tensor, "N C"]:
        """Run a batch through the network and return its logits, outside the graph."""
        self.X, self._shapes = X, {}
        self._recording = True
        try:
            self.logits = self.network.run(X)
        finally:
            self._recording = False
        for layer in self.takers:
            calls = len(self._shapes.get(layer, []))
            if calls != 1:
                raise RuntimeError(
                    f"{layer} ran {calls} times for a batch of {len(X)} samples, and once for "
                    "the samples that were checked: the network must run alike for all samples."
                )
        return self.logits.detach()

    def pull(self, rows: Annotated[Tensor, "N C"], last: bool = False) -> None:
        """Run one backward pass, from a combination of each sample's logits; the takers take.

        Parameters
        ----------
        rows : torch.Tensor of shape (N, C)
            The combinations.
        last : bool, default=False
            Whether the graph may be freed on the way.
        """
        self._taken = set()
        if self.logits.requires_grad:
            self._pull(rows, last)
        if self.head is not None:
            self._take(self.head, rows)
        for layer in self.takers.keys() - self._taken:  # not on the way to the logits
            self._take(layer, rows.new_zeros(self._shapes[layer][0]))

    def _pull(self, rows: Tensor, last: bool) -> None:
        self._pulling = True
        try:
            torch.autograd.grad(
                self.logits, self._probe, rows, retain_graph=not last, allow_unused=True
            )
        except RuntimeError:
            check_checkpoints(self.network.module, self.logits, self.network.owner)
            raise
        finally:
            self._pulling = False

    def release(self) -> None:
        """Forget the batch and its graph."""
        self._shapes = {}
        self.X = self.logits = torch.empty(0)
        for taker in self.takers.values():
            taker.clear()

    def _take(self, layer: nn.Module, delta: Tensor) -> None:
        self._taken.add(layer)
        with torch.no_grad():
            self.takers[layer].take(delta)

    def _on_call(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> Tensor | None:
        if self._pulling:  # a checkpoint runs its layers again: they have to record the same
            return self._started(layer, output)
        if not self._recording:
            return None
        a = args[0] if args else kwargs["input"]
        taker, n = self.takers[layer], len(self.X)
        if not taker.geometry.fits(a, n):
            raise RuntimeError(
                f"{layer} got an input of shape {tuple(a.shape)} in a batch of {n} samples, other "
                "than for the samples that were checked: the network must run alike for all."
            )
        with torch.inference_mode(False), torch.no_grad():
            taker.record(a.clone() if a.is_inference() else a.detach(), n)
        started = self._started(layer, output)
        # It does not where forward records no gradients: those of the layer are zeros.
        if layer is not self.head and started.requires_grad:
            started.register_hook(lambda delta: self._take(layer, delta))
        self._shapes.setdefault(layer, []).append(output.shape)
        return started

    def _started(self, layer: nn.Module, output: Tensor) -> Tensor:
        """Return a layer's output as one through which autograd records."""
        if layer is self.head:
            return output
        if not output.requires_grad:
            return cast(Tensor, _Start.apply(output, self._probe))
        # A view's hook is passed over once the view is overwritten; in most versions of
        # torch, nn.Linear gives views on samples of more than one row.
        return output.clone() if output._is_view() else output
