"""Memory at predict: so many samples at once, and images of files as they are needed."""

import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from torch import nn

from skactive import CNNClassifier, ImageReader, LPLClassifier, Margin
from skactive.estimators import _file_images, _image_reader
from skactive.estimators._at_once import gathered, samples_at_once
from skactive.estimators._file_images import FileImages
from skactive.estimators._inputs import InputFormat
from skactive.exceptions import UnreadableFileError

SEEN = []


class Watched(nn.Module):
    """Keeps the number of samples that it is given at once."""

    def __init__(self, num_classes):
        super().__init__()
        self.fc = nn.Linear(1, num_classes)

    def forward(self, x):
        if not self.training:
            SEEN.append(len(x))
        return self.fc(x.mean((1, 2, 3))[:, None])


def watched(X, kind=CNNClassifier, **params):
    SEEN.clear()
    layers = {"feature_layers": ["fc"]} if kind is LPLClassifier else {}
    clf = kind(Watched, max_epochs=1, random_state=0, device="cpu", **layers, **params)
    clf.fit(X[:4], [0, 1, 0, 1])
    SEEN.clear()
    return clf


@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize(
    ("side", "batch_size", "at_once"),
    [
        (16, 2, 64),
        (16, 200, 64),
        (64, 2, 64),
        (128, 2, 16),
        (128, 40, 40),
        (512, 2, 2),
        (512, 1, 1),
        (512, 32, 32),
        (600, 1, 1),
    ],
)
def test_large_images_are_predicted_a_few_at_once(side, batch_size, at_once, kind):
    """predict took 64 images at once, whatever batch_size was (keras#5337)."""
    X = np.broadcast_to(np.zeros((), np.uint8), (66, side, side))
    clf = watched(X, kind, batch_size=batch_size)
    methods = ["predict", "predict_proba", *(["predict_loss"] if kind is LPLClassifier else [])]
    for method in methods:
        SEEN.clear()
        getattr(clf, method)(X)
        assert max(SEEN) == at_once
        assert sum(SEEN) == 66
    SEEN.clear()
    clf.score(X, np.zeros(66, int))
    assert max(SEEN) == at_once


@pytest.mark.parametrize("layout", [(3, 256, 256), (256, 256, 3), (1, 256, 256), (256, 256)])
def test_channels_are_no_pixels(layout):
    X = np.broadcast_to(np.zeros((), np.float32), (66, *layout))
    watched(X, batch_size=1).predict(X)
    assert max(SEEN) == 4


def test_flat_rows_are_images_and_rows_of_features_are_not():
    X = np.zeros((66, 128 * 128), np.float32)
    watched(X, batch_size=1, input_shape=(128, 128)).predict(X)
    assert max(SEEN) == 16
    rows = InputFormat((99_999,), "rows", (99_999,), integer=False)
    assert samples_at_once(None, 1, rows, torch.device("cpu")) == 64
    assert samples_at_once(None, 1, rows, torch.device("cuda")) == 256


def test_a_gpu_takes_four_times_as_many():
    form = InputFormat((256, 256), "HW", (256, 256), integer=True)
    assert samples_at_once(None, 1, form, torch.device("cuda")) == 16
    assert samples_at_once(None, 32, form, torch.device("mps")) == 32
    assert samples_at_once(None, 999, form, torch.device("cuda")) == 256


def test_the_number_is_a_parameter():
    X = np.random.default_rng(0).integers(0, 256, (66, 16, 16), dtype=np.uint8)
    clf = watched(X, predict_batch_size=5)
    p = clf.predict_proba(X)
    assert max(SEEN) == 5
    SEEN.clear()
    np.testing.assert_allclose(clf.set_params(predict_batch_size=60).predict_proba(X), p, rtol=1e-5)
    assert SEEN == [60, 6]
    assert clone(clf).get_params()["predict_batch_size"] == 60
    with pytest.raises(ValueError, match="'predict_batch_size' parameter of CNNClassifier must be"):
        clf.set_params(predict_batch_size=0).fit(X[:4], [0, 1, 0, 1])


# -- files -----------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        image = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i:02}.png")
    return sorted(tmp_path.glob("*.png"))


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(_file_images, "_AT_ONCE", 10 * 6 * 8 * 3)  # ten of these images


@pytest.fixture
def read(monkeypatch):
    """The files that have been read."""
    names, real = [], _image_reader.read_image
    monkeypatch.setattr(
        _image_reader, "read_image", lambda path, *args: names.append(path) or real(path, *args)
    )
    return names


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
def test_a_pipeline_reads_files_as_they_are_needed(method, paths, small_limit, read):
    """Pipeline.predict held all images of a pool in memory."""
    clf = watched(np.zeros((4, 6, 8, 3), np.uint8), predict_batch_size=4)
    pipeline = make_pipeline(ImageReader(size=(6, 8)), clf)
    ahead = []
    clf.module_.register_forward_pre_hook(lambda *_: ahead.append(len(read) - sum(SEEN)))
    y = [np.zeros(40, int)] if method == "score" else []
    getattr(pipeline, method)(paths, *y)
    assert ahead == [4] * 10
    assert read == list(map(str, paths))  # each once, in order


