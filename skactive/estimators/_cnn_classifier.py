"""CNNClassifier: a network, wrapped by skorch, as a scikit-learn classifier."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from enum import Enum
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from skorch.exceptions import SkorchException
from torch import nn

from skactive._one_label import labels_of_one_kind
from skactive._plain_torch import plain_torch
from skactive._rng import seed_sequence
from skactive._validation import invalid
from skactive.estimators._augment import AUGMENTATIONS
from skactive.estimators._callbacks import SCHEDULES
from skactive.estimators._labels import hold_out
from skactive.estimators._make_net import OPTIMIZERS, Architecture, Seeds, Training, make_net
from skactive.estimators._nested_params import NestedParams
from skactive.estimators._net import ArrayDataset, Net
from skactive.estimators._predicting import Predicting
from skactive.estimators._signatures import showing_names
from skactive.estimators._training_data import TrainingData
from skactive.estimators._training_errors import explained


class CNNClassifier(TrainingData, Predicting, NestedParams):
    """A convolutional network, trained with skorch, as a scikit-learn classifier.

    Takes images as they come, uint8 or float, with the channels first, last or absent, or rows of
    features. The last layer and the number of input channels follow the data. The same
    `random_state` gives the same fitted weights, and no global random generator is touched.

    Parameters
    ----------
    module : str, torch.nn.Module or callable, default="auto"
        The network.

        - "auto": an MLP (`"mlp"`) for rows, `"small_cnn"` for images.
        - "linear": a single linear layer, for rows: a head on features that exist already.
        - "small_cnn": three blocks of convolution, BatchNorm, ReLU and pooling with 16, 32 and 64
          channels, global average pooling and a linear layer. `module__width` is 16.
        - "resnet18": with the stem for small images. `module__width` is 64.
        - "resnet18_narrow": FisherMask's network, widths 16-32-64-128 and a last layer without
          bias.
        - "vgg11": with BatchNorm, for images of at least 16×16. `module__width` is 64.
        - "torchvision/NAME": any of torchvision's classification networks.
        - A class, or another callable that returns a module, such as a `functools.partial`: called
          with `module_params` and, if it takes them and they are not bound, with `in_channels` (or
          `in_features`) and `num_classes` (or `n_classes`).
        - An instance: copied at each `fit`, so that the given one stays as it is and each `fit`
          starts from its weights. Parameters with `requires_grad=False` stay frozen, and BatchNorm
          layers frozen whole stay in evaluation mode.

        It must return logits, one column per class.
    classes : array-like or None, default=None
        All classes, where the labels of early rounds lack some. None takes those in `y`.
    input_shape : tuple of int or None, default=None
        The shape of one image where X holds images as flat rows, such as (1, 28, 28).
    channels : {"auto", "first", "last"}, default="auto"
        Where the channel axis of images is. "auto" looks for an axis of size 1, 3 or 4.
    output : int, str, callable or None, default=None
        Picks the logits where the module returns a tuple, a mapping or an object.
    weights : str, path, mapping or None, default=None
        A state dict to start from, or the path of a file with one; for torchvision's networks also
        pretrained weights or their name, such as "DEFAULT", which torchvision downloads. Those are
        built as torchvision builds them: inception_v3 and googlenet with `transform_input=True`,
        whose inputs are to be standardised as for ImageNet (see `normalize`), unless
        `module__transform_input` says otherwise; their auxiliary heads are left out. The last layer
        is a new one, unless the weights have as many classes.
    normalize : {"auto"}, None or tuple of two arrays, default="auto"
        "auto" standardises each channel (each feature of rows) by the training data's mean and
        standard deviation. A pair (mean, std) is used as it is; for uint8 images it refers to the
        scale from 0 to 1, as in torchvision. None scales uint8 images to 0 to 1, and leaves floats.
    augment : {"crop", "flip", "crop_flip", "strong"}, callable or None, default=None
        What is done to training batches on the device: a random crop after padding by 4, a
        horizontal flip, or both; "strong" also changes the contrast by up to 40 % and blackens a
        square of half the height; or a function of a batch of shape (n, C, H, W) in the stored
        dtype, on whose scale it stays. Predictions and queries are never augmented.
    max_epochs : int, default=30
        Passes over the training data.
    batch_size : int, default=32
        Samples per step. A last batch of one sample joins the one before it.
    predict_batch_size : int or None, default=None
        Samples per forward pass in `predict` and the like, which bounds their memory. None is 64,
        or 256 on a GPU; of images larger than 64×64 as many as have no more pixels together, or
        `batch_size` if that is more.
    optimizer : {"sgd", "adam", "adamw"} or subclass of torch.optim.Optimizer, default="sgd"
        The optimizer.
    lr : float, default=0.05
        The learning rate.
    momentum : float, default=0.9
        The momentum; for "sgd" only.
    weight_decay : float, default=5e-4
        The weight decay.
    lr_schedule : {"cosine", "step"}, callable or None, default="cosine"
        The learning rate of an epoch of `fit`: "cosine" falls towards zero, "step" divides by ten
        after 80 % of `max_epochs`, None is constant; a callable takes the share of `max_epochs`
        that is done, from 0 to below 1, and returns a factor. `partial_fit` uses `lr` itself.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss.
    train_split : float or None, default=None
        The share of the samples to hold out for validation during `fit` (stratified where the
        classes allow), for callbacks such as early stopping. None trains on all: labels are costly.
    warm_start : bool, default=False
        Whether `fit` goes on from the fitted weights, with a new optimizer. The network, the
        classes, and how samples are stored and scaled stay those of the first fit.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Further callbacks, or pairs of a name and one; they are used as they are. Clones of the
        estimator have shallow copies, which write to the same loggers. A parameter of theirs is
        also `callbacks__EarlyStopping__patience`. Names that patterns match, as those of `Freezer`,
        are the module's own. skorch's LRScheduler needs `lr_schedule=None`.
    device : str or torch.device, default="auto"
        Where to train and predict. "auto" is CUDA, then MPS, then the CPU.
    amp : bool, default=False
        Whether to train in mixed precision (bfloat16). Predictions are in float32.
    compile : bool, default=False
        Whether to compile the network with torch.compile.
    deterministic : bool, default=False
        Whether to allow only deterministic algorithms, for reproducible fits on CUDA.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the initial weights, the order of the samples, dropout and augmentation.
        None draws a fresh seed from the operating system.
    verbose : int, default=0
        1 prints skorch's table of epochs.
    module_params, optimizer_params, net_params : dict or None, default=None
        Further arguments for the module's constructor, for the optimizer, and for the skorch net.
        Each of them is a parameter of its own, too, here and for `set_params` and a grid search:
        `module__width`, `optimizer__nesterov`, `net__criterion__label_smoothing`.
        `optimizer__param_groups=[("fc*", {"lr": 0.1})]` gives the parameters whose names, in the
        module, match a pattern settings of their own.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        The classes, sorted.
    net_ : skorch.NeuralNetClassifier
        The fitted skorch net.
    module_ : torch.nn.Module
        The fitted network behind its input layer: takes samples as stored in X, returns logits.
    history_ : skorch.history.History
        What was recorded: epochs, losses, `train_acc`, times.
    n_features_in_ : int
        The size of X's second axis.
    feature_names_in_ : ndarray of str
        The names of the features, where X was a DataFrame.

    Notes
    -----
    The loss of a batch is Σ wℓ / Σ w, with w the product of sample and class weight.

    Give all labels (no missing class) to tools that split y themselves and look at its classes:
    CalibratedClassifierCV, roc_auc and log-loss scorers. VotingClassifier encodes y anew and needs
    `classes=None`.

    In threads, `predict` waits for nobody but who uses the same network. Fits that draw from the
    process-wide generators (dropout, augmentation, modules of your own) borrow these for a step and
    take turns; what another thread draws from them within a step cannot be kept apart. Callbacks
    draw from the generators as they are outside. For parallel work processes are faster, which is
    what joblib takes by default. Fitted networks travel between
    processes by pickle: a module class of your own has to be in a module that can be imported, not
    in a notebook or script.

    Examples
    --------
    >>> from skactive import CNNClassifier
    >>> from skactive.datasets import load_fashion_mnist
    >>> data = load_fashion_mnist()
    >>> clf = CNNClassifier("small_cnn", max_epochs=5, random_state=0)
    >>> clf = clf.fit(data.X_train[:500], data.y_train[:500])
    >>> clf.predict_proba(data.X_test).shape
    (1000, 10)
    """

    _parameter_constraints: ClassVar[dict] = {
        "module": [str, type, nn.Module, callable],
        "classes": ["array-like", Integral, None],  # a number gets a better message later
        "input_shape": [tuple, list, None],
        "channels": [StrOptions({"auto", "first", "last"})],
        "output": [Integral, str, callable, None],
        "weights": [str, PathLike, Mapping, Enum, None],
        "normalize": [StrOptions({"auto"}), tuple, list, None],
        "augment": [StrOptions(set(AUGMENTATIONS)), callable, None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "predict_batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "optimizer": [StrOptions(set(OPTIMIZERS)), type],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions(set(SCHEDULES)), callable, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "train_split": [Interval(Real, 0, 1, closed="neither"), None],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "amp": ["boolean"],
        "compile": ["boolean"],
        "deterministic": ["boolean"],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
        "module_params": [dict, None],
        "optimizer_params": [dict, None],
        "net_params": [dict, None],
    }

    @showing_names
    def __init__(
        self,
        module: Any = "auto",
        *,
        classes: Any = None,
        input_shape: Any = None,
        channels: str = "auto",
        output: Any = None,
        weights: Any = None,
        normalize: Any = "auto",
        augment: Any = None,
        max_epochs: int = 30,
        batch_size: int = 32,
        predict_batch_size: int | None = None,
        optimizer: Any = "sgd",
        lr: float = 0.05,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        lr_schedule: Any = "cosine",
        class_weight: Any = None,
        train_split: float | None = None,
        warm_start: bool = False,
        callbacks: Any = None,
        device: Any = "auto",
        amp: bool = False,
        compile: bool = False,
        deterministic: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        module_params: dict[str, Any] | None = None,
        optimizer_params: dict[str, Any] | None = None,
        net_params: dict[str, Any] | None = None,
        **nested: Any,
    ) -> None:
        self.module = module
        self.classes = classes
        self.input_shape = input_shape
        self.channels = channels
        self.output = output
        self.weights = weights
        self.normalize = normalize
        self.augment = augment
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.predict_batch_size = predict_batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.class_weight = class_weight
        self.train_split = train_split
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.amp = amp
        self.compile = compile
        self.deterministic = deterministic
        self.random_state = random_state
        self.verbose = verbose
        self.module_params = module_params
        self.optimizer_params = optimizer_params
        self.net_params = net_params
        self._set_nested(nested)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CNNClassifier:
        """Train on labelled samples, anew or, with `warm_start=True`, from the fitted weights.

        If training fails or is interrupted, the estimator is as it was before; only the weights
        of a warm start may have moved.

        Parameters
        ----------
        X : array-like or Tensor of shape (N, F), (N, H, W), (N, C, H, W) or (N, H, W, C)
            The samples.
        y : array-like of shape (N,)
            Their labels.
        sample_weight : array-like of shape (N,) or None, default=None
            Their weights. A sample of weight 0 only makes its class known.

        Returns
        -------
        CNNClassifier
            The estimator itself.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be.
        ValueError
            If X or y cannot be used.

        Warns
        -----
        ConvergenceWarning
            If the training loss is no longer finite.
        """
        with plain_torch(), self._unchanged_on_error():
            going_on = self.warm_start and hasattr(self, "net_")
            if going_on:
                self._check_same_structure()
            seeds = self._draw_seeds()
            train = self._check_fit(X, y, sample_weight, first=not going_on)
            valid = None
            if self.train_split is not None:
                parts = hold_out(train.y.numpy(), self.train_split, seeds.split, self)
                train, valid = (train.take(torch.as_tensor(p)) for p in parts)
            net = self._make_net(seeds, valid, keep_weights=going_on)
            if going_on:
                net.history = copy.copy(self.net_.history)
            self.net_ = self._train(net, train)
            self.net_.train_split = None  # lets go of the validation samples
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> CNNClassifier:
        """Train for one epoch on these samples, going on with weights and optimizer.

        The first call fixes the classes, the format of the samples, their scaling and the network.
        Later calls honour new values of `lr`, `batch_size` and `class_weight`; other settings stay
        those of the first call. A call that fails or is interrupted may have moved the weights.

        Parameters
        ----------
        X : array-like or Tensor of shape (N, F), (N, H, W), (N, C, H, W) or (N, H, W, C)
            The samples.
        y : array-like of shape (N,)
            Their labels.
        classes : array-like or None, default=None
            All classes; needed at the first call if neither the parameter `classes` nor `y`
            has them.
        sample_weight : array-like of shape (N,) or None, default=None
            Their weights.

        Returns
        -------
        CNNClassifier
            The estimator itself.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, or `classes` differ from the first call's.
        ValueError
            If X or y cannot be used.
        """
        with plain_torch(), self._unchanged_on_error():
            first = not hasattr(self, "net_")
            if classes is not None:
                classes, _ = labels_of_one_kind("classes", classes, self)
            if not (first or classes is None or np.array_equal(np.unique(classes), self.classes_)):
                raise invalid(
                    "classes",
                    self,
                    f"those of the first call, {self.classes_.tolist()}",
                    classes,
                    "Call fit to start anew.",
                )
            data = self._check_fit(X, y, sample_weight, first=first, classes=classes)
            net = self._make_net(self._draw_seeds(), None) if first else self.net_
            net.check_training_readiness()  # it may have been trimmed for prediction
            net.lr, net.batch_size = self.lr, self.batch_size
            net.set_rates(self.lr)
            self.net_ = self._train(net, data, 1)
        return self

    def _make_net(
        self, seeds: Seeds, valid: ArrayDataset | None, keep_weights: bool = False, **settings: Any
    ) -> Net:
        """Build the net to train, around the fitted network or a new one."""
        architecture = Architecture(
            self.module,
            self.module_params,
            self.weights,
            self.output,
            n_classes=len(self.classes_),
            form=self._format,
            dtype=self._dtype,
            scaling=self._scaling,
        )
        training = Training(**{field.name: getattr(self, field.name) for field in fields(Training)})
        fitted = self.module_.network if keep_weights else None
        return make_net(architecture, training, seeds, self, valid=valid, fitted=fitted, **settings)

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        before = dict(vars(self))
        try:
            self._validate_params()
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _draw_seeds(self) -> Seeds:
        words = seed_sequence(self.random_state, self).generate_state(len(Seeds._fields))
        return Seeds(*map(int, words))

    def _train(self, net: Net, data: ArrayDataset, epochs: int | None = None) -> Net:
        try:
            net.train_epochs(data, epochs)
        except (KeyError, ValueError, SkorchException) as error:
            said = explained(error, self)
            if said is None:
                raise
            raise said from error
        if not np.isfinite(net.history[-1, "train_loss"]):
            warnings.warn(
                f"The training loss of {type(self).__name__} is not finite; the network is of no "
                f"use. Lower lr (now {self.lr}), or check the scale of X.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return net
