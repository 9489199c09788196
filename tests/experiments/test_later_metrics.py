"""Metrics that are added later: computed from what is recorded, or named as impossible."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, make_scorer

from skactive.exceptions import ResultsMismatchError
from skactive.experiments import Results, check_experiment, run_experiment
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, digits, numbers


def run(out=None, function=run_experiment, **changes):
    settings = BUDGET | {"seeds": 1, "out": out, "progress": False} | changes
    return function(FlatSGD(), STRATEGIES, *digits(), **settings)


@pytest.mark.parametrize(
    "metrics",
    [{"again": "balanced_accuracy"}, {"mine": "accuracy", "other": make_scorer(accuracy_score)}],
    ids=["name", "scorer"],
)
def test_what_is_recorded_is_taken_from_there(tmp_path, metrics):
    before = run(tmp_path, n_rounds=2)
    later = run(tmp_path, metrics=metrics)
    whole = run(metrics=metrics)
    pd.testing.assert_frame_equal(numbers(later), numbers(whole), check_exact=True)
    pd.testing.assert_frame_equal(numbers(Results.load(tmp_path)), numbers(whole), check_exact=True)
    kept = later.frame[later.frame["round"] < 2]["train_seconds"]
    assert kept.tolist() == before.frame[before.frame["round"] < 2]["train_seconds"].tolist()
    size = (tmp_path / "results.jsonl").stat().st_size
    run(tmp_path, metrics=metrics)
    assert (tmp_path / "results.jsonl").stat().st_size == size


def own(estimator, X, y):
    return float(np.mean(estimator.predict(X) == y))


@pytest.mark.parametrize("function", [run_experiment, check_experiment])
@pytest.mark.parametrize("metrics", [["roc_auc_ovr"], {"roc_auc_ovr": own}], ids=["name", "own"])
def test_what_is_not_recorded_is_named(tmp_path, function, metrics):
    run(tmp_path, n_rounds=0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    message = (
        r"^The finished rounds lack roc_auc_ovr, which cannot be computed any more: neither "
        r"networks nor predictions are kept\. Leave it out of metrics=, or pass another out= to tr"
    )
    with pytest.raises(ResultsMismatchError, match=message):
        run(tmp_path, function, **{"metrics": metrics, "progress": False})
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_metric_that_is_left_out_or_changed_is_a_difference(tmp_path):
    run(tmp_path, n_rounds=0, metrics={"own": own})
    for metrics in [None, {"own": "f1_macro"}]:
        with pytest.raises(ResultsMismatchError, match=r"metrics\.own was .* and is now"):
            run(tmp_path, n_rounds=0, metrics=metrics)
