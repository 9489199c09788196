"""The command line: the demo from start to end, continuing it, and every user error."""

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sklearn.exceptions import NotFittedError

import skactive
from skactive import cli, datasets, experiments, strategies
from skactive.cli import _demo
from skactive.cli._arguments import DATASETS
from skactive.experiments import Results
from skactive.strategies.names import ALONE

TINY = ["demo", "--rounds", "2", "--n-instances", "5", "--epochs", "1", "--seeds", "1"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run a tiny demo, as a user does; return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "skactive", *TINY, "--strategies", "Margin,random"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "skactive-demo", run


@pytest.mark.slow
def test_the_demo_writes_its_files(demo):
    out, _ = demo
    files = {"config.json", "learning_curves.png", "queried_images.png", "results.jsonl"}
    assert {path.name for path in out.iterdir()} == files
    for picture in out.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    frame = Results.load(out).frame
    assert frame["strategy"].tolist() == ["Margin"] * 3 + ["Random"] * 3
    assert frame["n_labelled"].tolist() == [20, 25, 30] * 2
    assert (frame["n_threads"] == 1).all()
    first = frame[frame["round"] == 0]
    assert first["log_loss"].nunique() == 1


@pytest.mark.slow
def test_the_demo_prints_a_table_and_where_the_files_are(demo):
    _, run = demo
    lines = run.stdout.splitlines()
    assert lines[0].startswith("fashion-mnist-4k: 3000 images to choose from, 1000 to test on, 10")
    assert lines[1].startswith(
        "Margin, Random: 20 labels at first, spread as evenly over the classes"
    )
    head = next(i for i, line in enumerate(lines) if line.startswith("labels"))
    assert lines[head].split("  ")[-1].strip() == "training (s)"
    assert [line.split()[:2] for line in lines[head + 1 : head + 7]] == [
        [labels, name] for labels in ["20", "25", "30"] for name in ["Margin", "Random"]
    ]
    for name in ["learning_curves.png", "queried_images.png", "results.jsonl"]:
        assert f"  {Path('skactive-demo') / name}" in lines
    assert "6/6" in run.stderr
    assert "accuracy=0." in run.stderr


@pytest.mark.slow
def test_the_same_command_continues(demo, capsys, monkeypatch):
    out, _ = demo
    before = (out / "results.jsonl").read_bytes()
    monkeypatch.chdir(out.parent)
    monkeypatch.setattr("skactive.estimators.CNNClassifier.fit", None)  # nothing is to be trained
    assert cli.main([*TINY, "--strategies", "RANDOM,margin", "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.lstrip().startswith("labels  strategy")
    assert (out / "results.jsonl").read_bytes() == before


def numbers(path):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        {key: value for key, value in record.items() if "_seconds" not in key and "peak" not in key}
        for record in records
    ]


@pytest.mark.slow
def test_a_torn_record_is_computed_again_with_the_same_numbers(demo, tmp_path):
    before = (demo[0] / "results.jsonl").read_bytes()
    shutil.copy(demo[0] / "config.json", tmp_path)
    lines = before.splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:50])
    arguments = [*TINY, "--strategies", "margin,random", "--out", str(tmp_path), "--quiet"]
    assert cli.main(arguments) == 0
    assert numbers(tmp_path / "results.jsonl") == numbers(demo[0] / "results.jsonl")