def test_the_same_numbers_as_at_once(paths, small_limit, monkeypatch):
    y = np.arange(40) % 2
    net = CNNClassifier(max_epochs=2, random_state=0, device="cpu", predict_batch_size=7)
    pipeline = make_pipeline(ImageReader(n_jobs=2), net)
    lazy = pipeline.fit(paths, y).predict_proba(paths)
    chosen = Margin().select(pipeline, paths, 5).indices
    folds = cross_val_predict(pipeline, paths, y, cv=2)
    monkeypatch.setattr(_file_images, "_AT_ONCE", 2**25)
    np.testing.assert_array_equal(pipeline.fit(paths, y).predict_proba(paths), lazy)
    np.testing.assert_array_equal(Margin().select(pipeline, paths, 5).indices, chosen)
    np.testing.assert_array_equal(cross_val_predict(pipeline, paths, y, cv=2), folds)


def test_files_that_cannot_be_read_are_named_when_it_is_their_turn(paths, small_limit):
    pipeline = make_pipeline(ImageReader(), CNNClassifier(max_epochs=1, predict_batch_size=4))
    pipeline.fit(paths[:8], [0, 1] * 4)
    paths[37].write_text("no image")
    with pytest.raises(UnreadableFileError, match=r"1 of 4 files, first '.*37\.png'"):
        pipeline.predict(paths)
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(paths[37])
    with pytest.raises(
        UnreadableFileError, match=r"37\.png'.*\(5, 5, 3\), and that of '.*00\.png'"
    ):
        pipeline.predict(paths)


def test_they_are_like_an_array(paths, small_limit):
    whole = np.stack([np.asarray(Image.open(path)) for path in paths])
    images = ImageReader().transform(paths)
    assert isinstance(images, FileImages)
    assert isinstance(ImageReader().transform(paths[:10]), np.ndarray)
    assert (images.shape, images.dtype, images.ndim) == (whole.shape, whole.dtype, 4)
    assert len(images) == 40
    assert "40 files" in repr(images)
    mask = np.arange(40) % 3 == 0
    rows = [3, -1, np.int64(7), [4, 4, 1], mask, np.array([-1, 0])]
    slices = [slice(2, 30), slice(None, None, -7), slice(0, 0), Ellipsis, None, ()]
    parts = [(slice(3, 9), 2), (5, 2, 3), (slice(None), slice(1, 3), 0), (mask, 1), (Ellipsis, 0)]
    for index in (*rows, *slices, *parts):
        found = images[index]
        assert found.shape == whole[index].shape, index
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, whole[index])
    for function in (
        np.asarray,
        np.mean,
        lambda a: a / 255,
        lambda a: 1 - a,
        lambda a: a > 99,
        lambda a: np.concatenate([a, a]),
        lambda a: np.add.reduce(a, axis=0),
        lambda a: a.reshape(len(a), -1),
        lambda a: a.astype(float).std(),
        lambda a: np.asarray(a, dtype=np.float32),
        lambda a: np.stack(list(a)),
        lambda a: torch.as_tensor(np.asarray(a)).float().mean().numpy(),
    ):
        np.testing.assert_array_equal(function(images), function(whole))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(images)), whole)
    assert not hasattr(images, "iloc")
    with pytest.raises(IndexError):
        images[40]
    with pytest.raises(ValueError, match="an array of them is a copy"):
        images.__array__(copy=False)


def test_what_is_read_later_is_read_as_the_reader_was(paths, small_limit):
    reader = ImageReader(size=(6, 8))
    images = reader.transform(paths)
    reader.set_params(size=(3, 3), mode="L")
    assert images[:3].shape == (3, 6, 8, 3)


def test_memory_does_not_grow_with_the_number_of_files(tmp_path, monkeypatch):
    """Pipeline.predict(paths): four images are in memory, and of other files the names alone."""
    monkeypatch.setattr(_file_images, "_AT_ONCE", 10 * 64 * 64 * 3)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    clf = watched(np.zeros((4, 64, 64, 3), np.uint8), predict_batch_size=4)
    pipeline = make_pipeline(ImageReader(), clf)
    peaks = []
    for n in (30, 300):
        tracemalloc.start()
        pipeline.predict([tmp_path / "a.png"] * n)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 270 < 2000  # bytes per file, of which each image has 12,288


def test_what_is_given_for_blocks_comes_together():
    parts = [(slice(0, 2), torch.tensor([[1.0], [2.0]])), (slice(2, 3), torch.tensor([[3.0]]))]
    assert gathered(iter(parts), 3).tolist() == [[1.0], [2.0], [3.0]]
    double = torch.ones(1, dtype=torch.float64)
    assert gathered(iter([(slice(0, 1), double)]), 1).dtype == torch.float64
    assert gathered(iter([]), 0) is None
