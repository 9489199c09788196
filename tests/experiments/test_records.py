"""The file of records: its format, a torn end, and a disk that is full."""

import json
import os

import pytest

from skactive._validation import InvalidParameterError
from skactive.experiments import Results, run_experiment
from skactive.experiments._records import Record, RecordFile, latest, read_records
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, digits


def run(out, **changes):
    settings = BUDGET | {"seeds": 1, "out": out, "progress": False} | changes
    return run_experiment(FlatSGD(), STRATEGIES, *digits(), **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    run(out)
    return (out / "results.jsonl").read_bytes()


def test_a_record_a_round(finished):
    lines = finished.splitlines(keepends=True)
    assert len(lines) == 2 * 4
    record = json.loads(lines[0])
    assert list(record) == [name for name in Record.__annotations__ if name != "stopping"]
    assert record["strategy"] == "unsure"
    assert (record["seed"], record["round"], record["n_labelled"]) == (0, 0, 20)
    assert len(record["queried"]) == 10
    assert all(type(position) is int and 0 <= position < 300 for position in record["queried"])
    assert 0 <= record["accuracy"] <= 1
    assert record["device"] == "cpu"
    assert record["n_threads"] >= 1
    for what in ["train", "predict", "query"]:
        assert record[f"{what}_seconds"] > 0
    last = json.loads(lines[3])
    assert last["queried"] == []
    assert last["query_seconds"] is None


def test_wherever_the_last_line_is_cut_it_is_repaired(tmp_path, finished):
    path = tmp_path / "results.jsonl"
    start_of_last = finished[:-1].rindex(b"\n") + 1
    for size in [start_of_last, start_of_last + 1, start_of_last + 40, len(finished) - 1]:
        path.write_bytes(finished[:size])
        assert len(Results.load(tmp_path).frame) == 7
        assert path.stat().st_size == size  # loading leaves the file as it is
        with RecordFile(path) as file:
            assert len(file.records) == 7
            file.append(json.loads(finished[start_of_last:]))
        assert path.read_bytes() == finished


@pytest.mark.parametrize("rubbish", [b"\0\0\0", b"{}", b"[1]", b"7", b"\xff", b"", b"<<<< HEAD"])
def test_a_last_line_of_rubbish_that_has_its_end_is_named(tmp_path, finished, rubbish):
    path = tmp_path / "results.jsonl"
    path.write_bytes(finished + rubbish + b"\n")
    message = r"^Line 9 of .*results\.jsonl is not the record of a finished round\. Delete the line"
    with pytest.raises(InvalidParameterError, match=message), RecordFile(path):
        pass
    with pytest.raises(InvalidParameterError, match=message):
        Results.load(tmp_path)
    assert path.read_bytes() == finished + rubbish + b"\n"


def test_a_damaged_line_in_the_middle_is_named(tmp_path, finished):
    path = tmp_path / "results.jsonl"
    path.write_bytes(finished.replace(b"{", b"(", 1))
    message = r"^Line 1 of .*results\.jsonl is not the record of a finished round\. Delete the line"
    before = path.read_bytes()
    with pytest.raises(InvalidParameterError, match=message), RecordFile(path):
        pass
    assert path.read_bytes() == before


def test_a_full_disk_leaves_no_part_of_a_record(tmp_path, finished, monkeypatch):
    path = tmp_path / "results.jsonl"
    record = json.loads(finished.splitlines()[0])
    write = os.write
    with RecordFile(path) as file:
        file.append(record)
        before = path.read_bytes()
        monkeypatch.setattr(os, "write", lambda fd, line: write(fd, line[:30]))
        with pytest.raises(OSError, match="No room for a whole record; it was not kept"):
            file.append(record)
    assert path.read_bytes() == before


def test_not_a_number_is_no_json(tmp_path, finished):
    record = json.loads(finished.splitlines()[0]) | {"accuracy": float("nan")}
    with (
        RecordFile(tmp_path / "results.jsonl") as file,
        pytest.raises(ValueError, match="not JSON compliant"),
    ):
        file.append(record)
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_the_latest_record_of_a_round_counts(tmp_path, finished):
    path = tmp_path / "results.jsonl"
    again = json.loads(finished.splitlines()[3]) | {"queried": [1, 2]}
    path.write_bytes(finished + json.dumps(again).encode() + b"\n")
    records = latest(read_records(path)[0])
    assert len(records) == 8
    assert records[3]["queried"] == [1, 2]
