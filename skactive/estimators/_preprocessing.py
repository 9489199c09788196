"""What is done to images before a pretrained network sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._validation import Phrase, invalid
from skactive.estimators._build import ClassifierNetwork

# Those of ImageNet, which most pretrained networks have their images standardised by.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Floats that were scaled to 0 to 1 may pass these by rounding, and by resizing with bicubics.
_SLACK = 0.01


@dataclass(frozen=True)
class Preprocessing:
    """Size, colours and scale of the images that a network takes.

    Parameters
    ----------
    resize : int, tuple of (int, int) or None
        What an image is resized to: its shorter side, or height and width; None as it is.
    crop : tuple of (int, int) or None
        Height and width of the part that is cut out of the middle.
    mean, std : tuple of float
        What is subtracted from and what divides each channel, on the scale from 0 to 1.
    interpolation : str
        torchvision's name of it.
    n_channels : int or None
        The channels that the network takes: 1 and 3 are made of each other.
    bounded : bool
        Whether floats have to lie on the scale from 0 to 1.
    """

    resize: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD
    interpolation: str = "bilinear"
    n_channels: int | None = None
    bounded: bool = True

    @property
    def at_least(self) -> int | None:
        """The height and width that an image file has to be decoded at, at least."""
        if self.resize is None:
            return None
        return self.resize if isinstance(self.resize, int) else max(self.resize)

    def sized(self, images: Tensor) -> Tensor:
        """Return images (n, C, H, W) in the size and the colours that the network takes."""
        from torchvision.transforms import InterpolationMode, functional

        images = self._coloured(images)
        if self.resize is not None and tuple(images.shape[2:]) != self.resize:
            size = [self.resize] if isinstance(self.resize, int) else list(self.resize)
            mode = InterpolationMode(self.interpolation)
            images = functional.resize(images, size, mode, antialias=True)
        return images if self.crop is None else functional.center_crop(images, list(self.crop))

    def scaled(self, images: Tensor) -> Tensor:
        """Return images (n, C, H, W) as standardised float32."""
        values = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        # With one number, for each channel alike.
        mean, std = (values.new_tensor(part).reshape(1, -1, 1, 1) for part in (self.mean, self.std))
        return (values - mean) / std

    def check_scale(self, images: Tensor, owner: object) -> None:
        """Raise if floats cannot be on the scale that `mean` and `std` are for."""
        if images.dtype == torch.uint8 or not self.bounded or not images.numel():
            return
        low, high = (float(value) for value in images.aminmax())
        if low < -_SLACK or high > 1 + _SLACK:
            raise invalid(
                "X",
                owner,
                "uint8 images, or floats from 0 to 1, which normalize= standardises",
                images,
                f"Its values go from {low:.3g} to {high:.3g}. Divide by 255, or pass "
                "normalize=None for images that are standardised already.",
            )

    def _coloured(self, images: Tensor) -> Tensor:
        if self.n_channels == 3 and images.shape[1] == 1:
            return images.expand(-1, 3, -1, -1)
        if self.n_channels == 3 and images.shape[1] == 4:  # transparency
            return images[:, :3]
        if self.n_channels == 1 and images.shape[1] in (3, 4):
            from torchvision.transforms import functional

            return functional.rgb_to_grayscale(images[:, :3])
        return images


def of_torchvision(preset: Any, network: nn.Module) -> Preprocessing:
    """Return what torchvision prepares images for a network with."""
    crop = getattr(network, "image_size", preset.crop_size[0])  # of transformers, as built
    return Preprocessing(
        resize=max(preset.resize_size[0], crop),
        crop=(crop, crop),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
        n_channels=3,
    )


def of_module(network: nn.Module) -> Preprocessing:
    """Return what is known of a module: of timm's and of HuggingFace's some, else the channels."""
    if isinstance(network, ClassifierNetwork):
        return _of_classifier(network)
    convolutions = (m for m in network.modules() if isinstance(m, nn.Conv2d))
    first = next(convolutions, None)
    n_channels = None if first is None else int(first.in_channels)
    known = Preprocessing(n_channels=n_channels)
    if n_channels == 1:
        known = replace(known, mean=(sum(_MEAN) / 3,), std=(sum(_STD) / 3,))
    config = getattr(network, "pretrained_cfg", None)
    if isinstance(config, Mapping) and "input_size" in config:
        return _of_timm(config, known)
    size = getattr(getattr(network, "config", None), "image_size", None)
    if isinstance(size, int):
        return replace(known, resize=(size, size))
    return known


def _of_timm(config: Mapping[str, Any], known: Preprocessing) -> Preprocessing:
    height, width = config["input_size"][-2:]
    share = config.get("crop_pct") or 1.0
    mode = str(config.get("interpolation"))
    grown = int(height / share), int(width / share)
    colours = known.n_channels in (None, 3)
    return replace(
        known,
        resize=grown[0] if height == width else grown,
        crop=(height, width),
        mean=tuple(config["mean"]) if colours and "mean" in config else known.mean,
        std=tuple(config["std"]) if colours and "std" in config else known.std,
        interpolation=mode if mode in ("bilinear", "bicubic") else "bilinear",
    )


def _of_classifier(network: ClassifierNetwork) -> Preprocessing:
    """Return what the input layer of a fitted CNNClassifier does."""
    form = network.input.form
    unit = 255.0 if form.integer else 1.0
    mean, std = (part.double().flatten() / unit for part in (network.input.mean, network.input.std))
    shape = {"HW": form.shape, "CHW": form.shape[1:], "HWC": form.shape[:2]}
    size = shape.get(form.layout)
    return Preprocessing(
        resize=None if size is None else (int(size[0]), int(size[1])),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        n_channels=form.n_channels,
        bounded=False,
    )


def with_settings(known: Preprocessing, size: Any, normalize: Any, owner: object) -> Preprocessing:
    """Return a preprocessing as the parameters `size` and `normalize` change it.

    Parameters
    ----------
    known : Preprocessing
        That of the network.
    size : {"auto"}, tuple of (int, int) or None
        Height and width; "auto" is what is known, None as images are.
    normalize : {"auto"}, None or tuple of two arrays
        "auto" is what is known, None leaves the scale from 0 to 1.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    Preprocessing
        The new one.
    """
    if not (isinstance(size, str) and size == "auto"):
        known = replace(known, resize=_checked_size(size, owner), crop=None)
    if normalize is None:
        return replace(known, mean=(0.0,), std=(1.0,), bounded=False)
    if isinstance(normalize, str):
        return known
    try:
        mean, std = (np.atleast_1d(np.asarray(part, dtype=float)) for part in normalize)
        good = mean.ndim == std.ndim == 1 and bool((std > 0).all())
        good = good and bool(np.isfinite(mean).all() and np.isfinite(std).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        must = Phrase(
            "'auto', {None} or a pair (mean, std) of finite numbers, one per channel or one for "
            "all, the second all positive"
        )
        raise invalid("normalize", owner, must, normalize)
    return replace(known, mean=tuple(mean.tolist()), std=tuple(std.tolist()), bounded=True)


def _checked_size(size: Any, owner: object) -> tuple[int, int] | None:
    if size is None:
        return None
    whole = all(isinstance(s, (int, np.integer)) and s >= 1 for s in size)
    if len(size) != 2 or not whole:
        must = Phrase("'auto', two ints of at least 1, height and width, or {None}")
        raise invalid("size", owner, must, size)
    return int(size[0]), int(size[1])
