"""modAL's operations on every kind of data, for the mends of `skactive._modal`.

The same file runs against stock modAL where SKACTIVE_TEST_STOCK_MODAL is set; modal_matrix.py
does both, and knows which tests fail on stock.
"""

import importlib
import inspect
import os
import pickle
import subprocess
import sys

import joblib
import modAL.models
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from joblib.externals.loky import get_reusable_executor
from modAL.batch import uncertainty_batch_sampling
from modAL.models import ActiveLearner, BayesianOptimizer, Committee, CommitteeRegressor
from modAL.models.base import BaseLearner
from modAL.utils import data
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import VotingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STOCK = bool(os.environ.get("SKACTIVE_TEST_STOCK_MODAL"))
if not STOCK:
    # After modAL, on purpose: what modAL has imported already must be mended too.
    import skactive
    from skactive import _modal

mended_only = pytest.mark.skipif(STOCK, reason="concerns skactive, not modAL")
HAS_METRICS = "return_metrics" in inspect.signature(BaseLearner.query).parameters

rng = np.random.default_rng(0)
y = np.arange(30) % 3
X = np.round(rng.normal(size=(30, 4)) + 0.6 * y[:, None], 2).astype(np.float32)
START, OTHER, NEW, POOL = np.arange(6), np.arange(3, 12), np.arange(12, 17), np.arange(12, 30)

KINDS = ["array", "images", "frame", "series", "sparse", "list", "image_list"]
KINDS += ["tensor", "image_tensor"]


def as_kind(kind, rows):
    """Give rows of X and y as data of one kind; the labels in an index tell rows apart."""
    values, targets, images = X[rows], y[rows], X[rows].reshape(-1, 1, 2, 2)
    # Integers in reverse: row numbers taken for labels would find the wrong rows.
    frame = pd.DataFrame(values, columns=list("abcd"), index=29 - rows)
    return {
        "array": (values, targets),
        "images": (images, targets),
        "frame": (frame, targets),
        "series": (frame, pd.Series(targets, index=frame.index, name="target")),
        "sparse": (sp.csr_matrix(values), targets),
        "list": (values.tolist(), targets.tolist()),
        "image_list": (list(images), targets.tolist()),
        "tensor": (torch.tensor(values), torch.tensor(targets)),
        "image_tensor": (torch.tensor(images), torch.tensor(targets)),
    }[kind]


def flat(data):
    """Give data of any kind as an array with one row per sample."""
    data = data.toarray() if sp.issparse(data) else np.asarray(data)
    return data.reshape(len(data), -1)


class Means(ClassifierMixin, BaseEstimator):
    """Softmax of the negative squared distances to the class means; flattens what it gets."""

    def fit(self, X, y, note=None):
        self.X_, self.y_, self.note_ = flat(X).astype(float), np.asarray(y), note
        self.classes_ = np.unique(self.y_)
        self.means_ = np.array([self.X_[self.y_ == label].mean(axis=0) for label in self.classes_])
        return self

    def predict_proba(self, X):
        distances = ((flat(X)[:, None] - self.means_) ** 2).sum(axis=2)
        p = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def trained(*rows):
    """Train the reference, on arrays."""
    rows = np.concatenate(rows)
    return Means().fit(X[rows], y[rows])


def make(owner, kind="array", estimator=None, **kwargs):
    """Make a learner, or a committee of two, trained on data of a kind."""
    estimator = Means() if estimator is None else estimator

    def learner(rows, **kwargs):
        known, targets = as_kind(kind, rows)
        return ActiveLearner(clone(estimator), X_training=known, y_training=targets, **kwargs)

    if owner is ActiveLearner:
        return learner(START, **kwargs)
    return Committee([learner(START), learner(OTHER)], **kwargs)


def members_of(owner):
    """Pair each learner with the rows that it was first trained on."""
    learners = owner.learner_list if isinstance(owner, Committee) else [owner]
    return zip(learners, (START, OTHER), strict=False)


