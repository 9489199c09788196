"""The benchmark of strategies: no holes in its grid, resumed, stopped where too large."""

import importlib.util
import json
from itertools import product

import pytest

import skactive
from benchmarks import strategies
from benchmarks.strategies import Cell, grid, load, measure, measured, missing


def test_the_grid_has_every_strategy_at_every_size():
    sizes = product((1_000, 4_000, 16_000, 64_000), (64, 256, 512), (10, 100))
    wanted = {Cell(name, *size) for size in sizes for name in strategies.STRATEGIES}
    cells = grid()
    assert len(cells) == len(wanted)
    assert set(cells) == wanted
    assert {"BADGE", "CoreSet", "ProbCover", "TypiClust"} <= set(strategies.STRATEGIES)
    for name in strategies.STRATEGIES:
        assert hasattr(skactive, name)
    assert set(grid(quick=True)) <= set(cells)


def test_no_cell_is_missing_in_the_committed_results():
    if not strategies.RESULTS.exists():
        pytest.skip("the grid has not been run yet: benchmarks/results/strategies.jsonl")
    found = load(strategies.RESULTS)
    assert missing(found, grid()) == []
    assert len(list(strategies.rows(found, grid()))) == 2 * len(grid())


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
    assert "1 picks repeated" in rows[0]["what"]
    assert (rows[0]["value"], rows[0]["target"], rows[0]["met"]) == (60.0, 50.0, True)
    found = load(tmp_path / "strategies.jsonl")
    assert len(missing(found, grid(quick=True))) == 2 * (len(strategies.STRATEGIES) - 1)
    rows = measure(True, tmp_path)
    assert len(faked) == len(set(faked)) == 2 * len(strategies.STRATEGIES)
    assert len(rows) == 2 * len(strategies.STRATEGIES)
    assert missing(load(tmp_path / "strategies.jsonl"), grid(quick=True)) == []
    lines = (tmp_path / "strategies.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "strategies.jsonl").write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    lost = json.loads(lines[0])
    assert missing(load(tmp_path / "strategies.jsonl"), grid(quick=True)) == [
        f"{lost['strategy']}, N = 1000, D = 64, C = 10: {lost['side']}"
    ]


def test_rows_where_the_peer_was_stopped_are_bounds(faked, tmp_path):
    rows = {row["what"]: row for row in measure(True, tmp_path)}
    name = "N = 1000, D = 64, C = 10"
    cover = rows[f"ProbCover, {name}: 0.5 s, 4 MB; peer stopped at 12 GB; time"]
    assert (cover["value"], cover["unit"], cover["met"]) == (0.5, "s", None)
    assert rows[f"ProbCover, {name}: memory"]["value"] == 12 * 1024 / 4
    core = rows[f"CoreSet, {name}: 0.5 s, 4 MB; peer stopped after 10 minutes; time"]
    assert (core["value"], core["unit"], core["met"]) == (1200.0, "×", True)
    assert rows[f"CoreSet, {name}: memory"]["unit"] == "MB"


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
    with pytest.raises(RuntimeError, match=r"of Nothing, N = 300, .* failed:[\s\S]*KeyError"):
        measured(Cell("Nothing", 300, 8, 3), "skactive")


@pytest.mark.slow
@pytest.mark.parametrize("side", strategies.SIDES)
@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_measurements(strategy, side):
    if side != "skactive" and importlib.util.find_spec("skactiveml") is None:
        pytest.skip("needs the extra bench")
    found = measured(Cell(strategy, 300, 8, 3), side)
    if "stopped" in found:
        assert strategy in strategies.WITHOUT_PEER
        return
    assert 0 < found["seconds"] < 60
    assert 0 <= found["megabytes"] < 500
    assert found["repeated"] == 0 or side != "skactive"
