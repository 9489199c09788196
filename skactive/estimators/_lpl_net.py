"""The skorch net that trains a network together with a loss-prediction module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from skorch.callbacks import Callback, Checkpoint, TrainEndCheckpoint
from skorch.dataset import unpack_data
from torch import Tensor, nn

from skactive._device import unwrap
from skactive._generators import isolated_rng
from skactive._validation import invalid
from skactive.estimators._build import ClassifierNetwork
from skactive.estimators._feature_taps import FeatureTaps, find_taps
from skactive.estimators._loss_module import LossModule
from skactive.estimators._net import ArrayDataset, Net
from skactive.estimators._parameter_names import own_parameters
from skactive.estimators._ranking import count_ordered, ranking_loss


class RecordRanking(Callback):
    """Record both losses of the training batches, and the share of pairs in the right order.

    Writes `train_class_loss` and `train_ranking_loss`, averaged over batches as `train_loss` is,
    by their sizes, and `train_ranking_acc`, over all pairs of different losses: NaN if none.
    """

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget the last epoch."""
        self.sizes_: list[int] = []
        self.numbers_: list[Tensor] = []

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Keep the numbers of a training batch where they are: reading them would mean waiting."""
        if not training:
            return
        ordered = count_ordered(kwargs["predicted_losses"], kwargs["losses"])
        numbers = (kwargs["class_loss"], kwargs["ranking_loss"], *ordered)
        self.sizes_.append(len(batch[1]))
        self.numbers_.append(torch.stack([number.to(numbers[0].dtype) for number in numbers]))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write into the history."""
        class_loss, ranking, right, pairs = torch.stack(self.numbers_).cpu().double().numpy().T
        self.numbers_ = []
        for name, losses in (("class_loss", class_loss), ("ranking_loss", ranking)):
            net.history.record(f"train_{name}", float(np.average(losses, weights=self.sizes_)))
        share = right.sum() / pairs.sum() if pairs.any() else float("nan")
        net.history.record("train_ranking_acc", float(share))


def _has(callback: Callback, name: str) -> bool:
    return getattr(callback, name, None) is not None


