"""What an estimator is fed: rows or images, their layout and kind of dtype, and their scaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._batches import as_tensor, n_rows, take_rows
from skactive._items import scale_of
from skactive._validation import invalid

IMAGE_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class InputFormat:
    """How the samples of a data set are stored, fixed when an estimator is fitted.

    Parameters
    ----------
    stored : tuple of int
        The shape of one sample as it is stored: (F,), (H, W), (C, H, W) or (H, W, C).
    layout : {"rows", "HW", "CHW", "HWC"}
        What the axes of `shape` mean.
    shape : tuple of int
        The shape of one sample before flattening; equal to `stored` unless images come as rows.
    integer : bool
        Whether the samples are uint8 (0 to 255) or floats.
    """

    stored: tuple[int, ...]
    layout: str
    shape: tuple[int, ...]
    integer: bool

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image; a row of features otherwise."""
        return self.layout != "rows"

    @property
    def n_channels(self) -> int:
        """The number of channels of an image, or of features of a row."""
        return {"rows": self.shape[0], "HW": 1, "CHW": self.shape[0], "HWC": self.shape[-1]}[
            self.layout
        ]

    def arrange(self, x: Tensor) -> Tensor:
        """Return a batch as stored, (n, *stored), as rows (n, F) or images (n, C, H, W)."""
        x = x.reshape(len(x), *self.shape)
        if self.layout == "HW":
            return x.unsqueeze(1)
        return x.permute(0, 3, 1, 2) if self.layout == "HWC" else x

    def check(self, X: Any, owner: object, parameter: str = "X") -> None:
        """Raise unless X has this format; looks at shape and dtype only."""
        shape = tuple(X.shape)
        if shape[1:] != self.stored:
            want = ", ".join(["n", *map(str, self.stored)])
            raise invalid(
                parameter,
                owner,
                f"an array of shape ({want}), as the estimator was fitted",
                X,
                _axis_hint(shape, self.stored),
            )
        if self.is_image and scale_of(X) != ("uint8" if self.integer else "float"):
            kind = "uint8 (0 to 255)" if self.integer else "float"
            raise invalid(
                parameter,
                owner,
                f"{kind} images, as the estimator was fitted",
                X,
                "Convert them to the dtype and the scale of the images given to fit.",
            )


def _axis_hint(got: tuple[int, ...], stored: tuple[int, ...]) -> str:
    if got == stored:
        return "For a single sample, add an axis: X[None]."
    if sorted(got[1:]) == sorted(stored) and len(stored) == 3:
        return "The channels are on another axis; move them with numpy.moveaxis."
    return "Bring the samples to that shape, or fit again on samples of the new one."


def infer_format(
    X: Any, *, input_shape: tuple[int, ...] | None, channels: str, owner: object
) -> InputFormat:
    """Return how X is stored.

    Parameters
    ----------
    X : ndarray or Tensor
        The samples.
    input_shape : tuple of int or None
        The shape of one image where X holds them as flat rows.
    channels : {"auto", "first", "last"}
        Where the channel axis of images is; "auto" looks for an axis of size 1, 3 or 4.
    owner : object
        Whose parameters these are, for the error messages.

    Returns
    -------
    InputFormat
        The format.

    Raises
    ------
    InvalidParameterError
        If the shape, the dtype or the place of the channels cannot be used or is ambiguous.
    """
    stored = tuple(int(size) for size in X.shape[1:])
    if len(stored) == 1 and input_shape is None:
        return InputFormat(stored, "rows", stored, integer=False)
    if min(X.shape) == 0:
        raise invalid("X", owner, "an array with at least one sample, row and column", X)
    scale = scale_of(X)
    kind = str(X.dtype).removeprefix("torch.") if isinstance(X, Tensor) else X.dtype.name
    floating = kind in ("float16", "bfloat16", "float32", "float64")
    if scale != "uint8" and not floating:
        raise invalid(
            "X",
            owner,
            "images of dtype uint8 (0 to 255) or float",
            X,
            "Convert with X.astype('uint8') if the values are 0 to 255, else X.astype('float32').",
        )
    shape = stored
    if input_shape is not None:
        good = all(isinstance(size, (int, np.integer)) and size > 0 for size in input_shape)
        if not good or len(input_shape) not in (2, 3):
            raise invalid(
                "input_shape",
                owner,
                "(H, W), (C, H, W) or (H, W, C), all positive ints",
                input_shape,
            )
        shape = tuple(int(size) for size in input_shape)
        if stored != shape and stored != (int(np.prod(shape)),):
            raise invalid(
                "input_shape",
                owner,
                f"the shape of one sample of X (X has shape {tuple(X.shape)})",
                input_shape,
                f"A row of {stored[0]} values needs an input_shape with that product."
                if len(stored) == 1
                else "Leave input_shape=None for images that are not flat.",
            )
    return InputFormat(stored, _layout(shape, channels, X, owner), shape, scale == "uint8")


