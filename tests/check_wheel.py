"""Install a built wheel into an empty folder, and use it from there: code, data and command.

Usage: python tests/check_wheel.py dist/skactive-*.whl
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECK = """
import sys
from importlib.metadata import version
from importlib.resources import files
import skactive
from skactive.datasets import load_fashion_mnist

folder = sys.argv[1]
assert skactive.__file__.startswith(folder), skactive.__file__
assert load_fashion_mnist().X_train.shape == (3000, 28, 28)
assert (files("skactive.datasets") / "data" / "LICENSE-fashion-mnist.txt").is_file()
assert (files("skactive") / "py.typed").is_file()
assert b"<!doctype html>" in (files("skactive.labelling") / "page" / "index.html").read_bytes()
for name in ("page.js", "finder.js", "outbox.js", "pictures.js", "page.css", "icon.png"):
    assert (files("skactive.labelling") / "page" / name).is_file()
print("skactive", version("skactive"), "imports from the wheel, with its data and its licence")
"""


def main(wheel: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = str(Path(folder).resolve())
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
        subprocess.run([*pip, wheel], check=True)
        env = {**os.environ, "PYTHONPATH": folder}
        subprocess.run([sys.executable, "-c", CHECK, folder], check=True, cwd=folder, env=env)
        command = [str(Path(folder) / "bin" / "skactive"), "--version"]
        subprocess.run(command, check=True, cwd=folder, env=env)


if __name__ == "__main__":
    main(sys.argv[1])
