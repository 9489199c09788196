"""The input in an item of a Dataset or a list."""

import numpy as np
import pytest
import torch
from PIL import Image

from skactive._items import input_of, stacked

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
RGB = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (torch.ones(2, 3), np.ones((2, 3))),
        (GREY, GREY),
        (Image.fromarray(RGB), RGB),
        (Image.fromarray(GREY), GREY),
        ((Image.fromarray(RGB), 3), RGB),
        ([torch.as_tensor(GREY), "cat"], GREY),
        ({"image": Image.fromarray(RGB), "label": 1}, RGB),
        ({"label": 1, "anything": GREY}, GREY),
        ({"mask": GREY, "img": RGB, "id": "7"}, RGB),
        ({"pixel_values": torch.as_tensor(GREY), "labels": torch.tensor(1)}, GREY),
        (({"image": RGB}, 0), RGB),
        (2.5, np.array(2.5)),
    ],
)
def test_input(item, expected):
    np.testing.assert_array_equal(input_of(item, "X", "me"), expected)


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("1", (3, 4)), ("L", (3, 4)), ("P", (3, 4, 3)), ("CMYK", (3, 4, 3)), ("RGBA", (3, 4, 4))],
)
def test_modes_whose_numbers_are_no_colours(mode, shape):
    image = Image.fromarray(RGB).convert(mode)
    found = input_of(image, "X", "me")
    assert (found.dtype, tuple(found.shape)) == (torch.uint8, shape)
    if mode == "1":
        assert set(found.unique().tolist()) <= {0, 255}
    if mode == "P":  # the colours of the palette, and not positions in it
        np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("item", "match"),
    [
        ("a.png", "'X_pool' parameter of Margin must be a Dataset whose items are images.*'a.png'"),
        (None, "an item that is None"),
        ({"label": 1}, r"dicts with one image.*the keys \['label'\], 0 of them images"),
        ({"a": GREY, "b": GREY}, r"the keys \['a', 'b'\], 2 of them images.*Wrap it in a Dataset"),
    ],
)
def test_what_is_no_image(item, match):
    with pytest.raises(ValueError, match=match):
        input_of(item, "X_pool", "Margin")


def test_images_of_several_shapes():
    items = [Image.fromarray(RGB), Image.fromarray(RGB[:2])]
    match = r"of one size.*shapes \(2, 4, 3\) and \(3, 4, 3\) instead\. Resize and convert them"
    with pytest.raises(ValueError, match=match):
        stacked(items, "X_pool", "Margin")
    assert stacked(items[:1] * 2, "X_pool", "Margin").shape == (2, 3, 4, 3)
    assert len(stacked([], "X_pool", "Margin")) == 0


@pytest.mark.parametrize("mode", ["LA", "La", "RGBa"])
def test_modes_with_transparency(mode):
    image = Image.fromarray(RGB).convert("RGBA")
    image = image.convert("LA") if mode[0] == "L" else image
    image = image if mode == "LA" else image.convert(mode)
    assert tuple(input_of(image, "X", "me").shape) == ((3, 4, 4) if mode == "RGBa" else (3, 4))


def test_arrays_that_are_a_field_of_records():
    records = np.zeros(3, dtype=[("label", "i2"), ("image", "f4", (4,))])
    records["image"] = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(input_of(records["image"], "X", "me"), records["image"])
