"""Pixels of more than 8 bits as bytes, and the ranges that they may have."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

import numpy as np
from PIL import ExifTags, Image

from skactive.exceptions import ValueRangeWarning

_FULL = (0, 65535)
# Sixteen bits of which no more than these are used leave a quarter of the 256 grey levels, or less.
_FEW_BITS = 14
# Not BGR;16, which are 16 bits for three colours, nor I;16S, which may be negative.
_BITS = re.compile("(?:I|L|LA|RGB|RGBA|RGBX|RGBa|CMYK);(12|16)[BLNR]?")


def stored_bits(image: Image.Image) -> int:
    """Return the bits per value of an image that was opened and not yet loaded; 8 for less.

    Of colours with 16 bits each Pillow keeps the high byte, and says so in its raw mode only.
    """
    if image.format == "PPM":  # which says what its largest value is, and is scaled by it
        return 8
    arguments = [tile[3] for tile in getattr(image, "tile", [])]
    raw = [a[0] if isinstance(a, tuple) and a else a for a in arguments]
    found = (_BITS.fullmatch(mode) for mode in (*raw, image.mode) if isinstance(mode, str))
    return next((int(match[1]) for match in found if match), 8)


def zero_is_white(image: Image.Image) -> bool:
    """Whether a TIFF of 16 bits stores white as 0; Pillow inverts those of 8 bits alone."""
    photometric = getattr(image, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation)
    return image.mode.startswith("I;16") and photometric == 0


def as_bytes(
    image: Image.Image, bits: int, value_range: tuple[float, float] | None
) -> tuple[Image.Image, int | None]:
    """Return an image whose values have 8 bits, and the largest of 16 that it was made of.

    Parameters
    ----------
    image : PIL.Image.Image
        The image, loaded.
    bits : int
        How many each value has in the file; see `stored_bits`.
    value_range : tuple of (float, float) or None
        What becomes 0 and 255 of single values of more than 8 bits; None takes their high byte.

    Returns
    -------
    image : PIL.Image.Image
        Itself where it has 8 bits already.
    highest : int or None
        The largest value, in files of 16 bits whose high bytes were taken.
    """
    single = image.mode in {"I", "F"} or image.mode.startswith("I;16")
    if not single and bits <= 8:
        return image, None
    if not single and value_range is not None:
        raise ValueError(
            "its colours have 16 bits each, of which Pillow reads the high byte, so that "
            "value_range cannot be heeded; convert it to 8 bits beforehand"
        )
    if not single:
        bands = image.getextrema()
        high = max(int(band[1]) for band in (bands if isinstance(bands[0], tuple) else [bands]))
        return image, 256 * high + 255
    values = np.asarray(image)
    if image.format == "PPM" and image.mode != "F":  # not PFM, whose floats have any range
        value_range = _FULL
    if value_range is not None:
        return Image.fromarray(_scaled(values, *value_range)), None
    if bits == 8:
        raise ValueError(
            "its pixels are 32-bit numbers, whose range is not known; value_range=(low, high) says "
            "what is to be black and white"
        )
    highest = int(values.max()) if bits == 16 else None
    return Image.fromarray((values >> (bits - 8)).astype(np.uint8)), highest


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError("it has pixels that are NaN or infinite")
    share = (values.astype(np.float64) - low) / (high - low)
    return np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)


def warn_of_few_bits(highest: Iterable[int | None]) -> None:
    """Warn if files of 16 bits, all of a batch together, cannot have used them.

    Parameters
    ----------
    highest : iterable of int or None
        The largest value of each file; None for those of other kinds.

    Warns
    -----
    ValueRangeWarning
        If there is a value above 0, and none needs more than 14 bits.
    """
    bits = max((value for value in highest if value is not None), default=0).bit_length()
    if 0 < bits <= _FEW_BITS:
        levels = max(1, 2 ** (bits - 8))
        warnings.warn(
            f"Images of 16 bits use no more than {bits} of them: of 256 levels, {levels} "
            f"{'are' if levels > 1 else 'is'} left. Pass ImageReader(value_range="
            f"(0, {2**bits - 1})) for grey values of {bits} bits; (0, 65535) if all 16 are meant.",
            ValueRangeWarning,
            stacklevel=5,
        )
