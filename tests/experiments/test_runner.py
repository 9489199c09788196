"""Continuing after kills, extending, the progress bar, and wrong arguments."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import SGDClassifier

from skactive._validation import InvalidParameterError
from skactive.experiments import Results, _loop, run_experiment
from tests.experiments import killed_run
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, Shuffled, Unsure, digits, numbers
from tests.forked import forked


def run(out=None, strategies=STRATEGIES, estimator=None, **changes):
    settings = BUDGET | {"seeds": 2, "out": out, "progress": False} | changes
    return run_experiment(estimator or FlatSGD(), strategies, *digits(), **settings)


@pytest.fixture(scope="module")
def uninterrupted():
    return numbers(run())


@pytest.fixture
def counting(monkeypatch):
    """Count the trainings; where that is done, the configuration does not see it."""
    counted, train = SimpleNamespace(fits=0), _loop._train

    def counted_train(*args):
        counted.fits += 1
        return train(*args)

    monkeypatch.setattr(_loop, "_train", counted_train)
    return counted


@pytest.mark.slow
def test_killed_at_many_moments_a_run_ends_with_the_same_numbers(tmp_path, uninterrupted, counting):
    results = tmp_path / "results.jsonl"
    lines = 0
    moments = [("fit:1", 0), ("select:2", 1), ("write:3", 2), ("append:2", 2), ("fit:3", 2)]
    for moment, finished in moments:
        assert forked(killed_run.main, tmp_path, moment).exitcode == -9
        lines += finished
        content = results.read_bytes()
        assert content.count(b"\n") == lines
        assert content.endswith(b"\n") == (lines > 0 and not moment.startswith("write"))
    # And the last record torn by hand.
    with results.open("rb+") as file:
        file.truncate(len(content) - 25)
    continued = run(tmp_path)
    assert counting.fits == 2 * 2 * 4 - (lines - 1)
    pd.testing.assert_frame_equal(numbers(continued), uninterrupted, check_exact=True)
    pd.testing.assert_frame_equal(numbers(Results.load(tmp_path)), uninterrupted, check_exact=True)
    assert results.read_bytes().count(b"\n") == 16


def test_a_finished_experiment_computes_nothing(tmp_path, counting):
    first = run(tmp_path)
    fits = counting.fits
    again = run(tmp_path)
    assert counting.fits == fits == 16
    pd.testing.assert_frame_equal(again.frame, first.frame, check_exact=True)


def test_rounds_seeds_and_strategies_extend(tmp_path, uninterrupted, counting):
    run(tmp_path, {"shuffled": Shuffled()}, n_rounds=1, seeds=1)
    run(tmp_path, {"shuffled": Shuffled()}, seeds=1)
    # Round 1 queried nothing when it was the last: it is computed again; round 0 is not.
    assert counting.fits == 2 + 3
    assert run(tmp_path, {"unsure": Unsure()}, n_rounds=0).frame["seed"].tolist() == [
        0,
        1,
    ]
    extended = run(tmp_path)
    assert counting.fits == 2 + 3 + 2 + 4 + 8
    pd.testing.assert_frame_equal(numbers(extended), uninterrupted, check_exact=True)
    pd.testing.assert_frame_equal(numbers(Results.load(tmp_path)), uninterrupted, check_exact=True)


def test_fewer_are_read_without_the_others(tmp_path):
    run(tmp_path)
    size = (tmp_path / "results.jsonl").stat().st_size
    fewer = run(tmp_path, {"unsure": Unsure()}, n_rounds=1, seeds=[1]).frame
    assert fewer[["strategy", "seed", "round"]].to_numpy().tolist() == [
        ["unsure", 1, 0],
        ["unsure", 1, 1],
    ]
    assert (tmp_path / "results.jsonl").stat().st_size == size


def test_a_gap_is_filled(tmp_path, uninterrupted):
    run(tmp_path)
    path = tmp_path / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))
    pd.testing.assert_frame_equal(numbers(run(tmp_path)), uninterrupted, check_exact=True)


def test_an_error_keeps_the_finished_rounds(tmp_path, uninterrupted, monkeypatch):
    def fails(self, X):
        if self.t_ > 200:
            raise RuntimeError("no more")
        return predict(self, X)

    predict = SGDClassifier.predict
    monkeypatch.setattr(SGDClassifier, "predict", fails)  # what is installed is not looked at
    with pytest.raises(RuntimeError, match="no more"):
        run(tmp_path)
    monkeypatch.setattr(SGDClassifier, "predict", predict)
    assert len(Results.load(tmp_path).frame) == 4 * 2
    pd.testing.assert_frame_equal(numbers(run(tmp_path)), uninterrupted, check_exact=True)


def test_a_list_is_named_by_class():
    frame = run(strategies=[Unsure(), Shuffled()], n_rounds=0, seeds=1).frame
    assert frame["strategy"].tolist() == ["Unsure", "Shuffled"]


def test_the_progress_bar_goes_to_stderr_and_counts_what_was_done(tmp_path, capsys):
    run(tmp_path, n_rounds=1, seeds=1, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err
    assert "strategy=shuffled, seed=0, labels=30, accuracy=0." in shown.err
    run(tmp_path, n_rounds=1, seeds=2, progress=True)
    shown = capsys.readouterr()
    assert " 4/8" in shown.err.split("\r")[1]
    run(tmp_path, n_rounds=1, seeds=2, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": FlatSGD}, r"'estimator' .* must be an estimator with fit, .*Pass an inst"),
        ({"estimator": "cnn"}, r"'estimator' .* Got 'cnn' instead"),
        ({"strategies": {}}, r"'strategies' .* must be a dict of .*, at least one\. Got \{\}"),
        ({"strategies": Unsure()}, r"'strategies' .* Got Unsure\(\) instead\. For example"),
        ({"strategies": [Unsure]}, r"'strategies' .* select and get_params\. .*Pass instances"),
        ({"strategies": {1: Unsure()}}, r"'strategies' .* Got \{1: Unsure\(\)\} instead"),
        ({"strategies": ["margin"]}, r"'strategies' .* Got \{'str': 'margin'\} instead"),
        (
            {"strategies": [Unsure(), Unsure()]},
            r"'strategies' .* a dict where two .* Give each a name of its own",
        ),
        ({"n_initial": 0}, r"'n_initial' .* must be an int from 1 to 300 \(all of X\)\. Got 0"),
        ({"n_instances": 0}, r"'n_instances' .* must be an int of at least 1\. Got 0"),
        (
            {"n_rounds": 29},
            r"'n_rounds' .* must be an int from 0 to 28 \(X has 300 images, 20 are labelled at "
            r"first, and a round asks for 10\)\. Got 29 instead\. Lower n_rounds",
        ),
        ({"n_rounds": 1.0}, r"'n_rounds' .* Got 1\.0 instead"),
        ({"seeds": 0}, r"'seeds' .* must be an int of at least 1\. Got 0"),
        ({"seeds": []}, r"'seeds' .* must be at least one seed\. Got \[\] instead\. Pass seeds=1"),
        ({"seeds": [0, 0]}, r"'seeds' .* must be distinct\. Got \[0, 0\] instead\. A seed twice"),
        ({"seeds": [-1]}, r"'seeds' .* must be an int of at least 0\. Got -1 instead"),
        ({"seeds": "01"}, r"'seeds' .* Got '01' instead"),
        ({"initial": "even"}, r"'initial' .* must be 'random' or 'balanced'\. Got 'even' .*evenly"),
    ],
)
def test_wrong_arguments(changes, message, tmp_path):
    with pytest.raises(InvalidParameterError, match=f"^The {message}"):
        run(tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()


X, y, X_test, y_test = digits()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((3, y, X_test, y_test), r"'X' .* must be images, .* Got 3 instead\. Pass an array"),
        ((np.array(3), y, X_test, y_test), r"'X' .* Got array\(3\) instead"),
        ((X[:0], y, X_test, y_test), r"'X' .* at least one, .* shape \(0, 8, 8\) and dtype"),
        ((X, y[1:], X_test, y_test), r"'y' .* 1-D, a label for each of the 300 rows of X\. .*299"),
        ((X, y[:, None], X_test, y_test), r"'y' .* Got an array of shape \(300, 1\)"),
        ((X, y, X_test, y), r"'y_test' .* each of the 200 rows of X_test\. .*X_test and y_test be"),
        ((X, y, X_test, y_test.astype(str)), r"'y_test' .* numbers, as y is\. Got strings, \['"),
        ((X, list(map(str, y)), X_test, y_test), r"'y_test' .* strings, as y is\. Got numbers, \["),
        ((X, y, X_test, y_test + 1), r"'y_test' .* labels of classes that y has, too\. Got \[10\]"),
        ((X, y, X_test[:, :4], y_test), r"'X_test' .* of the same shape as .*X, \(8, 8\)\. .*4, 8"),
    ],
)
def test_wrong_data(data, message):
    with pytest.raises(InvalidParameterError, match=message):
        run_experiment(FlatSGD(), [Unsure()], *data, **BUDGET, seeds=1, progress=False)


def test_labels_that_are_missing_are_named():
    with pytest.raises(ValueError, match=r"^y has no label at position \d+, and at \d+ more\."):
        run_experiment(
            FlatSGD(), [Unsure()], X, np.where(y == 0, np.nan, y), X_test, y_test, **BUDGET, seeds=1
        )
    with pytest.raises(ValueError, match=r"^y_test has no label at position 0\. Label these"):
        run_experiment(FlatSGD(), [Unsure()], X, y, X_test, [None, *y_test[1:]], **BUDGET, seeds=1)


def test_out_must_not_be_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("kept")
    message = r"'out' .* must be a folder, or a path to make one at\. Got .* It is a file"
    with pytest.raises(InvalidParameterError, match=message):
        run(path)
    assert path.read_text() == "kept"


@pytest.mark.parametrize("of_lists", [0, 1])
def test_a_list_and_an_array_belong_together(of_lists):
    """A list has no shape to compare."""
    both = [X, X_test]
    both[of_lists] = list(both[of_lists])
    settings = BUDGET | {"seeds": 1, "progress": False}
    found = run_experiment(FlatSGD(), STRATEGIES, both[0], y, both[1], y_test, **settings)
    expected = run_experiment(FlatSGD(), STRATEGIES, X, y, X_test, y_test, **settings)
    assert found.frame["accuracy"].tolist() == expected.frame["accuracy"].tolist()