class LPLNet(Net):
    """A Net with a loss-prediction module, `loss_module_`, and the joint loss of both.

    Parameters
    ----------
    *args : tuple
        As for Net.
    feature_layers : sequence of str or None, default=None
        The layers that it reads; None finds them.
    loss_weight : float, default=1.0
        The weight of the ranking loss.
    margin : float, default=1.0
        Its margin.
    detach_after : float, default=0.6
        The share of the planned epochs after which its gradient stops at the features.
    loss_module_lr : float or None, default=None
        The module's learning rate; None is that of the network.
    loss_module_seed : int, default=0
        Seeds its initial weights.
    **kwargs : dict
        As for Net. `loss_module__dim` is the width of the module, `loss_module__fitted` one to go
        on with instead of a new one.
    """

    taps_: FeatureTaps

    def __init__(
        self,
        *args: Any,
        feature_layers: Sequence[str] | None = None,
        loss_weight: float = 1.0,
        margin: float = 1.0,
        detach_after: float = 0.6,
        loss_module_lr: float | None = None,
        loss_module_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.feature_layers = feature_layers
        self.loss_weight = loss_weight
        self.margin = margin
        self.detach_after = detach_after
        self.loss_module_lr = loss_module_lr
        self.loss_module_seed = loss_module_seed
        self.epochs_before_ = 0

    @property
    def taps(self) -> FeatureTaps:
        """Where the module reads the network."""
        return self.taps_

    def initialize_module(self) -> LPLNet:
        """Build the network, find the layers to read, and build the module that reads them."""
        super().initialize_module()
        self.taps_ = find_taps(self.module_, self.feature_layers, "LPLClassifier")
        settings = self.get_params_for("loss_module")
        fitted = settings.pop("fitted", None)
        with isolated_rng(self.loss_module_seed):
            self.loss_module_ = fitted or LossModule(
                self.taps_.channels, dtype=self.module_.input.mean.dtype, **settings
            )
        self.module_.beside = (self.loss_module_,)
        return self

    def initialize_callbacks(self) -> LPLNet:
        """Initialise them; a checkpoint must have both modules of its epoch, or none."""
        super().initialize_callbacks()
        for name, callback in self.callbacks_:
            saves = isinstance(callback, (Checkpoint, TrainEndCheckpoint))
            if not saves or not callback.use_safetensors:
                continue
            files = {
                key for key in ("f_params", "f_module", "f_loss_module") if _has(callback, key)
            }
            if files and "f_loss_module" not in files:
                raise invalid(
                    f"callbacks__{name}__use_safetensors",
                    "LPLClassifier",
                    "False, since such a file would lack the loss-prediction module",
                    True,
                    "Or keep that in a file of its own: f_loss_module='loss_module.safetensors'.",
                )
        return self

    def get_all_learnable_params(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Give the network's parameters by its own names, then "loss_module_.joined.bias" etc."""
        yield from super().get_all_learnable_params()
        yield from self.loss_module_.named_parameters("loss_module_")

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> LPLNet:
        """Build one optimizer for both, the module's parameters in a group of their own."""
        named = own_parameters(self.module_)
        args, settings = self.get_params_for_optimizer("optimizer", named)
        lr = settings["lr"] if self.loss_module_lr is None else self.loss_module_lr
        args[0].append({"params": list(self.loss_module_.parameters()), "lr": lr})
        self.optimizer_ = self.optimizer(*args, **settings)
        return self

    def get_default_callbacks(self) -> list[Any]:
        """Return skorch's callbacks, and the one that records the ranking."""
        return [*super().get_default_callbacks(), ("record_ranking", RecordRanking())]

    def train_epochs(self, data: ArrayDataset, epochs: int | None = None) -> Net:
        """Train, see Net; earlier epochs are not part of the plan of this training."""
        self.epochs_before_ = len(self.history)
        return super().train_epochs(data, epochs)

    def stops_at_features(self) -> bool:
        """Whether the gradient of the ranking loss stops at the features in this epoch."""
        if self.loss_weight == 0:  # it is zero, and adding it must not cost anything
            return True
        if self.planned_epochs_ is None:
            return False
        epoch = len(self.history) - 1 - self.epochs_before_  # from 0
        return epoch / self.planned_epochs_ > self.detach_after

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Run a batch forward and backward; return what callbacks may want to know about it.

        Parameters
        ----------
        batch : tuple
            Samples, and labels or a pair of labels and weights.
        **fit_params : dict
            As for skorch.NeuralNet.

        Returns
        -------
        dict of str to Tensor
            The joint loss and the logits, as skorch has them (`loss`, `y_pred`), both losses
            (`class_loss`, `ranking_loss`), and for each sample its cross-entropy and the predicted
            one (`losses`, `predicted_losses`).
        """
        self._set_training(True)
        X, y = unpack_data(batch)
        network = cast(ClassifierNetwork, unwrap(self.module_)).network
        y_pred, features = self.taps_.run(network, lambda: self.infer(X, **fit_params))
        if self.stops_at_features():
            features = [x.detach() for x in features]
        predicted = self.loss_module_(features)
        class_loss = self.get_loss(y_pred, y, X=X, training=True)
        with torch.no_grad():  # no weights: they say how costly an error is, not how likely
            losses = self.criterion_(y_pred, y[0] if isinstance(y, (tuple, list)) else y)
        ranking = ranking_loss(predicted, losses, self.margin)
        loss = class_loss + self.loss_weight * ranking
        loss.backward()
        return {
            "loss": loss,
            "y_pred": y_pred,
            "class_loss": class_loss.detach(),
            "ranking_loss": ranking.detach(),
            "losses": losses,
            "predicted_losses": predicted.detach(),
        }
