import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags

from skactive import CNNClassifier, ImageReader
from skactive.exceptions import UnreadableFileError


def picture(height=48, width=64, seed=0):
    """A smooth picture of three colours, (height, width, 3), with a corner that tells it apart."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    image = np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))
    image[: height // 4, : width // 4] = (255, 0, 0)
    return image


@pytest.fixture
def file(tmp_path):
    def save(image, name="image.png", **options):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def shrunk(image, size):
    """Antialiased bilinear resizing, by its definition: triangles as wide as the scale."""

    def weights(n_in, n_out):
        scale = n_in / n_out
        centers = (np.arange(n_out)[:, None] + 0.5) * scale
        w = np.maximum(0, 1 - abs(np.arange(n_in) + 0.5 - centers) / max(scale, 1))
        return w / w.sum(1, keepdims=True)

    rows, columns = weights(image.shape[0], size[0]), weights(image.shape[1], size[1])
    return np.einsum("ia,abc,jb->ijc", rows, image.astype(float), columns)


# -- what is read ----------------------------------------------------------------


@pytest.mark.parametrize("size", [(48, 64), (24, 16), (10, 10), (96, 100)])
def test_images_are_resized_with_antialiasing(file, size):
    image = picture()
    (found,) = ImageReader(size=size).transform([file(image)])
    assert found.dtype == np.uint8
    assert found.shape == (*size, 3)
    # Pillow rounds to integers between the two directions
    np.testing.assert_allclose(found, shrunk(image, size), atol=1.01)


def test_without_a_size_images_are_as_they_are(file):
    images = [picture(seed=seed) for seed in range(3)]
    paths = [file(image, f"{i}.png") for i, image in enumerate(images)]
    np.testing.assert_array_equal(ImageReader().transform(paths), images)


def test_without_a_size_all_must_have_the_same(file):
    paths = [file(picture(), "a.png"), file(picture(10, 20), "b.png")]
    with pytest.raises(
        UnreadableFileError,
        match=r"1 of 2 files, first '.*b\.png': its image has "
        r"the shape \(10, 20, 3\), and that of '.*a\.png' has \(48, 64, 3\); size=",
    ):
        ImageReader().transform(paths)


def test_grey_values(file):
    image = picture()
    path = file(image)
    found = ImageReader(size=(48, 64), mode="L").transform([path])
    assert found.shape == (1, 48, 64)
    np.testing.assert_allclose(found[0], image @ [0.299, 0.587, 0.114], atol=1)
    np.testing.assert_array_equal(found, ImageReader(mode="L").transform([path]))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, (12, 8)])
def test_exif_orientation(file, orientation, size):
    """What EXIF calls row 0 and column 0 of the stored pixels, for each of its eight values."""
    image = picture()
    rotated = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.swapaxes(0, 1),
        6: np.rot90(image),
        7: image[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(image, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = file(np.ascontiguousarray(rotated[orientation]), exif=exif)
    upright = file(image, "upright.png")
    np.testing.assert_array_equal(
        ImageReader(size).transform([path]), ImageReader(size).transform([upright])
    )


@pytest.mark.parametrize("orientation", [1, 6])
def test_large_jpegs_are_decoded_small(file, orientation):
    """Much the same as decoding all of it, from no fewer pixels than twice the size."""
    image = picture(400, 640)
    stored = image if orientation == 1 else np.rot90(image)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = file(np.ascontiguousarray(stored), "large.jpg", quality=95, exif=exif)
    (found,) = ImageReader(size=(20, 32)).transform([path])
    assert abs(found - shrunk(image, (20, 32))).mean() < 2
    with Image.open(path) as opened:
        opened.draft(None, (64, 64))
        assert min(opened.size) >= 64


def test_colours_that_pillow_has_to_convert(file):
    image = picture()
    grey = image[..., 0]
    pillow = Image.fromarray(image)
    with_alpha = np.dstack([image, np.full((48, 64), 40, np.uint8)])
    quantized = pillow.quantize(16)
    palette = np.asarray(quantized.convert("RGB"))
    for name, stored, expected, atol in [
        ("grey.png", grey, np.dstack([grey] * 3), 0),
        ("alpha.png", with_alpha, image, 0),
        ("palette.png", quantized, palette, 0),
        ("palette.gif", quantized, palette, 0),
        ("cmyk.tiff", pillow.convert("CMYK"), image, 1),
        (
            "bits.png",
            Image.fromarray(grey).point(lambda v: 255 * (v > 99), "1"),
            np.dstack([255 * (grey > 99)] * 3),
            0,
        ),
    ]:
        found = ImageReader().transform([file(stored, name)])
        np.testing.assert_allclose(found[0].astype(int), expected, atol=atol, err_msg=name)
    found = ImageReader().transform([file(quantized, "clear.png", transparency=bytes(range(16)))])
    np.testing.assert_array_equal(found[0], palette)


def test_the_first_frame_of_an_animation(file):
    frames = [Image.fromarray(picture(seed=seed)).quantize(32) for seed in (0, 1)]
    path = file(frames[0], "moves.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(ImageReader().transform([path])[0], frames[0].convert("RGB"))


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.asarray,
        pd.Series,
        lambda paths: [Path(path) for path in paths],
        lambda paths: np.array([Path(path) for path in paths]),
        lambda paths: np.array(paths, dtype=object),
        lambda paths: [os.fsencode(path) for path in paths],
        lambda paths: pd.Series(paths, index=[7, 5, 3]),
        lambda paths: pd.Series(paths, dtype="string"),
    ],
)
def test_containers_of_paths(file, container):
    paths = [str(file(picture(seed=i), f"ü {i}.png")) for i in range(3)]
    expected = ImageReader().transform(paths)
    np.testing.assert_array_equal(ImageReader().transform(container(paths)), expected)
    assert ImageReader().readable(container(paths)).tolist() == [True] * 3


@pytest.mark.parametrize("n_jobs", [None, 2, -1])
def test_threads_change_nothing(file, n_jobs):
    paths = [file(picture(seed=i), f"{i}.png") for i in range(20)]
    reader = ImageReader(size=(8, 8), n_jobs=n_jobs)
    np.testing.assert_array_equal(
        reader.transform(paths), ImageReader(size=(8, 8)).transform(paths)
    )


# -- files that cannot be read ---------------------------------------------------


def broken_files(folder):
    """One file of each kind that cannot be read, by name."""
    Image.fromarray(picture(100, 100)).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "folder.jpg").mkdir()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(folder / "floats.tiff")
    names = ["truncated.jpg", "text.jpg", "empty.jpg", "folder.jpg", "floats.tiff", "missing.jpg"]
    return {name: folder / name for name in names}


REASONS = {
    "truncated.jpg": "truncated",
    "text.jpg": "cannot identify",
    "empty.jpg": "cannot identify",
    "folder.jpg": "Is a directory",
    "floats.tiff": "32-bit numbers, whose range is not known",
    "missing.jpg": "No such file",
}


@pytest.mark.parametrize("name", REASONS)
@pytest.mark.parametrize("size", [None, (8, 8)])
def test_a_file_that_cannot_be_read_is_named(name, size, file, tmp_path):
    good, broken = file(picture(100, 100)), broken_files(tmp_path)[name]
    reader = ImageReader(size=size)
    with pytest.raises(
        UnreadableFileError,
        match=rf"^ImageReader cannot read '.*{name}': .*"
        rf"{REASONS[name]}.* Remove .*; errors='skip' lets queries pass over",
    ):
        reader.transform([broken])
    with pytest.raises(UnreadableFileError, match=rf"cannot read 2 of 4 files, first '.*{name}'"):
        reader.transform([good, broken, good, broken])
    with pytest.raises(UnreadableFileError, match="of a pool only, and here each is needed"):
        reader.set_params(errors="skip").transform([good, broken])
    assert reader.readable([good, broken, good]).tolist() == [True, False, True]


def test_readable_of_nothing():
    assert ImageReader().readable([]).shape == (0,)


def test_a_bomb_is_not_decoded(file, monkeypatch):
    path = file(picture())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadableFileError, match=r"exceeds limit .* PIL\.Image\.MAX_IMAGE_PIXELS"):
        ImageReader().transform([path])


def test_running_out_of_memory_is_no_broken_file(file, monkeypatch):
    path = file(picture())

    def full(*args):
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        ImageReader().readable([path])


# -- arguments -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"size": (8,)}, "'size' parameter of ImageReader must be two ints of at least 1"),
        ({"size": (8, 0)}, "'size' parameter of ImageReader must be two ints of at least 1"),
        ({"size": (8, 8.0)}, "'size' parameter of ImageReader must be two ints of at least 1"),
        ({"size": 8}, "'size' parameter of ImageReader must be"),
        ({"mode": "CMYK"}, "'mode' parameter of ImageReader must be"),
        ({"errors": "ignore"}, "'errors' parameter of ImageReader must be"),
        ({"n_jobs": "all"}, "'n_jobs' parameter of ImageReader must be"),
    ],
)
def test_parameters_are_checked(params, message, file):
    for method in ("fit", "transform", "readable"):
        with pytest.raises(ValueError, match=message):
            getattr(ImageReader(**params), method)([file(picture())])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            "photos",
            r"'X' parameter .* must be a sequence of paths of image files\. Got 'photos' .*"
            r"skactive\.datasets\.image_files\(folder\)",
        ),
        (Path("photos"), r"skactive\.datasets\.image_files\(folder\)"),
        (np.zeros((2, 8, 8)), r"Got an array of shape \(2, 8, 8\)"),
        (pd.DataFrame({"path": ["a"]}), "of a DataFrame, the column"),
        (3, "Got 3 instead"),
        (["a.png", None], "Got None at position 1 instead"),
        ([1.5], "Got 1.5 at position 0 instead"),
    ],
)
def test_what_are_no_paths(X, message):
    for method in ("fit", "transform", "readable"):
        with pytest.raises(ValueError, match=message):
            getattr(ImageReader(), method)(X)


def test_no_paths_at_all():
    with pytest.raises(ValueError, match="must be at least one path"):
        ImageReader(size=(8, 8)).transform([])


# -- as an estimator -------------------------------------------------------------


def test_it_is_a_stateless_transformer(file):
    paths = [file(picture(seed=i), f"{i}.png") for i in range(4)]
    reader = ImageReader(size=(8, 8), n_jobs=2)
    before = dict(vars(reader))
    images = reader.transform(paths)  # without fit
    np.testing.assert_array_equal(images, clone(reader).fit_transform(paths))
    np.testing.assert_array_equal(images, pickle.loads(pickle.dumps(reader)).transform(paths))
    assert vars(reader) == before
    assert reader.fit(paths) is reader
    tags = get_tags(reader)
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_valid_tag_types",
        "check_mixin_order",
    ],
)
def test_scikit_learns_checks_that_pass_no_numbers(name):
    check = getattr(estimator_checks, name)
    check("ImageReader", ImageReader())


def test_in_a_search(file):
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    images = rng.integers(0, 99, (12, 16, 16, 3), dtype=np.uint8) + (100 * y[:, None, None, None])
    paths = [file(image.astype(np.uint8), f"{i}.png") for i, image in enumerate(images)]
    clf = make_pipeline(ImageReader(), CNNClassifier(max_epochs=2, random_state=0))
    search = GridSearchCV(clf, {"imagereader__size": [(8, 8), (16, 16)]}, cv=2).fit(paths, y)
    assert search.predict_proba(paths).shape == (12, 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_files_are_closed(file, monkeypatch):
    paths = [file(picture(), "a.jpg"), file(picture(), "b.png")]
    (paths[1].parent / "half.jpg").write_bytes(paths[0].read_bytes()[:-200])
    opened, real = [], Image.open

    def spy(path):
        opened.append(real(path))
        opened[-1].own = opened[-1].fp
        return opened[-1]

    monkeypatch.setattr(Image, "open", spy)
    ImageReader(size=(8, 8), n_jobs=2).readable([*paths, paths[1].parent / "half.jpg"])
    assert len(opened) == 3
    assert all(image.own.closed for image in opened)
