"""Strategies that come with an estimator of their own."""

import json
from typing import ClassVar

import pandas as pd
import pytest
import torch

from skactive import CNNClassifier, LPLClassifier
from skactive._validation import InvalidParameterError
from skactive.exceptions import ResultsMismatchError
from skactive.experiments import Results, run_experiment
from tests.experiments import stubs
from tests.experiments.stubs import BUDGET, FlatSGD, Shuffled, Unsure, digits


class Other(FlatSGD):
    """Another class of estimator, that learns the same."""


def run(strategies, estimator=None, out=None, **changes):
    settings = BUDGET | {"seeds": 2, "out": out, "progress": False} | changes
    return run_experiment(estimator or FlatSGD(), strategies, *digits(), **settings)


def numbers(results, strategy):
    frame = stubs.numbers(results)
    frame = frame[frame["strategy"] == strategy]
    return frame.drop(columns="strategy").reset_index(drop=True)


def test_each_arm_trains_its_own_estimator():
    own = FlatSGD(alpha=0.5)
    together = run({"common": Unsure(), "own": (own, Unsure())})
    alone = run({"own": Unsure()}, own)
    pd.testing.assert_frame_equal(numbers(together, "own"), numbers(alone, "own"))
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(numbers(together, "own"), numbers(together, "common"))


def test_equal_estimators_start_and_go_on_alike():
    results = run({"common": Unsure(), "own": (Other(), Unsure())})
    pd.testing.assert_frame_equal(numbers(results, "own"), numbers(results, "common"))


def test_equal_networks_get_equal_weights():
    network = CNNClassifier(
        "small_cnn", classes=range(10), max_epochs=1, module_params={"width": 2}
    )
    arms = {"one": Shuffled(), "other": (CNNClassifier(**network.get_params(False)), Shuffled())}
    results = run(arms, network, n_rounds=1, seeds=1)
    pd.testing.assert_frame_equal(numbers(results, "one"), numbers(results, "other"))


def test_a_list_of_pairs_is_named_by_the_strategies():
    frame = run([Shuffled(), (FlatSGD(), Unsure())], n_rounds=0, seeds=1).frame
    assert frame["strategy"].tolist() == ["Shuffled", "Unsure"]


def test_the_configuration_holds_the_estimators_that_differ(tmp_path):
    arms = {"common": Unsure(), "equal": (FlatSGD(), Unsure()), "own": (FlatSGD(0.5), Unsure())}
    first = run(arms, out=tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())["strategies"]
    assert "estimator" not in stored["common"]
    assert "estimator" not in stored["equal"]
    assert stored["own"]["estimator"]["params"] == {"alpha": 0.5}
    again = run(arms, out=tmp_path)  # nothing is computed: the times are those of the first
    pd.testing.assert_frame_equal(first.frame, again.frame)
    pd.testing.assert_frame_equal(Results.load(tmp_path).frame, first.frame)
    for changed, difference in [
        (FlatSGD(0.25), r"strategies\.own\.estimator\.params\.alpha was 0\.5 and is now 0\.25"),
        (FlatSGD(), r"strategies\.own\.estimator was \{.* and is now absent"),
        (Other(0.5), r"strategies\.own\.estimator\.class was '.*FlatSGD' and is now '.*Other'"),
    ]:
        with pytest.raises(ResultsMismatchError, match=difference):
            run({"own": (changed, Unsure())}, out=tmp_path)


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        ({"a": (3, Unsure())}, r"strategies\['a'\]\[0\].* an estimator with fit, .* Got 3"),
        ({"a": (FlatSGD, Unsure())}, r"an estimator with fit, .* Got <class .*Pass an instance"),
        ({"a": (FlatSGD(), Unsure)}, r"Got \{'a': \(FlatSGD\(\), .*pairs \(estimator, strategy\)"),
        ({"a": (Unsure(), FlatSGD())}, r"with select and get_params\. .* or pairs \(estimator, st"),
        ((FlatSGD(), Unsure()), r"with select and get_params\. Got \{'FlatSGD': FlatSGD\(\)\}"),
        (["Margin", "Entropy"], r"strategies with select and get_params\. .*Pass instances"),
        ([Unsure(), (FlatSGD(), Unsure())], r"a dict where two strategies are of one class"),
    ],
)
def test_wrong_pairs(strategies, message):
    with pytest.raises(InvalidParameterError, match=message):
        run(strategies)


def test_classes_that_one_of_the_estimators_is_not_told_of():
    with pytest.warns(UserWarning, match=r"classes=None lacks \[0, 1"):
        run({"own": (CNNClassifier(max_epochs=1), Unsure())}, n_rounds=0, seeds=1)


def test_a_network_trained_jointly_starts_from_the_same_weights_and_order():
    settings = {"max_epochs": 1, "lr": 1e-30, "module_params": {"width": 2}, "weight_decay": 0.0}
    arms = {
        "plain": Keeps(),
        "jointly": (LPLClassifier("small_cnn", classes=range(10), **settings), Keeps()),
    }
    network = CNNClassifier("small_cnn", classes=range(10), **settings)
    Keeps.networks.clear()
    run(arms, network, n_rounds=1, seeds=1)
    plain, jointly = Keeps.networks
    # Nothing is learnt at this rate: these are the initial weights, and BatchNorm's statistics of
    # the batches, in their order.
    assert plain.keys() <= jointly.keys()
    for name, value in plain.items():
        torch.testing.assert_close(jointly[name], value, rtol=0, atol=1e-20)


class Keeps(Shuffled):
    """Keeps the networks that it is given."""

    networks: ClassVar[list] = []

    def select(self, estimator, *args, **kwargs):
        state = estimator.module_.network.state_dict()
        self.networks.append({name: value.clone() for name, value in state.items()})
        return super().select(estimator, *args, **kwargs)
