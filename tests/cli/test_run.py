"""`skactive run` and `skactive report`, from a file to a page that a browser opens."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from skactive import cli
from skactive.experiments import Results

STUDY = """
strategies = ["Margin", "Random"]
[dataset]
name = "fashion-mnist-4k"
label = "clothes & shoes"
pool = 200
test = 100
[estimator]
module = "small_cnn"
max_epochs = 1
module_params = { width = 4 }
[experiment]
n_initial = 20
n_instances = 5
n_rounds = 2
seeds = 2
"""
STUDIES = sorted((Path(__file__).parents[2] / "benchmarks" / "study").glob("*.toml"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run a small study, as a user does, and its report in this process; return the folder."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "small.toml").write_text(STUDY)
    command = [sys.executable, "-m", "skactive", "run", "small.toml", "--out", "results"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "run.out").write_text(done.stdout)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as shown:
        patch.chdir(folder)
        assert cli.main(["report", "results"]) == 0
    (folder / "report.out").write_text(shown.getvalue())
    return folder


def test_run_writes_results_and_says_what_came_out(ran):
    files = {path.name for path in (ran / "results").iterdir()}
    assert files == {"config.json", "results.jsonl", "report.html", "study.toml"}
    frame = Results.load(ran / "results").frame
    assert frame["strategy"].tolist() == (["Margin"] * 3 + ["Random"] * 3) * 2
    assert set(frame["dataset"]) == {"clothes & shoes"}
    assert set(frame["n_threads"]) == {1}
    assert (ran / "results" / "study.toml").read_text() == STUDY
    lines = (ran / "run.out").read_text().splitlines()
    assert lines[0] == "clothes & shoes: 200 images to choose from, 100 to test on."
    assert lines[1] == "Margin, Random: 20 labels at first, then 2 × 5 more; seeds: 2."
    assert [line.split()[:3] for line in lines[5:7]] == [
        ["Margin", "30", "2"],
        ["Random", "30", "2"],
    ]
    assert lines[-1] == "skactive report results draws it."


def test_what_failed_is_named_at_the_end_and_in_the_exit_code(tmp_path, monkeypatch, capsys):
    """One failing strategy does not end an experiment (MetaAutoML#332)."""

    def fail(*args, **kwargs):
        raise RuntimeError("no\nroom")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(STUDY.replace("seeds = 2", "seeds = 1"))
    command = ["run", "small.toml", "--out", "out", "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr("skactive.strategies.Margin.choose", fail)
        assert cli.main(command) == 1
    shown = capsys.readouterr()
    assert shown.err == (
        "skactive run: Margin with seed 0 failed in round 0: RuntimeError: no room\n"
        "The other runs are finished. failures.json has the tracebacks; the same command tries the "
        "failed runs again.\n"
    )
    assert "Random" in shown.out
    assert cli.main(["report", "out"]) == 0
    assert "report: Margin with seed 0 failed in round 0" in capsys.readouterr().err
    assert cli.main(command) == 0
    assert capsys.readouterr().err == ""


def test_the_same_command_continues(ran, monkeypatch, capsys):
    monkeypatch.chdir(ran)
    before = (ran / "results" / "results.jsonl").read_bytes()
    monkeypatch.setattr("skactive.estimators.CNNClassifier.fit", None)  # nothing is to be trained
    assert cli.main(["run", "small.toml", "--out", "results", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert (ran / "results" / "results.jsonl").read_bytes() == before


def test_options_replace_fields(tmp_path, ran):
    arguments = ["--rounds", "0", "--seeds", "1", "--out", str(tmp_path), "--quiet"]
    assert cli.main(["run", str(ran / "small.toml"), *arguments]) == 0
    assert len(Results.load(tmp_path).frame) == 2


def test_check_runs_nothing(tmp_path, ran, capsys):
    arguments = ["--check", "--out", str(tmp_path / "new"), "--quiet"]
    assert cli.main(["run", str(ran / "small.toml"), *arguments]) == 0
    assert "200 images to choose from" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("seed", range(3))
def test_check_with_a_rare_class_and_a_metric_of_all_classes(tmp_path, ran, seed, capsys):
    """The few images of the trial lacked the class, and the metric was not defined."""
    study = (ran / "small.toml").read_text().replace("pool = 200\ntest = 100", f"seed = {seed}")
    study = study.replace("[estimator]", "counts = { 0 = 4, 1 = 300, 2 = 300 }\n[estimator]")
    study += 'initial = "balanced"\nmetrics = ["roc_auc_ovr"]\n'
    (tmp_path / "rare.toml").write_text(study)
    arguments = ["run", str(tmp_path / "rare.toml"), "--check", "--out", str(tmp_path / "new")]
    assert cli.main(arguments) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (("max_epochs = 1", "max_epochs = 0"), [], "small.toml: estimator.max_epochs must be an i"),
        (("", ""), [], "small.toml: experiment.out is missing; it is a folder for the"),
        (
            ("n_rounds = 2", "n_rounds = 99"),
            ["--out", "x"],
            "small.toml: experiment.n_rounds must be an int from 0 to 36 (X has 200 images, 20 are",
        ),
        (("", ""), ["--out", "x", "--rounds", "99"], "command line: --rounds must be an int from"),
        (
            ("n_initial = 20", "n_initial = 201"),
            ["--out", "x"],
            "small.toml: experiment.n_initial must be an int from 1 to 200 (all of X). Got 201",
        ),
        (
            ("seeds = 2", "seeds = 2\nn_jobs = 0"),
            ["--out", "x"],
            "small.toml: experiment.n_jobs must be an int of at least 1, or -1 for one per core.",
        ),
        (
            ('"fashion-mnist-4k"', '"mnist"\npath = "nowhere"'),
            ["--out", "x"],
            "MNIST: files are missing. Looked in",
        ),
        (("max_epochs = 1", "max_epochs = 2"), ["--out", "{ran}/results"], "pass another --out"),
        (("", ""), ["--jobs", "0"], "argument --jobs: must be a whole number of at least 1, not"),
    ],
)
def test_mistakes_are_one_line(change, arguments, message, tmp_path, ran, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(STUDY.replace(*change))
    arguments = [argument.format(ran=ran) for argument in arguments]
    try:
        code = cli.main(["run", "small.toml", "--quiet", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    shown = capsys.readouterr().err
    assert code == 2
    assert shown.startswith("skactive run: error: ")
    assert message.lower() in shown.lower()
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('"small_cnn"', '"small_cn"'),
            "estimator.module must be 'auto', 'small_cnn', 'resnet18', 'resnet18_narrow', 'vgg11', "
            "'torchvision/NAME' or a torch module. Got \"small_cn\" instead.",
        ),
        (("width = 4", "wide = 4"), "estimator.module_params.wide must be a parameter of Smal"),
        (('"Margin"', '"BALD"'), "strategies[1]: BALD compares predictions under dropout"),
        (
            ('"Margin"', '{ class = "ClassBalanced", strategy = { class = "BADGE" } }'),
            "strategies[1].strategy must be a strategy that gives every sample a utility of at",
        ),
        (('"Margin"', '"LearningLoss"'), "strategies[1]: LearningLoss needs a classifier that pre"),
        (
            ('"Margin"', '{ class = "Margin", estimator = { module = "?" } }'),
            "strategies[1].estimator.module must be 'auto', 'small_cnn'",
        ),
    ],
    ids=lambda of: of[1][:40],
)
def test_check_finds_what_could_not_run(change, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert change[0] in STUDY
    (tmp_path / "small.toml").write_text(STUDY.replace(*change))
    assert cli.main(["run", "small.toml", "--check", "--out", "new"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("skactive run: error: small.toml: ")
    assert message in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_check_finds_results_of_another_configuration(ran, tmp_path, capsys):
    (tmp_path / "small.toml").write_text(STUDY.replace("n_initial = 20", "n_initial = 10"))
    out = ran / "results"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for more in ["--check"], []:
        arguments = ["run", str(tmp_path / "small.toml"), "--out", str(out), "--quiet", *more]
        assert cli.main(arguments) == 2
        assert "n_initial was 20 and is now 10" in capsys.readouterr().err
        assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_file_is_kept_from_the_start(tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    (tmp_path / "small.toml").write_text(STUDY)
    monkeypatch.setattr("skactive.experiments.run_experiment", stop)
    out = tmp_path / "out"
    assert cli.main(["run", str(tmp_path / "small.toml"), "--out", str(out), "--quiet"]) == 130
    assert (out / "study.toml").read_text() == STUDY


def test_ctrl_c_says_how_to_go_on(ran, tmp_path, monkeypatch, capsys):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skactive.experiments.run_experiment", stop)
    assert cli.main(["run", str(ran / "small.toml"), "--out", str(tmp_path), "--quiet"]) == 130
    shown = capsys.readouterr().err
    assert f"stopped. The finished rounds are in {tmp_path}; the same command goes on" in shown
    monkeypatch.setattr("skactive.cli._study.read_study", stop)
    assert cli.main(["run", str(ran / "small.toml"), "--quiet"]) == 130
    assert capsys.readouterr().err == "\nskactive run: stopped.\n"


def test_the_report_is_one_file_with_everything_in_it(ran):
    page = (ran / "results" / "report.html").read_text(encoding="utf-8")
    assert (ran / "report.out").read_text() == "results/report.html\n"
    assert not re.search(r"https?://|<script|<link|src=\"(?!data:)|href=", page)
    drawn = re.findall(r'<img alt="(\w+)" src="data:image/png;base64,iVBOR', page)
    assert drawn == [
        "LearningCurves",
        "LearningCurves",
        "TimeAccuracy",
        "CalibrationCurves",
        "ClassBalance",
        "QueriedImages",
        "QueriedImages",
        "PenaltyMatrix",
        "CriticalDifference",
    ]
    assert "<h2>clothes &amp; shoes</h2>" in page
    for text in ["Labels that Random needs", "Wilcoxon", "Holm", "<td>torch</td>", "p holm"]:
        assert text in page
    assert "Not here" not in page


CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "google-chrome", "chrome"])), None)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_every_picture_of_the_report(ran, tmp_path):
    page = (ran / "results" / "report.html").read_text(encoding="utf-8")
    # The browser itself says which images it could draw, and how large.
    script = (
        "<script>addEventListener('load', () => { document.title = JSON.stringify("
        "[...document.images].map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect()"
        ".right <= innerWidth])); });</script></body>"
    )
    probe = tmp_path / "probe.html"
    probe.write_text(page.replace("</body>", script), encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=10000",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        probe.as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True)
    images = json.loads(re.search(r"<title>(.*?)</title>", shown.stdout)[1])
    assert len(images) == 9
    for complete, width, inside in images:
        assert complete
        assert width > 400
        assert inside


def test_reports_of_several_folders_and_without_a_study(ran, tmp_path, capsys):
    (tmp_path / "small.toml").write_text(STUDY.replace("clothes & shoes", "other"))
    out = tmp_path / "other"
    arguments = ["run", str(tmp_path / "small.toml"), "--out", str(out), "--quiet"]
    assert cli.main([*arguments, "--seeds", "1"]) == 0
    (out / "study.toml").unlink()
    page = tmp_path / "page.html"
    assert cli.main(["report", str(ran / "results"), str(out), "--output", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<h2>") == 2 + 2
    assert text.count('alt="QueriedImages"') == 2
    # One seed cannot be tested, and the page says so.
    assert "Not here: Results.penalty_matrix compares over seeds" in text
    assert "Mean ranks over the data sets" in text


def test_a_report_of_a_file(ran, tmp_path, capsys):
    shutil.copytree(ran / "results", tmp_path / "out")
    (tmp_path / "out" / "report.html").unlink()
    assert cli.main(["report", str(tmp_path / "out" / "results.jsonl")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'report.html'}\n"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count('alt="QueriedImages"') == 2


def test_a_report_of_unfinished_runs_says_so(ran, tmp_path, capsys):
    lines = (ran / "results" / "results.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_bytes(b"".join(lines[:-1]))  # a round of one seed is missing
    assert cli.main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    named = (
        "On &#x27;clothes &amp; shoes&#x27; not all can be compared. Unfinished, and left out: seed"
    )
    assert page.count(named) == 1


def test_a_baseline_that_is_not_there(ran, tmp_path, capsys):
    page = tmp_path / "page.html"
    arguments = ["report", str(ran / "results"), "--output", str(page), "--baseline"]
    assert cli.main([*arguments, "random"]) == 2
    message = "skactive report: error: --baseline must be one of Margin, Random. Got 'random' inst"
    assert capsys.readouterr().err.startswith(message)
    assert not page.exists()
    assert cli.main([*arguments, "Margin"]) == 0
    assert "Labels that Margin needs" in page.read_text(encoding="utf-8")


def test_results_without_a_round(tmp_path, capsys):
    (tmp_path / "results.jsonl").write_text("")
    assert cli.main(["report", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert "must be results with at least one finished round" in shown
    assert shown.count("\n") == 1


def test_nothing_to_report(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("skactive report: error: The 'path' parameter of Results.load must be")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_the_studies_of_the_benchmarks_are_valid(path, capsys):
    code = cli.main(["run", str(path), "--check", "--out", "unused"])
    shown = capsys.readouterr()
    if code == 2 and "files are missing" in shown.err:  # the data come last, all else is right
        pytest.skip("its data are not here")
    assert code == 0, shown.err
    assert "images to choose from" in shown.out
