"""Metadata that cannot be parsed: the pixels are good, and are read (Pillow#5528)."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from skactive import ImageReader
from skactive.exceptions import UnreadableFileError
from tests.estimators.test_image_reader import picture


def ifd(*entries):
    """EXIF data with one directory, little-endian."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


TURNED = (0x0112, 3, 1, 6)
NOWHERE = 0xFFFFFFF0
BROKEN_EXIF = {
    "garbage": b"garbage!" * 3,
    "cut short": b"II*\0\x08\0\0\0\x09\0\x12\x01",
    "a directory beyond the end": b"II*\0\xff\xff\xff\xff",
    "an orientation that is a text": ifd((0x0112, 2, 1, 6)),
    "an unknown orientation": ifd((0x0112, 3, 1, 99)),
    "nothing": b"",
}
STILL_TURNED = {
    "a part that leads nowhere": ifd(TURNED, (0x8769, 4, 1, NOWHERE)),
    "a position that leads nowhere": ifd(TURNED, (0x8825, 4, 1, NOWHERE)),
}


def with_exif(path, exif):
    """Save a picture with such EXIF data; in a PNG they stand behind the pixels."""
    image = Image.fromarray(picture())
    if path.suffix != ".png":
        image.save(
            path, exif=b"Exif\0\0" + exif, **({"lossless": True} if path.suffix == ".webp" else {})
        )
        return
    image.save(path)
    whole = path.read_bytes()
    chunk = b"eXIf" + exif
    end = whole.index(b"IEND") - 4
    chunk = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(whole[:end] + chunk + whole[end:])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("what", [*BROKEN_EXIF, *STILL_TURNED])
def test_broken_metadata_leave_the_pixels_good(what, suffix, tmp_path):
    """Metadata that cannot be parsed counted as a broken image (Pillow#5528)."""
    path, plain = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    with_exif(path, {**BROKEN_EXIF, **STILL_TURNED}[what])
    with_exif(plain, ifd())
    (found,), (expected,) = (ImageReader().transform([file]) for file in (path, plain))
    turned = np.rot90(expected, -1) if what in STILL_TURNED else expected
    np.testing.assert_array_equal(found, turned)
    assert ImageReader().readable([path]).all()


def test_broken_pixels_are_an_error_whatever_the_metadata(tmp_path):
    path = tmp_path / "a.png"
    with_exif(path, b"garbage!")
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(UnreadableFileError):
        ImageReader().transform([path])


# -- chunks and segments that make Pillow refuse the whole file -------------------


def chunk(name, data, crc=None):
    crc = zlib.crc32(name + data) if crc is None else crc
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


BOMB = zlib.compress(bytes(70 << 20))
CHUNKS = {
    "a colour profile without a name": chunk(b"iCCP", b"garbage"),
    "a colour profile that is garbage": chunk(b"iCCP", b"name\0\0garbage"),
    "no colour profile": chunk(b"iCCP", b""),
    "a colour profile that is a bomb": chunk(b"iCCP", b"name\0\0" + BOMB),
    "a text that is a bomb": chunk(b"zTXt", b"name\0\0" + BOMB),
    "XMP that is a bomb": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "XMP that is garbage": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<garbage"),
    "an unknown compression": chunk(b"zTXt", b"name\0\5xx"),
    "EXIF data with a wrong checksum": chunk(b"eXIf", ifd(TURNED), crc=1),
    "a text with a wrong checksum": chunk(b"tEXt", b"a\0b", crc=1),
    "a resolution cut short": chunk(b"pHYs", bytes(2)),
    "a gamma cut short": chunk(b"gAMA", b"\0"),
    "chromaticities cut short": chunk(b"cHRM", bytes(5)),
    "a rendering intent cut short": chunk(b"sRGB", b""),
    "an animation cut short": chunk(b"acTL", b"\0"),
}


@pytest.mark.parametrize("where", ["before the pixels", "behind them"])
@pytest.mark.parametrize("what", CHUNKS)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_chunks_of_a_png(what, where, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture()).save(path)
    whole = path.read_bytes()
    cut = 33 if where == "before the pixels" else whole.index(b"IEND") - 4
    path.write_bytes(whole[:cut] + CHUNKS[what] + whole[cut:])
    found = ImageReader().transform([path])
    # Pillow reads what stands behind the pixels without looking at its checksum
    turned = "EXIF" in what and where == "behind them"
    np.testing.assert_array_equal(found[0], np.rot90(picture(), -1) if turned else picture())
    assert ImageReader().readable([path]).all()


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


SEGMENTS = {
    "JFIF cut short": segment(0xE0, b"JFIF\0"),
    "a colour profile cut short": segment(0xE2, b"ICC_PROFILE\0"),
    "one of zero parts": segment(0xE2, b"ICC_PROFILE\0\0\0abc"),
    "Adobe's colours cut short": segment(0xEE, b"Adobe"),
    "XMP that is garbage": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x"),
    "Photoshop's data cut short": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\xff\0\0\0\0\0"),
    "several images": segment(0xE2, b"MPF\0garbage"),
    "a comment": segment(0xFE, b"\xff\xfe"),
    "fill bytes": b"\xff\xff\xff" + segment(0xE0, b"JFIF\0"),
}


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file")
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("what", SEGMENTS)
def test_broken_segments_of_a_jpeg(what, turned, tmp_path):
    """The orientation, which is whole, is heeded."""
    path, plain = tmp_path / "a.jpg", tmp_path / "b.jpg"
    image = Image.fromarray(picture())
    image.save(plain)
    image.save(path, **({"exif": b"Exif\0\0" + ifd(TURNED)} if turned else {}))
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + SEGMENTS[what] + whole[2:])
    (found,), (expected,) = (ImageReader().transform([file]) for file in (path, plain))
    np.testing.assert_array_equal(found, np.rot90(expected, -1) if turned else expected)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_broken_pixels_behind_broken_metadata(suffix, tmp_path):
    """What was wrong with the whole file is said, not what is wrong with the rest."""
    path = tmp_path / f"a{suffix}"
    Image.fromarray(picture()).save(path)
    whole = path.read_bytes()
    broken = CHUNKS["a gamma cut short"] if suffix == ".png" else SEGMENTS["JFIF cut short"]
    cut = 33 if suffix == ".png" else 2
    path.write_bytes(whole[:cut] + broken + whole[cut : len(whole) // 2])
    with pytest.raises(UnreadableFileError, match="cannot identify|gAMA"):
        ImageReader().transform([path])


@pytest.mark.parametrize("level", ["error", "default"])
def test_a_bomb_names_the_limit_that_it_exceeds(level, tmp_path, monkeypatch):
    """Up to twice the limit Pillow warns, above it raises; a program may raise for both."""
    path = tmp_path / "a.png"
    Image.fromarray(picture()).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 48 * 64 - 1 if level == "error" else 1000)
    with warnings.catch_warnings():
        warnings.simplefilter(level)
        with pytest.raises(UnreadableFileError, match=r"raise PIL\.Image\.MAX_IMAGE_PIXELS"):
            ImageReader().transform([path])
