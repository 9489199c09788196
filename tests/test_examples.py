"""Examples run, and print what they promise."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def test_quickstart(capsys):
    (quickstart,) = [path for path in EXAMPLES if path.name == "quickstart.py"]
    scope = runpy.run_path(str(quickstart))
    lines = capsys.readouterr().out.splitlines()
    labels = [int(line.split()[0]) for line in lines]
    assert labels == [100, 150, 200, 250, 300]
    accuracy = [float(re.search(r"([\d.]+)%", line)[1]) for line in lines]
    assert accuracy[-1] > 70
    seen = scope["learner"].X_training
    assert len({image.tobytes() for image in seen}) == len(seen)  # no image was labelled twice


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_and_the_example_agree(path):
    readme = (path.parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"examples/{path.name}" in readme