owners = pytest.mark.parametrize("owner", [ActiveLearner, Committee], ids=lambda o: o.__name__)
kinds = pytest.mark.parametrize("kind", KINDS)


# Operations × kinds of data -----------------------------------------------------------------


@owners
@kinds
@pytest.mark.parametrize("n_instances", [1, 2, 3])
def test_query(owner, kind, n_instances):
    learner, (pool, _) = make(owner, kind), as_kind(kind, POOL)
    indices, instances = learner.query(pool, n_instances=n_instances)

    expected, _ = make(owner).query(X[POOL], n_instances=n_instances)
    np.testing.assert_array_equal(indices, expected)
    assert type(instances) is type(pool)
    np.testing.assert_array_equal(flat(instances), X[POOL][expected])
    if kind == "image_list":
        assert all(isinstance(image, np.ndarray) for image in instances)
    if isinstance(pool, pd.DataFrame):
        pd.testing.assert_frame_equal(instances, pool.iloc[expected])


@owners
@pytest.mark.parametrize("n_instances", [1, 2, 3])
def test_query_integer_columns(owner, n_instances):
    """Indices that happen to be names of columns choose rows."""
    pool = pd.DataFrame(X[POOL], columns=range(4), index=29 - POOL)
    learner = make(owner)
    learner.query_strategy = lambda *args: (expected, None) if HAS_METRICS else expected
    expected = np.array([2, 0, 3])[:n_instances]
    indices, instances = learner.query(pool)
    np.testing.assert_array_equal(indices, expected)
    pd.testing.assert_frame_equal(instances, pool.iloc[expected])


@owners
@kinds
def test_teach(owner, kind):
    learner, (data, targets) = make(owner, kind), as_kind(kind, NEW)
    learner.teach(data, targets)
    for member, first in members_of(learner):
        rows = np.concatenate([first, NEW])
        expected, expected_targets = as_kind(kind, rows)
        assert type(member.X_training) is type(expected)
        assert getattr(member.X_training, "dtype", None) == getattr(expected, "dtype", None)
        np.testing.assert_array_equal(flat(member.X_training), X[rows])
        assert type(member.y_training) is type(expected_targets)
        np.testing.assert_array_equal(member.y_training, y[rows])
        np.testing.assert_allclose(member.predict_proba(X), trained(rows).predict_proba(X))
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(member.X_training, expected)


@owners
@kinds
def test_teach_only_new(owner, kind):
    learner = make(owner, kind)
    learner.teach(*as_kind(kind, NEW), only_new=True)
    for member, _ in members_of(learner):
        np.testing.assert_allclose(member.predict_proba(X), trained(NEW).predict_proba(X))


@pytest.fixture
def legacy_seed():
    """Seed the generator that modAL bootstraps with, and put it back."""
    state = np.random.get_state()
    np.random.seed(3)
    yield np.random.RandomState(3)
    np.random.set_state(state)


@owners
@kinds
def test_teach_bootstrap(owner, kind, legacy_seed):
    learner = make(owner, kind)
    learner.teach(*as_kind(kind, NEW), bootstrap=True)
    for member, first in members_of(learner):
        rows = np.concatenate([first, NEW])
        drawn = rows[legacy_seed.choice(len(rows), len(rows))]
        np.testing.assert_array_equal(member.estimator.X_, X[drawn])
        np.testing.assert_array_equal(member.estimator.y_, y[drawn])


@owners
@kinds
def test_teach_bootstrap_only_new(owner, kind, legacy_seed):
    learner = make(owner, kind)
    learner.teach(*as_kind(kind, NEW), bootstrap=True, only_new=True)
    for member, _ in members_of(learner):
        drawn = NEW[legacy_seed.choice(len(NEW), len(NEW))]
        np.testing.assert_array_equal(member.estimator.X_, X[drawn])
        np.testing.assert_array_equal(member.estimator.y_, y[drawn])


