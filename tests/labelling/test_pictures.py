import io

import numpy as np
import pytest
from PIL import Image

from skactive.labelling._pictures import UnreadableError, picture


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (np.array([[0, 2000, 4095]], np.uint16), [0, 125, 255]),  # 12 bits in 16
        (np.array([[0, 70_000, 140_000]], np.int32), [0, 128, 255]),
        (np.array([[-1.5, 0, 2.5]], np.float32), [0, 96, 255]),
        (np.array([[7, 7]], np.uint16), [0, 0]),
        (np.array([[10, 20, 30]], np.uint8), [10, 20, 30]),
    ],
)
def test_values_of_many_bits_are_shown_by_their_own_range(values, shown, tmp_path):
    Image.fromarray(values).save(tmp_path / "scan.tif")
    content, kind = picture(tmp_path, "scan.tif", 100)
    assert kind == "image/png"
    with Image.open(io.BytesIO(content)) as image:
        found = np.asarray(image.convert("L"))[0].tolist()
    assert found == shown


def test_values_that_are_no_numbers(tmp_path):
    Image.fromarray(np.array([[0, np.inf]], np.float32)).save(tmp_path / "scan.tif")
    with pytest.raises(UnreadableError, match="not finite"):
        picture(tmp_path, "scan.tif", 100)
