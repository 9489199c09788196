"""What needs no torch imports none, and Ctrl-C while it is imported leaves no traceback."""

import os
import signal
import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "numpy", "scipy", "pandas", "sklearn", "skorch", "modAL"}
HEAVY |= {"joblib", "matplotlib", "tqdm", "PIL"}
LIST_MODULES = """
import sys
from skactive.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--version", 0),
        ("--help", 0),
        ("demo --help", 0),
        ("label --help", 0),
        ("labels --help", 0),
        ("run --help", 0),
        ("report --help", 0),
        ("", 2),
        ("demo --rounds many", 2),
        ("demo --strategies nope", 2),
        ("demo --dataset nope", 2),
    ],
)
def test_no_torch(arguments, code):
    command = [sys.executable, "-c", LIST_MODULES, *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "skactive.cli" in loaded
    assert HEAVY & loaded == set()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as POSIX sends it")
@pytest.mark.parametrize("command", ["demo", "run study.toml", "report results"])
def test_ctrl_c_while_torch_is_imported(command, tmp_path):
    (tmp_path / "torch").mkdir()
    slow = "import time; print('importing', flush=True); time.sleep(60)"
    (tmp_path / "torch" / "__init__.py").write_text(slow)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    running = subprocess.Popen(
        [sys.executable, "-m", "skactive", *command.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What runs the tests in the background may have Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout.readline() == "importing\n"
    running.send_signal(signal.SIGINT)
    _, shown = running.communicate()
    assert running.returncode == 130
    assert shown.startswith(f"\nskactive {command.split()[0]}: stopped.")
    assert shown.count("\n") == 2
