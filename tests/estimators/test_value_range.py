"""Grey values and colours of more than 8 bits, and files that use fewer than they could."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline

from skactive import CNNClassifier, ImageReader, Margin
from skactive.exceptions import UnreadableFileError, ValueRangeWarning


def ramp(bits, dtype=np.uint16):
    """All values of so many bits, from black to white."""
    return np.linspace(0, 2**bits - 1, 48 * 64).round().reshape(48, 64).astype(dtype)


def png(path, values):
    """Write 16 bits per value, grey (H, W), with alpha (H, W, 2) or in colour (H, W, 3 or 4)."""
    kind = {2: 0, 3: {2: 4, 3: 2, 4: 6}.get(values.shape[-1])}[values.ndim]
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name, data):
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


def tiff(path, values):
    """Write an uncompressed grey TIFF of 16 bits, in the byte order of the array."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    (height, width), size = values.shape, values.nbytes
    rows = [(256, 3, width), (257, 3, height), (258, 3, 16), (259, 3, 1), (262, 3, 1)]
    rows += [(273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, size)]
    entries = b"".join(
        struct.pack(
            f"{order}HHI" + ("HH" if kind == 3 else "I"),
            tag,
            kind,
            1,
            value,
            *([0] if kind == 3 else []),
        )
        for tag, kind, value in rows
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + size)
    ending = struct.pack(f"{order}H", len(rows)) + entries + bytes(4)
    path.write_bytes(head + values.tobytes() + ending)
    return path


def twelve_bits(path):
    """Write a grey TIFF of 12 bits per value, two of them in three bytes."""
    values = ramp(12).ravel().astype(int)
    pairs = [(a >> 4, (a & 15) << 4 | b >> 8, b & 255) for a, b in values.reshape(-1, 2).tolist()]
    data = np.array(pairs, np.uint8).tobytes()
    path = tiff(path, np.zeros((48, 64), "<u2"))
    whole = path.read_bytes().replace(
        struct.pack("<HHIHH", 258, 3, 1, 16, 0), struct.pack("<HHIHH", 258, 3, 1, 12, 0)
    )
    whole = whole.replace(
        struct.pack("<HHII", 279, 4, 1, 48 * 64 * 2), struct.pack("<HHII", 279, 4, 1, len(data))
    )
    path.write_bytes(whole[:8] + data + whole[8 + len(data) :])
    return path


GREY = {
    "png": lambda folder, values: png(folder / "a.png", values),
    "tiff": lambda folder, values: tiff(folder / "a.tiff", values.astype("<u2")),
    "big-endian tiff": lambda folder, values: tiff(folder / "b.tiff", values.astype(">u2")),
}


@pytest.mark.parametrize("kind", GREY)
def test_the_high_byte_of_16_bits(kind, tmp_path):
    path = GREY[kind](tmp_path, ramp(16))
    for n, mode in ((1, "L"), (3, "RGB")):
        found = ImageReader(mode=mode).transform([path])[0]
        np.testing.assert_array_equal(found.reshape(48, 64, n)[..., -1], ramp(16) >> 8)


@pytest.mark.parametrize("kind", GREY)
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_in_files_of_16(kind, bits, tmp_path):
    """uint16 values of 0 to 1023 came out as four grey levels, without a word (Pillow#2610)."""
    path = GREY[kind](tmp_path, ramp(bits))
    levels = max(1, 2 ** (bits - 8))
    message = (
        rf"no more than {bits} of them: of 256 levels, {levels} .*value_range=\(0, {2**bits - 1}\)"
    )
    with pytest.warns(ValueRangeWarning, match=message):
        found = ImageReader(mode="L").transform([path])
    assert len(np.unique(found)) == levels
    top = 2**bits - 1
    found = ImageReader(mode="L", value_range=(0, top)).transform([path])[0]
    np.testing.assert_allclose(found, ramp(bits) * (255 / top), atol=0.5)
    whole = ImageReader(mode="L", value_range=(0, 65535)).transform([path])[0]  # and no warning
    np.testing.assert_allclose(whole, ramp(bits) / 257, atol=0.5)


def test_a_dark_file_among_others_is_no_reason_to_warn(tmp_path):
    paths = [png(tmp_path / f"{i}.png", values) for i, values in enumerate((ramp(16), ramp(9)))]
    ImageReader().transform(paths)
    black = png(tmp_path / "black.png", ramp(16) * 0)
    ImageReader().transform([black])
    with pytest.warns(ValueRangeWarning, match="no more than 9 of them"):
        ImageReader().transform([black, paths[1]])


def test_values_outside_are_clipped(tmp_path):
    path = png(tmp_path / "a.png", ramp(12))
    found = ImageReader(mode="L", value_range=(1000, 2000)).transform([path])[0]
    expected = np.clip((ramp(12) - 1000.0) / 1000, 0, 1) * 255
    np.testing.assert_allclose(found, expected, atol=0.5)
    assert found.min() == 0
    assert found.max() == 255


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_colours_of_16_bits(channels, bits, tmp_path):
    """Pillow takes their high byte: they are warned of, and no range can be heeded."""
    values = np.stack([ramp(bits)] * channels, 2)
    path = png(tmp_path / "a.png", values)
    reader = ImageReader(mode="L" if channels == 2 else "RGB")
    if bits == 16:
        found = reader.transform([path])[0]
        np.testing.assert_array_equal(found if found.ndim == 2 else found[..., 0], ramp(16) >> 8)
    else:
        with pytest.warns(ValueRangeWarning, match=f"no more than {bits} of them"):
            reader.transform([path])
    with pytest.raises(UnreadableFileError, match=r"colours have 16 bits each.* 8 bits beforehand"):
        reader.set_params(value_range=(0, 1023)).transform([path])