@owners
@kinds
def test_fit(owner, kind):
    learner, (data, targets) = make(owner, kind), as_kind(kind, NEW)
    learner.fit(data, targets)
    for member, _ in members_of(learner):
        assert member.X_training is data
        assert member.y_training is targets
        np.testing.assert_allclose(member.predict_proba(X), trained(NEW).predict_proba(X))


@owners
@kinds
def test_score(owner, kind):
    probabilities = np.mean(
        [trained(first).predict_proba(X[POOL]) for _, first in members_of(make(owner))], axis=0
    )
    expected = np.mean(probabilities.argmax(axis=1) == y[POOL])
    assert make(owner, kind).score(*as_kind(kind, POOL)) == pytest.approx(expected)
    assert 1 / 3 < expected < 1


@owners
@kinds
def test_bootstrap_init(owner, kind, legacy_seed):
    def bagged(rows):
        data, targets = as_kind(kind, rows)
        return ActiveLearner(Means(), X_training=data, y_training=targets, bootstrap_init=True)

    learner = bagged(START) if owner is ActiveLearner else Committee([bagged(START), bagged(OTHER)])
    for member, first in members_of(learner):
        drawn = first[legacy_seed.choice(len(first), len(first))]
        np.testing.assert_array_equal(member.estimator.X_, X[drawn])


@kinds
def test_committee_votes(kind):
    committee, (pool, _) = make(Committee, kind), as_kind(kind, POOL)
    expected = [trained(rows).predict_proba(X[POOL]) for rows in (START, OTHER)]
    expected = np.stack(expected, axis=1)  # (samples, members, classes)
    np.testing.assert_array_equal(committee.vote(pool), expected.argmax(axis=2))
    np.testing.assert_allclose(committee.vote_proba(pool), expected)
    np.testing.assert_allclose(committee.predict_proba(pool), expected.mean(axis=1))
    np.testing.assert_array_equal(committee.predict(pool), expected.mean(axis=1).argmax(axis=1))


@kinds
def test_committee_rebag(kind, legacy_seed):
    committee = make(Committee, kind)
    committee.rebag()
    for member, first in members_of(committee):
        drawn = first[legacy_seed.choice(len(first), len(first))]
        np.testing.assert_array_equal(member.estimator.X_, X[drawn])


@kinds
@pytest.mark.parametrize("strategy", ["consensus_entropy", "max_disagreement"])
def test_committee_strategies(kind, strategy):
    strategy = getattr(modAL.disagreement, f"{strategy}_sampling")
    committee, (pool, _) = make(Committee, kind, query_strategy=strategy), as_kind(kind, POOL)
    indices, instances = committee.query(pool, n_instances=2)
    expected, _ = make(Committee, query_strategy=strategy).query(X[POOL], n_instances=2)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(flat(instances), X[POOL][expected])


@kinds
def test_expected_error(kind):
    """It asks for `np.float` when it is imported (modAL#196), and takes the mended names."""
    from modAL.expected_error import expected_error_reduction

    learner, (pool, _) = make(ActiveLearner, kind), as_kind(kind, POOL)
    learner.query_strategy = expected_error_reduction
    indices, instances = learner.query(pool, n_instances=2)

    errors = []
    for row in POOL:
        rest, error = X[POOL[row != POOL]], 0.0
        for label, weight in enumerate(trained(START).predict_proba(X[[row]])[0]):
            refitted = Means().fit(np.vstack([X[START], X[[row]]]), np.append(y[START], label))
            error += weight * np.sum(1 - refitted.predict_proba(rest).max(axis=1))
        errors.append(error)
    assert set(indices) == set(np.argsort(errors)[:2])
    np.testing.assert_array_equal(flat(instances), X[POOL][indices])


# Pipelines ----------------------------------------------------------------------------------


