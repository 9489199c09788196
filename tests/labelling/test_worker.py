import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

from skactive.labelling import LabelSession, _supervisor
from skactive.labelling._database import Database
from skactive.labelling._events import Event, record
from skactive.labelling._supervisor import Supervisor
from skactive.labelling._worker import Heart, another_lives, due, forget_interrupted, unread
from tests.forked import forked
from tests.labelling import killed_worker
from tests.labelling.folders import make_marked
from tests.labelling.spies import First, Nearest

# Places where a worker is killed.
PLACES = ["_rounds.fit", "_rounds._query", "_rounds._finish", "_rounds.requeue"]
PLACES += ["_cache.StoredImages._read"]


@pytest.fixture
def truth(tmp_path):
    return make_marked(tmp_path / "marked", 120)


@pytest.fixture
def session(tmp_path, truth):
    with LabelSession(
        tmp_path / "marked", estimator=Nearest(), strategy=First(), size=8, n_test=20
    ) as found:
        yield found


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def wait_for(what):
    while not what():
        time.sleep(0.02)


def answer(session, truth, n):
    for path in session.next(n):
        session.label(path, truth[path.name])


def ended(database):
    return database.count("SELECT COUNT(*) FROM round WHERE ended IS NOT NULL")


@pytest.fixture
def supervisor(session, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    found = Supervisor(session.folder, First(), Nearest())
    found.start()
    yield found
    found.stop()


@pytest.mark.slow
def test_rounds_come_by_themselves_and_a_killed_worker_goes_on(supervisor, session, truth):
    database = session.database
    wait_for(lambda: ended(database) == 1)  # the start
    answer(session, truth, 15)  # ten are for training: due with the last of them, not before
    wait_for(lambda: ended(database) == 2)
    assert session.rounds()["n_labels"].tolist() == [10]
    first = supervisor.worker.pid
    os.kill(first, signal.SIGKILL)
    answer(session, truth, 30)
    wait_for(lambda: ended(database) == 3)
    assert supervisor.worker.pid != first
    assert "The worker was killed" in supervisor.log.read_text()
    wait_for(lambda: session.database.count("SELECT COUNT(*) FROM image WHERE cached = 8") == 120)
    database.set("review", "wanted")
    wait_for(lambda: database.get("review") == "done")
    assert database.count("SELECT COUNT(*) FROM suspicion") > 0


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.rpartition(".")[2])
def test_a_worker_killed_within_leaves_what_the_next_one_goes_on_from(place, session, truth):
    database = session.database
    if not place.endswith("_read"):
        session.run_round()
    answer(session, truth, 30)
    database.connection.execute("UPDATE image SET cached = 0")
    before, n_ended = session.labels(), ended(database)
    assert forked(killed_worker.main, session.folder, place).exitcode == -signal.SIGKILL
    assert database.value("PRAGMA integrity_check") == "ok"
    assert session.labels().equals(before)
    assert len(session.next(5)) == 5
    after_end = place.endswith("_finish")
    assert ended(database) - n_ended == after_end
    database.connection.execute("DELETE FROM worker")  # its last beat is not old yet
    forget_interrupted(database)
    errors = [error for (error,) in database.read("SELECT error FROM round")]
    begun = not place.endswith("_read")  # the labelled images are read before a round begins
    assert errors.count("stopped") == (begun and not after_end)
    answer(session, truth, 15)
    session.run_round()
    assert session.accuracy().n_right == session.accuracy().n_test > 0


def test_it_ends_when_its_stdin_closes(session):
    worker = subprocess.Popen(
        [sys.executable, "-m", "skactive.labelling._worker", str(session.folder)],
        stdin=subprocess.PIPE,
        env=environment(),
    )
    worker.stdin.write(pickle.dumps((None, None)))  # a classifier is imported, for seconds
    worker.stdin.flush()
    wait_for(lambda: session.database.count("SELECT pid FROM worker") == worker.pid)
    worker.stdin.close()
    assert worker.wait() == 0


def test_whether_images_are_left_to_be_read(session):
    database = session.database
    assert unread(database, 8)
    database.connection.execute("UPDATE image SET cached = 8")
    assert not unread(database, 8)
    assert unread(database, 16)
    database.connection.execute("UPDATE image SET state = 'missing'")
    assert not unread(database, 16)


def test_one_works_at_a_time(session):
    assert not another_lives(session.database)
    heart = Heart(session.database)
    heart.stop()
    assert not another_lives(session.database)  # it is this process
    session.database.connection.execute("UPDATE worker SET pid = -1")
    assert another_lives(session.database)
    session.database.connection.execute("UPDATE worker SET beat = beat - 60")
    assert not another_lives(session.database)


def test_when_a_round_is_due(session, truth):
    database = session.database
    assert due(database)
    session.run_round()
    assert not due(database)
    answer(session, truth, 12)  # of which eight are for training
    assert not due(database)
    answer(session, truth, 3)
    assert due(database)
    session.run_round(5)
    assert not due(database)
    answer(session, truth, 9)  # all that was chosen
    assert due(database)
    database.connection.execute(
        "INSERT INTO round (started, strategy, n_labels, seed, error) VALUES (0, 'a', 16, 0, 'no')"
    )
    assert not due(database)  # a round that failed is not repeated without new labels


def test_corrections_of_a_review_count_as_new_labels(session, truth):
    database = session.database
    answer(session, truth, 36)
    session.run_round()
    rows = database.read(
        "SELECT l.image, l.class FROM label l JOIN image i ON i.id = l.image"
        " WHERE i.share = 'pool' ORDER BY 1 LIMIT 12"
    )
    for image, class_ in rows:  # confirmed
        record(database, 1, [Event(image, "label", class_, via="review")])
    assert not due(database)
    for image, class_ in rows[:9]:
        record(database, 1, [Event(image, "label", 3 - class_, via="review")])
    assert not due(database)
    record(database, 1, [Event(rows[9][0], "label", 3 - rows[9][1], via="review")])
    assert due(database)


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_given_up(session, monkeypatch):
    monkeypatch.setattr(_supervisor, "_ATTEMPTS", 1)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    session.database.set("settings", '{"size": 1}')
    found = Supervisor(session.folder)
    found.start()
    wait_for(lambda: found.given_up)
    assert "'size' parameter" in found.log.read_text()
    found.stop()


@pytest.mark.parametrize("gets_on", [False, True])
def test_workers_that_live_long_and_do_nothing_are_given_up(gets_on, session, monkeypatch):
    """As those that are killed for their memory whenever they train."""
    died, now = [], time.monotonic()
    found = Supervisor(session.folder, progress=lambda: len(died) // 4 if gets_on else 0)

    def die():
        died.append(now + 100 * len(died))
        if len(died) == 40:
            found._stopped.set()

    monkeypatch.setattr(found, "_run_once", die)
    monkeypatch.setattr(found._stopped, "wait", lambda seconds: None)
    monkeypatch.setattr(time, "monotonic", lambda: died[-1] if died else now)
    found._run()
    assert found.given_up is not gets_on
    assert len(died) == (40 if gets_on else 5)


def test_the_network_is_imported_there_alone(session):
    code = "import sys; import skactive.labelling._supervisor; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert not {"torch", "numpy", "sklearn"} & set(done.stdout.split())
    Database(session.folder).close()
