"""Results of several folders, merged."""

import pandas as pd
import pytest
import torch

from skactive._validation import InvalidParameterError
from skactive.exceptions import ResultsMismatchError, UnfinishedRunsWarning
from skactive.experiments import Results, run_experiment
from tests.experiments.stubs import BUDGET, FlatSGD, Shuffled, Unsure, digits


def run(out, strategies=None, estimator=None, **changes):
    settings = BUDGET | {"seeds": 1, "n_rounds": 1, "out": out, "progress": False} | changes
    strategies = strategies or {"shuffled": Shuffled()}
    return run_experiment(estimator or FlatSGD(), strategies, *digits(), **settings)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    run(folder)
    return folder


def test_runs_of_one_experiment_and_of_others_are_merged(tmp_path, first):
    parts = [
        run(tmp_path / "more seeds", seeds=[3, 4]),
        run(tmp_path / "more strategies", {"unsure": Unsure()}),
        run(tmp_path / "other data", dataset="digits", estimator=FlatSGD(0.1)),
    ]
    folders = ["more seeds", "more strategies", "other data"]
    merged = Results.load([first, *(tmp_path / name for name in folders)])
    expected = pd.concat([Results.load(first).frame, *(part.frame for part in parts)])
    pd.testing.assert_frame_equal(merged.frame, expected.reset_index(drop=True))
    assert repr(merged) == "<Results: rounds: 10; strategies × seeds: shuffled × 4, unsure × 1>"
    uneven = r"On 'data' .* Not the same seeds; of 3: shuffled 3; unsure 1\."
    with pytest.warns(UnfinishedRunsWarning, match=uneven):
        assert merged.summary()["dataset"].tolist() == ["data"] * 4 + ["digits"] * 2
    with pytest.warns(UnfinishedRunsWarning, match=uneven):
        head, *rows = merged.to_text().splitlines()
    assert head.split()[:4] == ["data", "labels", "strategy", "seeds"]
    assert rows[-1].split()[:3] == ["digits", "30", "shuffled"]


def test_a_file_is_as_good_as_its_folder(first):
    pd.testing.assert_frame_equal(
        Results.load([first / "results.jsonl"]).frame, Results.load(first).frame
    )


def test_the_same_run_twice_is_refused(tmp_path, first):
    run(tmp_path)
    message = r"shuffled with seed 0 on 'data' is in .*first.* and in .*jsonl\. Leave one of them o"
    with pytest.raises(InvalidParameterError, match=message):
        Results.load([first, tmp_path])


def test_other_settings_under_the_same_name_are_refused(tmp_path, first):
    run(tmp_path, n_instances=5, seeds=[1])
    message = (
        r"both hold results on 'data', from different configurations: n_instances was 10 and is "
        r"now 5\. Give different .* run_experiment\(dataset=\.\.\.\)"
    )
    with pytest.raises(ResultsMismatchError, match=message):
        Results.load([first, tmp_path])


def test_threads_of_their_own_can_be_merged(tmp_path, first):
    run(tmp_path, seeds=[1], n_threads=torch.get_num_threads() + 1)
    assert Results.load([first, tmp_path]).frame["n_threads"].nunique() == 2


def test_a_strategy_of_one_name_with_other_settings_is_refused(tmp_path, first):
    run(tmp_path, {"shuffled": Unsure()}, seeds=[1])
    with pytest.raises(ResultsMismatchError, match=r"strategies\.shuffled\.class was"):
        Results.load([first, tmp_path])


def test_nothing_to_load():
    with pytest.raises(InvalidParameterError, match=r"'paths' .* must be at least one folder\. G"):
        Results.load([])


def test_the_name_of_the_data(tmp_path):
    assert set(run(tmp_path, dataset="digits").frame["dataset"]) == {"digits"}
    with pytest.raises(ResultsMismatchError, match="dataset was 'digits' and is now 'data'"):
        run(tmp_path)
    with pytest.raises(InvalidParameterError, match=r"'dataset' .* a name for the data, a str\."):
        run(None, dataset="")