@owners
@pytest.mark.parametrize("kind", ["array", "frame", "sparse", "list", "tensor"])
def test_pipeline(owner, kind):
    pipeline = make_pipeline(StandardScaler(with_mean=False), LogisticRegression())
    learner, (pool, _) = make(owner, kind, pipeline), as_kind(kind, POOL)
    indices, instances = learner.query(pool, n_instances=2)
    assert len(set(indices)) == 2
    np.testing.assert_array_equal(flat(instances), X[POOL][indices])
    learner.teach(*as_kind(kind, NEW))
    for member, first in members_of(learner):
        rows = np.concatenate([first, NEW])
        expected = clone(pipeline).fit(*as_kind(kind, rows)).predict_proba(pool)
        np.testing.assert_allclose(member.predict_proba(pool), expected)


@owners
@pytest.mark.parametrize("kind", ["array", "sparse", "list", "tensor"])
def test_on_transformed(owner, kind):
    pipeline = make_pipeline(StandardScaler(with_mean=False), LogisticRegression())
    options = {"query_strategy": uncertainty_batch_sampling, "on_transformed": True}
    learner = make(owner, kind, pipeline, **options)
    if owner is Committee:
        learner.X_training = as_kind(kind, START)[0]  # ranked batches read it; modAL leaves None
    pool, _ = as_kind(kind, POOL)
    columns = [member.estimator[0].transform(X[POOL]) for member, _ in members_of(learner)]
    np.testing.assert_allclose(
        flat(learner.transform_without_estimating(pool)), np.hstack(columns), rtol=1e-6
    )
    indices, instances = learner.query(pool, n_instances=3)
    assert len(set(indices)) == 3
    np.testing.assert_array_equal(flat(instances), X[POOL][indices])


def largest_first_column(learner, pool, n_instances=1):
    """Rank the pool by the first column of what the pipelines make of it."""
    first_column = flat(learner.transform_without_estimating(pool))[:, 0]
    indices = np.argsort(-first_column)[:n_instances]
    return (indices, first_column) if HAS_METRICS else indices


@owners
def test_on_transformed_frame(owner):
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, LogisticRegression())
    learner, (pool, _) = make(owner, "frame", pipeline, on_transformed=True), as_kind("frame", POOL)
    learner.query_strategy = largest_first_column
    blocks = [member.estimator[0].transform(pool) for member, _ in members_of(learner)]
    transformed = learner.transform_without_estimating(pool)
    pd.testing.assert_frame_equal(transformed, pd.concat(blocks, axis=1))
    indices, instances = learner.query(pool, n_instances=2)
    assert indices[0] == X[POOL][:, 0].argmax()
    pd.testing.assert_frame_equal(instances, pool.iloc[indices])


def test_on_transformed_ensemble_of_frames():
    scaler = StandardScaler().set_output(transform="pandas")
    pipelines = [(name, make_pipeline(scaler, LogisticRegression())) for name in ("one", "two")]
    learner = make(ActiveLearner, "frame", VotingClassifier(pipelines, voting="soft"))
    pool, _ = as_kind("frame", POOL)
    transformed = learner.transform_without_estimating(pool)
    assert transformed.shape == (len(POOL), 8)
    assert list(transformed.index) == list(pool.index)


# Parameters ---------------------------------------------------------------------------------


def make_any(name):
    regressor = GaussianProcessRegressor(alpha=0.1, optimizer=None)  # bootstraps are random
    data, targets = X[START], X[START, 0]
    if name == "BayesianOptimizer":
        return BayesianOptimizer(
            regressor, X_training=data, y_training=targets, bootstrap_init=True
        )
    if name == "CommitteeRegressor":
        members = [ActiveLearner(regressor, max, data, targets) for _ in range(2)]
        return CommitteeRegressor(members)
    if name == "DeepActiveLearner":
        if not hasattr(modAL.models, name):
            pytest.skip("modAL 0.4.1 has none")
        from skorch import NeuralNetClassifier

        net = NeuralNetClassifier(torch.nn.Linear, module__in_features=4, module__out_features=3)
        return modAL.models.DeepActiveLearner(net)
    return make({"ActiveLearner": ActiveLearner, "Committee": Committee}[name])


learners = pytest.mark.parametrize(
    "name",
    ["ActiveLearner", "BayesianOptimizer", "Committee", "CommitteeRegressor", "DeepActiveLearner"],
)


