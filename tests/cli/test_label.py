"""`skactive label` and `skactive labels`, as a person types them."""

import http.client
import os
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from skactive.cli import main
from skactive.labelling import LabelSession
from tests.labelling.folders import make_folder


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path / "photos", 12)
    return tmp_path / "photos"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as POSIX sends it")
def test_label_opens_a_page_before_torch_is_imported_and_ends_with_ctrl_c(folder, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemExit('torch was imported')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    command = [sys.executable, "-m", "skactive", "label", str(folder)]
    command += ["--no-browser", "--no-training"]
    running = subprocess.Popen(
        [*command, "--classes", "fox,deer", "--labeller", "ada", "--size", "32"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    line = running.stdout.readline()
    (url,) = re.findall(r"^ada labels at (http://127\.0\.0\.1:\d+/\?token=\S+)$", line)
    assert running.stdout.readline() == "Ctrl-C ends it; every label is on disk.\n"
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", f"/?{urlsplit(url).query}")
    assert connection.getresponse().status == 303
    connection.close()
    running.send_signal(signal.SIGINT)
    _, shown = running.communicate()
    assert shown == ""
    assert running.returncode == 0  # the way in which it is meant to end
    with LabelSession(folder) as session:
        assert session.settings.size == 32
        assert session.database.read("SELECT name FROM class ORDER BY id") == [("fox",), ("deer",)]


def test_labels(folder, tmp_path, capsys):
    with LabelSession(folder, size=16) as session:
        for i in range(4):
            session.label(f"{i:04}.png", ["fox", "deer"][i % 2])
        connection = session.database.connection  # two that could not be shown
        connection.execute("UPDATE image SET state = 'unreadable' WHERE path > '0009.png'")
    (folder / "0009.png").unlink()
    assert main(["labels", "status", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "4 of 11 images are labelled." in shown
    assert "Files that are unreadable: 2" in shown
    assert "Files that are missing: 1" in shown
    assert "  deer: 2" in shown
    assert "Accuracy: not yet known" in shown
    assert main(["labels", "export", str(folder), str(tmp_path / "labels.csv")]) == 0
    assert "4 written to" in capsys.readouterr().out
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("nowhere.png,fox,,,,,,\n")
    assert main(["labels", "import", str(folder), str(tmp_path / "labels.csv")]) == 0
    done = capsys.readouterr()
    assert done.out == "0 new, 4 known already\n"
    assert "1 are not here, first nowhere.png" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label", "nowhere"], "FOLDER must be a folder of image files"),
        (["label", "FOLDER", "--host", "0.0.0.0"], "--labeller must be the names"),
        (["label", "FOLDER", "--strategy", "best"], "--strategy must be one of"),
        (["labels", "status", "FOLDER"], "has no labels; skactive label opens it"),
    ],
)
def test_errors_are_one_line(arguments, message, folder, capsys):
    arguments = [str(folder) if word == "FOLDER" else word for word in arguments]
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
