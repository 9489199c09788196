"""The suite as a whole: it finds its benchmarks, runs them one by one, and writes what came out."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch

import skactive
from benchmarks import __main__ as suite
from benchmarks import _report
from benchmarks._machine import machine, versions
from benchmarks._report import alone, markdown, peak_memory, row


@pytest.fixture
def fake(monkeypatch):
    """A benchmark named fake, and what it was called with."""
    calls = []

    def measure(quick, only):
        calls.append((quick, only, torch.get_num_threads()))
        return [
            row("a call", "s", [3.0, 1.0, 2.0], 2.5, "lower"),
            row("theirs / ours", "×", 3.0, 4.0, "higher", "one of them"),
            row("memory", "MB", 7.0, None, "lower"),
        ]

    monkeypatch.setitem(sys.modules, "benchmarks.fake", SimpleNamespace(measure=measure))
    monkeypatch.setattr(suite, "names", lambda: ["fake"])
    return calls


def test_all_benchmarks_are_found():
    found = suite.names()
    assert {
        "bait",
        "factors",
        "forms",
        "lean",
        "norms",
        "pools",
        "query",
        "selection",
        "start",
    } < set(found)
    assert "strategies" in found
    assert "study" not in found


def test_a_result_tells_what_it_depends_on(fake, tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        options = ["fake", "--quick", "--threads", "1", "--only", "x", "--out", str(tmp_path)]
        assert suite.main(options) == 0
    finally:
        torch.set_num_threads(threads)
    assert fake == [(True, "x", 1)]
    text = capsys.readouterr().out
    assert text.strip() == (tmp_path / "fake.md").read_text(encoding="utf-8").strip()
    result = json.loads((tmp_path / "fake.json").read_text(encoding="utf-8"))
    assert (result["name"], result["quick"], result["threads"]) == ("fake", True, 1)
    assert result["machine"] == machine()
    assert result["versions"] == versions()
    assert result["versions"]["skactive"] == skactive.__version__
    assert 50 < result["process"]["peak memory (MB)"] < 50_000
    call, ratio, memory = result["rows"]
    assert (call["value"], call["repeats"], call["met"]) == (2.0, 3, True)
    assert (ratio["value"], ratio["repeats"], ratio["met"]) == (3.0, None, False)
    assert memory["met"] is None


def test_the_table(fake):
    result = {
        "name": "fake",
        "date": "today",
        "quick": False,
        "threads": 2,
        "machine": {"cores": 2},
        "versions": {"torch": "2"},
        "process": {"peak": 1},
    }
    result["rows"] = sys.modules["benchmarks.fake"].measure(False, "")
    lines = markdown(result).splitlines()
    assert lines[2] == "today, threads of torch: 2."
    assert lines[-3:] == [
        "| a call | 2 s | 3 | ≤ 2.5 s | yes |  |",
        "| theirs / ours | 3 × |  | ≥ 4 × | **no** | one of them |",
        "| memory | 7 MB |  |  |  |  |",
    ]


def test_without_a_name_each_runs_in_a_process_of_its_own(monkeypatch, capsys):
    runs = []

    def run(command):
        runs.append(command[1:])
        return SimpleNamespace(returncode=int("b" in command))

    monkeypatch.setattr(suite, "names", lambda: ["a", "b", "c"])
    monkeypatch.setattr(suite.subprocess, "run", run)
    monkeypatch.setattr(suite, "time", SimpleNamespace(perf_counter=iter(range(99)).__next__))
    assert suite.main(["--quick", "--threads", "1"]) == 1
    rest = ["--quick", "--threads", "1"]
    assert runs == [["-m", "benchmarks", name, *rest] for name in "abc"]
    out, error = capsys.readouterr()
    assert out.startswith("3 benchmarks in 3 s: a 1 s, b 1 s, c 1 s")
    assert error == "Failed: b\n"
    monkeypatch.setattr(suite, "names", lambda: ["a", "c"])
    assert suite.main(["--quick"]) == 0


@pytest.mark.slow
def test_memory_is_that_of_one_run():
    assert alone(_filled, 200) - alone(_filled, 0) > 150


def _filled(megabytes):
    torch.ones(megabytes * 2**17, dtype=torch.float64)
    return peak_memory()


@pytest.mark.cuda
def test_peak_memory_of_the_gpu_is_since_it_was_last_asked_for():
    _report.peak_memory_gpu()
    torch.zeros(2**26, dtype=torch.uint8, device="cuda")
    assert _report.peak_memory_gpu() >= 64
    assert _report.peak_memory_gpu() < 64
