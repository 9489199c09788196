"""ImageCache: what ImageReader reads, decoded once, as an array."""

import pickle

import numpy as np
import pytest
from modAL.models import ActiveLearner
from PIL import Image

from skactive import CNNClassifier, Embedder, ImageCache, ImageReader, Margin
from skactive.estimators import _image_cache, _load_files
from skactive.exceptions import InvalidParameterError, UnreadableFileError, ValueRangeWarning
from tests.estimators.conftest import squares

SIZE = (10, 8)


@pytest.fixture
def files(tmp_path):
    """Twelve pictures of several sizes and formats."""
    import os

    folder, rng = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    for i in range(12):
        image = rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)
        path = folder / f"{i:02}.{'jpg' if i % 2 else 'png'}"
        Image.fromarray(image).save(path)
        os.utime(path, ns=(10**18, 10**18))
    return sorted(folder.iterdir())


@pytest.fixture
def decoded(monkeypatch):
    """The number of files that were decoded."""
    calls, real = [], _image_cache.read_image
    monkeypatch.setattr(_image_cache, "read_image", lambda *args: calls.append(args) or real(*args))
    return calls


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_it_has_what_the_reader_reads(files, tmp_path, mode, n_jobs):
    wanted = ImageReader(SIZE, mode).transform(files)
    cache = ImageCache(files, tmp_path / "cache", SIZE, mode=mode, n_jobs=n_jobs)
    assert (cache.shape, cache.dtype, len(cache)) == (wanted.shape, np.uint8, 12)
    assert cache.ndim == wanted.ndim
    np.testing.assert_array_equal(cache, wanted)
    mask = np.arange(12) % 3 == 1
    for index in (3, -1, slice(2, 9, 3), [5, 1, 1], np.array([7, 0]), mask, (slice(1, 4), 2)):
        np.testing.assert_array_equal(cache[index], wanted[index])
    np.testing.assert_array_equal(np.stack(list(cache)), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(cache)), wanted)
    assert isinstance(np.asarray(cache).base, np.memmap)  # no copy
    assert cache.positions.tolist() == list(range(12))
    assert cache.broken == {}


def test_each_file_is_decoded_once(files, tmp_path, decoded, monkeypatch):
    ImageCache(files[:5], tmp_path / "cache", SIZE)
    assert len(decoded) == 5
    whole = ImageCache(files, tmp_path / "cache", SIZE)
    assert len(decoded) == 12
    other = ImageCache(list(map(str, files[::-1])), tmp_path / "cache", SIZE)
    np.testing.assert_array_equal(other, whole[::-1])
    moved = files[0].rename(files[0].with_name("moved.png"))
    monkeypatch.setattr(_image_cache, "_AT_ONCE", 5)
    np.testing.assert_array_equal(ImageCache([moved], tmp_path / "cache", SIZE), whole[:1])
    assert len(decoded) == 12
    monkeypatch.setattr(_load_files, "file_key", lambda content: 1 / 0)  # none is opened
    ImageCache(files[1:], tmp_path / "cache", SIZE)


def test_sizes_and_modes_are_kept_apart(files, tmp_path):
    for size, mode, value_range in [
        (SIZE, "RGB", None),
        (SIZE[::-1], "RGB", None),
        (SIZE, "L", None),
        (SIZE, "RGB", (0, 99)),
    ]:
        params = {"mode": mode, "value_range": value_range}
        cache = ImageCache(files, tmp_path / "cache", size, **params)
        np.testing.assert_array_equal(cache, ImageReader(size, **params).transform(files))


def test_what_was_decoded_before_a_kill_stays(files, tmp_path, monkeypatch):
    monkeypatch.setattr(_image_cache, "_AT_ONCE", 5)
    real, seen = _image_cache.read_image, []

    def dying(*args):
        seen.append(args)
        if len(seen) == 8:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(_image_cache, "read_image", dying)
    with pytest.raises(KeyboardInterrupt):
        ImageCache(files, tmp_path / "cache", SIZE)
    cache = ImageCache(files, tmp_path / "cache", SIZE)
    assert len(seen) == 8 + 7  # two were in the block that was cut
    np.testing.assert_array_equal(cache, ImageReader(SIZE).transform(files))


def test_broken_files_are_found_in_the_same_pass(files, tmp_path, decoded):
    files[3].write_bytes(b"no image")
    files[7].write_bytes(files[7].read_bytes()[:200])
    wanted = [i for i in range(12) if i not in (3, 7)]
    with pytest.raises(
        UnreadableFileError, match=r"2 of 12 files, first '.*03\.jpg': cannot ident"
    ):
        ImageCache(files, tmp_path / "cache", SIZE)
    assert len(decoded) == 12
    cache = ImageCache(files, tmp_path / "cache", SIZE, errors="skip")
    assert len(decoded) == 14  # the two, which may have been mended
    assert cache.positions.tolist() == wanted
    assert list(cache.broken) == [3, 7]
    assert "cannot identify" in cache.broken[3]
    np.testing.assert_array_equal(cache, ImageReader(SIZE).transform([files[i] for i in wanted]))


def test_as_pool_and_as_training_data(tmp_path):
    X, y = squares(40)
    files = []
    for i, image in enumerate(X):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(image).save(files[-1])
    cache = ImageCache(files, tmp_path / "cache", (10, 10), mode="L")
    np.testing.assert_array_equal(cache, X)
    clf = CNNClassifier(max_epochs=2, random_state=0, device="cpu")
    plain = clf.fit(X[:20], y[:20]).predict_proba(X)
    np.testing.assert_array_equal(clf.fit(cache[:20], y[:20]).predict_proba(cache), plain)
    picks = Margin().select(clf, X, 5).indices
    np.testing.assert_array_equal(Margin().select(clf, cache, 5).indices, picks)
    learner = ActiveLearner(clf, Margin(), X_training=X[:20], y_training=y[:20])
    chosen, images = learner.query(cache, n_instances=5)
    np.testing.assert_array_equal(images, X[chosen])
    learner.teach(images, y[chosen])
    whole = clf.fit(cache, y).predict_proba(X)
    np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), whole)
    features = Embedder(clf.module_, device="cpu", cache=tmp_path / "cache").transform(cache)
    np.testing.assert_array_equal(features, Embedder(clf.module_, device="cpu").transform(X))


def test_grey_values_of_few_bits_are_told(tmp_path):
    deep = (np.arange(400).reshape(20, 20) * 9).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    with pytest.warns(ValueRangeWarning):
        ImageCache([tmp_path / "a.png"], tmp_path / "cache", SIZE, mode="L")
    ImageCache([tmp_path / "a.png"], tmp_path / "cache", SIZE, mode="L", value_range=(0, 4095))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"size": None}, "'size' parameter of ImageCache"),
        ({"size": (3,)}, "'size' parameter of ImageCache"),
        ({"mode": "CMYK"}, "'mode' parameter of ImageCache"),
        ({"errors": "ignore"}, "'errors' parameter of ImageCache"),
        ({"paths": "a.png"}, "'paths' parameter of ImageCache"),
        ({"paths": []}, "'paths' parameter of ImageCache must be at least one path"),
        ({"folder": 3}, "'folder' parameter of ImageCache"),
    ],
)
def test_wrong_parameters(files, tmp_path, change, match):
    with pytest.raises(InvalidParameterError, match=match):
        ImageCache(**({"paths": files, "folder": tmp_path / "cache", "size": SIZE} | change))
