"""`teach` of modAL's learners, whole or not at all (modAL#95)."""

import copy
import inspect
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.models import ActiveLearner, BayesianOptimizer, Committee, learners
from modAL.models.base import BaseLearner
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback

import skactive  # noqa: F401  # mends modAL
from skactive import CNNClassifier

V0_4_2 = "return_metrics" in inspect.signature(BaseLearner.query).parameters

rng = np.random.default_rng(0)
y = np.arange(30) % 3
X = rng.normal(size=(30, 4)).astype(np.float32) + y[:, None].astype(np.float32)
START, NEW = np.arange(9), np.arange(9, 14)
FAILS = {"with": None, "at": 1, "calls": 0}


class Fragile(ClassifierMixin, BaseEstimator):
    """Nearest mean; fails in the middle of fit when it is told to."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = len(y)
        FAILS["calls"] += 1
        if FAILS["with"] is not None and FAILS["calls"] == FAILS["at"]:
            raise FAILS["with"]
        self.means_ = np.array([X[y == c].mean(axis=0) for c in self.classes_])
        return self

    def predict_proba(self, X):
        p = np.exp(-((X[:, None] - self.means_) ** 2).sum(axis=2))
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Straight(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1))


def net(module=Straight, kind=NeuralNetClassifier, **settings):
    return kind(
        module, max_epochs=2, lr=0.5, verbose=0, train_split=None, classes=[0, 1, 2], **settings
    )


def learner(estimator):
    return ActiveLearner(estimator, X_training=X[START], y_training=y[START])


def make(owner, estimator=None):
    estimator = estimator or Fragile()
    if owner is ActiveLearner:
        return learner(estimator)
    return Committee([learner(clone(estimator)), learner(clone(estimator))])


def members(owner):
    return getattr(owner, "learner_list", [owner])


def state(owner):
    """Return samples, labels and predictions of a learner or of each in a committee."""
    return [
        (member.X_training.tolist(), member.y_training.tolist(), member.predict_proba(X))
        for member in members(owner)
    ]


def assert_same(one, other):
    for (X_one, y_one, p_one), (X_other, y_other, p_other) in zip(one, other, strict=True):
        assert X_one == X_other
        assert y_one == y_other
        np.testing.assert_array_equal(p_one, p_other)


@pytest.fixture
def fails(monkeypatch):
    """Have the n-th fit from now on fail."""

    def arm(error, at=1):
        for name, value in {"with": error, "at": at, "calls": 0}.items():
            monkeypatch.setitem(FAILS, name, value)

    arm(None)
    return arm


owners = pytest.mark.parametrize("owner", [ActiveLearner, Committee], ids=lambda o: o.__name__)


@owners
@pytest.mark.parametrize("how", [{}, {"only_new": True}, {"bootstrap": True}], ids=str)
@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_a_teach_that_fails_leaves_the_learner_as_it_was(owner, how, error, fails):
    taught = make(owner)
    estimators = [member.estimator for member in members(taught)]
    before = state(taught)
    fails(error, at=len(estimators))  # the last of a committee: the others are trained already
    with pytest.raises(type(error)):
        taught.teach(X[NEW], y[NEW], **how)
    assert_same(state(taught), before)
    assert [member.estimator.seen_ for member in members(taught)] == [9] * len(estimators)
    # The same call then works, and counts the samples once.
    fails(None)
    np.random.seed(0)
    taught.teach(X[NEW], y[NEW], **how)
    np.random.seed(0)
    expected = make(owner)
    np.random.seed(0)
    expected.teach(X[NEW], y[NEW], **how)
    assert_same(state(taught), state(expected))
    # modAL 0.4.2.1 adds nothing to a learner with only_new=True.
    added = 0 if how == {"only_new": True} and owner is ActiveLearner and V0_4_2 else 5
    assert [len(member.X_training) for member in members(taught)] == [9 + added] * len(estimators)
    assert all(m.estimator is e for m, e in zip(members(taught), estimators, strict=True))


@owners
@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ([1, 2, 0, 1, 55], ValueError),  # no such class
        ([1, 2, 0, 1], ValueError),
        ([1, 2, 0, 1, None], (TypeError, ValueError)),
        ([1, 2, 0, 1, np.nan], ValueError),
        (["1", "2", "0", "1", "2"], (TypeError, ValueError)),
    ],
    ids=["unknown", "too few", "None", "NaN", "names"],
)
def test_wrong_labels_are_not_kept(owner, labels, error):
    images = X.reshape(-1, 1, 2, 2)

    def image_learner():
        network = CNNClassifier(
            "small_cnn", classes=[0, 1, 2], max_epochs=1, random_state=0, module_params={"width": 2}
        )
        return ActiveLearner(network, X_training=images[START], y_training=y[START])

    taught = image_learner()
    if owner is Committee:
        taught = Committee([taught, image_learner()])
    before = [(m.X_training, m.y_training, m.predict_proba(images)) for m in members(taught)]
    with pytest.raises(error):
        taught.teach(images[NEW], labels)
    for member, (known, targets, p) in zip(members(taught), before, strict=True):
        assert member.X_training is known
        assert member.y_training is targets
        np.testing.assert_array_equal(member.predict_proba(images), p)
    taught.teach(images[NEW], [1, 2, 0, 1, 2])
    assert [len(m.y_training) for m in members(taught)] == [14] * len(members(taught))


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), Fragile()),
        VotingClassifier([("a", Fragile()), ("b", Fragile())], voting="soft"),
        ActiveLearner(Fragile(), query_strategy=len),
    ],
    ids=["Pipeline", "VotingClassifier", "ActiveLearner"],
)
def test_what_is_inside_is_put_back_too(estimator, fails):
    fails(None)
    taught = make(ActiveLearner, estimator)
    before = copy.deepcopy(taught.predict_proba(X))
    fails(ValueError("now"), at=1)
    with pytest.raises(ValueError, match="now"):
        taught.teach(X[NEW] + 100, y[NEW])
    np.testing.assert_array_equal(taught.predict_proba(X), before)


def breaks_after(kind, method, n):
    """Make a class whose method fails at its n-th call, after it has done its work."""
    calls = []

    def broken(self, *args, **kwargs):
        calls.append(1)
        result = getattr(kind, method)(self, *args, **kwargs)
        if len(calls) == n:
            raise ValueError("now")
        return result

    return type(kind.__name__, (kind,), {method: broken})


@pytest.mark.parametrize("settings", [{}, {"warm_start": True}], ids=str)
@pytest.mark.parametrize("module", [Straight, Straight()], ids=["class", "instance"])
def test_networks_that_are_trained_in_place_get_their_weights_back(settings, module):
    kind = breaks_after(NeuralNetClassifier, "train_step", 6)  # the second batch of the second fit
    fragile = net(module, kind, batch_size=5, **settings)
    taught = learner(fragile)
    before, epochs = taught.predict_proba(X), len(taught.estimator.history)
    with pytest.raises(ValueError, match="now"):
        taught.teach(X[NEW], y[NEW])
    np.testing.assert_array_equal(taught.predict_proba(X), before)
    assert len(taught.estimator.history) == epochs
    taught.teach(X[NEW], y[NEW])
    assert len(taught.X_training) == 14
    assert (taught.predict_proba(X) != before).any()


@pytest.mark.parametrize(
    "kind", [SGDClassifier, RandomForestClassifier], ids=lambda kind: kind.__name__
)
def test_warm_starts_of_scikit_learn_too(kind):
    fragile = breaks_after(kind, "fit", 2)(warm_start=True, random_state=0)
    fragile.set_params(**({"loss": "log_loss"} if kind is SGDClassifier else {"n_estimators": 3}))
    taught = learner(fragile)
    before = taught.predict_proba(X)
    if kind is RandomForestClassifier:
        fragile.set_params(n_estimators=6)
    with pytest.raises(ValueError, match="now"):
        taught.teach(X[NEW], y[NEW])
    np.testing.assert_array_equal(taught.predict_proba(X), before)


@owners
def test_fit_and_rebag_too(owner, fails):
    taught = make(owner)
    before = state(taught)
    fails(ValueError("now"), at=len(members(taught)))
    with pytest.raises(ValueError, match="now"):
        taught.fit(X[NEW], y[NEW])
    assert_same(state(taught), before)
    if owner is Committee:
        fails(ValueError("now"), at=2)
        with pytest.raises(ValueError, match="now"):
            taught.rebag()
        assert_same(state(taught), before)


def test_a_first_teach_that_fails_leaves_nothing(fails):
    new = ActiveLearner(Fragile())
    fails(ValueError("now"))
    with pytest.raises(ValueError, match="now"):
        new.teach(X[NEW], y[NEW])
    assert new.X_training is None
    assert vars(new.estimator) == {}


def test_an_optimizer_keeps_its_maximum(monkeypatch):
    optimizer = BayesianOptimizer(
        GaussianProcessRegressor(optimizer=None),
        X_training=X[START],
        y_training=y[START].astype(float),
    )
    best = optimizer.get_max()
    monkeypatch.setattr(BayesianOptimizer, "_set_max", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        optimizer.teach(X[NEW], 100.0 + y[NEW])
    assert optimizer.get_max() == best
    assert len(optimizer.X_training) == 9


class Bare:
    """An estimator that is none of scikit-learn's."""

    def fit(self, X, y):
        self.seen = len(y)
        if len(y) == 14:
            raise ValueError("now")


