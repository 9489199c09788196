"""Images for the page: decoded and encoded anew, so that no byte of a file reaches a browser."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import Any

from skactive.labelling._files import inside

# Below so many pixels per side every one counts, and nothing is lost.
_SMALL = 256


class UnreadableError(ValueError):
    """The file is there, and is no image."""


def picture(folder: Path, path: str, side: int) -> tuple[bytes, str]:
    """Return an image, upright and at most `side` pixels wide and high, and its media type.

    Raises
    ------
    OSError
        If the file cannot be opened: it is missing, or its disk is.
    UnreadableError
        If it can, but is not an image.
    """
    place = inside(folder, path)
    if place is None:
        raise FileNotFoundError(path)
    content = place.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            return _encoded(content, side)
    except MemoryError:
        raise
    except Exception as error:  # a decoder raises whatever it stumbles over in broken bytes
        raise UnreadableError(str(error)) from error


def _in_8_bits(image: Any) -> Any:
    """Return grey values of more than 8 bits by their own range: 12 bits in 16 would be black."""
    from PIL import Image

    wide = image if image.mode == "F" else image.convert("I").convert("F")
    low, high = wide.getextrema()
    if not math.isfinite(high - low):
        raise ValueError("Some of its values are not finite.")
    scale = 255 / (high - low) if high > low else 0.0
    return Image.eval(wide, lambda value: value * scale + (0.5 - low * scale)).convert("L")


def _encoded(content: bytes, side: int) -> tuple[bytes, str]:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (side, side))  # JPEGs at a half or less, where that is enough
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode[0] in "IF":
            upright = _in_8_bits(upright)
        shown = upright.convert("RGB")
    shown.info = {}  # comments and such would be written too
    small = max(shown.size) <= _SMALL
    shown.thumbnail((side, side))
    out = io.BytesIO()
    if small:
        shown.save(out, "PNG", compress_level=1)
        return out.getvalue(), "image/png"
    shown.save(out, "JPEG", quality=88)
    return out.getvalue(), "image/jpeg"
