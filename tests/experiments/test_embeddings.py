"""run_experiment(embeddings=E): a row stays with its image, whatever part is asked."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from skactive import CoreSet, Hybrid, Margin, Subsample, TypiClust
from skactive._pool import Pool
from skactive._validation import InvalidParameterError
from skactive.exceptions import ResultsMismatchError
from skactive.experiments import check_experiment, run_experiment
from tests.experiments.stubs import BUDGET, FlatSGD, Shuffled, digits

X, Y, X_TEST, Y_TEST = digits()
# A number in the image, and the same in its row: which image it is.
MARKED = np.array(X, dtype=np.float64)
MARKED.reshape(len(X), -1)[:, 0] = np.arange(len(X))
ROWS = np.random.default_rng(0).normal(size=(len(X), 3))
ROWS[:, 0] = np.arange(len(X))


class Aligned(BaseEstimator):
    """Notes which images and rows it is given."""

    seen: list

    def __init__(self, random_state=None):
        self.random_state = random_state

    def select(
        self,
        estimator,
        X_pool,
        n_instances,
        *,
        X_labelled=None,
        y_labelled=None,
        embeddings=None,
        embeddings_labelled=None,
    ):
        for samples, rows in ((X_pool, embeddings), (X_labelled, embeddings_labelled)):
            marks = np.asarray(samples).reshape(len(samples), -1)[:, 0]
            np.testing.assert_array_equal(marks, np.asarray(rows)[:, 0])
        Aligned.seen.append(len(embeddings))
        return SimpleNamespace(indices=np.arange(n_instances))


def run(strategies, embeddings, images=X, **changes):
    settings = BUDGET | {"seeds": 1, "progress": False} | changes
    test = list(X_TEST) if isinstance(images, list) else X_TEST
    return run_experiment(
        FlatSGD(), strategies, images, Y, test, Y_TEST, embeddings=embeddings, **settings
    )


@pytest.mark.parametrize("images", [MARKED, list(MARKED), torch.from_numpy(MARKED)], ids=type)
@pytest.mark.parametrize("rows", [ROWS, ROWS.astype(np.float32), torch.from_numpy(ROWS)], ids=type)
def test_rows_stay_with_their_images(images, rows):
    Aligned.seen = []
    run([Aligned()], rows, images)
    assert len(Aligned.seen) == BUDGET["n_rounds"]
    assert len(set(Aligned.seen)) == len(Aligned.seen)


def by_hand(strategy, embeddings):
    """Picks of each round, from the public parts."""
    found = run({"s": strategy}, embeddings).frame
    return [queried for queried in found["queried"] if len(queried)]


@pytest.mark.parametrize(
    "strategy",
    [
        CoreSet(),
        TypiClust(),
        Subsample(CoreSet(), n=60),
        Hybrid([CoreSet(), Margin()]),
    ],
    ids=lambda s: type(s).__name__,
)
def test_the_picks_are_those_of_a_strategy_that_embeds_by_itself(strategy):
    class Lookup:
        """Finds an image's row by the image itself."""

        def __init__(self):
            self.rows = {image.tobytes(): row for image, row in zip(X, ROWS, strict=True)}

        def __call__(self, block):
            return np.stack([self.rows[np.asarray(image).tobytes()] for image in block])

    assert len(Lookup().rows) == len(X)
    given = by_hand(strategy, ROWS)
    inner = strategy
    while not hasattr(inner, "embeddings"):
        inner = inner.strategy if hasattr(inner, "strategy") else inner.strategies[0]
    inner.set_params(embeddings=Lookup())
    assert given == by_hand(strategy, None)
    assert given != by_hand(strategy, ROWS[::-1].copy())


def test_a_part_of_a_pool_with_rows_of_its_own():
    """What select is given may be a part of a larger source, and rows are those of the part."""
    part = Pool.of(MARKED).part(np.arange(100, 40, -2))
    rows = ROWS[part.positions]
    plain = CoreSet(random_state=0).select(None, MARKED[part.positions], 5, embeddings=rows)
    np.testing.assert_array_equal(
        plain.indices, CoreSet(random_state=0).select(None, part, 5, embeddings=rows).indices
    )
    labelled = Pool.of(MARKED).part(np.arange(7, 3, -1))
    given = {"X_labelled": labelled, "y_labelled": Y[labelled.positions], "embeddings": rows}
    given["embeddings_labelled"] = ROWS[labelled.positions]
    one = CoreSet(random_state=0).select(None, part, 5, **given)
    given["X_labelled"] = MARKED[labelled.positions]
    two = CoreSet(random_state=0).select(None, MARKED[part.positions], 5, **given)
    np.testing.assert_array_equal(one.indices, two.indices)


def test_strategies_that_take_none_are_given_none():
    Aligned.seen = []
    results = run([Shuffled(), Aligned()], ROWS, MARKED)
    assert not results.failures
    assert len(Aligned.seen) == BUDGET["n_rounds"]


def test_features_as_the_images_themselves():
    """The simplest way to train on features: they are X."""
    features, test = X.reshape(len(X), -1), X_TEST.reshape(len(X_TEST), -1)
    settings = BUDGET | {"seeds": 1, "progress": False}
    clf = LogisticRegression(max_iter=500)
    results = run_experiment(
        clf, [CoreSet()], features, Y, test, Y_TEST, embeddings=features, **settings
    )
    assert results.frame["accuracy"].iloc[-1] > 0.5


@pytest.mark.slow
def test_several_processes_and_a_folder(tmp_path):
    here = run([CoreSet()], ROWS, seeds=2)
    there = run([CoreSet()], ROWS, seeds=2, n_jobs=2, out=tmp_path)
    pd.testing.assert_series_equal(here.frame["queried"], there.frame["queried"])
    assert not there.failures
    with pytest.raises(ResultsMismatchError, match=r"data\.embeddings"):
        run([CoreSet()], ROWS + 1, seeds=2, out=tmp_path)
    with pytest.raises(ResultsMismatchError, match=r"data\.embeddings .* absent"):
        run([CoreSet()], None, seeds=2, out=tmp_path)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (ROWS[:-1], r"'embeddings' parameter of run_experiment must be .* shape \(\d+, D\), a row"),
        (ROWS[:, 0], "'embeddings'"),
        (ROWS.tolist(), "'embeddings'"),
        (ROWS.astype(str), "'embeddings'"),
        (np.where(ROWS == 3, np.nan, ROWS), "embeddings of run_experiment contains NaN.* sample 3"),
    ],
)
def test_wrong_rows_are_named(rows, match):
    with pytest.raises(ValueError, match=match):
        run([CoreSet()], rows)
    settings = BUDGET | {"seeds": 1}
    with pytest.raises(ValueError, match=match):
        check_experiment(FlatSGD(), [CoreSet()], X, Y, X_TEST, Y_TEST, embeddings=rows, **settings)
    assert issubclass(InvalidParameterError, ValueError)
