import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from skactive.labelling import _database
from skactive.labelling._catalogue import scan
from skactive.labelling._database import Database, is_networked
from skactive.labelling._events import rebuild
from skactive.labelling._names import class_id, labeller_id
from tests.labelling.folders import make_folder


def test_each_commit_reaches_the_disk(database):
    assert database.journal == "wal"
    assert database.value("PRAGMA synchronous") == 2  # FULL
    assert not database.networked


def test_a_failed_transaction_leaves_nothing(database):
    def fail():
        with database.writing() as connection:
            connection.execute("INSERT INTO meta VALUES ('half', 'done')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert database.get("half") is None
    database.set("half", "whole")
    assert database.get("half") == "whole"


def test_a_newer_format_is_refused(folder, database):
    database.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match=r"'folder'.*format 1 or older.*Got 99.*newer skactive"):
        Database(folder)


@pytest.mark.parametrize(
    ("kind", "networked"),
    [
        ("ext4", False),
        ("apfs", False),
        ("fuseblk", False),
        ("nfs4", True),
        ("cifs", True),
        ("smb3", True),
        ("fuse.sshfs", True),
        ("9p", True),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="drives have letters there")
def test_network_file_systems_are_detected(kind, networked, tmp_path, monkeypatch):
    share = tmp_path / "with space"
    (share / "photos").mkdir(parents=True)
    rows = [("/", "ext4"), (str(share), kind), (str(share) + "-not", "nfs")]
    monkeypatch.setattr(_database, "_mounts", lambda: rows)
    assert is_networked(share / "photos") is networked
    said = pytest.warns(UserWarning, match=r"network drive.*another journal")
    with said if networked else contextlib.nullcontext():
        database = Database(share / "photos")
    assert database.journal == ("truncate" if networked else "wal")
    assert database.networked is networked


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_mounts_are_read():
    assert ("/", is_networked(Path("/"))) in [(place, False) for place, _ in _database._mounts()]


def test_threads_share_a_connection(database):
    def write(k):
        for i in range(20):
            database.set(f"{k}/{i}", str(i))

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.count("SELECT COUNT(*) FROM meta WHERE key LIKE '%/%'") == 80


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_writer_killed_a_hundred_times_loses_and_doubles_nothing(tmp_path):
    folder = tmp_path / "photos"
    make_folder(folder, 3)
    database = Database(folder)
    scan(database, folder, n_test=0)
    with database.writing() as connection:  # 200 images, of which the files do not matter
        for i in range(4, 201):
            connection.execute(
                'INSERT INTO image (path, bytes, mtime_ns, "group", share)'
                " VALUES (?, 1, 1, ?, 'pool')",
                (f"{i}.png", str(i)),
            )
    labeller_id(database, "ada")
    for name in "abc":
        class_id(database, name)
    draw = np.random.default_rng(0)
    acknowledged, first = set(), 0
    code = Path(__file__).with_name("writer.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    starts = [int(n) for n in draw.integers(1, 40, 100)]
    command = [sys.executable, "-S", str(code), str(folder)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writers:
        for start in starts:
            writers.stdin.write(f"{first}\n")
            writers.stdin.flush()
            pid = int(writers.stdout.readline())
            for _ in range(start):
                acknowledged.add(int(writers.stdout.readline()))
            pause = float(draw.uniform(0, 0.003))
            threading.Event().wait(pause)  # somewhere within the next ones
            os.kill(pid, signal.SIGKILL)
            # a last line may be cut short: what was not said whole is not acknowledged
            while not (said := writers.stdout.readline()).endswith("|\n"):
                acknowledged.add(int(said))
            first = max(acknowledged) + 1000
            # the event and what follows from it are both there, or neither is
            held = dict(database.read("SELECT image, event FROM label"))
            assert held == dict(database.read("SELECT image, MAX(id) FROM event GROUP BY image"))
    written = [uuid for (uuid,) in database.read("SELECT uuid FROM event")]
    assert len(acknowledged) > 1000
    assert len(written) == len(set(written))
    assert {f"event-{image}" for image in acknowledged} <= set(written)
    assert len(written) - len(acknowledged) <= len(starts)  # one at most was under way
    assert database.value("PRAGMA integrity_check") == "ok"
    before = database.read("SELECT * FROM label ORDER BY image, labeller")
    rebuild(database)
    assert database.read("SELECT * FROM label ORDER BY image, labeller") == before


def test_a_locked_file_waits_and_then_goes_on(database):
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, other.execute, ["COMMIT"]).start()
    database.set("waited", "yes")
    assert database.get("waited") == "yes"
