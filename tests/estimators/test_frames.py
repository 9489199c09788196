"""Images that come as the rows of a frame: its columns are checked as scikit-learn checks them.

Shuffled columns were read as shuffled pixels, and predictions fell to chance without a word.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skactive import CNNClassifier, FisherMask, LPLClassifier, Margin

NAMES = [f"pixel {i}" for i in range(36)]
X = np.random.default_rng(0).random((20, 36), dtype=np.float32)
Y = np.arange(20) % 2
FRAME = pd.DataFrame(X, columns=NAMES)
SHUFFLED = FRAME[NAMES[::-1]]
ORDER = "must be in the same order as they were in fit"
KINDS = pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
SHAPES = pytest.mark.parametrize("input_shape", [(6, 6), (1, 6, 6), None])


def make(kind=CNNClassifier, input_shape=(6, 6), **params):
    return kind(
        **{
            "max_epochs": 1,
            "random_state": 0,
            "input_shape": input_shape,
            "device": "cpu",
            **params,
        }
    )


@KINDS
@SHAPES
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (SHUFFLED, ORDER),
        (FRAME[NAMES[:20]], "seen at fit time, yet now missing"),
        (FRAME.assign(more=1.0), "unseen at fit time"),
        (FRAME.rename(columns={"pixel 3": "three"}), "unseen at fit time"),
    ],
)
def test_other_columns_are_scikit_learns_error(frame, message, kind, input_shape):
    clf, plain = make(kind, input_shape).fit(FRAME, Y), LogisticRegression().fit(FRAME, Y)
    calls = [clf.predict, clf.predict_proba, plain.predict, lambda X: clf.score(X, Y)]
    calls += [clf.predict_loss] if kind is LPLClassifier else []
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call(frame)
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(frame, Y)
    with pytest.raises(ValueError, match=message):
        clf.set_params(warm_start=True).fit(frame, Y)


@KINDS
@SHAPES
def test_the_same_columns_are_the_same_images(kind, input_shape):
    clf = make(kind, input_shape).fit(FRAME, Y)
    assert clf.feature_names_in_.tolist() == NAMES
    same = make(kind, input_shape).fit(X, Y)
    assert not hasattr(same, "feature_names_in_")
    np.testing.assert_array_equal(clf.predict_proba(FRAME), same.predict_proba(X))
    clf.fit(SHUFFLED, Y)  # anew
    assert clf.feature_names_in_.tolist() == NAMES[::-1]
    assert not hasattr(clf.fit(X, Y), "feature_names_in_")


@SHAPES
def test_a_frame_then_an_array_and_the_other_way_round(input_shape):
    with_names, without = make(input_shape=input_shape), make(input_shape=input_shape)
    with_names.fit(FRAME, Y)
    without.fit(X, Y)
    for other in (X, torch.as_tensor(X)):
        with pytest.warns(UserWarning, match="X does not have valid feature names, but CNNClass"):
            with_names.predict(other)
    with pytest.warns(
        UserWarning, match="X has feature names, but CNNClassifier was fitted without"
    ):
        without.predict(FRAME)


@SHAPES
def test_strategies_and_pipelines(input_shape):
    clf = make(input_shape=input_shape).fit(FRAME, Y)
    for strategy in (Margin(), FisherMask()):
        assert strategy.select(clf, FRAME, 2).indices.shape == (2,)
        with pytest.raises(ValueError, match=ORDER):
            strategy.select(clf, SHUFFLED, 2)
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, make(input_shape=input_shape)).fit(FRAME, Y)
    with pytest.raises(ValueError, match=ORDER):
        pipeline.predict(SHUFFLED)


def test_numbers_as_names():
    frame = pd.DataFrame(X)
    assert make().fit(frame, Y).predict(frame).shape == (20,)
    with pytest.raises(TypeError, match="only supported if all input features have string names"):
        make().fit(frame.rename(columns={0: "zero"}), Y)


def test_frames_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({name: FRAME[name].to_numpy() for name in NAMES})
    clf = make().fit(frame, Y)
    np.testing.assert_array_equal(clf.predict_proba(frame), clf.predict_proba(FRAME))
    assert Margin().select(clf, frame, 2).indices.shape == (2,)
    with pytest.raises(ValueError, match=ORDER):
        clf.predict(frame[NAMES[::-1]])
