"""What is prepared for a GPU runs: each piece, and the whole script at small sizes on the CPU."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import __main__ as script
from benchmarks.gpu import _floors, _tests, sheets
from benchmarks.gpu._long_tail import _of_a_seed
from benchmarks.gpu._settings import Settings
from benchmarks.gpu._worker import Worker

ROOT = Path(__file__).parents[2]


# -- what the worker runs, in its own process ------------------------------------------------


def two_rows(settings):
    yield {"what": "first", "value": settings}
    yield {"what": "second", "value": os.getpid()}


def breaks_after_one(settings):
    yield {"what": "one", "value": 1.0}
    raise ZeroDivisionError("as asked")


def dies(settings):
    yield {"what": "one", "value": 1.0}
    os._exit(7)


def hangs(settings):
    yield {"what": "pid", "value": subprocess.Popen(["sleep", "600"]).pid}
    time.sleep(600)


@pytest.fixture
def run():
    worker, rows = Worker(), []

    def one(function, seconds=120.0):
        rows.clear()
        state = worker.run((__name__, function.__name__), 3.0, seconds, rows.append)
        return state, list(rows)

    yield one
    worker.stop()


@pytest.mark.slow
def test_steps_share_a_process_until_one_dies(run):
    state, (first, second) = run(two_rows)
    assert (state, first) == ("done", {"what": "first", "value": 3.0})
    state, rows = run(breaks_after_one)
    assert state.startswith("failed: Traceback")
    assert "ZeroDivisionError: as asked" in state
    assert rows == [{"what": "one", "value": 1.0}]
    assert run(two_rows)[1][1] == second  # the same process
    state, rows = run(dies)
    assert (state, len(rows)) == ("failed: its process ended with code 7", 1)
    assert run(two_rows)[1][1] != second


@pytest.mark.slow
def test_a_step_is_stopped_with_all_that_it_started(run):
    run(two_rows)  # the process is there, so that the time is the step's
    state, rows = run(hangs, 1.0)
    assert state == "stopped after 1 s"
    (started,) = rows
    assert not is_running(started["value"])
    assert run(two_rows)[0] == "done"


def is_running(pid):
    """Whether a process runs; one that ended and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# -- the parts of steps ------------------------------------------------------------------------


def test_outcomes_of_pytest_are_read_while_it_runs():
    text = (
        "tests/a.py::one PASSED      [ 10%]\n"
        "tests/a.py::two[x, y - z] FAILED      [ 20%]\n"
        "tests/a.py::three SKIPPED (needs CUDA)      [ 30%]\n"
        "[gw3] [  7%] PASSED tests/b.py::four[a b] \n"
        "[gw0] [ 12%] ERROR tests/b.py::five\n"
        "tests/b.py::six \n"
    )
    assert _tests.outcomes(text) == {
        "tests/a.py::one": "PASSED",
        "tests/a.py::two[x, y - z]": "FAILED",
        "tests/a.py::three": "SKIPPED",
        "tests/b.py::four[a b]": "PASSED",
        "tests/b.py::five": "ERROR",
    }


RATES = {
    "float32 matrix products": 50_000.0,
    "float64 matrix products": 50_000.0,
    "bfloat16 matrix products": 700_000.0,
    "float32 convolutions": 200_000.0,
    "bfloat16 convolutions": 400_000.0,
    "copying in memory": 3_000.0,
}
MEASURED = {
    "query on a card, 25000 images, B = 2000": 10.0,
    "query on a card, 25000 images, B = 2000: diagonal": 1.0,
    "ResNet-18 on a card, 10000 images: gradient_norms": 2.0,
    "BAIT on a whole pool, N = 50000, D = 512, C = 10, B = 1000, oversample 1": 20.0,
    "BADGE, N = 64000, D = 512, C = 100, 1000 picks": 1.0,
    "coverage, N = 64000, D = 512, C = 100, 1000 picks": 1.0,
    "resnet18 on a card: CNNClassifier": 20_000.0,
    "resnet18 on a card: CNNClassifier / plain loop": 1.0,
}


def test_each_target_is_held_against_its_count(tmp_path):
    found = {r["what"]: r["value"] for r in _floors.floors(given(RATES | MEASURED, tmp_path))}
    assert len(found) == 2 * len(_floors.COUNTS)
    for name in _floors.COUNTS:
        assert found[f"{name}: at the ceiling"] > 0
    ratio = found["FisherMask's query: measured / at the ceiling"]
    np.testing.assert_allclose(ratio, 10.0 / found["FisherMask's query: at the ceiling"])
    # 51,200 images at 20,000 per second
    ratio = found["training: measured / at the ceiling"]
    np.testing.assert_allclose(ratio, 2.56 / found["training: at the ceiling"])


