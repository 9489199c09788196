"""One image file as an array: opened, upright, in one colour mode and size."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from skactive.estimators._value_range import as_bytes, stored_bits, zero_is_white
from skactive.estimators._without_metadata import without_metadata


class Pixels(NamedTuple):
    """What was read of a file.

    Parameters
    ----------
    values : ndarray of shape (H, W, 3) or (H, W), uint8
        The image.
    highest : int or None
        The largest value in a file of 16 bits whose high bytes were taken; None otherwise.
    """

    values: np.ndarray
    highest: int | None


def read_image(
    path: str | io.BytesIO,
    size: tuple[int, int] | None,
    mode: str,
    value_range: tuple[float, float] | None = None,
    at_least: int | None = None,
) -> Pixels:
    """Read one file.

    Parameters
    ----------
    path : str or io.BytesIO
        The file, or its content.
    size : tuple of (int, int) or None
        Height and width; None as it is.
    mode : {"RGB", "L"}
        Colour, or grey values.
    value_range : tuple of (float, float) or None, default=None
        What becomes 0 and 255 of single values of more than 8 bits.
    at_least : int or None, default=None
        Height and width that the image is going to be shrunk to, where `size` is None: JPEGs of
        more than twice that are decoded at a part of their size.

    Returns
    -------
    Pixels
        The image.
    """
    try:
        return _read(path, size, mode, value_range, at_least)
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception:  # whatever a parser stumbles over: it may be in the metadata alone
        rest = without_metadata(path)
        if rest is None:
            raise
        try:
            return _read(io.BytesIO(rest), size, mode, value_range, at_least)
        except MemoryError:
            raise
        except Exception:  # not in them: what was wrong with the whole file is to be heard
            pass
        raise


def _read(
    file: str | io.BytesIO,
    size: tuple[int, int] | None,
    mode: str,
    value_range: tuple[float, float] | None,
    at_least: int | None,
) -> Pixels:
    with Image.open(file) as image:
        bits, inverted = stored_bits(image), zero_is_white(image)
        least = at_least if size is None else max(size)
        if least is not None:  # no smaller than twice the requested size, upright or not
            image.draft(None, (2 * least, 2 * least))
        image.load()  # here, where broken pixels are an error
        upright = _upright(image)
        deep, highest = as_bytes(upright, bits, value_range)
        deep = ImageOps.invert(deep) if inverted else deep
        deep.info.pop("transparency", None)  # of a palette; Pillow warns where it drops it itself
        converted = deep.convert(mode)
        if size is not None:
            converted = converted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return Pixels(np.asarray(converted), highest)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF orientation says; as it lies if that cannot be read."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever a parser stumbles over in broken metadata
        return image
    return image if turn is None else image.transpose(turn)