def _layout(shape: tuple[int, ...], channels: str, X: Any, owner: object) -> str:
    if len(shape) == 2:
        if shape[-1] in IMAGE_CHANNELS:
            raise invalid(
                "X",
                owner,
                "images of shape (n, H, W), (n, C, H, W) or (n, H, W, C)",
                X,
                "This looks like one image, or like grey images with very few columns: "
                "add an axis, X[None] for one image or X[:, None] for grey ones.",
            )
        return "HW"
    if len(shape) != 3:
        raise invalid(
            "X",
            owner,
            "rows (n, F) or images of shape (n, H, W), (n, C, H, W) or (n, H, W, C)",
            X,
            "Reshape the samples, or pass flat rows together with input_shape=.",
        )
    if channels != "auto":
        return "CHW" if channels == "first" else "HWC"
    first, last = shape[0] in IMAGE_CHANNELS, shape[-1] in IMAGE_CHANNELS
    # Two equal axes of 1, 3 or 4 may be a small map, whose channels are the third axis.
    either = {shape[1]} & {shape[0], shape[-1]} & set(IMAGE_CHANNELS)
    first, last = (True, True) if either else (first, last)
    if first == last:
        why = "could be either" if first else "has no axis of 1, 3 or 4 channels"
        raise invalid(
            "channels",
            owner,
            f"'first' or 'last' for images of shape {shape}, whose channel axis {why}",
            channels,
            "Pass channels='first' for (n, C, H, W) or channels='last' for (n, H, W, C).",
        )
    return "CHW" if first else "HWC"


def channel_statistics(
    X: Any, form: InputFormat, sample_weight: np.ndarray | None = None, block_size: int = 2**18
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the weighted mean and standard deviation of each channel, or of each feature.

    One pass over blocks of samples, in float64: each is centred at its own mean, and joined to what
    came before by the distance of the means, as T. Chan, G. Golub and R. LeVeque do. So neither a
    large offset nor a memmap larger than memory does harm.

    Parameters
    ----------
    X : ndarray or Tensor of shape (N, ...)
        The samples as stored.
    form : InputFormat
        Their format.
    sample_weight : ndarray of shape (N,) or None, default=None
        The weights; None for equal ones.
    block_size : int, default=262144
        Numbers per block, few enough to stay in the caches.

    Returns
    -------
    mean, std : ndarray of shape (C,)
        In the units of X. A channel that is constant gets a standard deviation of 1.
    """
    mass, mean, spread = 0.0, np.zeros(form.n_channels), np.zeros(form.n_channels)
    rows = max(1, block_size // int(np.prod(form.stored)))
    for start in range(0, n_rows(X), rows):
        some = slice(start, start + rows)
        x = form.arrange(as_tensor(take_rows(X, some)).cpu())
        x = x.flatten(2).double() if form.is_image else x.double()[..., None]  # (n, C, H·W)
        w = torch.ones(len(x)) if sample_weight is None else torch.as_tensor(sample_weight[some])
        w = w.double()
        block_mass = float(w.sum())
        if block_mass == 0:
            continue
        block_mean = (w @ x.mean(2)) / block_mass
        x = x - block_mean[:, None]
        block_spread = (w @ x.square_().mean(2)).numpy()
        share = block_mass / (mass + block_mass)
        distance = block_mean.numpy() - mean
        spread += block_spread + mass * share * distance**2
        mean += share * distance
        mass += block_mass
    std = np.sqrt(spread / mass)
    rounding = 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(std > rounding, std, 1.0)


class InputLayer(nn.Module):
    """Turn a batch as it is stored into the network's input: arrange the axes, then standardise.

    Parameters
    ----------
    form : InputFormat
        How the samples are stored.
    mean, std : array of shape (C,)
        What is subtracted and what is divided by, in the units of the stored samples.
    dtype : torch.dtype
        What the network computes in.
    channels_last : bool, default=False
        Whether images, whose shape is (n, C, H, W), are to lie in memory with their channels last.
        The layers of a network keep that layout, and CPUs and GPUs are faster with it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        form: InputFormat,
        mean: np.ndarray,
        std: np.ndarray,
        dtype: torch.dtype,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.form = form
        self.channels_last = channels_last
        axes = (1, -1, 1, 1) if form.is_image else (1, -1)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.as_tensor(values, dtype=dtype).reshape(axes))

    def arrange(self, x: Tensor) -> Tensor:
        """Return the batch with the axes the network expects, still in its stored dtype."""
        if tuple(x.shape[1:]) != self.form.stored:
            raise invalid(
                "x", "the network's input layer", f"a batch of shape {('n', *self.form.stored)}", x
            )
        return self.form.arrange(x)

    def standardise(self, x: Tensor) -> Tensor:
        """Return the arranged batch in the network's dtype, standardised."""
        # As stored with channels last, means would be subtracted a few numbers at a time.
        x = (x.contiguous().to(self.mean.dtype) - self.mean) / self.std
        if not (self.channels_last and self.form.is_image):
            return x
        # By views, since the strides give torch the layout, even where one channel leaves it open.
        x = x.permute(0, 2, 3, 1)  # (n, H, W, C)
        return x.flatten(1).unflatten(1, x.shape[1:]).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Arrange and standardise."""
        return self.standardise(self.arrange(x))