@pytest.mark.parametrize(("dtype", "top"), [(np.float32, 1.0), (np.int32, 70000)])
def test_files_of_32_bits_need_a_range(dtype, top, tmp_path):
    values = (np.linspace(0, 1, 48 * 64).reshape(48, 64) * top).astype(dtype)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    reader = ImageReader(mode="L")
    with pytest.raises(UnreadableFileError, match=r"range is not known; value_range=\(low, high\)"):
        reader.transform([tmp_path / "a.tiff"])
    assert not reader.readable([tmp_path / "a.tiff"]).any()
    reader.set_params(value_range=(0, top))
    assert reader.readable([tmp_path / "a.tiff"]).all()
    np.testing.assert_allclose(
        reader.transform([tmp_path / "a.tiff"])[0], values * (255.0 / top), atol=0.5
    )
    if dtype is np.float32:
        values[3, 3] = np.nan
        Image.fromarray(values).save(tmp_path / "a.tiff")
        with pytest.raises(UnreadableFileError, match="pixels that are NaN or infinite"):
            reader.transform([tmp_path / "a.tiff"])


def test_files_of_12_bits_are_known_to_have_12(tmp_path):
    found = ImageReader(mode="L").transform([twelve_bits(tmp_path / "a.tiff")])[0]
    np.testing.assert_array_equal(found, ramp(12) >> 4)


def test_a_graymap_says_its_range(tmp_path):
    head = b"P5 64 48 1023\n"
    (tmp_path / "a.pgm").write_bytes(head + ramp(10).astype(">u2").tobytes())
    for value_range in (None, (0, 1023)):
        found = ImageReader(mode="L", value_range=value_range).transform([tmp_path / "a.pgm"])
        np.testing.assert_allclose(found[0], ramp(10) * (255 / 1023), atol=0.5)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
def test_a_range_does_not_change_files_of_8_bits(mode, tmp_path):
    grey = Image.fromarray(ramp(8, np.uint8))
    image = grey.convert("RGB").convert(mode) if mode == "CMYK" else grey.convert(mode)
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    image.save(path)
    (a,), (b,) = (
        ImageReader(value_range=value_range).transform([path]) for value_range in (None, (0, 1023))
    )
    np.testing.assert_array_equal(a, b)
    if mode != "1":
        np.testing.assert_allclose(a[..., 0], ramp(8), atol=1)


def test_bits_of_three_colours_together(tmp_path):
    """A bitmap of 5, 6 and 5 bits per colour is no image of 16 bits per value."""
    head = struct.pack("<IiiHHIIiiII", 40, 64, 48, 1, 16, 3, 64 * 48 * 2, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    data = np.full((48, 64), 0x0821, "<u2").tobytes()  # as dark as it can be
    start = 14 + len(head) + len(masks)
    (tmp_path / "a.bmp").write_bytes(
        b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + masks + data
    )
    found = ImageReader(value_range=(0, 1023)).transform([tmp_path / "a.bmp"])
    np.testing.assert_array_equal(found, np.full((1, 48, 64, 3), (8, 4, 8)))


@pytest.mark.parametrize(
    "value_range", [(1,), (3, 3), (5, 2), (0, np.inf), ("0", "1"), [0, np.nan]]
)
def test_what_is_no_range(value_range, tmp_path):
    with pytest.raises(
        ValueError, match="'value_range' parameter of ImageReader must be two finite"
    ):
        ImageReader(value_range=value_range).transform([tmp_path])


def test_in_a_pipeline_and_a_query(tmp_path):
    paths = [png(tmp_path / f"{i}.png", ramp(10)[:, :: 1 - 2 * (i % 2)]) for i in range(6)]
    reader = ImageReader(size=(8, 8), mode="L", value_range=(0, 1023))
    clf = make_pipeline(reader, CNNClassifier(max_epochs=1, random_state=0)).fit(paths, [0, 1] * 3)
    assert Margin().select(clf, paths, 2).indices.shape == (2,)
    with pytest.warns(ValueRangeWarning, match="10 of them"):
        clf.set_params(imagereader__value_range=None).fit(paths, [0, 1] * 3)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", "<u4", "bool"])
def test_arrays_of_other_integers_are_refused_by_the_classifier(dtype):
    """Their range is not known either; both ways out are named."""
    X = np.zeros((4, 8, 8), dtype)
    with pytest.raises(ValueError, match=r"uint8 \(0 to 255\) or float.* else X.astype\('float32'"):
        CNNClassifier(max_epochs=1).fit(X, [0, 1, 0, 1])


def test_floats_of_a_portable_float_map(tmp_path):
    """They were taken for 16 bits, and floats from 0 to 1 for black."""
    values = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    Image.fromarray(values).save(tmp_path / "a.pfm")
    with pytest.raises(UnreadableFileError, match="range is not known"):
        ImageReader(mode="L").transform([tmp_path / "a.pfm"])
    read = ImageReader(mode="L", value_range=(0, 1)).transform([tmp_path / "a.pfm"])
    np.testing.assert_allclose(read[0], 255 * values, atol=0.5)
