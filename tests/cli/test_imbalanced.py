"""`skactive demo --imbalanced`: a pool for each seed, strategies aimed at all classes."""

import numpy as np
import pandas as pd
import pytest

from skactive import BAIT, FisherMask, Margin, cli
from skactive.cli._imbalanced import aimed_too, merged, who_asked_for_rare, with_a_tail
from skactive.datasets import load_fashion_mnist
from skactive.experiments import Results

TINY = ["demo", "--imbalanced", "--rounds", "1", "--n-instances", "5", "--epochs", "1"]


def test_each_seed_has_a_tail_of_its_own():
    data = load_fashion_mnist()
    tails = [with_a_tail(data, seed) for seed in range(3)]
    assert len({tuple(tail.order) for tail in tails}) == 3
    for tail in tails:
        counts = np.bincount(tail.data.y_train)
        np.testing.assert_array_equal(np.argsort(-counts, kind="stable"), tail.order)
        assert (counts.max(), counts.min()) == (300, 6)
        assert len(tail.data.X_train) == len(tail.data.y_train)
        np.testing.assert_array_equal(tail.data.y_test, data.y_test)
    assert len(data.y_train) == 3000  # as it was


def test_strategies_with_a_target_are_there_twice():
    found = aimed_too({"BAIT": BAIT(), "Margin": Margin(), "FisherMask": FisherMask(rank=2)})
    assert list(found) == ["BAIT", "BAIT balanced", "Margin", "FisherMask", "FisherMask balanced"]
    assert found["BAIT"].target == "pool"
    assert (
        found["FisherMask balanced"].get_params()
        == FisherMask(rank=2, target="balanced").get_params()
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "here"
    arguments = [*TINY, "--seeds", "2", "--strategies", "bait,random", "--quiet"]
    assert cli.main([*arguments, "--out", str(out)]) == 0
    return out, arguments


def test_results_of_all_seeds_are_one_table(demo, monkeypatch, capsys):
    out, arguments = demo
    assert {path.name for path in out.iterdir()} == {
        "learning_curves.png",
        "queried_images.png",
        "seed-0",
        "seed-1",
    }
    monkeypatch.setattr("skactive.estimators.CNNClassifier.fit", None)  # nothing is to be trained
    assert cli.main([*arguments, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("BAIT balanced") == 3  # two numbers of labels, and the rare classes
    assert f"  {out / 'seed-1' / 'results.jsonl'}" in shown.splitlines()
    both = [Results.load(out / f"seed-{seed}") for seed in range(2)]
    frame = merged(both).frame
    assert sorted(set(frame["seed"])) == [0, 1]
    assert len(frame) == 2 * 3 * 2
    tails = {seed: with_a_tail(load_fashion_mnist(), seed) for seed in range(2)}
    for line in who_asked_for_rare(merged(both), tails):
        name = line.rsplit(maxsplit=3)[0].strip()
        queried = frame[frame["strategy"] == name]
        rare = sum(
            int(tails[seed].data.y_train[i]) in tails[seed].order[5:]
            for seed, positions in zip(queried["seed"], queried["queried"], strict=True)
            for i in positions
        )
        assert line.endswith(f"  {rare} of 10")
        assert line.strip() in shown


def test_no_query_is_no_share():
    rows = pd.DataFrame({"strategy": ["a"], "seed": [0], "queried_classes": [{}]})
    tails = {0: with_a_tail(load_fashion_mnist(), 0)}
    results = type("Results", (), {"frame": rows})()
    assert who_asked_for_rare(results, tails) == []
