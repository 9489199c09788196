"""The picture of stopping rules, against the table of where they would have stopped."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skactive.experiments import Results
from skactive.plotting import StoppingPointsDisplay


def record(strategy, seed, round_, accuracy, stops):
    stopping = {
        name: {"value": 0.5, "stop": stops_at == round_, "seen": []}
        for name, stops_at in stops.items()
    }
    return {
        **{"dataset": "data", "strategy": strategy, "seed": seed, "round": round_},
        **{"n_labelled": 10 + 5 * round_, "accuracy": accuracy, "queried": [1]},
        **{"query_seconds": 0.1, "stopping": stopping},
    }


def results():
    stops = {("A", 0): {"early": 0, "$late_": 2}, ("A", 1): {"early": 1, "$late_": None}}
    stops["B", 0] = {"early": 3, "$late_": 2}
    return Results(
        record(strategy, seed, round_, 0.5 + 0.1 * round_ - 0.01 * seed, at)
        for (strategy, seed), at in stops.items()
        for round_ in range(4)
    )


def test_what_is_saved_and_lost():
    display = StoppingPointsDisplay.from_results(results(), ax=Figure().subplots())
    assert display.rules == ["early", "$late_"]
    np.testing.assert_allclose(display.saved, [[15, 10, 0], [5, np.nan, 5]])
    np.testing.assert_allclose(display.lost, [[0.3, 0.2, 0], [0.1, np.nan, 0.1]])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["early (3 of 3 runs)", "$late_ (2 of 3 runs)"]
    assert display.ax_.get_ylabel() == "test accuracy, lost"
    drawn = [line.get_xdata().tolist() for line in display.ax_.lines[1:]]
    assert drawn == [[15, 10, 0], [5, 5]]


def test_one_strategy_and_options_of_lines():
    ax = Figure().subplots()
    display = StoppingPointsDisplay.from_results(results(), strategy="B", ax=ax, markersize=11)
    np.testing.assert_allclose(display.saved, [[0], [5]])
    assert {line.get_markersize() for line in ax.lines[1:]} == {11}


def test_errors():
    with pytest.raises(ValueError, match=r"'strategy' .* one of A, B\. Got 'C'"):
        StoppingPointsDisplay.from_results(results(), strategy="C")
    with pytest.raises(ValueError, match=r"'metric' parameter of StoppingPointsDisplay\.from"):
        StoppingPointsDisplay.from_results(results(), metric="f1")
    plain = [{k: v for k, v in record("A", 0, 0, 0.5, {}).items() if k != "stopping"}]
    with pytest.raises(ValueError, match=r"experiment with stopping rules"):
        StoppingPointsDisplay.from_results(Results(plain))


def test_less_is_better():
    """What is lost is positive where the end of the run was better, of log-losses too."""
    records = results().frame.to_dict("records")
    worse = Results(one | {"log_loss": 2 - one["accuracy"]} for one in records)
    found = StoppingPointsDisplay.from_results(worse, metric="log_loss", ax=Figure().subplots())
    np.testing.assert_allclose(found.lost, [[0.3, 0.2, 0], [0.1, np.nan, 0.1]])


def test_data_without_rules_beside_data_with_some():
    plain = [
        {k: v for k, v in record("A", 0, i, 0.5, {}).items() if k != "stopping"} | {"dataset": "b"}
        for i in range(2)
    ]
    both = Results([*results().frame.to_dict("records"), *plain])
    assert set(both.stopping_points()["dataset"]) == {"data"}
    with pytest.raises(ValueError, match="experiment with stopping rules"):
        StoppingPointsDisplay.from_results(both, dataset="b")
