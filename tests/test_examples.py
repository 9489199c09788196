"""Examples run, and print what they promise."""

import ast
import re
import runpy
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from PIL import Image
from sklearn.utils import Bunch

from skactive import CNNClassifier, datasets
from skactive.datasets import load_fashion_mnist
from skactive.experiments import run_experiment
from tests.few_images import give_few_images

ROOT = Path(__file__).parent.parent
GALLERY = sorted((ROOT / "examples").glob("plot_*.py"))
EPOCHS = 8  # where an example leaves it to the default, 30
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - set(GALLERY))


def test_quickstart(monkeypatch, capsys):
    (quickstart,) = [path for path in EXAMPLES if path.name == "quickstart.py"]
    give_few_images(monkeypatch, n_train=1000, n_test=200)
    monkeypatch.setattr("skactive.CNNClassifier", partial(CNNClassifier, max_epochs=EPOCHS))
    scope = runpy.run_path(str(quickstart))
    lines = capsys.readouterr().out.splitlines()
    labels = [int(line.split()[0]) for line in lines]
    assert labels == [100, 150, 200, 250, 300]
    accuracy = [float(re.search(r"([\d.]+)%", line)[1]) for line in lines]
    assert accuracy[-1] > 60
    seen = scope["learner"].X_training
    assert len({image.tobytes() for image in seen}) == len(seen)  # no image was labelled twice


@pytest.mark.slow
def test_fishermask(tmp_path, monkeypatch, capsys):
    (example,) = [path for path in EXAMPLES if path.name == "fishermask.py"]
    monkeypatch.setattr("sys.argv", [str(example), "--quick", "--out", str(tmp_path)])
    give_few_images(monkeypatch, n_train=3000, n_test=100)
    of_counts = datasets.make_imbalanced

    def third(X, y, counts, **kwargs):
        return of_counts(X, y, {of: n // 3 for of, n in counts.items()}, **kwargs)

    monkeypatch.setattr(datasets, "make_imbalanced", third)
    narrow = partial(CNNClassifier, module_params={"width": 8})  # of 16
    monkeypatch.setattr("skactive.CNNClassifier", narrow)
    scope = runpy.run_path(str(example), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    names = list(scope["STRATEGIES"])
    assert {name for names in scope["PANELS"].values() for name in names} == set(names)
    for name in names:
        assert sum(name in line for line in lines) == 4  # three rounds, and the rare images
    assert (tmp_path / "fishermask.png").stat().st_size > 10_000


@pytest.mark.slow
def test_lplgrad(tmp_path, monkeypatch, capsys):
    (example,) = [path for path in EXAMPLES if path.name == "lplgrad.py"]
    monkeypatch.setattr("sys.argv", [str(example), "--quick", "--out", str(tmp_path)])
    give_few_images(monkeypatch, n_train=800, n_test=300)
    runpy.run_path(str(example))
    out = capsys.readouterr().out
    assert float(re.search(r"true loss on test images: (-?[\d.]+)", out)[1]) > 0.4
    for name in ("LPLGrad", "Random"):
        assert len(re.findall(rf"^ *\d+ +{name} ", out, re.MULTILINE)) == 4
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.slow
def test_lplgrad_ablation(tmp_path, monkeypatch, capsys):
    (example,) = [path for path in EXAMPLES if path.name == "lplgrad_ablation.py"]
    monkeypatch.setattr("sys.argv", [str(example), "--quick", "--out", str(tmp_path)])
    give_few_images(monkeypatch, n_train=300, n_test=100)
    runpy.run_path(str(example), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    for training in ("alone", "jointly"):
        for query in ("gradient norm", "entropy", "random"):
            assert sum(f"{query}, {training}" in line for line in lines) == 4
    assert (tmp_path / "lplgrad.png").stat().st_size > 10_000


@pytest.mark.slow
def test_features_without_labels(monkeypatch, capsys):
    (example,) = [path for path in EXAMPLES if path.name == "features_without_labels.py"]
    monkeypatch.setenv("SKACTIVE_SMOKE", "1")
    monkeypatch.setattr("sys.argv", [str(example)])
    scope = runpy.run_path(str(example), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    for name in ("regression on features", "regression on pixels", "small_cnn from scratch"):
        assert sum(f"{name} " in line for line in lines) == 3
    a = scope["torch"].randn(4, 8)
    same, other = (scope["contrastive_loss"](a, b) for b in (a, -a))
    assert same < other


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_and_the_example_agree(path):
    readme = (path.parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"examples/{path.name}" in readme


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_ends_in_a_picture(path, monkeypatch):
    monkeypatch.setenv("SKACTIVE_SMOKE", "1")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    plt.close("all")
    try:
        runpy.run_path(str(path), run_name="__main__")
        for number in set(shown):
            plt.figure(number).canvas.draw()
    finally:
        plt.close("all")
    assert shown


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_has_a_title_and_can_be_shrunk(path):
    source = path.read_text(encoding="utf-8")
    title, line, *_ = ast.get_docstring(ast.parse(source)).splitlines()
    assert line == "=" * len(title)
    assert "SMOKE else" in source or "if SMOKE" in source
    assert source.count('SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))') == 1


def test_the_readme_leads_to_the_gallery():
    assert "examples/plot_" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_readmes_examples_run(tmp_path, monkeypatch):
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    data = load_fashion_mnist()
    names = [f"{i % 3}/{i // 3:03}.{('jpg', 'JPG', 'png')[i % 3]}" for i in range(120)]
    for name, image in zip(names, data.X_train, strict=False):
        (Path("photos") / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(Path("photos") / name)
    scope = {"labels": dict(zip(names[:50], data.y_train, strict=False))}
    give_few_images(monkeypatch, n_train=1000, n_test=200)
    monkeypatch.setattr("skactive.CNNClassifier", partial(CNNClassifier, max_epochs=EPOCHS))
    exec(blocks[0], scope)
    assert scope["learner"].score(scope["data"].X_test, scope["data"].y_test) > 0.3
    pool = {name: data[name][:150] for name in ("X_train", "y_train", "X_test", "y_test")}
    scope["data"] = Bunch(**pool)  # the rest runs at a small scale
    scope["clf"].set_params(max_epochs=3)
    once = {"n_rounds": 1, "seeds": 2}
    monkeypatch.setattr(
        "skactive.experiments.run_experiment",
        lambda *args, **of: run_experiment(*args, **of | once),
    )
    for block in blocks[1:]:
        exec(block, scope)
    assert len(set(scope["to_label"])) == 50
    assert set(scope["results"].frame["strategy"]) == {"FisherMask", "Entropy", "Random"}
    assert (tmp_path / "curves.png").stat().st_size > 10_000
