"""The Displays that compare strategies: what they compute from results, and what they draw."""

import builtins

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from skactive._validation import InvalidParameterError
from skactive.exceptions import UnfinishedRunsWarning
from skactive.experiments import Results
from skactive.plotting import (
    CalibrationCurvesDisplay,
    ClassBalanceDisplay,
    CriticalDifferenceDisplay,
    LearningCurvesDisplay,
    PenaltyMatrixDisplay,
    QueriedImagesDisplay,
    TimeAccuracyDisplay,
    write_report,
)


def bins(count, confidence, accuracy):
    return {"count": count, "confidence": confidence, "accuracy": accuracy}


def record(strategy, seed, round_, accuracy, dataset="clothes", **more):
    return {
        "dataset": dataset,
        "strategy": strategy,
        "seed": seed,
        "round": round_,
        "n_labelled": 10 * (round_ + 1),
        "queried": [0, 1, 2],
        "queried_classes": {"0": 1, "1": 2},
        "recall": {"0": 0.5, "1": 0.5, "10": 0.5},
        "accuracy": accuracy,
        "log_loss": 1 - accuracy,
        "query_seconds": 2.0 if strategy == "margin" else 0.5,
        "calibration": None,
        **more,
    }


RECORDS = [
    record(strategy, seed, round_, 0.5 + 0.1 * round_ + 0.01 * seed + 0.2 * better)
    for strategy in ["margin", "random"]
    for seed in range(3)
    for round_ in range(3)
    for better in [strategy == "margin" and round_ == 1]
]
RESULTS = Results(RECORDS)


def test_penalties_are_drawn_with_the_means_of_the_columns(tmp_path):
    display = PenaltyMatrixDisplay.from_results(RESULTS)
    pd.testing.assert_frame_equal(display.matrix, RESULTS.penalty_matrix())
    assert display.matrix.loc["margin", "random"] == 0.5
    drawn = display.ax_.images[0].get_array()
    np.testing.assert_allclose(drawn.filled(-1), [[-1, 0.5], [0, -1], [0, 0.5]])
    assert [text.get_text() for text in display.ax_.texts] == ["0.50", "0", "0", "0.50"]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["margin", "random"]
    display.figure_.savefig(tmp_path / "penalties.png")
    assert display.figure_ is display.ax_.figure
    twice = Results(RECORDS + [{**of, "dataset": "shoes"} for of in RECORDS])
    assert PenaltyMatrixDisplay.from_results(twice).n_datasets == 2


def test_critical_differences_are_those_of_the_results(tmp_path):
    pytest.importorskip("scikit_posthocs")
    display = CriticalDifferenceDisplay.from_results(RESULTS, over="seed")
    found = RESULTS.critical_differences(over="seed")
    pd.testing.assert_series_equal(display.ranks, found.ranks)
    assert display.ranks.to_dict() == {"margin": 1, "random": 2}
    texts = " ".join(text.get_text() for text in display.ax_.texts)
    assert "margin (1.00)" in texts
    assert "(2.00) random" in texts
    assert f"{found.critical_difference:.2f}" in display.ax_.get_title()
    display.figure_.savefig(tmp_path / "ranks.png")


def test_without_scikit_posthocs_the_extra_is_named(monkeypatch):
    importing = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("scikit_posthocs"):
            raise ModuleNotFoundError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("skactive._optional.import_module", without)
    message = r"CriticalDifferenceDisplay needs scikit_posthocs, .* pip install 'skactive\[stats\]'"
    with pytest.raises(ImportError, match=message):
        CriticalDifferenceDisplay.from_results(RESULTS, over="seed")


def test_class_balance_counts_all_rounds_and_seeds():
    last = {**RECORDS[8], "queried_classes": {"10": 3}}
    results = Results([*RECORDS[:8], last, *RECORDS[9:]])
    display = ClassBalanceDisplay.from_results(results)
    assert display.classes == ["0", "1", "10"]  # by number, and those that nobody asked for, too
    np.testing.assert_allclose(display.shares, [[8 / 27, 16 / 27, 3 / 27], [1 / 3, 2 / 3, 0]])
    named = ClassBalanceDisplay.from_results(RESULTS, class_names=list("abcdefghijk"))
    assert named.classes == ["a", "b", "k"]
    assert len(named.ax_.texts) == 6


