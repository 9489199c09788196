"""What works with skorch's nets works here: slices of data sets, clones, trimmed nets, partials."""

import inspect
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from skorch.exceptions import SkorchTrainingImpossibleError
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from skactive import BADGE, CNNClassifier, Entropy, FisherMask, LPLClassifier
from skactive.estimators._signatures import extending
from skactive.exceptions import InvalidParameterError
from tests.estimators.test_own_callbacks import Logger, Writer

ROWS = np.random.default_rng(0).normal(size=(30, 5))
IMAGES = np.random.default_rng(0).integers(0, 255, (30, 9, 9), dtype=np.uint8)
Y = np.arange(30) % 3
BOTH = pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])


class Net(nn.Module):
    def __init__(self, in_features, num_classes, width=6):
        super().__init__()
        self.body, self.head = nn.Linear(in_features, width), nn.Linear(width, num_classes)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


def build(width, in_features, num_classes):
    return Net(in_features, num_classes, width)


def make(kind=CNNClassifier, **params):
    return kind(**{"max_epochs": 2, "random_state": 0, "device": "cpu", **params})


# -- SliceDataset -----------------------------------------------------------------


class Pairs(Dataset):
    def __init__(self, X):
        self.X, self.read = X, []

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        self.read.append(int(i))
        return self.X[i], int(Y[i])


@BOTH
@pytest.mark.parametrize("X", [ROWS, IMAGES], ids=["rows", "images"])
@pytest.mark.parametrize("tensors", [False, True])
def test_slices_of_a_data_set(kind, X, tensors):
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)) if tensors else Pairs(X)
    sliced, labels = SliceDataset(data), SliceDataset(data, idx=1)
    expected = make(kind).fit(X, Y)
    for clf in (make(kind).fit(sliced, Y), make(kind).fit(sliced, labels)):
        np.testing.assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(clf.predict_proba(sliced), expected.predict_proba(X))
    some = np.arange(3, 17)
    first = make(kind).partial_fit(sliced[some], labels[some], classes=[0, 1, 2])
    np.testing.assert_array_equal(
        first.predict(sliced[4:9]), make(kind).partial_fit(X[some], Y[some]).predict(X[4:9])
    )
    for strategy in (Entropy(), BADGE(random_state=0), FisherMask(random_state=0)):
        picked = strategy.select(expected, sliced, 3, X_labelled=X, y_labelled=Y).indices
        assert (picked == strategy.select(expected, X, 3, X_labelled=X, y_labelled=Y).indices).all()


def test_slices_are_read_in_batches():
    data = Pairs(IMAGES)
    clf = make(predict_batch_size=7).fit(IMAGES, Y)
    most = []
    forward = clf.module_.forward
    clf.module_.forward = lambda x: (most.append(len(data.read)), forward(x))[1]
    clf.predict(SliceDataset(data))
    assert most == [7, 14, 21, 28, 30]


