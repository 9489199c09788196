"""Stopping rules in an experiment: recorded, and acting when asked."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from skactive.exceptions import ResultsMismatchError
from skactive.experiments import Results, run_experiment
from skactive.plotting import write_report
from skactive.stopping import (
    Agreement,
    ClassChange,
    OverallUncertainty,
    PairedChange,
    StoppingRule,
)
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, digits, numbers


class Seen(StoppingRule):
    """Leaves what it is shown, and says to stop in the round of that number."""

    def __init__(self, at=99):
        self.at = at

    def observe(self, estimator, X_stop, y_stop=None):
        return np.asarray(X_stop, dtype=float).reshape(len(X_stop), -1).sum(1)

    def measure(self, seen):
        return len(seen) - 1

    def is_reached(self, value):
        return value >= self.at


RULES = [Agreement(window=1), ClassChange(), OverallUncertainty(), PairedChange(window=1), Seen()]


def run(rules=RULES, **changes):
    settings = BUDGET | {"seeds": 2, "progress": False, "stopping": rules} | changes
    return run_experiment(FlatSGD(), STRATEGIES, *digits(), **settings)


@pytest.fixture(scope="module")
def recorded():
    return run()


def runs(results):
    return results.frame.groupby(["strategy", "seed"], sort=False)


def test_what_is_recorded_is_what_the_rules_say(recorded):
    for _, rounds in runs(recorded):
        said = rounds["stopping"].tolist()
        for rule in RULES:
            own = [each[type(rule).__name__] for each in said]
            state = rule.judge(each["seen"] for each in own)
            values = [np.nan if each["value"] is None else each["value"] for each in own]
            np.testing.assert_array_equal(values, state.values)
            assert own[-1]["stop"] == state.stop
        # and by hand
        right = [np.mean(each["PairedChange"]["seen"]) for each in said]
        np.testing.assert_allclose(right, rounds["accuracy"])  # on the test data
        predicted = [each["Agreement"]["seen"] for each in said]
        kappa = cohen_kappa_score(predicted[-2], predicted[-1])
        assert said[-1]["Agreement"]["value"] == pytest.approx(kappa)
        change = np.mean(np.array(predicted[-2]) != predicted[-1])
        assert said[-1]["ClassChange"]["value"] == pytest.approx(change)
        assert said[0]["Agreement"]["value"] is None


def test_all_rounds_and_strategies_of_a_seed_look_at_the_same_samples(recorded):
    shown = {}
    for (_, seed), rounds in runs(recorded):
        for said in rounds["stopping"]:
            shown.setdefault(seed, said["Seen"]["seen"])
            assert said["Seen"]["seen"] == shown[seed]
    assert sorted(shown[0]) == sorted(shown[1])  # a pool below 2,000 is taken whole
    assert len(shown[0]) == len(digits()[0])


def test_of_a_large_pool_some_are_drawn(monkeypatch):
    from skactive.experiments import _stopping

    monkeypatch.setattr(_stopping, "N_STOP", 30)
    shown = {}
    for (_, seed), rounds in runs(run([Seen()], n_rounds=1)):
        for said in rounds["stopping"]:
            assert shown.setdefault(seed, said["Seen"]["seen"]) == said["Seen"]["seen"]
    assert len(shown[0]) == len(shown[1]) == 30
    assert shown[0] != shown[1]


def test_nothing_else_changes(recorded):
    plain = run(None)
    assert "stopping" not in plain.frame
    shared = numbers(recorded).drop(columns="stopping")
    pd.testing.assert_frame_equal(numbers(plain), shared, check_exact=True)


def test_interrupted_and_in_processes(recorded, tmp_path):
    run(out=tmp_path, n_rounds=1)
    continued = run(out=tmp_path, n_jobs=2)
    pd.testing.assert_frame_equal(numbers(continued), numbers(recorded), check_exact=True)
    loaded = Results.load(tmp_path)
    pd.testing.assert_frame_equal(numbers(loaded), numbers(recorded), check_exact=True)
    with pytest.raises(ResultsMismatchError, match="stopping.*was .* and is now"):
        run([Agreement(window=2), *RULES[1:]], out=tmp_path)
    with pytest.raises(ResultsMismatchError, match="stopping was .* and is now absent"):
        run(None, out=tmp_path)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_rule_ends_runs_when_asked(recorded, tmp_path, n_jobs):
    rules = {"late": Seen(at=2), "never": Seen()}
    stopped = run(rules, stop="late", out=tmp_path, n_jobs=n_jobs)
    assert stopped.frame["round"].max() == 2 < BUDGET["n_rounds"]
    whole = run(rules, out=tmp_path)
    columns = ["strategy", "seed", "round", "queried", "accuracy"]
    expected = numbers(recorded)[columns]
    pd.testing.assert_frame_equal(numbers(whole)[columns], expected, check_exact=True)
    short = expected[expected["round"] <= 2].reset_index(drop=True)
    for results in (stopped, run(rules, stop="late", out=tmp_path)):
        pd.testing.assert_frame_equal(numbers(results)[columns], short, check_exact=True)
    assert len(run(rules, stop="never", out=tmp_path).frame) == len(whole.frame)


def test_where_each_would_have_stopped(recorded):
    some = run({"at 1": Seen(at=1), "never": Seen()})
    points = some.stopping_points("balanced_accuracy")
    assert len(points) == 2 * len(runs(some))
    for point in points.to_dict("records"):
        own = some.frame.query(f"strategy == {point['strategy']!r} and seed == {point['seed']}")
        last = own[own["round"] == own["round"].max()].iloc[0]
        assert point["n_labelled_last"] == last["n_labelled"]
        assert point["balanced_accuracy_last"] == last["balanced_accuracy"]
        if point["rule"] == "never":
            assert np.isnan([point["n_labelled"], point["balanced_accuracy"]]).all()
        else:
            at = own[own["round"] == 1].iloc[0]
            assert point["n_labelled"] == at["n_labelled"]
            assert point["balanced_accuracy"] == at["balanced_accuracy"]
    assert set(recorded.stopping_points()["rule"]) == {type(rule).__name__ for rule in RULES}
    with pytest.raises(ValueError, match="'results' .* those of an experiment with stopping rules"):
        run(None, n_rounds=0, seeds=1).stopping_points()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"stopping": "Agreement"}, "'stopping' .* a dict of name to stopping rule, or a list"),
        ({"stopping": []}, "'stopping' .* For example"),
        ({"stopping": [Agreement]}, "'stopping' .*a list of rules"),
        ({"stopping": [Agreement(), Agreement(window=1)]}, "'stopping' .*of different classes"),
        ({"stopping": {1: Agreement()}}, "'stopping' .*dict of name"),
        ({"stopping": [Agreement(window=0)]}, "'window' parameter of Agreement"),
        ({"stop": "ClassChange"}, "'stop' .* a rule of stopping=, 'Agreement'. Got 'ClassChange'"),
        ({"stopping": None, "stop": "x"}, "'stop' .* which there are none of"),
    ],
    ids=str,
)
def test_wrong_arguments(changes, match):
    with pytest.raises(ValueError, match=match):
        run([Agreement()], **changes)


@pytest.mark.slow
def test_the_report_has_them(recorded, tmp_path):
    write_report(recorded, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    after = page.split("<h3>Where rules would have stopped</h3>")[1]
    assert 'alt="StoppingPoints"' in after
    assert "PairedChange" in after
