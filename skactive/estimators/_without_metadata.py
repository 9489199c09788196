"""Image files without their metadata, for those whose metadata alone are broken."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# What of a JPEG's application data says how its pixels are to be read: colours, and orientation.
_KEPT = ((0xE0, b"JFIF\0", 14), (0xEE, b"Adobe", 12), (0xE1, b"Exif\0\0", 6))


def without_metadata(path: str | io.BytesIO) -> bytes | None:
    """Return a PNG or JPEG file with no more than its pixels and its orientation.

    Parameters
    ----------
    path : str or io.BytesIO
        The file, or its content.

    Returns
    -------
    bytes or None
        What is left of it; None if that is all, or the structure is broken, and for other formats.
    """
    if isinstance(path, io.BytesIO):
        whole = path.getvalue()
    else:
        with open(path, "rb") as file:
            whole = file.read()
    try:
        if whole.startswith(_PNG):
            rest = _PNG + b"".join(_pixel_chunks(whole))
        elif whole.startswith(_JPEG):
            rest = whole[:2] + b"".join(_pixel_segments(whole))
        else:
            return None
    except (struct.error, IndexError):
        return None
    return rest if len(rest) < len(whole) else None


def _pixel_chunks(whole: bytes) -> Iterator[bytes]:
    """Give the chunks of a PNG that are critical, and EXIF data that have arrived whole."""
    start = len(_PNG)
    while start < len(whole):
        length, name = struct.unpack_from(">I4s", whole, start)
        stop = start + length + 12
        critical = not name[0] & 0x20  # a capital letter
        if critical or (name == b"eXIf" and _is_intact(whole[start:stop])):
            yield whole[start:stop]
        start = stop


def _is_intact(chunk: bytes) -> bool:
    return struct.unpack(">I", chunk[-4:]) == (zlib.crc32(chunk[4:-4]),)


def _pixel_segments(whole: bytes) -> Iterator[bytes]:
    """Give the segments of a JPEG, without comments and without application data but `_KEPT`."""
    start = 2
    while True:
        while whole[start + 1] == 0xFF:  # between segments may be any number of them
            start += 1
        _, marker, length = struct.unpack_from(">BBH", whole, start)
        if marker == 0xDA:  # the pixels
            yield whole[start:]
            return
        segment = whole[start : start + 2 + length]
        kept = any(
            marker == m and segment[4:].startswith(name) and length - 2 >= least
            for m, name, least in _KEPT
        )
        if kept or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            yield segment
        start += 2 + length