@learners
def test_repr(name):
    learner = make_any(name)
    assert repr(learner).startswith(f"{name}(")
    assert name in learner._repr_html_()
    if name == "BayesianOptimizer":
        assert "bootstrap_init=True" in repr(learner)


@learners
def test_get_params(name):
    learner = make_any(name)
    params = learner.get_params(deep=False)
    signature = inspect.signature(type(learner).__init__)
    assert set(params) == set(signature.parameters) - {"self", "fit_kwargs"}
    assert all(value is getattr(learner, key) for key, value in params.items())
    if "bootstrap_init" in params:
        assert params["bootstrap_init"] is (name == "BayesianOptimizer")
        assert learner.set_params(bootstrap_init=True).bootstrap_init is True


@learners
def test_clone(name):
    learner = make_any(name)
    copy = clone(learner)
    assert type(copy) is type(learner)
    assert copy.query_strategy is learner.query_strategy
    if "Committee" in name:
        assert len(copy.learner_list) == 2
        assert not set(map(id, copy.learner_list)) & set(map(id, learner.learner_list))
    else:
        assert copy.estimator is not learner.estimator
    if "bootstrap_init" in inspect.signature(type(learner)).parameters:
        assert copy.bootstrap_init is learner.bootstrap_init
        np.testing.assert_array_equal(copy.X_training, learner.X_training)
    if name not in ("BayesianOptimizer", "DeepActiveLearner"):  # drawn anew, and not trained
        np.testing.assert_allclose(copy.predict(X), learner.predict(X))


@owners
@kinds
def test_clone_of_a_taught_learner(owner, kind):
    learner = make(owner, kind)
    learner.teach(*as_kind(kind, NEW))
    for member, first in members_of(clone(learner)):
        rows = np.concatenate([first, NEW])
        np.testing.assert_array_equal(flat(member.X_training), X[rows])
        np.testing.assert_allclose(member.predict_proba(X), trained(rows).predict_proba(X))


def test_fit_kwargs():
    """They are not parameters; they reach `fit`, also on a bootstrap of the new data."""
    learner = ActiveLearner(Means(), X_training=X[START], y_training=y[START], note="first")
    assert learner.estimator.note_ == "first"
    assert "note" not in learner.get_params(deep=False)
    learner.teach(X[NEW], y[NEW], bootstrap=True, only_new=True, note="second")
    assert learner.estimator.note_ == "second"


# Wrong data ---------------------------------------------------------------------------------


@kinds
def test_index_out_of_range(kind):
    pool, _ = as_kind(kind, POOL)
    for index in (len(POOL), [0, len(POOL)], np.array([0, -len(POOL) - 1])):
        with pytest.raises(IndexError):
            data.retrieve_rows(pool, index)


