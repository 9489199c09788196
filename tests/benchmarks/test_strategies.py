"""The benchmark of strategies: no holes in its grid, resumed, stopped where too large."""

import importlib.util
import json
from itertools import product

import pytest

import skactive
from benchmarks import __main__ as suite
from benchmarks import strategies
from benchmarks.strategies import Cell, grid, load, measure, measured, missing

STRATEGIES = [*strategies.OF_PROBABILITIES, *strategies.OF_EMBEDDINGS]


def test_the_grid_has_every_strategy_at_every_size():
    pools, classes = (1_000, 4_000, 16_000, 64_000), (10, 100)
    wanted = {
        Cell(name, N, D, C)
        for name, N, D, C in product(strategies.OF_EMBEDDINGS, pools, (64, 256, 512), classes)
    } | {Cell(name, N, 0, C) for name, N, C in product(strategies.OF_PROBABILITIES, pools, classes)}
    cells = grid()
    assert len(cells) == len(wanted)
    assert set(cells) == wanted
    assert set(grid(quick=True)) <= set(cells)


def test_what_is_measured_is_there():
    names = [*STRATEGIES, *strategies.ELSEWHERE, *strategies.MADE_OF_OTHERS]
    assert len(names) == len(set(names))
    assert set(names) <= set(skactive.strategies.__all__)
    for name in set(strategies.ELSEWHERE.values()):
        assert importlib.util.find_spec(f"benchmarks.{name}") is not None


def test_committed_measurements_are_of_the_grid_and_become_rows():
    found = load(strategies.RESULTS)
    cells = {cell for cell, _ in found}
    assert len(cells) > 100
    assert cells <= set(grid())
    assert missing(found, list(cells)) == []  # a cell is measured on both sides, or on none
    assert len(list(strategies.rows(found, list(cells)))) == 2 * len(cells)


def test_the_check_of_a_release_names_what_results_lack(monkeypatch, capsys):
    """That they lack nothing is not a test of the code: `make release` checks it."""
    monkeypatch.setattr(strategies.public, "__all__", ["QueryStrategy", "Entropy", "Switch"])
    monkeypatch.setattr(strategies, "MADE_OF_OTHERS", {"Hybrid"})
    monkeypatch.setattr(strategies, "missing", lambda found, cells: ["BADGE, N = 1: skactive"])
    assert suite.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "Switch: put it into OF_EMBEDDINGS, OF_PROBABILITIES or ELSEWHERE of "
        "benchmarks/strategies.py",
        "BADGE, N = 1: skactive: run python -m benchmarks strategies --out benchmarks/results",
    ]
    monkeypatch.setattr(strategies, "check", list)
    assert suite.main(["--check"]) == 0
    assert "every strategy at every size" in capsys.readouterr().out