def test_an_estimator_without_parameters():
    taught = learner(Bare())
    with pytest.raises(ValueError, match="now"):
        taught.teach(X[NEW], y[NEW])
    assert taught.estimator.seen == len(taught.y_training) == 9


@pytest.mark.skipif(not hasattr(learners, "DeepActiveLearner"), reason="modAL 0.4.1 has none")
def test_a_deep_learner_trains_its_network_further():
    fragile = net(kind=breaks_after(NeuralNetClassifier, "train_step", 6), batch_size=5)
    taught = learners.DeepActiveLearner(fragile)
    taught.teach(X[START], y[START])
    before = taught.predict_proba(X)
    with pytest.raises(ValueError, match="now"):
        taught.teach(X[START], y[START])
    np.testing.assert_array_equal(taught.predict_proba(X), before)


def test_what_is_replaced_looks_as_before():
    names = {"self", "X", "y", "bootstrap", "only_new", "fit_kwargs"}
    assert set(inspect.signature(ActiveLearner.teach).parameters) == names
    assert ActiveLearner.teach.__doc__.strip().startswith("Adds X and y to the known training data")
    with pytest.raises(TypeError, match="missing a required argument: 'y'"):
        ActiveLearner(Fragile()).teach(X)
    assert issubclass(ActiveLearner, BaseLearner)


