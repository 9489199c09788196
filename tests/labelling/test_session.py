import os
import subprocess
import sys

import pytest

from skactive.labelling import LabelSession
from tests.labelling.folders import make_folder, picture
from tests.labelling.spies import Nearest


@pytest.fixture
def session(folder):
    with LabelSession(folder, ["blue", "green"], size=16, labeller="ada", random_state=0) as found:
        found.run_round()
        yield found


def test_next_gives_files_of_the_folder(session, folder):
    first = session.next(3)
    assert all(path.is_file() and path.parent == folder for path in first)
    assert session.next(3) == first


def test_labels_are_kept_and_the_next_session_goes_on(session, folder):
    one, two, three, four = session.next(4)
    session.label(one, "blue")
    session.label(two.name, "violet/lilac")  # relative, and a new class
    session.skip(str(three))
    session.unsure(four)
    assert dict(session.labels()[["path", "class"]].values) == {
        one.name: "blue",
        two.name: "violet/lilac",
    }
    session.close()
    with LabelSession(folder, labeller="ada") as again:
        assert again.settings.size == 16
        assert len(again.labels()) == 2
        assert not {one, two, three, four} & set(again.next(30))
        assert again.undo() == four
        assert again.next()[0] == four
        assert [again.undo(), again.undo(), again.undo(), again.undo()] == [three, two, one, None]
        assert len(again.labels()) == 0


def test_why_an_image_was_labelled(session):
    first, second = [p for p in session.next(4) if session._via(session._image(p)) == "query"][:2]
    pool = session.database.read("SELECT path FROM image WHERE share = 'pool'")
    other = next(p for (p,) in reversed(pool) if session._via(session._image(p)) == "import")
    session.label(other, "blue")  # one that nobody was asked for
    session.label(first, "blue")
    session.run_round(3)
    session.label(second, "green")  # asked for before
    session.label(first, "green")  # corrected
    found = session.labels().set_index("path")["via"]
    assert found.to_dict() == {other: "import", first.name: "query", second.name: "query"}


def test_two_sessions_are_never_asked_the_same(session, folder):
    with LabelSession(folder, labeller="bob") as other:
        assert not set(session.next(10)) & set(other.next(10))


def test_files_in_subfolders_and_new_ones(session, folder):
    make_folder(folder / "deep", 3)
    session.close()
    with LabelSession(folder) as again:
        assert again.scan_.new == 3
        again.label("deep/0001.png", "blue")
        again.label(folder / "deep" / "0002.png", "blue")
        assert again.labels()["path"].tolist() == ["deep/0001.png", "deep/0002.png"]


def test_a_folder_without_images(tmp_path):
    with LabelSession(tmp_path) as session:
        assert session.next(3) == []
        picture("red", 0).save(tmp_path / "a.png")
    with LabelSession(tmp_path) as session:
        assert session.next(3) == [tmp_path / "a.png"]


def test_accuracy_and_predictions(tmp_path):
    truth = make_folder(tmp_path / "many", 150)
    with LabelSession(tmp_path / "many", estimator=Nearest(), size=16, n_test=60) as session:
        assert str(session.accuracy()) == "not yet known (0 of 50 labels for measuring)"
        with pytest.raises(ValueError, match="no estimator_ before images of two classes"):
            _ = session.estimator_
        for path in session.next(30):
            session.label(path, truth[path.name])
        session.run_round()
        assert session.accuracy().n_test == 10
        for path in session.next(110):
            session.label(path, truth[path.name])
        assert session.accuracy().value is not None
        table = session.predict(tmp_path / "rest.csv")
        assert len(table) == 150
        assert (table["by"] == "person").sum() == len(session.labels())
        assert table.loc[table["by"] == "person", "p"].isna().all()
        assert table.loc[table["by"] == "network", "p"].between(0, 1).all()
        assert (tmp_path / "rest.csv").read_text().startswith("path,class,p,by\n0000.png,")
        fitted = session.estimator_
        assert session.estimator_ is fitted
    with LabelSession(tmp_path / "many", estimator=Nearest()) as session:
        assert session.estimator_.classes_.tolist() == fitted.classes_.tolist()


def test_a_measured_share_of_none(folder):
    with LabelSession(folder, n_test=0) as session:
        assert session.database.count("SELECT COUNT(*) FROM image WHERE share = 'test'") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folder": "nowhere"}, "'folder'.*a folder of image files"),
        ({"folder": 3}, "'folder'.*a folder of image files"),
        ({"classes": "fox"}, "'classes'.*several names"),
        ({"classes": ["fox", 3]}, "'classes'.*a name. Got 3"),
        ({"strategy": "best"}, "'strategy'.*one of"),
        ({"strategy": 3}, "'strategy'.*a name, a strategy"),
        ({"estimator": object()}, "'estimator'.*predict_proba"),
        ({"n_test": -1}, "'n_test'.*at least 0"),
        ({"size": 3}, "'size'.*at least 8"),
        ({"random_state": "a"}, "'random_state'.*an int"),
        ({"labeller": "\n"}, "'labeller'.*a name"),
    ],
)
def test_wrong_arguments(arguments, message, folder):
    with pytest.raises(ValueError, match=message):
        LabelSession(**{"folder": folder, **arguments})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.label("nowhere.png", "blue"), "'path'.*an image file of .*'nowhere.png'"),
        (lambda s: s.label(3, "blue"), "'path'.*an image file"),
        (lambda s: s.label(s.next()[0], ""), "'name'.*a name. Got ''"),
        (lambda s: s.next(0), "'n'.*at least 1"),
        (lambda s: s.merge_class("blue", into="azure"), "'name'.*no class 'azure'"),
        (lambda s: s.rename_class("blue", "green"), "'name'.*'green' already; merge the two"),
        (lambda s: s.suspicious(None), "'n'.*at least 1"),
        (lambda s: s.run_round(0), "'n_instances'.*at least 1"),
    ],
)
def test_wrong_calls(call, message, session):
    with pytest.raises(ValueError, match=message):
        call(session)


def test_importing_and_opening_bring_no_torch(folder):
    code = (
        "import sys\nfrom skactive.labelling import LabelSession\n"
        "print(*sys.modules, file=sys.stderr)\n"
        f"s = LabelSession({str(folder)!r}, ['blue'])\n"
        "s.database.connection.execute('INSERT INTO round (started, strategy, n_labels, seed)"
        " VALUES (0, 0, 0, 0)')\n"
        "path = s.next()[0]\ns.label(path, 'blue'); s.undo(); s.accuracy(); s.stopping()\n"
        "print(*sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert not {"torch", "numpy", "sklearn", "PIL", "starlette"} & set(done.stderr.split())
    assert not {"torch", "numpy", "sklearn", "starlette"} & set(done.stdout.split())