def test_a_count_by_hand(tmp_path):
    what = "ResNet-18 on a card, 10000 images: gradient_norms"
    floor, ratio = _floors.floors(given({**RATES, what: 2.0}, tmp_path))
    # 22.2 TFLOP of convolutions, 11.1 of products, 0.49 TB
    np.testing.assert_allclose(floor["value"], 22.2 / 200 + 11.1 / 50 + 0.491520 / 3)
    np.testing.assert_allclose(ratio["value"], 2.0 / floor["value"])


def given(found, out):
    return Settings(device="cpu", tiny=False, out=out, found=found)


def test_sheets_hold_what_was_written(tmp_path):
    draw = np.random.default_rng(0)
    X = draw.integers(0, 256, (1_050, 32, 32, 3), dtype=np.uint8)
    y = draw.integers(10, size=1_050)
    sheets.write(tmp_path, "train", X, y)
    sheets.write(tmp_path, "test", X[:30], y[:30])
    for found, expected in zip(sheets.read(tmp_path), (X, y, X[:30], y[:30]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(list(tmp_path.glob("train_*.webp"))) == 2


def test_the_long_tail_is_the_published_one():
    assert sum(sheets.COUNTS) == 13_996
    assert (sheets.COUNTS[0], sheets.COUNTS[-1]) == (5_000, 100)


def test_only_whole_seeds_count():
    areas = {"Random": [], "BADGE": []}
    found = {"Random": [0.1, 0.3, 0.5], "BADGE": [0.2, 0.4]}
    rows = list(_of_a_seed(found, 0, 3, areas))
    assert [round(row["value"], 6) for row in rows] == [0.2, 0.3]
    assert areas == {"Random": [], "BADGE": []}
    found["BADGE"].append(0.6)
    list(_of_a_seed(found, 0, 3, areas))
    assert {name: np.round(values, 6).tolist() for name, values in areas.items()} == {
        "Random": [0.3],
        "BADGE": [0.4],
    }


# -- the script ----------------------------------------------------------------------------------


def test_without_a_card_nothing_is_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(script.torch.cuda, "is_available", lambda: False)
    assert script.main(["--out", str(tmp_path / "out")]) == 2
    assert "torch finds no CUDA here; --tiny shows" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_step(capsys):
    with pytest.raises(SystemExit):
        script.main(["--tiny", "--only", "norms,speed"])
    assert "no step is named speed" in capsys.readouterr().err


def test_what_has_no_time_left_is_said(tmp_path):
    assert script.main(["--tiny", "--only", "norms", "--until", "9", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert result["steps"] == {"norms": {"state": "no time was left", "seconds": 0.0}}


@pytest.mark.slow
def test_all_steps_at_small_sizes(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (140, 32, 32, 3), dtype=np.uint8)
    y = np.arange(140) % 10
    sheets.write(tmp_path / "data", "train", X[:100], y[:100])
    sheets.write(tmp_path / "data", "test", X[100:], y[100:])
    out = tmp_path / "out"
    command = ["bash", "benchmarks/gpu/run.sh", str(tmp_path), "--tiny", "--until", "1200"]
    command += ["--out", str(out), "--data", str(tmp_path / "data")]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads((out / "gpu.json").read_text(encoding="utf-8"))
    assert {name: found["state"] for name, found in result["steps"].items()} == {
        step.name: "done" for step in script.STEPS
    }
    values = {row["what"]: row["value"] for row in result["rows"]}
    assert len(values) == len(result["rows"])  # so that a page can quote each
    for what in ("marked tests", "battery", "recorded picks"):
        assert values[f"{what}: failed"] == 0
        assert values[f"{what}: passed"] > 0
    assert result["quick"] is True
    assert {row["met"] for row in result["rows"] if row["target"] is not None} == {True}
    for name in _floors.COUNTS:
        assert values[f"{name}: measured / at the ceiling"] > 0
    for name in ("Random", "Entropy", "BADGE", "CoreSet"):
        assert 0 < values[f"CIFAR-10-LT, {name}: area of the accuracy, mean of the seeds"] < 1
    assert "norms: done" in ran.stdout
    assert (out / "gpu.md").read_text(encoding="utf-8").count("| done |") == len(script.STEPS)
    assert "profile of" in (out / "gpu.md").read_text(encoding="utf-8")
    assert len(list(out.iterdir())) <= 8  # as many as come back from some machines
