"""LPLClassifier: a network trained jointly with a module that predicts its losses."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, cast

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skactive._validation import Phrase, invalid
from skactive.estimators._cnn_classifier import CNNClassifier
from skactive.estimators._loss_module import LossModule
from skactive.estimators._lpl_net import LPLNet
from skactive.estimators._make_net import Seeds
from skactive.estimators._net import ArrayDataset, Net
from skactive.estimators._signatures import extending


class LPLClassifier(CNNClassifier):
    """A CNNClassifier whose network is trained jointly with a loss-prediction module.

    The module reads several stages of the network: each is averaged over positions, goes through a
    linear layer and a ReLU, and a last linear layer joins them to one number per sample, the
    predicted loss l̂. With ℓ_n the cross-entropy of sample n, the loss of a batch of b samples is

        mean ℓ_n + loss_weight · R,
        R = (1/⌊b/2⌋) Σ_{i<⌊b/2⌋} max(0, margin − sign(ℓ_i − ℓ_j) (l̂_i − l̂_j)),   j = b − 1 − i.

    No gradient flows through the ℓ of R; equal losses count as sign −1. The middle sample of an odd
    batch is in no pair, and a batch of one has no R. Only the order of l̂ is learnt, not its scale.

    Everything else is as in `CNNClassifier`; `module_` is the network alone. With `loss_weight=0`
    the network is the same, to the bit, as a CNNClassifier's of the same settings and seed.

    Parameters
    ----------
    module, classes, input_shape, channels, output, weights, normalize, augment : object
        The network and its inputs, see `CNNClassifier`.
    feature_layers : list of str or None, default=None
        The layers that the loss-prediction module reads, as the network's `named_modules()` calls
        them. They may return maps (n, C, H, W) or (n, H, W, C), tokens (n, T, C) or flat features
        (n, C). None takes the stages of skactive's own networks, and of those that have `stages`
        as `skactive.protocols.Staged` says. In others it takes the last layer of each resolution:
        for each size of map and number of tokens, the last layer to finish that returns it, leaving
        out copies, among them the logits; flat features, the last of each width, where there are
        neither maps nor tokens.
    loss_weight : float, default=1.0
        The weight of R. With 0 the loss-prediction module does not learn, either.
    margin : float, default=1.0
        The margin of R.
    detach_after : float, default=0.6
        The gradient of R stops at the features, and so no longer moves the network, in epochs
        e > detach_after · `max_epochs`, e counted from 0 in each `fit`. 1 means never. In
        `partial_fit`, which has no planned end, it never stops.
    loss_module_dim : int, default=128
        The width of the linear layer of each stage.
    loss_module_lr : float or None, default=None
        The learning rate of the loss-prediction module; None is `lr`. It follows the same
        schedule; all other settings of the optimizer are the network's.
    max_epochs, batch_size, predict_batch_size, optimizer, lr, momentum, weight_decay : object
        The training, see `CNNClassifier`.
    lr_schedule : {"cosine", "step"}, callable or None, default="cosine"
        See `CNNClassifier`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the cross-entropy. R compares losses without weights: a sample is
        as hard as it is, however costly a mistake is, and a pool's classes are unknown.
    train_split, warm_start, callbacks, device, amp, compile, deterministic : object
        See `CNNClassifier`. The loss-prediction module goes on in a warm start as well, and is of
        the same epoch as the network where a callback goes back to the best one.
    random_state : int, RandomState, Generator or None, default=None
        See `CNNClassifier`. The loss-prediction module draws its weights from a seed of its own.
    verbose, module_params, optimizer_params, net_params : object
        See `CNNClassifier`.

    Attributes
    ----------
    classes_, net_, module_, n_features_in_, feature_names_in_ : object
        See `CNNClassifier`. Of `net_`, `optimizer_` has the parameters of both.
    loss_module_ : torch.nn.Module
        The fitted loss-prediction module: takes the pooled features of the stages.
    feature_layers_ : list of str
        The layers that it reads.
    history_ : skorch.history.History
        As in `CNNClassifier`, where `train_loss` is the joint loss and `valid_loss` the
        cross-entropy. Of the training batches also `train_class_loss` and `train_ranking_loss` (R),
        whose weighted sum is the joint loss, and `train_ranking_acc`, the share of pairs that are
        predicted in the right order, out of those whose losses differ.

    Notes
    -----
    The published code steps the learning rate of the network only; here both follow the schedule.

    References
    ----------
    LPLgrad, arXiv 2411.15217; Learning Loss, arXiv 1905.03677, sections 3.2 and 3.3.

    Examples
    --------
    >>> from skactive import LPLClassifier
    >>> from skactive.datasets import load_fashion_mnist
    >>> data = load_fashion_mnist()
    >>> clf = LPLClassifier("small_cnn", max_epochs=5, random_state=0)
    >>> clf = clf.fit(data.X_train[:500], data.y_train[:500])
    >>> clf.predict_loss(data.X_test).shape
    (1000,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **CNNClassifier._parameter_constraints,
        "feature_layers": [list, tuple, None],
        "loss_weight": [Interval(Real, 0, None, closed="left")],
        "margin": [Interval(Real, 0, None, closed="left")],
        "detach_after": [Interval(Real, 0, 1, closed="both")],
        "loss_module_dim": [Interval(Integral, 1, None, closed="left")],
        "loss_module_lr": [Interval(Real, 0, None, closed="neither"), None],
    }
    _STRUCTURE: ClassVar[tuple[str, ...]] = (
        *CNNClassifier._STRUCTURE,
        "feature_layers",
        "loss_module_dim",
    )

    net_: LPLNet

    @extending(CNNClassifier.__init__)
    def __init__(
        self,
        module: Any = "auto",
        *,
        feature_layers: Any = None,
        loss_weight: float = 1.0,
        margin: float = 1.0,
        detach_after: float = 0.6,
        loss_module_dim: int = 128,
        loss_module_lr: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(module, **settings)
        self.feature_layers = feature_layers
        self.loss_weight = loss_weight
        self.margin = margin
        self.detach_after = detach_after
        self.loss_module_dim = loss_module_dim
        self.loss_module_lr = loss_module_lr

    @classmethod
    def reference(cls, **changes: Any) -> LPLClassifier:
        """Return the setting of the published code.

        A ResNet-18 of widths 64-128-256-512, 200 epochs of SGD with learning rate 0.1, divided by
        ten at epoch 160, momentum 0.9 and weight decay 5e-4, batches of 128, crops and flips, the
        gradient of R stopped after epoch 120; networks go on from one cycle to the next. The fault
        of the code, a constant learning rate of the loss-prediction module, is not reproduced.

        Parameters
        ----------
        **changes : dict
            Parameters to set differently.

        Returns
        -------
        LPLClassifier
            The estimator.
        """
        setting = {
            "module": "resnet18",
            "augment": "crop_flip",
            "loss_weight": 1.0,
            "margin": 1.0,
            "detach_after": 0.6,
            "loss_module_dim": 128,
            "max_epochs": 200,
            "batch_size": 128,
            "optimizer": "sgd",
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "lr_schedule": "step",
            "warm_start": True,
        }
        return cls(**{**setting, **changes})

    @property
    def loss_module_(self) -> LossModule:
        """The fitted loss-prediction module."""
        return cast(LossModule, self.net_.loss_module_)

    @property
    def feature_layers_(self) -> list[str]:
        """The layers of the network that the loss-prediction module reads."""
        return list(self.net_.taps.axes)

    def fit(self, X: Any, y: Any, **unsupported: Any) -> LPLClassifier:  # type: ignore[override]
        """Train on labelled samples, anew or, with `warm_start=True`, from the fitted weights.

        If training fails or is interrupted, the estimator is as it was before; only the weights
        of a warm start may have moved.

        Parameters
        ----------
        X : array-like or Tensor of shape (N, F), (N, H, W), (N, C, H, W) or (N, H, W, C)
            The samples.
        y : array-like of shape (N,)
            Their labels.
        **unsupported : dict
            Nothing; `sample_weight` is refused, since pairs of samples have no weight.

        Returns
        -------
        LPLClassifier
            The estimator itself.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, or weights are passed.
        ValueError
            If X or y cannot be used.
        """
        self._refuse("fit", unsupported)
        return cast(LPLClassifier, super().fit(X, y))

    def partial_fit(  # type: ignore[override]
        self, X: Any, y: Any, classes: Any = None, **unsupported: Any
    ) -> LPLClassifier:
        """Train for one epoch on these samples, going on with weights and optimizer.

        See `CNNClassifier.partial_fit`. The rate of the loss-prediction module keeps its ratio to
        `lr`.

        Parameters
        ----------
        X : array-like or Tensor of shape (N, F), (N, H, W), (N, C, H, W) or (N, H, W, C)
            The samples.
        y : array-like of shape (N,)
            Their labels.
        classes : array-like or None, default=None
            All classes; needed at the first call if neither the parameter `classes` nor `y`
            has them.
        **unsupported : dict
            Nothing; `sample_weight` is refused.

        Returns
        -------
        LPLClassifier
            The estimator itself.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, `classes` differ from the first call's, or
            weights are passed.
        ValueError
            If X or y cannot be used.
        """
        self._refuse("partial_fit", unsupported)
        return cast(LPLClassifier, super().partial_fit(X, y, classes))

    def predict_loss(self, X: Any) -> np.ndarray:
        """Return the predicted loss of each sample: higher where the network is likelier to err.

        Parameters
        ----------
        X : array-like, Tensor or Dataset of N samples in the format given to `fit`
            The samples, read in batches. Of a Dataset's items the first element is taken.

        Returns
        -------
        ndarray of shape (N,), float64
            The predicted losses l̂. Their order is what was learnt; they are not cross-entropies.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X has another format than at `fit`, or holds values that are not finite.
        """
        check_is_fitted(self)
        module, loss_module, taps = self.module_, self.loss_module_, self.net_.taps

        def losses(x: Tensor) -> Tensor:
            _, features = taps.run(module.network, lambda: module(x))
            return loss_module(features)

        return self._outputs(losses, X).double().numpy()

    def _make_net(
        self, seeds: Seeds, valid: ArrayDataset | None, keep_weights: bool = False, **settings: Any
    ) -> Net:
        return super()._make_net(
            seeds,
            valid,
            keep_weights,
            kind=LPLNet,
            feature_layers=self.feature_layers,
            loss_weight=self.loss_weight,
            margin=self.margin,
            detach_after=self.detach_after,
            loss_module_lr=self.loss_module_lr,
            loss_module_seed=seeds.beside,
            loss_module__dim=self.loss_module_dim,
            loss_module__fitted=self.loss_module_ if keep_weights else None,
            **settings,
        )

    def _refuse(self, method: str, unsupported: dict[str, Any]) -> None:
        for name, value in unsupported.items():
            if name != "sample_weight":
                raise TypeError(f"{type(self).__name__}.{method} takes no {name!r}.")
            if value is not None:
                raise invalid(
                    name,
                    self,
                    Phrase(
                        "{None}, since the ranking loss compares samples in pairs, which have no "
                        "weights"
                    ),
                    value,
                    "Weigh the classes with class_weight=, or use a CNNClassifier.",
                )
