"""The module's own names of parameters, in callbacks and in the optimizer's groups.

"Freezer does not freeze": skorch#236; groups of parameters by name: skorch#261.
"""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Freezer, Initializer, ParamMapper, Unfreezer
from torch import nn

from skactive import CNNClassifier, LPLClassifier
from skactive.exceptions import InvalidParameterError

X = np.random.default_rng(0).normal(size=(24, 5))
Y = np.arange(24) % 3
BOTH = pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])


class Net(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(in_features, 6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU())
        self.head = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.head(self.body(x))


class Nested(nn.Module):
    """Has a submodule of the name that the estimator gives to the whole."""

    def __init__(self, in_features, num_classes):
        super().__init__()
        self.network = Net(in_features, num_classes)

    def forward(self, x):
        return self.network(x)


def in_body(name):
    return name.startswith("body")


def make(kind=CNNClassifier, **params):
    settings = {"module": Net, "max_epochs": 2, "random_state": 0, "device": "cpu", **params}
    return kind(**settings)


def first_weights(kind, module=Net, **params):
    """What training starts from: a step of no length."""
    still = make(kind, module=module, lr=1e-30, max_epochs=1, **params).fit(X, Y)
    return {name: p.detach().clone() for name, p in still.module_.network.named_parameters()}


def moved(clf, before):
    """The names of the parameters that training has changed."""
    now = dict(clf.module_.network.named_parameters())
    assert now.keys() == before.keys()
    return {name for name in before if not torch.equal(now[name], before[name])}


def inside(module, part):
    return {name for name in first_weights(CNNClassifier, module) if part in name}


@BOTH
@pytest.mark.parametrize(
    ("module", "pattern"),
    [
        (Net, "body*"),
        (Net, ["body.0.*", "body.2*"]),
        (Net, in_body),
        (Nested, "network.body*"),
    ],
)
def test_freezer(kind, module, pattern):
    clf = make(kind, module=module, callbacks=[Freezer(pattern)]).fit(X, Y)
    assert moved(clf, first_weights(kind, module)) == inside(module, "head")
    clf = pickle.loads(pickle.dumps(clf))
    before = {n: p.detach().clone() for n, p in clf.module_.network.named_parameters()}
    clf.set_params(warm_start=True).fit(X, Y)
    assert moved(clf, before) == inside(module, "head")


@BOTH
def test_freezer_and_unfreezer_in_partial_fit(kind):
    clf = make(kind, callbacks=[Freezer("body*"), Unfreezer("body.2.weight", at=3)])
    before, seen = first_weights(kind), []
    for _ in range(3):
        clf.partial_fit(X, Y)
        seen.append(moved(clf, before))
    assert seen == [inside(Net, "head")] * 2 + [inside(Net, "head") | {"body.2.weight"}]


@BOTH
def test_initializer_and_param_mapper(kind):
    fill = Initializer("head.bias", fn=partial(nn.init.constant_, val=7.0))
    double = ParamMapper("body.0.bias", fn=lambda p: p.data.mul_(2), at=1)
    clf = make(kind, callbacks=[fill, double], lr=1e-30, max_epochs=1).fit(X, Y)
    before = first_weights(kind)
    now = dict(clf.module_.network.named_parameters())
    assert now["head.bias"].tolist() == [7.0] * 3
    assert torch.equal(now["body.0.bias"], 2 * before["body.0.bias"])
    assert moved(clf, before) == {"head.bias", "body.0.bias"}


@BOTH
def test_groups_of_parameters(kind):
    clf = make(kind, optimizer_params={"param_groups": [("body*", {"lr": 0.0})]})
    assert moved(clf.fit(X, Y), first_weights(kind)) == inside(Net, "head")
    clf.partial_fit(X, Y)  # keeps the ratio of the rates
    assert moved(clf, first_weights(kind)) == inside(Net, "head")
    assert clf.net_.optimizer_.param_groups[0]["lr"] == 0


def test_groups_are_those_of_torch():
    """The same training as with torch's own groups, the order of the parameters aside."""
    params = {"param_groups": [("body*", {"lr": 0.01}), ("*.bias", {"weight_decay": 0.1})]}
    clf = make(optimizer_params=params).fit(X, Y)
    by_id = {id(p): name for name, p in clf.module_.network.named_parameters()}
    groups = [{by_id[id(p)] for p in g["params"]} for g in clf.net_.optimizer_.param_groups]
    assert groups == [inside(Net, "body"), {"head.bias"}, {"head.weight"}]


@BOTH
def test_callbacks_see_the_names(kind):
    names = []

    class Look(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            names.append([name for name, _ in named_parameters])

    clf = make(kind, callbacks=[Look()], max_epochs=1).fit(X, Y)
    own = [name for name, _ in clf.module_.network.named_parameters()]
    assert [name for name in names[0] if not name.startswith("loss_module_.")] == own
    assert len(names[0]) > len(own) or kind is CNNClassifier
    assert list(clf.module_.state_dict())[-1] == "network.head.bias"  # in files as before


def test_the_loss_module_is_not_taken_for_the_network():
    """Both have layers called `stages`."""
    images = np.random.default_rng(0).normal(size=(6, 1, 8, 8)).astype("float32")
    clf = make(LPLClassifier, module="small_cnn", callbacks=[Freezer("stages*")])
    clf.fit(images, Y[:6])
    assert all(p.requires_grad for p in clf.loss_module_.parameters())
    assert not any(p.requires_grad for p in clf.module_.network.stages.parameters())
    clf.set_params(callbacks=[Freezer("loss_module_.joined*")]).fit(images, Y[:6])
    assert not any(p.requires_grad for p in clf.loss_module_.joined.parameters())
    assert all(p.requires_grad for p in clf.module_.parameters())


@BOTH
def test_a_network_of_torchvision(kind):
    images = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    clf = make(
        kind,
        module="torchvision/shufflenet_v2_x0_5",
        callbacks=[Freezer(["conv1*", "stage*"])],
        optimizer_params={"param_groups": [("fc.bias", {"lr": 0.0})]},
        max_epochs=1,
    ).fit(images, Y[:4])
    frozen = {n for n, p in clf.module_.network.named_parameters() if not p.requires_grad}
    assert {name.partition(".")[0] for name in frozen} == {
        "conv1",
        "stage2",
        "stage3",
        "stage4",
    }
    (bias,) = clf.net_.optimizer_.param_groups[0]["params"]
    assert bias is clf.module_.network.fc.bias


def test_in_a_grid_search_over_a_pipeline():
    patterns = [[("body*", {"lr": 0.0})], [("head*", {"lr": 0.0})]]
    pipeline = make_pipeline(StandardScaler(), make())
    grid = {"cnnclassifier__optimizer__param_groups": patterns}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 2


@BOTH
@pytest.mark.parametrize(
    ("params", "parameter", "got", "near"),
    [
        ({"callbacks": [Freezer("boddy*")]}, "callbacks__Freezer__patterns", "boddy*", "body*"),
        ({"callbacks": [("f", Freezer("body"))]}, "callbacks__f__patterns", "body", "body*"),
        (
            {"callbacks": [Initializer(["head*", "network.head*"])]},
            "callbacks__Initializer__patterns",
            "network.head*",
            "head*",
        ),
        (
            {"optimizer_params": {"param_groups": [("bodi*", {"lr": 0.1})]}},
            "optimizer__param_groups",
            "bodi*",
            "body*",
        ),
        (
            {"optimizer_params": {"param_groups": [("body*", {}), ("body.0*", {"lr": 0.1})]}},
            "optimizer__param_groups",
            "body.0*",
            "head",
        ),
        (
            {"optimizer_params": {"param_groups": [("*", {}), ("head*", {"lr": 0.1})]}},
            "optimizer__param_groups",
            "head*",
            "none left",
        ),
    ],
)
def test_a_pattern_without_a_match(kind, params, parameter, got, near):
    clf = make(kind, **params)
    for method in (clf.fit, clf.partial_fit):
        with pytest.raises(InvalidParameterError) as caught:
            method(X, Y)
        error = caught.value
        assert (error.parameter, error.owner, error.got) == (parameter, kind.__name__, got)
        assert near in error.remedy
        assert not hasattr(clf, "net_")


def test_a_pattern_without_a_match_in_a_warm_start():
    clf = make(warm_start=True).fit(X, Y)
    net = clf.net_
    with pytest.raises(InvalidParameterError, match=r"callbacks__Freezer__patterns.*'boddy\*'"):
        clf.set_params(callbacks=[Freezer("boddy*")]).fit(X, Y)
    assert clf.net_ is net


def test_a_function_that_matches_nothing():
    clf = make(callbacks=[Freezer(lambda name: name.startswith("encoder"))])
    with pytest.raises(InvalidParameterError, match=r"There are body\*, body.0\*"):
        clf.fit(X, Y)


@pytest.mark.parametrize("groups", [[{"params": "body*"}], "body*", [("body*",)], [(3, {})]])
def test_groups_that_are_none(groups):
    with pytest.raises(InvalidParameterError, match=r"pairs \(pattern, settings\)"):
        make(optimizer_params={"param_groups": groups}).fit(X, Y)