def test_labels_that_are_words_stand_for_themselves():
    of = {"queried_classes": {"shoe": 2, "bag": 1}, "recall": {"bag": 0.5, "shoe": 0.5}}
    results = Results([record("margin", 0, 0, 0.5, **of)])
    display = ClassBalanceDisplay.from_results(results, class_names=["bag", "shoe"])
    assert display.classes == ["bag", "shoe"]
    np.testing.assert_allclose(display.shares, [[1 / 3, 2 / 3]])
    images = np.zeros((3, 4, 4))
    y = np.array(["shoe", "bag", "shoe"])
    drawn = QueriedImagesDisplay.from_results(results, images, y=y, class_names=["bag", "shoe"])
    assert drawn.captions == [["shoe", "bag", "shoe"]]


def test_time_against_accuracy():
    display = TimeAccuracyDisplay.from_results(RESULTS)
    np.testing.assert_allclose(display.seconds, [2.0, 0.5])
    areas = RESULTS.aubc().groupby("strategy")["aubc"]
    np.testing.assert_allclose(display.scores, areas.mean()[["margin", "random"]])
    np.testing.assert_allclose(display.spreads, [0.01, 0.01])
    assert display.ax_.get_ylabel() == "test accuracy, mean over the budgets"
    alone = TimeAccuracyDisplay.from_results(Results(RECORDS[:3]))
    np.testing.assert_allclose(alone.spreads, [0])


def test_calibration_pools_the_seeds():
    first = bins([0, 10, 30], [None, 0.5, 0.9], [None, 0.4, 0.8])
    second = bins([0, 30, 0], [None, 0.6, None], [None, 0.8, None])
    results = Results(
        [
            record("margin", 0, 0, 0.5, calibration=second),
            record("margin", 1, 0, 0.5, calibration=second),
            record("margin", 0, 1, 0.5, calibration=first),
            record("margin", 1, 1, 0.5, calibration=second),
        ]
    )
    display = CalibrationCurvesDisplay.from_results(results)
    np.testing.assert_allclose(display.confidence["margin"], [np.nan, 0.575, 0.9])
    np.testing.assert_allclose(display.accuracy["margin"], [np.nan, 0.7, 0.8])
    np.testing.assert_allclose(display.ax_.lines[1].get_xdata(), [0.575, 0.9])
    assert "at 20 labels" in display.ax_.get_title()
    earlier = CalibrationCurvesDisplay.from_results(results, n_labelled=10)
    np.testing.assert_allclose(earlier.accuracy["margin"], [np.nan, 0.8, np.nan])


def test_learning_curves_with_bootstrap_intervals():
    display = LearningCurvesDisplay.from_results(RESULTS, interval="bootstrap")
    table = RESULTS.intervals()
    low, high = display.bands["random"]
    np.testing.assert_allclose(low, table[table["strategy"] == "random"]["low"])
    edges = display.ax_.collections[1].get_paths()[0].vertices
    np.testing.assert_allclose(edges[edges[:, 0] == 20][:, 1].max(), high[1])
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "mean, 95 % bootstrap interval over 3 seeds"


def test_many_strategies_get_a_legend_beside_the_curves():
    records = [record(f"strategy {i}", 0, j, 0.5) for i in range(15) for j in range(2)]
    display = LearningCurvesDisplay.from_results(Results(records))
    assert len(display.ax_.get_legend().get_texts()) == 15
    assert len({(line.get_color(), line.get_marker()) for line in display.lines_}) == 15


# Seed 2 of "margin" ends after the first round, and so do all seeds of "random".
CUT = Results(
    {**of, "calibration": bins([10], [0.5], [0.1 * of["seed"]])}
    for of in RECORDS
    if of["round"] == 0 or (of["strategy"] == "margin" and of["seed"] < 2)
)