def test_slices_in_searches_and_pipelines():
    sliced = SliceDataset(Pairs(ROWS))
    scores = [cross_val_score(make(), X, Y, cv=3) for X in (sliced, ROWS)]
    np.testing.assert_array_equal(*scores)
    pipeline = make_pipeline(FunctionTransformer(), make())
    search = GridSearchCV(pipeline, {"cnnclassifier__lr": [0.1, 0.01]}, cv=2).fit(sliced, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_errors_about_slices():
    with pytest.raises(ValueError, match="6 features, but CNNClassifier is expecting 5"):
        make().fit(ROWS, Y).partial_fit(SliceDataset(Pairs(np.zeros((30, 6)))), Y)
    with pytest.raises(ValueError, match="NaN or infinity, first in sample 0"):
        make().fit(ROWS, Y).predict(SliceDataset(Pairs(np.full((30, 5), np.nan))))


# -- nets -------------------------------------------------------------------------


@BOTH
def test_clones_of_the_net(kind):
    own = Logger(Writer())
    clf = make(kind, callbacks=[own], train_split=0.3).fit(ROWS, Y)
    net = clone(clf.net_)
    assert not net.initialized_
    assert len(own.writer.events) == 2
    net.fit(ROWS, Y)
    assert len(own.writer.events) == 4
    assert net.predict_proba(ROWS).shape == (30, 3)
    assert (net.module_ is clf.module_, net.history is clf.history_) == (False, False)
    again = clone(net).set_params(max_epochs=1).fit(ROWS, Y)
    assert len(again.history) == 1


@BOTH
def test_ctrl_c_in_a_clone_of_the_net(kind):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    net = clone(make(kind).fit(ROWS, Y).net_).set_params(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        net.fit(ROWS, Y)


@BOTH
def test_a_net_trimmed_for_prediction(kind):
    own = [Logger(Writer())]
    whole = make(kind).fit(ROWS, Y)
    clf = make(kind, callbacks=own).fit(ROWS, Y)
    size = len(pickle.dumps(whole))
    clf.net_.trim_for_prediction()
    assert len(own) == 1  # skorch clears its own list
    np.testing.assert_array_equal(clf.predict_proba(ROWS), whole.predict_proba(ROWS))
    if kind is LPLClassifier:
        np.testing.assert_array_equal(clf.predict_loss(ROWS), whole.predict_loss(ROWS))
    picked = [FisherMask(random_state=0).select(c, ROWS, 3).indices for c in (clf, whole)]
    np.testing.assert_array_equal(*picked)
    clf.set_params(callbacks=None)
    clf = pickle.loads(pickle.dumps(clf))
    assert len(pickle.dumps(clf)) < 0.6 * size
    with pytest.raises(SkorchTrainingImpossibleError, match="trimmed for prediction"):
        clf.partial_fit(ROWS, Y)
    before = clf.predict_proba(ROWS)
    clf.set_params(warm_start=True, lr=1e-30).fit(ROWS, Y)
    np.testing.assert_allclose(clf.predict_proba(ROWS), before, rtol=1e-12)
    clf.set_params(warm_start=False, lr=0.05).fit(ROWS, Y)
    np.testing.assert_array_equal(clf.predict_proba(ROWS), whole.predict_proba(ROWS))


# -- what makes a module ----------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "module",
    [
        partial(Net, width=4),
        partial(partial(Net, width=9), width=4),
        partial(build, 4),
        lambda in_features, num_classes: Net(in_features, num_classes, 4),
        partial(Net, num_classes=3, width=4),
    ],
)
def test_modules_by_functions(kind, module):
    plain = make(kind, module=Net, module_params={"width": 4}).fit(ROWS, Y)
    clf = clone(make(kind, module=module)).fit(ROWS, Y)
    np.testing.assert_array_equal(clf.predict_proba(ROWS), plain.predict_proba(ROWS))
    clf.set_params(warm_start=True).fit(ROWS, Y)


def test_partials_with_further_parameters():
    clf = make(module=partial(Net, width=4), module__width=7).fit(ROWS, Y)
    assert clf.module_.network.body.out_features == 7
    search = GridSearchCV(clf, {"module": [partial(Net, width=2), Net]}, cv=2).fit(ROWS, Y)
    assert len(search.cv_results_["params"]) == 2
    again = pickle.loads(pickle.dumps(clf)).set_params(warm_start=True).fit(ROWS, Y)
    assert again.module_.network.body.out_features == 7
    with pytest.raises(InvalidParameterError, match="as at the first fit"):
        again.set_params(module=partial(Net, width=5)).fit(ROWS, Y)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (partial(Net, num_classes=5), r"logits of shape \(n, 3\)"),
        (lambda: 3, "a function that returns one; <lambda> returned a int"),
        (partial(dict), "a function that returns one; dict returned a dict"),
        (dict, "a name or a torch.nn.Module class or instance"),
    ],
)
def test_functions_that_make_no_such_module(module, message):
    with pytest.raises(InvalidParameterError, match=message) as caught:
        make(module=module).fit(ROWS, Y)
    assert caught.value.parameter == "module"


def test_a_parameter_that_a_partial_does_not_take():
    with pytest.raises(InvalidParameterError, match="a parameter of Net, which takes width"):
        make(module=partial(Net, width=4), module__depth=3).fit(ROWS, Y)


# -- the constructor --------------------------------------------------------------


@BOTH
def test_parameters_of_the_module_in_the_constructor(kind):
    given = {"head_bias": False}
    clf = kind("resnet18", module__width=8, module_params=given, optimizer__nesterov=True)
    assert clf.module_params == {"head_bias": False, "width": 8}
    assert clf.optimizer_params == {"nesterov": True}
    assert given == {"head_bias": False}
    assert clone(clf).get_params() == clf.get_params()
    assert "module__width" in clf.get_params()
    assert "nested" not in clf.get_params()


@BOTH
@pytest.mark.parametrize("name", ["module_width", "widths__x", "epochs", "callbacks__x"])
def test_what_the_constructor_does_not_know(kind, name):
    with pytest.raises(
        TypeError, match=rf"{kind.__name__}.__init__\(\) got an unexpected keyword argument '{name}"
    ):
        kind(**{name: 3})


def test_a_constructor_that_extends_another():
    base = inspect.signature(CNNClassifier).parameters
    both = inspect.signature(LPLClassifier).parameters
    assert [name for name in both if name in base] == list(base)
    assert all(both[name] == base[name] for name in base)
    assert both["margin"].default == 1.0
    own = set(LPLClassifier().get_params(deep=False)) - set(CNNClassifier().get_params(deep=False))
    assert own == {
        "feature_layers",
        "loss_weight",
        "margin",
        "detach_after",
        "loss_module_dim",
        "loss_module_lr",
    }

    class Third(LPLClassifier):
        @extending(LPLClassifier.__init__)
        def __init__(self, module="auto", *, margin=2.0, third=3, **settings):
            super().__init__(module, margin=margin, **settings)
            self.third = third

    third = Third("small_cnn", lr=0.3, margin=0.5, third=4)
    params = clone(third).get_params(deep=False)
    assert (params["lr"], params["margin"], params["third"]) == (0.3, 0.5, 4)
    assert Third().margin == 2.0
    assert third.fit(IMAGES[:6], Y[:6]).net_.margin == 0.5
