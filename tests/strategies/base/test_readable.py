"""Files that cannot be read, wherever the reader is; the battery has every strategy."""

import warnings

import numpy as np
import pytest
from modAL.models import ActiveLearner, Committee
from PIL import Image
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import (
    CNNClassifier,
    CoreSet,
    Entropy,
    Hybrid,
    ImageReader,
    Margin,
    Random,
    Subsample,
    Switch,
)
from skactive.exceptions import UnreadableFileError, UnreadableFileWarning

ASKED = []  # the number of files, at each call


class Spy(ImageReader):
    def readable(self, X):
        ASKED.append(len(X))
        return super().readable(X)


def images(n, seed=0):
    """Grey images whose bright half gives the class."""
    y = np.arange(n) % 2
    X = np.random.default_rng(seed).integers(0, 120, (n, 8, 8), dtype=np.uint8)
    X[y == 0, :4] += 100
    X[y == 1, 4:] += 100
    return X, y


def save(X, folder):
    folder.mkdir()
    paths = [str(folder / f"{i}.png") for i in range(len(X))]
    for path, image in zip(paths, X, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def files(tmp_path):
    """Labelled files, their labels, and a pool of 12 of which 2 and 5 cannot be read."""
    X, y = images(8)
    pool = save(images(12, seed=1)[0], tmp_path / "pool")
    for i in (2, 5):
        (tmp_path / "pool" / f"{i}.png").write_text("no image")
    ASKED.clear()
    return save(X, tmp_path / "labelled"), y, pool


def pipeline(errors="skip", seed=0):
    network = CNNClassifier("small_cnn", max_epochs=1, random_state=seed)
    return make_pipeline(Spy(mode="L", errors=errors), network)


GOOD = [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf, X, y: clf.fit(X, y),
        lambda clf, X, y: make_pipeline(clf[:-1], clf[-1]).fit(X, y),
        lambda clf, X, y: ActiveLearner(clf, Entropy(), X, y),
        lambda clf, X, y: GridSearchCV(clf, {"cnnclassifier__lr": [0.1]}, cv=2).fit(X, y),
        lambda clf, X, y: Committee(
            [
                ActiveLearner(clf, Entropy(), X, y),
                ActiveLearner(pipeline("raise", 1), Entropy(), X, y),
            ]
        ),
        lambda clf, X, y: [pipeline("raise", 1).fit(X, y), clf.fit(X, y)],
    ],
    ids=["Pipeline", "nested", "ActiveLearner", "search", "Committee", "list"],
)
def test_wherever_the_reader_is(wrap, files):
    X, y, pool = files
    learner = wrap(pipeline(), X, y)
    with pytest.warns(UnreadableFileWarning, match=r"there are 2: '.*2\.png', '.*5\.png'\. Rem"):
        found = Entropy().select(learner, pool, 10)
    assert sorted(found.indices) == GOOD
    assert np.flatnonzero(np.isnan(found.utilities)).tolist() == [2, 5]


def test_before_there_is_a_fitted_estimator(files):
    with pytest.warns(UnreadableFileWarning):
        found = Random(random_state=0).select(ActiveLearner(pipeline(), Random()), files[2], 10)
    assert sorted(found.indices) == GOOD


@pytest.mark.parametrize(
    "strategy",
    [
        Hybrid([Random(), Switch([(Random(), 1), (Margin(), None)])]),
        Subsample(Hybrid([Margin(), Entropy()]), n=9),
    ],
    ids=["Hybrid", "Subsample"],
)
def test_the_pool_is_looked_through_once(strategy, files):
    X, y, pool = files
    clf = pipeline().fit(X, y)
    with pytest.warns(UnreadableFileWarning) as caught:
        found = strategy.select(clf, pool, 6, X_labelled=X, y_labelled=y)
    assert set(found.indices) <= set(GOOD)
    assert ASKED == [12]
    assert len(caught) == 1


def test_a_reader_that_raises_looks_through_nothing(files):
    X, y, pool = files
    clf = pipeline("raise").fit(X, y)
    with pytest.raises(UnreadableFileError, match=r"first '.*2\.png'.*errors='skip' lets queries"):
        Entropy().select(clf, pool, 2)
    assert ASKED == []