def test_other_pictures_leave_out_what_is_cut_short_too():
    warned = pytest.warns(UnfinishedRunsWarning, match="left out: seed 2 of margin.*random at 10")
    with warned:
        calibration = CalibrationCurvesDisplay.from_results(CUT)
    assert list(calibration.accuracy) == ["margin"]  # the other has not got there
    np.testing.assert_allclose(calibration.accuracy["margin"], [0.05])
    with warned:
        early = CalibrationCurvesDisplay.from_results(CUT, n_labelled=10)
    np.testing.assert_allclose(early.accuracy["margin"], [0.05])
    np.testing.assert_allclose(early.accuracy["random"], [0.1])
    with warned:
        balance = ClassBalanceDisplay.from_results(CUT)
    shown = [label.get_text() for label in balance.ax_.get_yticklabels()]
    assert shown == ["margin (2 of 3 seeds)", "random (to 10 labels)"]
    with warned:
        time = TimeAccuracyDisplay.from_results(CUT)
    assert time.strategies == ["margin"]
    np.testing.assert_allclose(time.scores, CUT.aubc().dropna()["aubc"].mean())
    shown = [text.get_text() for text in time.ax_.get_legend().get_texts()]
    assert shown == ["margin (2 of 3 seeds)"]


def test_the_report_names_what_is_left_out(tmp_path):
    more = [{**of, "strategy": f"other {of['strategy']}"} for of in RECORDS]
    write_report(Results([*CUT.frame.to_dict("records"), *more]), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("Unfinished, and left out: seed 2 of margin.") == 1
    assert page.count("Ending before 30 labels: random at 10.") == 1
    assert 'alt="PenaltyMatrix"' in page  # the strategies that are finished are compared


DRAWN = [
    LearningCurvesDisplay,
    ClassBalanceDisplay,
    TimeAccuracyDisplay,
    CalibrationCurvesDisplay,
]


@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.__name__)
def test_one_of_several_data_sets_is_named(kind):
    known = bins([1], [0.5], [0.5])
    records = [{**of, "dataset": name, "calibration": known} for of in RECORDS for name in "ab"]
    ax = Figure().subplots()
    display = kind.from_results(Results(records), dataset="b", ax=ax)
    assert display.ax_ is ax
    assert plt.get_fignums() == []
    message = r"'dataset' parameter of Results\.on must be one of a, b\. Got None instead"
    with pytest.raises(InvalidParameterError, match=message):
        kind.from_results(Results(records))


def test_images_of_some_rounds_of_one_of_several_data_sets():
    X = np.zeros((10, 4, 4))
    records = RECORDS + [{**of, "dataset": "shoes"} for of in RECORDS]
    display = QueriedImagesDisplay.from_results(
        Results(records), X, dataset="shoes", n_rounds=2, ax=Figure().subplots()
    )
    assert display.row_names == ["at 10 labels", "at 30 labels"]
    with pytest.raises(InvalidParameterError, match=r"'n_rounds' .* an int of at least 1\. Got 0"):
        QueriedImagesDisplay.from_results(RESULTS, X, n_rounds=0)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: LearningCurvesDisplay.from_results(RESULTS, interval="iqr"),
            r"'interval' .* must be 'sd' or 'bootstrap'\. Got 'iqr'",
        ),
        (
            lambda: TimeAccuracyDisplay.from_results(RESULTS, metric="f1"),
            r"'metric' .* one of accuracy, balanced_accuracy, macro_f1, log_loss, ece\. Got 'f1'",
        ),
        (
            lambda: CalibrationCurvesDisplay.from_results(RESULTS),
            r"'results' .* of an estimator with predict_proba\. Got <Results",
        ),
        (
            lambda: CalibrationCurvesDisplay.from_results(RESULTS, n_labelled=15),
            r"'n_labelled' .* one of 10, 20, 30\. Got 15",
        ),
        (
            lambda: ClassBalanceDisplay.from_results(Results([{**RECORDS[0], "queried": []}])),
            r"'results' parameter of ClassBalanceDisplay .* with at least one query\. Got <Results",
        ),
        (
            lambda: TimeAccuracyDisplay.from_results(Results([{**RECORDS[0], "queried": []}])),
            r"'results' parameter of TimeAccuracyDisplay .* with at least one query\. Got <Results",
        ),
        (
            lambda: TimeAccuracyDisplay.from_results(RESULTS, metric="ece"),
            r"'results' .* results with 'ece' in all rounds of a run\. Got <Results",
        ),
        (
            lambda: CriticalDifferenceDisplay.from_results(RESULTS),
            r"at least 2 blocks that all of them finished",
        ),
    ],
)
def test_wrong_arguments(draw, message):
    with pytest.raises(InvalidParameterError, match=message):
        draw()
    assert plt.get_fignums() == []