@pytest.fixture
def faked(monkeypatch):
    """Measurements that take no time; a list of those made."""
    made = []

    def fake(cell, side):
        made.append((cell, side))
        if side != "skactive" and cell.strategy == "KMeansSampling":
            return {"stopped": "scikit-activeml has none"}
        if side != "skactive" and cell.strategy == "ProbCover":
            return {"stopped": "at 12 GB"}
        if side != "skactive" and cell.strategy == "CoreSet":
            return {"stopped": "after 10 minutes"}
        scale = 1 if side == "skactive" else 60
        return {"seconds": 0.5 * scale, "megabytes": 4.0 * scale, "repeated": scale // 60}

    monkeypatch.setattr(strategies, "measured", fake)
    return made


def test_a_run_in_parts_measures_each_cell_once(faked, tmp_path):
    rows = measure(True, tmp_path, only="BADGE")
    assert [made[1] for made in faked] == ["skactive", "scikit-activeml"]
    assert rows[0]["note"] == "0.5 s, 4 MB; peer: 30 s, 240 MB, 1 picks repeated"
    assert (rows[0]["value"], rows[0]["target"], rows[0]["met"]) == (60.0, 50.0, True)
    found = load(tmp_path / "strategies.jsonl")
    assert len(missing(found, grid(quick=True))) == 2 * (len(STRATEGIES) - 1)
    rows = measure(True, tmp_path)
    assert len(faked) == len(set(faked)) == 2 * len(STRATEGIES)
    assert len(rows) == 2 * len(STRATEGIES)
    assert missing(load(tmp_path / "strategies.jsonl"), grid(quick=True)) == []
    lines = (tmp_path / "strategies.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "strategies.jsonl").write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    lost = json.loads(lines[0])
    assert missing(load(tmp_path / "strategies.jsonl"), grid(quick=True)) == [
        f"{lost['strategy']}, N = 1000, {'D = 64, ' * bool(lost['D'])}C = 10: {lost['side']}"
    ]


def test_rows_where_the_peer_was_stopped_are_bounds(faked, tmp_path):
    rows = {row["what"]: row for row in measure(True, tmp_path)}
    name = "N = 1000, D = 64, C = 10"
    cover = rows[f"ProbCover, {name}: time"]
    assert cover["note"] == "0.5 s, 4 MB; peer: stopped at 12 GB"
    assert (cover["value"], cover["unit"], cover["met"]) == (0.5, "s", None)
    assert rows[f"ProbCover, {name}: memory"]["value"] == 12 * 1024 / 4
    core = rows[f"CoreSet, {name}: time"]
    assert core["note"] == "0.5 s, 4 MB; peer: stopped after 10 minutes"
    assert (core["value"], core["unit"], core["met"]) == (1200.0, "×", True)
    assert rows[f"CoreSet, {name}: memory"]["unit"] == "MB"


@pytest.mark.slow
def test_a_measurement_is_stopped_where_it_takes_too_long_or_too_much(monkeypatch):
    cell = Cell("CoreSet", 64_000, 64, 10)
    monkeypatch.setattr(strategies, "GIGABYTES", 0.02)
    assert measured(cell, "skactive") == {"stopped": "at 0.02 GB"}
    monkeypatch.setattr(strategies, "MINUTES", 0.0001)
    monkeypatch.setattr(strategies, "GIGABYTES", 12)
    assert measured(cell, "skactive") == {"stopped": "after 0.0001 minutes"}
    monkeypatch.undo()
    endless = Cell("CoreSet", 10**9, 512, 10)  # 2 TB at once
    assert measured(endless, "skactive") == {"stopped": "at 12 GB"}


def test_a_measurement_that_fails_says_why():
    match = r"of Nothing, N = 300, .* failed:[\s\S]* no attribute 'Nothing'"
    with pytest.raises(RuntimeError, match=match):
        measured(Cell("Nothing", 300, 8, 3), "skactive")


def test_what_is_larger_than_a_stopped_cell_is_not_run(faked, monkeypatch, tmp_path):
    monkeypatch.setattr(strategies, "QUICK_POOLS", (1_000, 4_000))
    monkeypatch.setattr(strategies, "QUICK_WIDTHS", (256, 64, 512))
    rows = {row["what"]: row for row in measure(True, tmp_path, only="ProbCover")}
    peer = strategies.SIDES[1]
    # D = 64 is not larger than D = 256; what has N = 4,000 is, whatever its D
    assert [cell.D for cell, side in faked if side == peer] == [256, 64]
    assert len(faked) == 6 + 2
    found = load(tmp_path / "strategies.jsonl")
    assert missing(found, [cell for cell in grid(True) if cell.strategy == "ProbCover"]) == []
    at = "at 12 GB at a smaller size, N = 1000, D = 256, C = 10"
    assert found[Cell("ProbCover", 1_000, 512, 10), peer] == {
        "strategy": "ProbCover",
        "N": 1_000,
        "D": 512,
        "C": 10,
        "side": peer,
        "stopped": at,
    }
    assert rows["ProbCover, N = 4000, D = 512, C = 10: memory"]["value"] == 12 * 1024 / 4
    assert rows["ProbCover, N = 4000, D = 512, C = 10: time"]["note"].endswith(f"stopped {at}")


@pytest.mark.slow
@pytest.mark.parametrize("side", strategies.SIDES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_measurements(strategy, side):
    if side != "skactive" and importlib.util.find_spec("skactiveml") is None:
        pytest.skip("needs the extra bench")
    D = 8 if strategy in strategies.OF_EMBEDDINGS else 0
    found = measured(Cell(strategy, 300, D, 3), side)
    if "stopped" in found:
        assert strategy in strategies.WITHOUT_PEER
        return
    assert found["seconds"] > 0
    assert 0 <= found["megabytes"] < 500
    assert found["repeated"] == 0 or side != "skactive"
