"""The study's committed results, and what brought them under the names of 0.1."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from skactive.experiments import Results

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
FOLDERS = [STUDY / "results" / name for name in ("balanced", "imbalanced")]
NAMES = ["config.json", "study.toml"]


def test_the_committed_results_can_be_read():
    frame = Results.load(FOLDERS).frame
    assert frame.groupby("dataset")["strategy"].nunique().tolist() == [25, 25]
    assert len(frame) == 2 * 25 * 5 * 5


def rename(monkeypatch, folder):
    monkeypatch.setattr(sys, "argv", ["rename_to_0_1.py", str(folder)])
    runpy.run_path(str(STUDY / "rename_to_0_1.py"), run_name="__main__")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_former_names_are_rewritten_once(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    for name in NAMES:
        text = (folder / name).read_text()
        assert text.count("n_instances") == text.count("n_configurations") == 1
        former = text.replace("n_instances", "batch_size").replace("n_configurations", "n_samples")
        (out / name).write_text(former)
    config = json.loads((out / "config.json").read_text())
    assert config["batch_size"] == 50
    rename(monkeypatch, out)
    assert capsys.readouterr().out.count(" -> ") == 4
    for name in [*NAMES, "results.jsonl"]:
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    rename(monkeypatch, out)
    assert capsys.readouterr().out.count("has the names of 0.1") == 2
    pd.testing.assert_frame_equal(Results.load([out]).frame, Results.load([folder]).frame)


def test_batch_sizes_elsewhere_are_left(tmp_path, monkeypatch, capsys):
    text = (
        'strategies = [{ class = "FisherMask", n_samples = 64 }, { class = "BatchBALD" }]\n'
        "[estimator]\nbatch_size = 32\n[experiment]\nn_initial = 5\nbatch_size=7\n[protocol]\n"
    )
    (tmp_path / "study.toml").write_text(text)
    rename(monkeypatch, tmp_path)
    assert (tmp_path / "study.toml").read_text() == text.replace("batch_size=7", "n_instances=7")
