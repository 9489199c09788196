"""The input in an item of a Dataset or a list: a tensor, a PIL image, the image of a dict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._validation import Description, describe, invalid, owner_name
from skactive.exceptions import UnreadableFileError

# How data sets of dicts mostly call the image; asked for where several values could be it.
_KEYS = ("image", "img", "pixel_values", "images", "x")
# PIL's modes whose numbers are no colours: palettes, bits, and colours of print.
_TO_GREY, _TO_RGB = {"1", "LA"}, {"P", "PA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
# Those whose colours are multiplied by their opacity; Pillow converts them to these alone.
_DIVIDED = {"La": "LA", "RGBa": "RGBA"}


def is_pil(item: Any) -> bool:
    """Whether an item is a PIL image; PIL is not imported for it."""
    return hasattr(item, "getbands") and hasattr(item, "convert")


def holds_image(item: Any) -> bool:
    """Whether an item of a list is a PIL image or a dict, which are no samples as they are."""
    return is_pil(item) or isinstance(item, Mapping)


def is_image_array(item: Any) -> bool:
    """Whether an item is an array or tensor of two axes or more."""
    return isinstance(item, (np.ndarray, Tensor)) and item.ndim >= 2


def items_of(X: Any) -> list[Any] | None:
    """Return the items of a container that holds one object per sample, else None.

    Parameters
    ----------
    X : object
        A list or tuple; an array of objects or a Series; a frame, or a two-dimensional array of
        objects, that has no other column.

    Returns
    -------
    list or None
        The items, whatever they are.
    """
    if isinstance(X, (list, tuple)):
        return list(X)
    if hasattr(X, "iloc") and X.ndim == 2 and X.shape[1] == 1:
        X = X.iloc[:, 0]
    if str(getattr(X, "dtype", "")) != "object":
        return None
    if X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    return list(X) if X.ndim == 1 else None


def input_of(item: Any, parameter: str, owner: object, position: int | None = None) -> Tensor:
    """Return the input of an item as a tensor.

    Parameters
    ----------
    item : Tensor, array, PIL image, tuple or list that begins with one, or dict that has one
        The item. In a dict it is the only image, array or tensor of two axes or more; where there
        are several, that of the key "image", "img", "pixel_values", "images" or "x".
    parameter, owner : str and object
        What the data set is called, and whose parameter it is.
    position : int or None, default=None
        Where the item is in it, for the error messages.

    Returns
    -------
    Tensor
        A PIL image is uint8, (H, W) or (H, W, 3 or 4), palettes and CMYK as RGB, grey values
        without their transparency. It is not turned as its EXIF orientation says.

    Raises
    ------
    InvalidParameterError
        If there is none.
    UnreadableFileError
        If it is a PIL image that cannot be decoded.
    """
    if isinstance(item, (tuple, list)) and len(item):
        item = item[0]
    if isinstance(item, Mapping):
        item = _of_dict(item, parameter, owner)
    if is_pil(item):
        item = _pixels(item, parameter, owner, position)
    if isinstance(item, np.ndarray):
        item = for_torch(item)
    try:  # on the CPU, whatever the default device is
        return item if isinstance(item, Tensor) else torch.as_tensor(item, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise invalid(
            parameter,
            owner,
            "a Dataset whose items are images: tensors, arrays or PIL images, tuples that begin "
            "with one, or dicts that have one",
            Description(f"an item that is {describe(item)}"),
            "Give the Dataset a transform that makes tensors; a list of paths is read by an "
            "ImageReader in a Pipeline.",
        ) from None


def stacked(
    items: list[Any], parameter: str, owner: object, positions: Iterable[int] | None = None
) -> Tensor:
    """Return the inputs of some items as one tensor, or raise if shapes or scales differ.

    `positions` says where they are in what the user passed; None is the first ones.
    """
    where = range(len(items)) if positions is None else positions
    inputs = [
        input_of(item, parameter, owner, int(i)) for i, item in zip(where, items, strict=True)
    ]
    check_alike(inputs, parameter, owner)
    return torch.stack(inputs) if inputs else torch.empty(0, device="cpu")


def for_torch(array: np.ndarray) -> np.ndarray:
    """Return an array as it is, or as a copy where torch cannot take its byte order or strides."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    size = array.itemsize
    if any(stride < 0 or stride % size for stride in array.strides):  # a field of records
        array = array.copy()
    return array


def scale_of(images: Any) -> str:
    """Return of what scale images are, by their dtype: "uint8" (0 to 255), "float" or "other"."""
    dtype = images.dtype
    if dtype in (torch.uint8, np.dtype(np.uint8)):
        return "uint8"
    floating = getattr(dtype, "is_floating_point", getattr(dtype, "kind", "") == "f")
    return "float" if floating else "other"


def check_alike(images: Iterable[Any], parameter: str, owner: object) -> None:
    """Raise if images, which have a `shape` and a `dtype`, differ in size or in scale."""
    images = list(images)
    shapes = sorted({tuple(one.shape) for one in images})
    if len(shapes) > 1:
        raise invalid(
            parameter,
            owner,
            "images of one size and one number of channels",
            Description(f"images of shapes {shapes[0]} and {shapes[1]}"),
            "Resize and convert them, a Dataset's by its transform, or pass paths and begin the "
            "Pipeline with an ImageReader(size=..., mode='RGB').",
        )
    if len(set(map(scale_of, images))) > 1:
        dtypes = sorted({str(one.dtype).removeprefix("torch.") for one in images})
        raise invalid(
            parameter,
            owner,
            "images of one scale, uint8 (0 to 255) or float",
            Description(f"images of the dtypes {' and '.join(dtypes)}"),
            "Convert them to one of the two; float images are often 0 to 1.",
        )


def _of_dict(item: Mapping[str, Any], parameter: str, owner: object) -> Any:
    images = {key: value for key, value in item.items() if _could_be_image(value)}
    if len(images) == 1:
        return next(iter(images.values()))
    named = next((images[key] for key in _KEYS if key in images), None)
    if named is None:
        raise invalid(
            parameter,
            owner,
            "dicts with one image, or with the image under 'image'",
            Description(f"a dict with the keys {list(item)}, {len(images)} of them images"),
            "Wrap it in a Dataset whose items are the images.",
        )
    return named


def _could_be_image(value: Any) -> bool:
    return is_pil(value) or len(getattr(value, "shape", ())) >= 2


def _pixels(image: Any, parameter: str, owner: object, position: int | None) -> np.ndarray:
    """Return a PIL image as an array, or raise if it cannot be decoded."""
    try:
        return np.array(_in_colours(image))
    except MemoryError:
        raise
    except Exception as error:  # a decoder raises whatever it stumbles over in broken bytes
        where = "" if position is None else f" at position {position}"
        file = getattr(image, "filename", "")
        named = f", {os.fsdecode(file)!r}" if file else ""
        raise UnreadableFileError(
            f"{owner_name(owner)} cannot read the PIL image{where} of {parameter}{named}: "
            f"{str(error).rstrip('.') or repr(error)}. Remove or replace it."
        ) from error


def _in_colours(image: Any) -> Any:
    if image.mode in _DIVIDED:
        image = image.convert(_DIVIDED[image.mode])
    if image.mode in _TO_GREY:
        return image.convert("L")
    return image.convert("RGB") if image.mode in _TO_RGB else image