def test_pools_without_broken_files_warn_of_nothing(files):
    X, y, pool = files
    clf, good = pipeline().fit(X, y), [pool[i] for i in GOOD]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Entropy().select(clf, good, 10)
    np.testing.assert_array_equal(
        found.utilities, Entropy().select(pipeline("raise").fit(X, y), good, 10).utilities
    )


def test_nothing_that_can_be_read(files):
    X, y, pool = files
    with pytest.raises(
        ValueError,
        match="'X_pool' parameter of Margin must be a pool with files "
        "that can be read. Got 2 that cannot.*errors='raise' the reader tells why",
    ):
        Margin().select(pipeline().fit(X, y), [pool[2], pool[5]], 1)


def test_many_are_counted_and_some_are_named(files, tmp_path):
    X, y, pool = files
    missing = [str(tmp_path / f"missing{i}.png") for i in range(5)]
    with pytest.warns(UnreadableFileWarning, match="are 7: .*2.png', .*5.png', '.*ing0.png', …"):
        Margin().select(pipeline().fit(X, y), pool + missing, 1)


@pytest.mark.parametrize("errors", ["raise", "skip"])
def test_fit_teach_and_predict_need_every_file(errors, files):
    X, y, pool = files
    learner = ActiveLearner(pipeline(errors), Margin(), X, y)
    message = r"cannot read .*2\.png'"
    with pytest.raises(UnreadableFileError, match=message):
        learner.predict([pool[2]])
    with pytest.raises(UnreadableFileError, match=message):
        learner.estimator.fit([*X, pool[2]], [*y, 1])
    with pytest.raises(UnreadableFileError, match=message):
        learner.teach([pool[2]], [1])


def test_embeddings_from_a_pipeline_that_reads(files):
    X, _, pool = files
    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1))
    embed = make_pipeline(Spy(mode="L", errors="skip"), flat)
    with pytest.warns(UnreadableFileWarning):
        found = CoreSet(embeddings=embed).select(None, pool, 10, X_labelled=X)
    assert sorted(found.indices) == GOOD


def test_embeddings_that_are_there_already(files):
    X, y, pool = files
    clf, rows = pipeline().fit(X, y), np.random.default_rng(0).random((12, 3))
    with pytest.warns(UnreadableFileWarning):
        found = CoreSet(random_state=0).select(clf, pool, 5, embeddings=rows)
    good = [pool[i] for i in GOOD]
    expected = CoreSet(random_state=0).select(None, good, 5, embeddings=rows[GOOD])
    np.testing.assert_array_equal(found.indices, np.array(GOOD)[expected.indices])


@pytest.mark.slow
def test_a_folder_of_2_000_jpegs(tmp_path):
    n = 2_000
    X, y = images(64)
    labelled = save(X, tmp_path / "labelled")
    folder = tmp_path / "pool"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for i in range(n):
        noise = rng.integers(0, 120, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{i:05}.jpg")
    broken = set(rng.choice(n, 50, replace=False).tolist())
    for i in broken:
        path = folder / f"{i:05}.jpg"
        path.write_bytes(path.read_bytes()[:-20])
    pool = np.array(sorted(folder.glob("*.jpg")))

    clf = make_pipeline(
        ImageReader(size=(8, 8), mode="L", errors="skip", n_jobs=2),
        CNNClassifier("small_cnn", max_epochs=2, random_state=0),
    )
    learner = ActiveLearner(clf, Entropy(), np.array(labelled), y)
    for strategy in (Entropy(), Random(random_state=0), Subsample(CoreSet(), n=500)):
        learner.query_strategy = strategy
        with pytest.warns(UnreadableFileWarning, match="there are 50: "):
            chosen, paths = learner.query(pool, n_instances=100)
        assert len(set(chosen.tolist()) - broken) == 100
        np.testing.assert_array_equal(paths, pool[chosen])
    learner.teach(paths, np.arange(100) % 2)
