"""The table of results and its averages."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skactive._validation import InvalidParameterError
from skactive.exceptions import UnfinishedRunsWarning
from skactive.experiments import Results


def record(strategy, seed, round_, accuracy, query_seconds=0.25):
    return {
        "strategy": strategy,
        "seed": seed,
        "round": round_,
        "n_labelled": 20 + 10 * round_,
        "queried": [] if query_seconds is None else [seed, 5],
        "accuracy": accuracy,
        "balanced_accuracy": accuracy,
        "log_loss": None,
        "train_seconds": 2.0 + seed,
        "predict_seconds": 0.1,
        "query_seconds": query_seconds,
        "device": "cpu",
        "n_threads": 2,
    }


RECORDS = [
    record("margin", 0, 0, 0.5),
    record("margin", 0, 1, 0.75, None),
    record("margin", 1, 0, 0.7),
    record("margin", 1, 1, 0.75, None),
    record("a random one", 0, 0, 0.5),
]


UNEVEN = (
    r"^On 'data' not all can be compared\. Ending before 30 labels: a random one at 20\. "
    r"Not the same seeds; of 2: margin 2; a random one 1\. Results\.coverage\(\) lists all\.$"
)


def test_summary_by_hand():
    with pytest.warns(UnfinishedRunsWarning, match=UNEVEN):
        summary = Results(RECORDS).summary()
    assert summary["strategy"].tolist() == ["margin", "a random one", "margin"]
    assert summary["n_labelled"].tolist() == [20, 20, 30]
    assert summary["n_seeds"].tolist() == [2, 1, 2]
    np.testing.assert_allclose(summary["accuracy_mean"], [0.6, 0.5, 0.75])
    np.testing.assert_allclose(summary["accuracy_sd"], [0.02**0.5, np.nan, 0])
    np.testing.assert_allclose(summary["query_seconds"], [0.25, 0.25, np.nan])
    np.testing.assert_allclose(summary["train_seconds"], [2.5, 2, 2.5])


def test_text():
    with pytest.warns(UnfinishedRunsWarning, match=UNEVEN):
        text = Results(RECORDS).to_text()
    assert text.splitlines() == [
        "labels      strategy   seeds  accuracy (mean ± sd)  query (s)  training (s)",
        "    20        margin  2 of 2         0.600 ± 0.141       0.25          2.50",
        "    20  a random one  1 of 2                 0.500       0.25          2.00",
        "    30        margin  2 of 2         0.750 ± 0.000          –          2.50",
    ]
    assert Results(RECORDS[:4]).to_text().splitlines()[0] == (
        "labels  strategy  accuracy (mean ± sd)  query (s)  training (s)"
    )


def test_markdown():
    assert Results(RECORDS[:4]).to_markdown().splitlines() == [
        "| labels | strategy | accuracy (mean ± sd) | query (s) | training (s) |",
        "| -----: | -------: | -------------------: | --------: | -----------: |",
        "|     20 |   margin |        0.600 ± 0.141 |      0.25 |         2.50 |",
        "|     30 |   margin |        0.750 ± 0.000 |         – |         2.50 |",
    ]


def test_frame_and_repr():
    results = Results(RECORDS)
    assert results.frame["queried"].tolist() == [[0, 5], [], [1, 5], [], [0, 5]]
    assert results.frame["log_loss"].isna().all()
    assert results.frame["query_seconds"].dtype == np.float64
    assert repr(results) == "<Results: rounds: 5; strategies × seeds: margin × 2, a random one × 1>"
    empty = Results([])
    assert repr(empty) == "<Results: rounds: 0; strategies × seeds: none>"
    assert empty.summary().empty
    assert empty.to_text().startswith("labels  strategy")


def test_load_says_what_it_looked_for(tmp_path):
    message = (
        r"'path' parameter of Results\.load must be a folder with results\.jsonl, or such a file\. "
        r"Got '.+ instead\. Pass what run_experiment got as out="
    )
    for path in [tmp_path, tmp_path / "missing"]:
        with pytest.raises(InvalidParameterError, match=message):
            Results.load(path)


@pytest.mark.slow
def test_importing_experiments_imports_no_plotting():
    code = "import sys, skactive.experiments; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_are_no_records():
    frame = Results([{"strategy": "a"}]).frame
    for wrong in (frame, "a folder", [1]):
        with pytest.raises(
            ValueError, match="'records' .* an iterable of dicts.*Results.load reads"
        ):
            Results(wrong)
    for wrong in (3, None, b"a folder"):
        with pytest.raises(ValueError, match="'paths' .* a folder, or a list of folders. Got"):
            Results.load(wrong)


def test_a_measurement_that_is_never_finite_is_nan():
    record = {"dataset": "data", "strategy": "a", "seed": 0, "metrics": {"m": None}}
    results = Results([{**record, "round": i, "n_labelled": 10 * i} for i in (1, 2)])
    assert np.isnan(results.aubc("m")["aubc"]).all()


def test_no_rounds_on_no_data_set():
    with pytest.raises(ValueError, match="one of those with rounds: there are none"):
        Results([]).on()


def test_a_frame_that_is_taken_apart_keeps_further_metrics():
    given = [one | {"metrics": {"roc_auc_ovr": 0.5 + i / 10}} for i, one in enumerate(RECORDS)]
    frame = Results(given).frame
    pd.testing.assert_frame_equal(Results(frame.to_dict("records")).frame, frame)


def test_a_series_is_a_table():
    ranks = pd.Series({"margin": 1.0, "a random one": 2.0}, name="mean rank")
    assert Results(RECORDS).to_text(ranks).splitlines()[1].split() == ["margin", "1.000"]
