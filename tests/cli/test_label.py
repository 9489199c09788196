"""`skactive label` and `skactive labels`, as a person types them."""

import http.client
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import webbrowser
from urllib.parse import urlsplit

import pytest

from skactive.cli import main
from skactive.labelling import LabelSession
from skactive.labelling._serve import Address
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
    assert connection.getresponse().status == 200
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
    for i in range(12):
        (folder / f"nowhere{i:02}.png").symlink_to(folder / "gone.png")
    assert main(["labels", "status", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("png was left out: it is not a file\n") == 10
    assert "2 more were left out." in shown
    assert "4 of 11 images are labelled." in shown
    assert "Files that are unreadable: 2" in shown
    assert "Files that are missing: 1" in shown
    assert "  deer: 2" in shown
    assert "Accuracy: not yet known" in shown
    assert main(["labels", "rename", str(folder), "deer", "roe deer"]) == 0
    assert main(["labels", "merge", str(folder), "roe deer", "fox"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["labels", "status", str(folder)]) == 0
    assert "  fox: 4" in capsys.readouterr().out
    assert main(["labels", "merge", str(folder), "wolf", "fox"]) == 2
    assert "CLASS must be a class other than into" in capsys.readouterr().err
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
        (["label", "FOLDER", "--network", "resnet19"], "--network must be one of"),
        (["label", "FOLDER", "--augment", "blur"], "--augment must be one of"),
        (["labels", "status", "FOLDER"], "has no labels; skactive label opens it"),
    ],
)
def test_errors_are_one_line(arguments, message, folder, capsys):
    arguments = [str(folder) if word == "FOLDER" else word for word in arguments]
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "name", "remedy"),
    [
        ("database is locked", "BUSY_SNAPSHOT", "end it, or try again"),
        ("database or disk is full", "FULL", "Make room on the disk"),
        ("attempt to write a readonly database", "READONLY_DBMOVED", "writable"),
        ("unable to open database file", "CANTOPEN", "writable"),
        ("database disk image is malformed", "CORRUPT", "Put a copy of"),
        ("disk I/O error", "IOERR_WRITE", "has failed"),
        ("interrupted", "INTERRUPT", "End other programs that have it open"),
    ],
)
def test_what_is_wrong_with_the_file_of_labels_is_one_line(
    text, name, remedy, folder, capsys, monkeypatch
):
    def fail(*_, **__):
        error = sqlite3.OperationalError(text)
        error.sqlite_errorname = f"SQLITE_{name}"
        raise error

    monkeypatch.setattr("skactive.labelling.serve", fail)
    assert main(["label", str(folder)]) == 2
    shown = capsys.readouterr().err
    assert f"error: the file of labels: {text}. " in shown
    assert remedy in shown
    assert shown.count("\n") == 1


def test_a_file_of_labels_that_is_none(folder, capsys):
    (folder / ".skactive").mkdir()
    (folder / ".skactive" / "labels.sqlite").write_text("these are no labels at all" * 100)
    assert main(["labels", "status", str(folder)]) == 2
    shown = capsys.readouterr().err
    remedy = "Put a copy of" if sys.version_info >= (3, 11) else "End other programs"
    assert f"file is not a database. {remedy}" in shown
    assert shown.count("\n") == 1


def test_a_browser_that_does_not_return_holds_nothing_up(folder, monkeypatch):
    """As one in the terminal does, which waits for the page."""
    opened, answering = threading.Event(), threading.Event()

    def browse(url):
        opened.set()
        answering.wait()

    def serve(*_, ready, **__):
        ready([Address("ada", "http://127.0.0.1:1/")])
        answering.set()

    monkeypatch.setattr(webbrowser, "open", browse)
    monkeypatch.setattr("skactive.labelling.serve", serve)
    running = threading.Thread(target=main, args=(["label", str(folder)],), daemon=True)
    running.start()
    running.join(60)
    assert not running.is_alive()
    assert opened.wait(60)
