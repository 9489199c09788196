"""Embedder: features of a network that is trained already, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from numbers import Integral
from os import PathLike
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn
from tqdm import tqdm

from skactive._batches import map_batches
from skactive._device import resolve_device
from skactive._paths import home_expanded
from skactive._progress import progress_bar
from skactive._validation import DeclaredParameters, owner_name
from skactive.estimators._at_once import gathered
from skactive.estimators._feature_cache import FeatureCache
from skactive.estimators._frozen_network import (
    FrozenNetwork,
    check_has_weights,
    check_layer,
    find_network,
)
from skactive.estimators._image_sources import (
    Either,
    ImageSource,
    of_one_size,
    source_of,
    stacked_images,
)
from skactive.estimators._network_identity import states_of_weights, traces_of
from skactive.estimators._preprocessing import with_settings


class Embedder(TransformerMixin, DeclaredParameters, BaseEstimator):
    """Turn images into features by a network that is trained already.

    Images in, one row of float32 features out, for everything in scikit-learn, for
    `CNNClassifier` as an MLP or a linear layer, and for the strategies: as their `embeddings`, or
    as the first step of a Pipeline. The network stays as it is. It learns nothing from data, and
    works without `fit`.

    Parameters
    ----------
    module : str or torch.nn.Module
        The network: "torchvision/NAME", with `weights`, or any module that takes images
        (n, C, H, W), such as timm's, HuggingFace's, or the `module_` of a fitted `CNNClassifier`.
        A module is copied: its weights, its mode and its device stay as they are. If its weights
        change afterwards, the next call notices.
    weights : str, path, mapping, enum member or None, default=None
        For "torchvision/NAME" torchvision's weights or their name, such as "DEFAULT", which
        torchvision downloads or finds in its folder, the path of a file with a state dict, or a
        state dict. For a module the latter two; None takes it as it is.
    layer : str or None, default=None
        Where the features are read: the output of this layer, as `named_modules()` calls it. None
        is the input of the linear layer that makes the output, as classifiers have one, and where
        there is none the output. "" is the output in any case.
    pooling : {"mean", "first"}, default="mean"
        What becomes of tokens (n, T, D): their mean, or the first one, which many transformers keep
        for the whole image. Maps, (n, C, H, W) or (n, H, W, C) by the layer and the aspect ratio of
        the images, are averaged over positions. Of HuggingFace's outputs `last_hidden_state` is
        taken; `layer="pooler"` takes the pooler's, which only some checkpoints have trained.
    size : {"auto"}, tuple of (int, int) or None, default="auto"
        Height and width that images are resized to, with antialiasing; proportions are not kept.
        "auto" prepares them as for the weights: torchvision's and timm's networks have their
        shorter side resized and the middle cut out, those of HuggingFace that name an `image_size`,
        and a `CNNClassifier`'s, are given that size. Where nothing is known, and with None, images
        keep their size.
    normalize : {"auto"}, None or tuple of two arrays, default="auto"
        (mean, std) of the channels on the scale from 0 to 1, to standardise by. "auto" takes those
        of the weights, where they are known, as with `size`, but of HuggingFace's networks, whose
        processor has them as `image_mean` and `image_std`; else those of ImageNet. None only scales
        uint8 images to 0 to 1, and leaves floats.
    channels : {"auto", "first", "last"}, default="auto"
        Where the channel axis of arrays is. "auto" looks for an axis of size 1, 3 or 4. Grey images
        are made colours for a network that takes three channels, and the reverse.
    batch_size : int, default=64
        Images per forward pass.
    device : str or torch.device, default="auto"
        Where to compute. "auto" is CUDA, then MPS, then the CPU.
    amp : bool, default=False
        Whether to compute in mixed precision (bfloat16).
    n_jobs : int or None, default=None
        Threads that read files, as in scikit-learn: None is 1, and -1 one per processor.
    cache : str, path or None, default=None
        A folder to keep features in, made if there is none. They are found by an image's content,
        and the network's weights, layer, code and preprocessing: what is known is not computed
        again, in this process or another, and a network that was trained further starts anew. Files
        are known by path as seen from the folder, size and times, and read again only where one of
        these has changed. What was there before a kill is there after it; several processes may
        share a folder. Delete it at any time: networks that are no longer used are not removed.
    errors : {"raise", "skip"}, default="raise"
        What a query does about files that cannot be read, as with `ImageReader`: with "skip" no
        strategy chooses them. With `cache=` the pass that looks for them also embeds the others.

    Attributes
    ----------
    n_features_out_ : int
        The number of features, D; after `fit`.

    See Also
    --------
    ImageReader : Files as images, for a network that is to be trained.

    Notes
    -----
    Files are read as `ImageReader` does it. With a cache, features that lie there one after the
    other, in the order of X, are returned as a memory map: a change to it does not reach the file.
    Features differ in their last digits between devices and sizes of batches, as all in torch.

    Examples
    --------
    >>> import torch
    >>> from skactive import Embedder
    >>> from skactive.datasets import load_fashion_mnist
    >>> body = [torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2)]
    >>> network = torch.nn.Sequential(*body, torch.nn.Flatten(), torch.nn.Linear(32, 10))
    >>> data = load_fashion_mnist()
    >>> Embedder(network).transform(data.X_train[:100]).shape
    (100, 32)

    A logistic regression on features, as a learner:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skactive import Margin
    >>> clf = make_pipeline(Embedder(network), LogisticRegression())
    >>> clf = clf.fit(data.X_train[:50], data.y_train[:50])
    >>> Margin().select(clf, data.X_train[50:100], n_instances=2).indices.shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "module": [str, nn.Module],
        "weights": [str, PathLike, Mapping, Enum, None],
        "layer": [str, None],
        "pooling": [StrOptions({"mean", "first"})],
        "size": [StrOptions({"auto"}), tuple, list, None],
        "normalize": [StrOptions({"auto"}), tuple, list, None],
        "channels": [StrOptions({"auto", "first", "last"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "amp": ["boolean"],
        "n_jobs": [Integral, None],
        "cache": [str, PathLike, None],
        "errors": [StrOptions({"raise", "skip"})],
    }

    n_features_out_: int

    def __init__(
        self,
        module: Any,
        *,
        weights: Any = None,
        layer: str | None = None,
        pooling: str = "mean",
        size: Any = "auto",
        normalize: Any = "auto",
        channels: str = "auto",
        batch_size: int = 64,
        device: Any = "auto",
        amp: bool = False,
        n_jobs: int | None = None,
        cache: Any = None,
        errors: str = "raise",
    ) -> None:
        self.module = module
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.size = size
        self.normalize = normalize
        self.channels = channels
        self.batch_size = batch_size
        self.device = device
        self.amp = amp
        self.n_jobs = n_jobs
        self.cache = cache
        self.errors = errors

    def fit(self, X: Any, y: Any = None) -> Embedder:
        """Build the network, and embed the first image, which tells the number of features.

        Parameters
        ----------
        X : array-like, Tensor, Dataset, or sequence of images or of paths
            The images.
        y : object, default=None
            Ignored.

        Returns
        -------
        Embedder
            The embedder itself.
        """
        _BUILT.pop(self, None)
        self.n_features_out_ = self._embedded(X, first=True).shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Embed images.

        Parameters
        ----------
        X : array-like, Tensor, Dataset, or sequence of images or of paths, of length N
            The images, read batch by batch: (N, H, W), (N, C, H, W) or (N, H, W, C), uint8 or
            floats from 0 to 1; a list, an array or a Series of paths or of PIL images; a Dataset
            whose items are images or begin with one. Items and files need not have one size if
            the network's is known.

        Returns
        -------
        ndarray of shape (N, D), float32
            The features.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, or X does not hold images that the network takes.
        UnreadableFileError
            If a file cannot be read; the message names it.
        """
        return self._embedded(X)

    def readable(self, X: Any) -> np.ndarray:
        """Return which images can be read; with `cache=` they are embedded on this occasion.

        Parameters
        ----------
        X : array-like, Tensor, Dataset, or sequence of images or of paths, of length N
            The images; those that are in no files can be read.

        Returns
        -------
        ndarray of shape (N,), bool
            True where `transform` can read an image.
        """
        built = self._opened()
        source = self._source(X, built)
        if built.cache is not None:
            with built.lock, self._bar(len(source)) as bar:
                positions = np.arange(len(source))
                keys = self._keys(built, built.cache, source, positions, bar.update, skip=True)
            return np.array([key is not None for key in keys], dtype=bool)
        blocks = map_batches(
            lambda block, start: [one.error is None for one in source.load(block, None)],
            np.arange(len(source)),
            self.batch_size,
        )
        return np.concatenate([np.array(found, dtype=bool) for _, found in blocks])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return names for the features.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        ndarray of shape (D,), object
            "embedder0", "embedder1", ...
        """
        if not hasattr(self, "n_features_out_"):
            raise NotFittedError(
                "This Embedder has not counted its features yet. Call fit with at least one image."
            )
        return np.array([f"embedder{i}" for i in range(self.n_features_out_)], dtype=object)

    def _opened(self) -> Built:
        """Check the parameters; return the network, that of the call before if nothing changed."""
        self._validate_params()
        held: list[Any] = list(self.get_params(deep=False).values())
        states = [repr(v) if isinstance(v, (str, int, tuple, list)) else None for v in held]
        if isinstance(self.module, nn.Module):
            check_has_weights(self.module, self)
            tensors, traces = traces_of(self.module)
            held, states = held + tensors, [*states, *traces]
        states += states_of_weights(self.weights)
        built = _BUILT.get(self)
        if built is None or not built.is_of(held, states):
            built = _BUILT[self] = Built(*self._build(), held, states)
        return built

    def _build(self) -> tuple[FrozenNetwork, FeatureCache | None]:
        device = resolve_device(self.device, self)
        module, known, tap = find_network(self.module, self.weights, self)
        if self.layer is not None:
            tap = check_layer(module, self.layer, self)
        known = with_settings(known, self.size, self.normalize, self)
        name = owner_name(self)
        network = FrozenNetwork(module, known, tap, self.pooling, device, self.amp, name)
        cache = None
        if self.cache is not None:  # a folder as seen from here, wherever one goes from here
            cache = FeatureCache(Path(home_expanded(self.cache)).absolute(), *network.identity())
        return replace(network, module=module.to(device)), cache

    def _source(self, X: Any, built: Built) -> ImageSource:
        return source_of(
            X,
            built.network.preprocessing,
            channels=self.channels,
            n_jobs=self.n_jobs,
            owner=self,
            table=None if built.cache is None else built.cache.files,
        )

    def _embedded(self, X: Any, first: bool = False) -> np.ndarray:
        """Return the features of all images, or of the first one alone, (n, D)."""
        built = self._opened()
        source = self._source(X, built)
        positions = np.arange(1 if first else len(source))
        with built.lock, self._bar(len(positions)) as bar:
            return self._features(built, source, positions, bar.update)

    def _bar(self, n: int) -> tqdm:
        return progress_bar(owner_name(self), "image", n, True)

    def _features(
        self,
        built: Built,
        source: ImageSource,
        positions: np.ndarray,
        done: Callable[[int], Any],
    ) -> np.ndarray:
        if built.cache is not None:
            keys = self._keys(built, built.cache, source, positions, done, skip=False)
            return built.cache.take([key for key in keys if key is not None])

        def compute(block: np.ndarray, start: int) -> Tensor:
            images = stacked_images(source.load(block, None), block, source, self)
            rows = built.features(images)
            done(len(block))
            return rows

        found = gathered(map_batches(compute, positions, self.batch_size), len(positions))
        assert found is not None
        return found.numpy()

    def _keys(
        self,
        built: Built,
        cache: FeatureCache,
        source: ImageSource,
        positions: np.ndarray,
        done: Callable[[int], Any],
        *,
        skip: bool,
    ) -> list[bytes | None]:
        """Have the features of all images in the cache, and return their keys.

        A file that cannot be read has None as its key if it is to be skipped, and else raises, once
        the images before it are in the cache.
        """
        cache.refresh()
        keys: list[bytes | None] = []
        waiting: dict[bytes, Tensor] = {}
        for start in range(0, len(positions), self.batch_size):
            block = positions[start : start + self.batch_size]
            loaded = source.load(block, Either(cache, waiting))
            keys += [one.key for one in loaded]
            waiting |= {one.key: one.image for one in loaded if one.key and one.image is not None}
            failed = not skip and any(one.error is not None for one in loaded)
            last = failed or start + len(block) == len(positions)
            if waiting and (last or len(waiting) >= self.batch_size):
                self._store(built, cache, waiting)
                waiting = {}
            if failed:
                stacked_images(loaded, block, source, self)
            done(len(block))
        return keys

    def _store(self, built: Built, cache: FeatureCache, images: dict[bytes, Tensor]) -> None:
        names = list(images)
        batch = of_one_size(list(images.values()), self)
        blocks = map_batches(lambda part, start: built.features(part), batch, self.batch_size)
        for block, features in blocks:
            cache.append(names[block], features.numpy())

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags


class Built:
    """A network that was built, and what it was built from; threads use it in turns, by its `lock`.

    Parameters
    ----------
    network : FrozenNetwork
        The network.
    cache : FeatureCache or None
        Where its features are kept.
    held : list
        The parameters, and the tensors of the module.
    states : list of str or None
        What may change about them while they are the same objects; of plain values all.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        cache: FeatureCache | None,
        held: list[Any],
        states: list[str | None],
    ) -> None:
        self.network, self.cache = network, cache
        self.lock = RLock()
        self._held, self._states = held, states

    def is_of(self, held: list[Any], states: list[str | None]) -> bool:
        """Whether this is what would be built of these."""
        if states != self._states or len(held) != len(self._held):
            return False
        plain = (str, int, tuple, list)
        return all(a is b or isinstance(a, plain) for a, b in zip(held, self._held, strict=True))

    def features(self, images: Tensor) -> Tensor:
        """Return the features of a batch of images, once it is known where they are."""
        self.network, found = self.network.tapped(images).laid_out(images)
        return found


# Building a network takes as long as embedding many images; a Pipeline asks for one block at a
# time. Outside of the embedders, whose copies and pickles have no use for it.
_BUILT: WeakKeyDictionary[Embedder, Built] = WeakKeyDictionary()
