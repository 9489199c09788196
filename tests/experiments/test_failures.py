"""An arm that fails is kept apart with its error, and the others go on (MetaAutoML#332)."""

import json
import os
import threading

import pandas as pd
import pytest

from skactive.exceptions import FailedRunWarning, SelectionError
from skactive.experiments import Results, run_experiment
from skactive.experiments._failures import failed, portable
from tests.experiments.stubs import BUDGET, Fixed, FlatSGD, Shuffled, Unsure, digits, numbers

WHEN = "SKACTIVE_TEST_FAILS_AT"  # an environment variable: the configuration sees globals
ERRORS = {
    "MemoryError": MemoryError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": SystemExit,
}


class Breaks(Shuffled):
    """A strategy that fails once so many are labelled, or works."""

    def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
        when, _, kind = os.environ.get(WHEN, "inf ").partition(" ")
        if len(y_labelled) >= float(when):
            raise ERRORS[kind]("no room for\nmore")
        return super().select(estimator, X_pool, n_instances)


class Unpicklable(Exception):
    """An exception that cannot be pickled, as some of libraries cannot."""

    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")
        self.lock = threading.Lock()


ARMS = {"breaks": Breaks(), "unsure": Unsure()}


@pytest.fixture
def broken(monkeypatch):
    monkeypatch.setenv(WHEN, "30 MemoryError")


def run(out=None, strategies=ARMS, **changes):
    settings = BUDGET | {"seeds": 2, "out": out, "progress": False} | changes
    return run_experiment(FlatSGD(), strategies, *digits(), **settings)


def only(results, strategy):
    return results[results["strategy"] == strategy].reset_index(drop=True)


def test_the_others_go_on_and_the_failed_are_tried_again(tmp_path, broken, monkeypatch):
    message = (
        r"^run_experiment: 'breaks' with seed 0 failed in round 1 \(MemoryError: no room for more\)"
        r"; 'breaks' with seed 1 failed .*\. The other runs are finished; the same call tries the "
    )
    with pytest.warns(FailedRunWarning, match=message):
        results = run(tmp_path)
    of_breaks = [(f["strategy"], f["seed"], f["round"]) for f in results.failures]
    assert of_breaks == [("breaks", 0, 1), ("breaks", 1, 1)]
    assert results.failures[0]["error"] == "MemoryError: no room for\nmore"
    assert "raise ERRORS[kind]" in results.failures[0]["traceback"]
    # What was finished before is there, as it is of a run that was killed.
    assert only(results.frame, "breaks")["round"].tolist() == [0, 0]
    assert Results.load(tmp_path).failures == results.failures
    assert Results.load(tmp_path / "results.jsonl").on("data").failures == results.failures

    monkeypatch.delenv(WHEN)
    mended = run(tmp_path)
    assert mended.failures == Results.load(tmp_path).failures == []
    assert not (tmp_path / "failures.json").exists()
    whole = numbers(run())
    pd.testing.assert_frame_equal(numbers(mended), whole, check_exact=True)
    pd.testing.assert_frame_equal(
        only(numbers(results), "unsure"), only(whole, "unsure"), check_exact=True
    )


def test_runs_that_are_not_asked_for_stay_failed(tmp_path, broken, monkeypatch):
    with pytest.warns(FailedRunWarning):
        run(tmp_path)
    monkeypatch.delenv(WHEN)
    assert run(tmp_path, seeds=[1]).failures == []
    assert [f["seed"] for f in Results.load(tmp_path).failures] == [0]


def test_where_all_fail_the_first_error_is_raised(tmp_path, broken):
    with pytest.raises(MemoryError, match="no room for\nmore"):
        run(tmp_path, {"breaks": Breaks()})
    assert [f["round"] for f in json.loads((tmp_path / "failures.json").read_text())] == [1, 1]
    with pytest.raises(SelectionError, match="Mend the strategy; the finished rounds are kept"):
        run(strategies={"fixed": Fixed([0] * 10)})


def test_a_strategy_that_breaks_the_contract_is_a_failure_too():
    with pytest.warns(FailedRunWarning, match=r"'fixed' with seed 0 failed in round 0 \(Selection"):
        results = run(strategies={"fixed": Fixed([0] * 10), "unsure": Unsure()}, seeds=1)
    assert len(only(results.frame, "unsure")) == 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_is_no_failure(tmp_path, broken, monkeypatch, error):
    monkeypatch.setenv(WHEN, f"30 {error.__name__}")
    with pytest.raises(error):
        run(tmp_path)
    assert Results.load(tmp_path).failures == []


def test_the_progress_bar_says_it_at_once(broken, capsys):
    with pytest.warns(FailedRunWarning):
        run(seeds=1, progress=True)
    shown = capsys.readouterr().err
    assert "'breaks' with seed 0 failed in round 1 (MemoryError: no room for more). The o" in shown


def raised(error):
    """Raise an error where a local variable holds something large, and catch it."""

    def inner(large):
        raise error

    try:
        inner(bytearray(3))
    except Exception as caught:
        return failed("data", "x", 0, 1, caught)


def test_a_failure_lets_go_of_what_its_frames_held():
    try:
        raise ValueError from raised(KeyError("first")).exception
    except ValueError as error:
        result = failed("data", "x", 0, 1, error)
    frames, inside = [], result.exception.__cause__.__traceback__
    while inside is not None:
        frames.append(inside.tb_frame)
        inside = inside.tb_next
    assert len(frames) == 2
    assert not any("large" in frame.f_locals for frame in frames)
    assert "KeyError: 'first'" in result.failure["traceback"]


def test_every_exception_reaches_another_process():
    kept = portable(raised(ValueError("as it is")))
    assert isinstance(kept.exception, ValueError)
    replaced = portable(raised(Unpicklable("this", "that")))
    assert type(replaced.exception) is RuntimeError
    assert str(replaced.exception) == "Unpicklable: this: that"


@pytest.mark.slow
def test_in_processes_the_others_go_on_too(tmp_path):
    class BreaksThere(Unsure):
        def select(self, estimator, X_pool, n_instances, *, X_labelled=None, y_labelled=None):
            if len(y_labelled) >= 30:
                raise Unpicklable("this", "that")
            return super().select(estimator, X_pool, n_instances)

    strategies = {"breaks": BreaksThere(), "unsure": Unsure()}
    with pytest.warns(FailedRunWarning, match=r"round 1 \(Unpicklable: this: that\)"):
        results = run(tmp_path, strategies, n_jobs=2, seeds=1)
    assert results.frame["strategy"].value_counts().to_dict() == {"unsure": 4, "breaks": 1}
    with pytest.raises(RuntimeError, match="Unpicklable: this: that"):
        run(strategies={"breaks": BreaksThere()}, n_jobs=2, seeds=1)


def test_an_exception_that_is_its_own_cause():
    """`raise error from error` kept the description going round for ever."""
    error = ValueError("odd")
    error.__cause__ = error
    assert failed("data", "s", 0, 0, error).failure["error"] == "ValueError: odd"