# 0.4.1 has no other that trains networks.
KINDS_OF_LEARNERS = [
    getattr(learners, name)
    for name in ("ActiveLearner", "DeepActiveLearner")
    if hasattr(learners, name)
]


class Presses(Callback):
    """Ctrl-C in the second epoch of the fit that it is told to."""

    def __init__(self, fit=None):
        self.fit = fit

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2 and FAILS["calls"] == self.fit:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def listening():
    """Have Python answer to Ctrl-C, which a shell has a job in its background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "wrap", [lambda net: net, lambda net: make_pipeline(StandardScaler(), net)]
)
@owners
@pytest.mark.usefixtures("listening")
def test_a_ctrl_c_that_skorch_swallows_teaches_nothing(owner, wrap, monkeypatch):
    """The cut training counted as a whole one, and the labels as learnt."""
    monkeypatch.setitem(FAILS, "calls", 0)
    taught = make(owner, wrap(net(callbacks=[Presses(fit=1)])))
    before = state(taught)
    monkeypatch.setitem(FAILS, "calls", 1)
    with pytest.raises(KeyboardInterrupt):
        taught.teach(X[NEW], y[NEW])
    assert_same(state(taught), before)
    monkeypatch.setitem(FAILS, "calls", 2)
    taught.teach(X[NEW], y[NEW])
    assert [len(member.X_training) for member in members(taught)] == [14] * len(members(taught))


@pytest.mark.usefixtures("listening")
def test_nor_does_one_in_the_first_training(monkeypatch):
    """Of an ActiveLearner; a DeepActiveLearner is not trained where it is made."""
    monkeypatch.setitem(FAILS, "calls", 1)
    with pytest.raises(KeyboardInterrupt):
        learners.ActiveLearner(
            net(callbacks=[Presses(fit=1)]), X_training=X[START], y_training=y[START]
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y[:, None],
        lambda y: pd.DataFrame({"label": y}),
        lambda y: torch.as_tensor(y)[:, None],
    ],
    ids=["column", "frame", "tensor"],
)
def test_a_column_of_labels_is_taught(make):
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
    learner = ActiveLearner(SGDClassifier(random_state=0), X_training=X[:4], y_training=y[:4])
    learner.teach(X[4:6], make(y[4:6]))
    np.testing.assert_array_equal(learner.y_training, y[:6])


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has it")
def test_texts_of_any_length_are_taught():
    X, y = np.arange(20.0).reshape(10, 2), np.array(["cat", "dog"] * 5)
    learner = ActiveLearner(SGDClassifier(random_state=0), X_training=X[:4], y_training=y[:4])
    learner.teach(X[4:6], y[4:6].astype(np.dtypes.StringDType()))
    assert learner.y_training.tolist() == y[:6].tolist()