@pytest.mark.slow
def test_strategies_of_predicted_losses_train_a_network_that_has_them(tmp_path, capsys):
    arguments = [*TINY, "--strategies", "learning-loss,random", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    config = json.loads((tmp_path / "config.json").read_text())
    arms = config["strategies"]
    assert "LPLClassifier" in json.dumps(arms["LearningLoss"])
    assert "LPLClassifier" not in json.dumps(arms["Random"])
    trained = "trains a small CNN from scratch; for LearningLoss jointly with a loss-prediction"
    assert trained in capsys.readouterr().out
    first = Results.load(tmp_path).frame.query("round == 0")
    assert first["accuracy"].nunique() == 2  # same initial weights, but another loss


@pytest.mark.slow
def test_other_settings_are_refused_in_one_line(demo, capsys):
    out, _ = demo
    before = (out / "results.jsonl").read_bytes()
    assert cli.main([*TINY, "--out", str(out), "--epochs", "2", "--quiet"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("skactive demo: error: The results in ")
    assert "estimator.params.max_epochs was 1 and is now 2. Pass another --out" in shown.err
    assert shown.err.count("\n") == 1
    assert (out / "results.jsonl").read_bytes() == before


def test_without_rounds_there_is_one_picture(tmp_path, capsys):
    arguments = ["demo", "--rounds", "0", "--epochs", "1", "--seeds", "1", "--strategies", "random"]
    threads = torch.get_num_threads()
    arguments += ["--threads", str(threads + 1)]
    assert cli.main([*arguments, "--out", str(tmp_path), "--quiet"]) == 0
    assert Results.load(tmp_path).frame["n_threads"].tolist() == [threads + 1]
    assert torch.get_num_threads() == threads
    assert "queried_images" not in capsys.readouterr().out
    assert not (tmp_path / "queried_images.png").exists()
    assert (tmp_path / "learning_curves.png").exists()


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiments, "run_experiment", raise_(KeyboardInterrupt()))
    assert cli.main([*TINY, "--out", str(tmp_path / "here")]) == 130
    assert capsys.readouterr().err.endswith("\nskactive demo: stopped.\n")
    (tmp_path / "here").mkdir()
    assert cli.main([*TINY, "--out", str(tmp_path / "here")]) == 130
    shown = capsys.readouterr().err
    assert "skactive demo: stopped. The finished rounds are in" in shown
    assert f"{tmp_path / 'here'}; the same command goes on from there." in shown


def raise_(error):
    def function(*args, **kwargs):
        raise error

    return function


def test_what_a_strategy_cannot_use_is_one_line(tmp_path, capsys):
    arguments = [*TINY, "--strategies", "bald", "--out", str(tmp_path), "--quiet"]
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("skactive demo: error: BALD compares predictions under")
    assert "dropout" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("error", [NotFittedError("not yet"), ValueError("not\nso")], ids=str)
def test_what_is_wrong_with_values_is_one_line(tmp_path, monkeypatch, capsys, error):
    monkeypatch.setattr(experiments, "run_experiment", raise_(error))
    assert cli.main([*TINY, "--out", str(tmp_path), "--quiet"]) == 2
    assert capsys.readouterr().err == f"skactive demo: error: {' '.join(str(error).split())}\n"


def test_a_mistake_of_ours_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "run_experiment", raise_(RuntimeError("ours")))
    with pytest.raises(RuntimeError, match="ours"):
        cli.main([*TINY, "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategies", "margin,best"], "argument --strategies: there is no strategy 'best'; th"),
        (["--strategies", ""], "argument --strategies: there is no strategy ''; there are"),
        (["--strategies", "margin,MARGIN"], "argument --strategies: Margin is named twice. See"),
        (["--rounds", "-1"], "argument --rounds: must be a whole number of at least 0, not '-1'"),
        (
            ["--n-instances", "0"],
            "argument --n-instances: must be a whole number of at least 1, not '0'",
        ),
        (
            ["--initial", "2.5"],
            "argument --initial: must be a whole number of at least 1, not '2.5",
        ),
        (["--seeds", "two"], "argument --seeds: must be a whole number of at least 1, not 'two'"),
        (["--threads", "0"], "argument --threads: must be a whole number of at least 1, not '0'"),
        (["--epochs", "0"], "argument --epochs: must be a whole number of at least 1, not '0'"),
        (["--dataset", "imagenet"], "argument --dataset: invalid choice: 'imagenet'"),
        (["--fast"], "unrecognized arguments: --fast. See skactive demo --help"),
        (
            ["--rounds", "100", "--n-instances", "30"],
            "error: --rounds must be an int from 0 to 99 (fashion-mnist-4k "
            "has 3000 images, 20 are labelled at first, and a round asks for 30). Got 100 instead. "
            "Lower --rounds, --n-instances or --initial.",
        ),
        (
            ["--initial", "3001"],
            "error: --rounds must be an int from 0 to 0",
        ),
        (["--device", "abacus"], "error: --device must be 'auto' or a torch device"),
        (
            ["--data-path", "here"],
            "error: --data-path must be left out where --dataset is fashion-mnist-4k, which ships "
            "with the package. Got 'here' instead. Pass --dataset fashion-mnist to read the folder",
        ),
        (
            ["--dataset", "mnist", "--data-path", "here", "--download"],
            "error: --download must be left out where --data-path is given. Got True instead. "
            "Leave --data-path out to download into the cache folder",
        ),
        (
            ["--dataset", "mnist", "--data-path", "missing"],
            "Pass --data-path with the folder of the",
        ),
        (["--out", "{file}"], "error: --out must be a folder, or a path to make one at. Got '"),
        (["--out", "{file}/inside"], "/file is a file."),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys, tmp_path):
    (tmp_path / "file").write_text("kept")
    arguments = [argument.format(file=tmp_path / "file") for argument in arguments]
    try:
        code = cli.main(["demo", "--quiet", "--out", str(tmp_path / "out"), *arguments])
    except SystemExit as exit_:  # argparse leaves in this way
        code = exit_.code
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.startswith("skactive demo: error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_strategies_are_those_that_need_no_arguments():
    public = {name: getattr(strategies, name) for name in strategies.__all__}
    alone = [
        name
        for name, kind in public.items()
        if hasattr(kind, "select")
        and not inspect.isabstract(kind)
        and all(p.default is not p.empty for p in inspect.signature(kind).parameters.values())
    ]
    assert alone == ALONE
    assert {"Margin", "Entropy", "Random", "LeastConfidence"} <= set(alone)


def test_strategies_are_found_whatever_their_case():
    assert _demo.read_strategies("least-confidence, ENTROPY") == ["LeastConfidence", "Entropy"]


def test_data_sets_are_those_that_can_be_loaded():
    loaders = {name for name in datasets.__all__ if name.startswith("load_")}
    assert {function for function, *_ in DATASETS.values()} == loaders


def test_help_teaches(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["demo", "--help"])
    shown = capsys.readouterr().out
    for word in ["learning_curves.png", "queried_images.png", "results.jsonl", "config.json"]:
        assert word in shown
    options = "strategies rounds n-instances initial seeds epochs threads out"
    for option in options.split():
        assert f"--{option} " in shown
    assert "to continue:" in shown
    assert "examples:" in shown


def test_the_examples_of_the_help_are_valid():
    parser = cli._parser()
    commands = [
        line.split() for line in _demo.EPILOG.splitlines() if line.startswith("  skactive ")
    ]
    assert len(commands) >= 3
    for command in commands:
        parser.parse_args(command[1:])


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"skactive {skactive.__version__}\n"


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main([])
    assert "the following arguments are required: COMMAND" in capsys.readouterr().err


@pytest.mark.slow
def test_the_configuration_is_that_of_the_command(demo):
    config = json.loads((demo[0] / "config.json").read_text())
    assert config["initial"] == "balanced"
    assert config["n_initial"] == 20
    assert config["n_instances"] == 5
    assert config["estimator"]["params"]["max_epochs"] == 1