@pytest.mark.parametrize("kind", ["array", "images", "frame", "list", "image_list", "tensor"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(kind, bad):
    learner, (new, targets) = make(ActiveLearner, kind), as_kind(kind, NEW)
    new = pickle.loads(pickle.dumps(new))
    if kind == "list":
        new[1][0] = bad
    elif kind == "frame":
        new.iloc[1, 0] = bad
    else:
        new[1][..., 0] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        learner.teach(new, targets)
    assert len(learner.X_training) == len(START)

    lenient = ActiveLearner(Means(), force_all_finite=False)
    lenient.teach(new, targets)
    np.testing.assert_array_equal(flat(lenient.X_training), flat(new))


@kinds
def test_lengths_differ(kind):
    learner, (new, targets) = make(ActiveLearner, kind), as_kind(kind, NEW)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        learner.teach(new, targets[:-1])
    assert data.data_shape(learner.X_training)[0] == len(START)


@pytest.mark.parametrize("kind", ["array", "images", "frame", "list", "tensor", "image_tensor"])
def test_features_differ(kind):
    learner, (new, targets) = make(ActiveLearner, kind), as_kind(kind, NEW)
    if kind == "frame":
        new = new.drop(columns="a")
    elif kind == "list":
        new = [row[1:] for row in new]
    else:
        new = new[..., 1:]
    with pytest.raises(ValueError, match="dimensions of the new training data"):
        learner.teach(new, targets)
    assert len(learner.X_training) == len(START)


# Row helpers --------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(
    "index",
    [[4, 1], np.array([-1, 0]), np.arange(18) % 5 == 0, slice(2, 5)],
    ids=["list", "negative", "mask", "slice"],
)
def test_retrieve_and_drop_rows(kind, index):
    pool, _ = as_kind(kind, POOL)
    rows = POOL[index]
    np.testing.assert_array_equal(flat(data.retrieve_rows(pool, index)), X[rows])
    np.testing.assert_array_equal(flat(data.drop_rows(pool, index)), X[np.setdiff1d(POOL, rows)])


@kinds
def test_single_row(kind):
    pool, _ = as_kind(kind, POOL)
    row = data.retrieve_rows(pool, np.int64(2))
    row = row.toarray() if sp.issparse(row) else np.asarray(row)
    np.testing.assert_array_equal(row.ravel(), X[POOL[2]])


@kinds
def test_enumerate_and_add_row(kind):
    pool, _ = as_kind(kind, POOL)
    start, _ = as_kind(kind, START)
    assert data.data_shape(pool)[0] == len(POOL)
    for number, row in data.enumerate_data(pool):
        longer = flat(data.add_row(start, row))
        np.testing.assert_array_equal(longer, X[[*START, POOL[number]]])
    assert number == len(POOL) - 1


@pytest.mark.parametrize("sparse_format", ["csc", "coo", "bsr", "lil", "dok", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_formats(sparse_format, kind):
    pool = getattr(sp, f"{sparse_format}_{kind}")(X[POOL])
    for index in ([3, 1], np.int64(3)):
        rows = data.retrieve_rows(pool, index)
        assert rows.format == sparse_format
        np.testing.assert_array_equal(rows.toarray(), X[POOL[np.atleast_1d(index)]])


def test_images_of_several_sizes():
    """A list of arrays that make no array together can be queried, taught and bootstrapped."""

    class MeanPixel(Means):
        def fit(self, X, y, **kwargs):
            return super().fit([[image.mean()] for image in X], y, **kwargs)

        def predict_proba(self, X):
            return super().predict_proba([[image.mean()] for image in X])

    pool = [np.full((1, 2 + i % 3, 2), i, dtype=np.float32) for i in range(10)]
    learner = ActiveLearner(MeanPixel(), X_training=pool[:4], y_training=[0, 0, 1, 1])
    indices, images = learner.query(pool, n_instances=2)
    assert all(image is pool[index] for index, image in zip(indices, images, strict=True))
    learner.teach(pool[4:7], [1, 0, 1])
    assert [image.mean() for image in learner.X_training] == list(range(7))
    learner.teach(pool[7:], [0, 1, 1], bootstrap=True)
    assert len(learner.X_training) == len(learner.estimator.X_) == 10
    with pytest.raises(ValueError, match="Input X contains NaN"):
        learner.teach([pool[0] * np.nan], [0])


def test_paths():
    """A list of strings stays a list of strings."""
    paths = [f"image{i}.png" for i in range(5)]
    assert data.retrieve_rows(paths, np.array([3, 1])) == ["image3.png", "image1.png"]
    assert data.retrieve_rows(paths, np.int64(2)) == "image2.png"
    assert data.data_vstack((paths[:2], paths[2:])) == paths


def test_dict():
    pool = {"image": X, "row": torch.arange(30)}
    rows = data.retrieve_rows(pool, np.array([5, 2]))
    np.testing.assert_array_equal(rows["image"], X[[5, 2]])
    assert rows["row"].tolist() == [5, 2]


@pytest.mark.parametrize(
    "helper", ["data_vstack", "data_hstack", "data_shape", "retrieve_rows", "enumerate_data"]
)
def test_unknown_kind(helper):
    arguments = ({1, 2}, [0]) if helper == "retrieve_rows" else ({1, 2},)
    if helper.endswith("stack"):
        arguments = ([{1, 2}, {3}],)
    with pytest.raises(TypeError, match="datatype is not supported"):
        getattr(data, helper)(*arguments)


@pytest.mark.parametrize("first", ["array", "series", "list", "tensor"])
@pytest.mark.parametrize("second", ["array", "series", "list", "tensor"])
def test_labels_of_two_kinds(first, second):
    """What an oracle returns need not be of the kind of the labels so far."""
    known, new = as_kind(first, START)[1], as_kind(second, NEW)[1]
    labels = data.data_vstack((known, new))
    assert type(labels) is type(known)
    np.testing.assert_array_equal(labels, y[[*START, *NEW]])


@mended_only
@pytest.mark.parametrize("first", ["array", "list", "tensor"])
@pytest.mark.parametrize("numbers_first", [True, False])
def test_numbers_and_strings_are_not_mixed(first, numbers_first):
    """NumPy turned the numbers into strings, and every class was learnt twice."""
    numbers = as_kind(first, START)[1]
    strings = np.array(list("abc"))[y[NEW]]
    strings = strings.tolist() if first == "list" else strings
    blocks = (numbers, strings) if numbers_first else (strings, numbers)
    with pytest.raises(TypeError, match="numbers and strings cannot be mixed. Convert one"):
        data.data_vstack(blocks)
    known, new = blocks
    learner = ActiveLearner(LogisticRegression(), X_training=X[: len(known)], y_training=known)
    with pytest.raises(TypeError, match="numbers and strings cannot be mixed"):
        learner.teach(X[: len(new)], new)
    assert len(learner.y_training) == len(learner.X_training) == len(known)


# skactive's own -----------------------------------------------------------------------------


class Counting:
    """Count the calls, and choose the samples with the largest first value."""

    def __init__(self):
        self.calls = 0

    def __call__(self, learner, pool, n_instances=1):
        self.calls += 1
        utilities = flat(pool)[:, 0].astype(float)
        return _modal.query_result(np.argsort(-utilities)[:n_instances], utilities)


@mended_only
@owners
@kinds
@pytest.mark.parametrize("n_instances", [1, 2, 3])
def test_one_call_per_query(owner, kind, n_instances):
    learner, (pool, _) = make(owner, kind), as_kind(kind, POOL)
    learner.query_strategy = strategy = Counting()
    indices, instances = learner.query(pool, n_instances=n_instances)
    assert strategy.calls == 1
    assert isinstance(indices, np.ndarray)
    np.testing.assert_array_equal(indices, np.argsort(-X[POOL, 0])[:n_instances])
    np.testing.assert_array_equal(flat(instances), X[POOL][indices])


@mended_only
@owners
def test_query_returns_metrics(owner):
    learner = make(owner)
    learner.query_strategy = strategy = Counting()
    if not HAS_METRICS:
        assert isinstance(strategy(learner, X[POOL], 2), np.ndarray)
        return
    indices, _, utilities = learner.query(X[POOL], n_instances=2, return_metrics=True)
    assert strategy.calls == 1
    np.testing.assert_array_equal(indices, np.argsort(-X[POOL, 0])[:2])
    np.testing.assert_allclose(utilities, X[POOL, 0])


@mended_only
def test_mended_once():
    held = data.data_vstack, Committee.vote, ActiveLearner.__init__, ActiveLearner._fit_on_new
    importlib.reload(_modal).mend()
    assert held == (
        data.data_vstack,
        Committee.vote,
        ActiveLearner.__init__,
        ActiveLearner._fit_on_new,
    )


@mended_only
def test_nothing_outside_modal_changes():
    code = """
import sklearn.utils, sklearn.utils.validation, pandas
modules = sklearn.utils, sklearn.utils.validation, pandas, pandas.DataFrame
before = [dict(vars(module)) for module in modules]
import skactive, modAL
from skactive import _modal
for module, names in zip(modules, before):
    assert all(vars(module)[name] is value for name, value in names.items()), module
assert _modal.check_X_y is not sklearn.utils.check_X_y
from modAL.models import base, learners
assert _modal.check_X_y in [vars(module).get("check_X_y") for module in (base, learners)]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@mended_only
def test_signatures_are_kept():
    for owner in (ActiveLearner, BayesianOptimizer, Committee):
        assert "self" in inspect.signature(owner.__init__).parameters
    parameters = inspect.signature(ActiveLearner).parameters
    assert list(parameters)[:4] == ["estimator", "query_strategy", "X_training", "y_training"]
    assert parameters["bootstrap_init"].default is False
    assert list(inspect.signature(Committee.vote).parameters) == ["self", "X", "predict_kwargs"]
    assert inspect.signature(ActiveLearner._fit_to_known).parameters["bootstrap"].default is False
    assert ActiveLearner.__init__.__doc__ == inspect.unwrap(ActiveLearner.__init__).__doc__


@pytest.mark.slow
@mended_only
@pytest.mark.parametrize("name", ["Entropy", "CNNClassifier"])
def test_loky_worker(name):
    """A worker that only unpickles a strategy or an estimator has a mended modAL."""

    # Local, so that it travels by value: the worker would import this file, and skactive with it.
    def teach(pickled, X, y):
        import pickle

        before = "skactive" in sys.modules
        thing = pickle.loads(pickled)
        after = "skactive" in sys.modules

        from modAL.models import ActiveLearner
        from sklearn.linear_model import LogisticRegression

        learner = ActiveLearner(LogisticRegression(), X_training=X[:6], y_training=y[:6])
        learner.teach(X[6:], y[6:])
        return before, after, type(thing).__name__, len(learner.X_training), repr(learner)

    pickled = pickle.dumps(getattr(skactive, name)())
    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests know skactive
    results = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(teach)(pickled, X, y) for _ in range(2)
    )
    assert results[0][0] is False  # the first task of all
    for _, after, unpickled, n_training, text in results:
        assert after
        assert (unpickled, n_training) == (name, len(X))
        assert text.startswith("ActiveLearner(")


@mended_only
def test_a_class_is_no_query_strategy():
    from sklearn.linear_model import LogisticRegression

    from skactive import Margin

    with pytest.raises(TypeError, match="such as Margin\\(\\). Got the class Margin: add paren"):
        ActiveLearner(LogisticRegression(), query_strategy=Margin)


@mended_only
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_images_of_two_scales_are_not_mixed(kind):
    from sklearn.dummy import DummyClassifier

    X = np.zeros((4, 8, 8), np.uint8)
    learner = ActiveLearner(DummyClassifier(), X_training=kind(X), y_training=np.arange(4) % 2)
    with pytest.raises(TypeError, match="the dtype and the scale of the labelled ones"):
        learner.teach(kind(X / 255), np.arange(4) % 2)
    learner.teach(kind(X), np.arange(4) % 2)
    assert len(learner.X_training) == 8


@pytest.mark.parametrize("dtype", ["int64", "uint16", "int8"])
def test_images_of_other_integers_are_not_mixed_with_floats(dtype):
    """int64 images of 0 to 255 were stacked onto floats of 0 to 1, and trained on."""
    from skactive import CNNClassifier

    images = np.random.default_rng(0).random((8, 6, 6, 1), dtype=np.float32)
    learner = ActiveLearner(
        CNNClassifier(classes=[0, 1], max_epochs=1, device="cpu"),
        X_training=images[:4],
        y_training=[0, 1, 0, 1],
    )
    with pytest.raises(TypeError, match="of other integers cannot be mixed"):
        learner.teach((100 * images[4:]).astype(dtype), [0, 1, 0, 1])
    assert learner.X_training.dtype == np.float32
    assert len(learner.X_training) == 4
    with pytest.raises(ValueError, match="float images, as the estimator was fitted"):
        learner.predict((100 * images).astype(dtype))
