import csv
import json
import shutil
import sqlite3

import numpy as np
import pytest

from skactive.labelling import LabelSession, _catalogue
from skactive.labelling._label_studio import _path_of, _result
from skactive.labelling._names import class_names
from skactive.labelling._sorted_folder import folder_name, folder_names
from tests.labelling.folders import make_folder
from tests.labelling.spies import Nearest

NAMES = ["fox/red", "Füchse & Ürs", "a\\b", "..", "dots. ", "100 %", "狐", '"quoted", comma', "-"]


@pytest.fixture
def full(tmp_path):
    """A folder with deep paths and every kind of decision, by two people."""
    folder = tmp_path / "photos"
    make_folder(folder, 20)
    make_folder(folder / "deep/ä ö", 5)
    with LabelSession(folder, labeller="ada", estimator=Nearest(), random_state=0) as session:
        paths = [path for (path,) in session.database.read("SELECT path FROM image")]
        for i, path in enumerate(paths[:18]):
            session.label(path, NAMES[i % len(NAMES)])
        session.skip(paths[18])
        session.unsure(paths[19])
        session.label(paths[0], NAMES[3])
        session.label(paths[1], NAMES[4])
        session.undo()
    with LabelSession(folder, labeller="bob", estimator=Nearest()) as session:
        session.label(paths[0], NAMES[1])
        session.label(paths[-1], NAMES[2])
    with LabelSession(folder, labeller="ada", estimator=Nearest()) as session:
        yield session


@pytest.fixture
def fresh(full, tmp_path):
    """The same files, without a label."""
    shutil.copytree(full.folder, tmp_path / "copy", ignore=lambda *_: [".skactive"])
    with LabelSession(tmp_path / "copy", labeller="eve", random_state=0) as session:
        yield session


HOLDS = """
SELECT i.path, p.name, l.kind, c.name, l.via, l.at, e.uuid FROM label l
JOIN image i ON i.id = l.image JOIN labeller p ON p.id = l.labeller
JOIN event e ON e.id = l.event LEFT JOIN class c ON c.id = l.class ORDER BY 1, 2
"""


@pytest.mark.parametrize("name", ["labels.csv", "tasks.json"])
def test_export_and_import_are_the_identity(name, full, fresh, tmp_path):
    expected = full.database.read(HOLDS)
    assert len(expected) == 22
    # one image has two labels
    assert full.export(tmp_path / name) == {"labels.csv": 22, "tasks.json": 21}[name]
    done = fresh.import_(tmp_path / name)
    assert (done.new, done.known, done.unknown) == (22, 0, [])
    assert fresh.database.read(HOLDS) == expected
    again = fresh.import_(tmp_path / name)
    assert (again.new, again.known) == (0, 22)
    fresh.export(tmp_path / f"again-{name}")
    if name == "labels.csv":
        assert (tmp_path / name).read_text() == (tmp_path / f"again-{name}").read_text()


def test_a_folder_per_class_both_ways(full, fresh, tmp_path):
    full.export(tmp_path / "sorted")
    assert {path.name for path in (tmp_path / "sorted").iterdir()} == {
        folder_name(name) for name in full.labels()["class"]
    }
    done = fresh.import_(tmp_path / "sorted")
    assert done.unknown == []
    columns = ["path", "class"]
    assert fresh.labels()[columns].values.tolist() == full.labels()[columns].values.tolist()
    assert set(fresh.labels()["via"]) == {"import"}
    with pytest.raises(FileExistsError, match="not empty"):
        full.export(tmp_path / "sorted")


def test_image_folder_reads_it(full, tmp_path):
    from torchvision.datasets import ImageFolder

    full.export(tmp_path / "sorted")
    found = ImageFolder(tmp_path / "sorted")
    assert len(found) == len(full.labels())
    assert len(found.classes) == full.labels()["class"].nunique()


def test_a_folder_that_others_sorted_is_known_by_content(fresh, tmp_path):
    path = fresh.folder / "0013.png"
    (tmp_path / "theirs" / "cat").mkdir(parents=True)
    shutil.copy(path, tmp_path / "theirs" / "cat" / "renamed.png")
    fresh.import_(tmp_path / "theirs")
    assert fresh.labels()[["path", "class"]].values.tolist() == [["0013.png", "cat"]]


@pytest.mark.parametrize("name", [*NAMES, "CON.", "con", "Lpt1", "a:b*?", "Ω", "x" * 50])
def test_class_names_as_names_of_folders(name, tmp_path):
    from urllib.parse import unquote

    coded = folder_name(name)
    assert unquote(coded) == name
    assert not set(coded) & set('/\\:*?"<>|.')
    assert coded[-1] != " "
    assert coded.lower() not in {"con", "lpt1"}
    (tmp_path / coded).mkdir()


def test_classes_that_differ_in_capitals_have_folders_of_their_own():
    from urllib.parse import unquote

    names = ["Fox", "fox", "FOX", "Ähre", "ähre", "Deer"]
    coded = folder_names(names)
    assert len({name.lower() for name in coded.values()}) == len(names)
    assert {unquote(folder): name for name, folder in coded.items()} == {n: n for n in names}
    assert (coded["fox"], coded["Deer"]) == ("fox", "Deer")


def test_a_line_says_whether_its_image_is_kept_for_measuring(full, tmp_path):
    full.export(tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        found = {row["path"]: row["share"] for row in csv.DictReader(file)}
    expected = dict(full.labels()[["path", "share"]].to_numpy())
    assert set(expected.values()) == {"pool", "test"}
    assert found.items() >= expected.items()


def test_a_class_that_was_corrected_in_a_table_is_a_new_decision(full, tmp_path):
    full.export(tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    row = next(row for row in table if row["path"] == "0005.png")
    assert row["class"] != "corrected"
    row["class"] = "corrected"
    for line in table:
        line["at"] = f"{int(line['at']):.5E}"  # as spreadsheets do
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows([*table, {**row, "class": "at once another"}])
    n_events = full.database.count("SELECT COUNT(*) FROM event")
    done = full.import_(tmp_path / "labels.csv")
    assert (done.new, done.known) == (2, 21)
    assert full.database.count("SELECT COUNT(*) FROM event") == n_events + 2
    held = full.labels().set_index("path")
    assert held.loc["0005.png", ["class", "via"]].tolist() == ["at once another", "import"]
    full.undo()
    full.undo()
    assert full.labels().set_index("path").loc["0005.png", "class"] not in {
        "corrected",
        "at once another",
    }


def test_of_labels_that_cannot_be_read_none_is_written(full, tmp_path, monkeypatch):
    monkeypatch.setattr(_catalogue, "PIECE", 2)
    full.export(tmp_path / "tasks.json")
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    for task in tasks[:9]:
        task["annotations"][0]["unique_id"] += "-new"
        task["annotations"][0]["result"] = [_result("another")]
        task["annotations"][0]["meta"]["kind"] = "label"
    tasks[9]["annotations"][0]["meta"]["via"] = "telepathy"
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    before = full.database.read(HOLDS)
    with pytest.raises(ValueError, match="via 'telepathy'"):
        full.import_(tmp_path / "tasks.json")
    assert full.database.read(HOLDS) == before
    assert "another" not in class_names(full.database).values()


def test_two_columns_are_enough(fresh, tmp_path):
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        rows = [("class", "path"), ("fox", "0001.png"), ("deer", "nowhere.png")]
        csv.writer(file).writerows(rows)
    done = fresh.import_(tmp_path / "mine.csv")
    assert (done.new, done.unknown) == (1, ["nowhere.png"])
    assert fresh.database.read(HOLDS)[0][:5] == ("0001.png", "eve", "label", "fox", "import")
    assert fresh.import_(tmp_path / "mine.csv").known == 1
    fresh.undo()
    assert len(fresh.labels()) == 0


def test_a_renamed_file_is_found_by_its_content(full, tmp_path):
    full.export(tmp_path / "labels.csv")
    shutil.copytree(full.folder, tmp_path / "other", ignore=lambda *_: [".skactive"])
    (tmp_path / "other" / "0011.png").rename(tmp_path / "other" / "moved.png")
    # of two copies, 0001.png and deep/ä ö/0001.png, the other one is left
    (tmp_path / "other" / "0001.png").unlink()
    with LabelSession(tmp_path / "other") as other:
        done = other.import_(tmp_path / "labels.csv")
        found = dict(other.labels()[["path", "class"]].values)
    expected = dict(full.labels()[["path", "class"]].values)
    assert found["moved.png"] == expected["0011.png"]
    assert found["deep/ä ö/0001.png"] == expected["0001.png"]
    assert (done.new, done.unknown) == (22, [])


def test_two_peoples_files_are_merged(full, tmp_path):
    shutil.copytree(full.folder, tmp_path / "bobs")
    with LabelSession(tmp_path / "bobs", labeller="bob") as bobs:
        for path in bobs.next(5):
            bobs.label(path, "new class")
        bobs.undo()
        expected = bobs.database.read("SELECT uuid, kind, at FROM event ORDER BY uuid")
    full.label("0000.png", "mine")
    mine = full.database.read("SELECT uuid, kind, at FROM event")
    done = full.import_(tmp_path / "bobs")
    assert done.new == 5
    merged = full.database.read("SELECT uuid, kind, at FROM event ORDER BY uuid")
    assert set(merged) == {*expected, *mine}
    assert (full.labels()["class"] == "new class").sum() == 3
    assert full.import_(tmp_path / "bobs" / ".skactive" / "labels.sqlite").new == 0


@pytest.mark.parametrize("where", ["here", "there"])
def test_classes_that_got_other_names_are_no_new_decisions(where, full, fresh, tmp_path):
    assert fresh.import_(full.folder).new > 0
    full.export(tmp_path / "before.csv")
    session = full if where == "there" else fresh
    session.rename_class("狐", "fox")
    session.merge_class("100 %", into="-")
    before = fresh.database.read(HOLDS)
    n_events = full.database.count("SELECT COUNT(*) FROM event")
    again = fresh.import_(full.folder)
    assert (again.new, again.known) == (0, n_events)
    assert fresh.database.read(HOLDS) == before
    if where == "here":  # what was merged counts as what it is part of
        fresh.rename_class("fox", "狐")
        done = fresh.import_(tmp_path / "before.csv")
        assert (done.new, done.known) == (0, 22)
    else:
        full.export(tmp_path / "after.csv")
        done = full.import_(tmp_path / "after.csv")
        assert (done.new, done.known) == (0, 22)


def test_the_order_of_two_merges_does_not_matter(full, tmp_path):
    for name in ("bob", "eve"):
        shutil.copytree(full.folder, tmp_path / name)
        with LabelSession(tmp_path / name, labeller="ada") as session:  # the same person, elsewhere
            draw = np.random.default_rng(len(name) + ord(name[0]))
            for i in draw.integers(0, 20, 12):
                session.label(f"{i:04}.png", str(draw.choice(["blue", "red"])))
                if draw.random() < 0.3:
                    session.undo()
    found = []
    for order in (("bob", "eve"), ("eve", "bob")):
        shutil.copytree(full.folder, tmp_path / order[0] / "to")
        with LabelSession(tmp_path / order[0] / "to") as session:
            for name in order:
                session.import_(tmp_path / name / ".skactive")
            found.append(session.database.read(HOLDS))
    assert found[0] == found[1]


def test_label_studios_own_export(fresh, tmp_path):
    tasks = [
        {
            "id": 7,
            "data": {"image": "/data/local-files/?d=copy/deep/%C3%A4%20%C3%B6/0001.png"},
            "annotations": [
                {
                    "id": 1,
                    "completed_by": 3,
                    "was_cancelled": False,
                    "created_at": "2025-05-01T10:00:00.123456Z",
                    "unique_id": "5a1e",
                    "result": [
                        {
                            "from_name": "choice",
                            "to_name": "image",
                            "type": "choices",
                            "value": {"choices": ["fox"]},
                        }
                    ],
                }
            ],
        },
        {
            "id": 8,
            "data": {"image": "http://localhost/upload/0002.png"},
            "annotations": [{"completed_by": 3, "was_cancelled": True, "result": []}],
        },
        {"id": 9, "data": {"image": "0003.png"}, "annotations": []},
    ]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    assert fresh.import_(tmp_path / "tasks.json").new == 2
    rows = [row[:4] for row in fresh.database.read(HOLDS)]
    assert rows == [("0002.png", "3", "skip", None), ("deep/ä ö/0001.png", "3", "label", "fox")]


def test_tasks_are_in_the_queried_order_with_predictions(tmp_path):
    truth = make_folder(tmp_path / "photos", 60)
    with LabelSession(tmp_path / "photos", estimator=Nearest(), n_test=20) as session:
        for path in session.next(30):
            session.label(path, truth[path.name])
        session.run_round(8)
        session.export(tmp_path / "tasks.json")
        tasks = json.loads((tmp_path / "tasks.json").read_text())
        asked = [path.name for path in session.next(30)]
    waiting = [task for task in tasks if not task["annotations"]]
    assert [task["data"]["path"] for task in waiting][:8] == asked[:8]
    for task in waiting:
        pool = task["data"]["share"] == "pool"
        assert len(task["predictions"]) == pool  # none is shown for what measures
        if pool:
            (prediction,) = task["predictions"]
            (name,) = prediction["result"][0]["value"]["choices"]
            assert name in {"blue", "green", "red"}
            assert 0 < prediction["score"] <= 1


def test_addresses():
    here = {"a/b.png", "b.png"}
    assert _path_of("/data/local-files/?d=photos/a/b.png", here) == "a/b.png"
    assert _path_of("s3://bucket/x/b.png", here) == "b.png"
    assert _path_of("b.png", here) == "b.png"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "file,label\nx,y\n", "needs the columns path and class; it has file, label"),
        ("a.csv", "path,class,kind\n0000.png,fox,think\n", "Line 2 cannot be read"),
        ("a.csv", "path,class,kind\n0000.png,,label\n", "Line 2 cannot be read"),
        ("a.csv", "path,class\n0000.png,a,b\n", "Line 2 has no path, or another number"),
        ("a.json", "{", "It is not JSON"),
        ("a.json", "{}", "not a list of tasks"),
        (
            "a.json",
            '[{"data": {"path": "0000.png"}, "annotations": [{"result": [{"type": "choices",'
            ' "value": {"choices": ["a", "b"]}}]}]}]',
            "2 choices, where one class is needed",
        ),
        ("a.txt", "", "a file .csv or .json"),
    ],
)
def test_what_cannot_be_read(name, text, message, fresh, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"'path'.*{message}"):
        fresh.import_(tmp_path / name)
    assert fresh.database.read(HOLDS) == []


def test_where_nothing_can_be_written(fresh, tmp_path):
    with pytest.raises(ValueError, match=r"'path'.*outside of the one.*new images there"):
        fresh.export(fresh.folder / "sorted")
    with pytest.raises(ValueError, match=r"'path'.*\.csv or \.json"):
        fresh.export(tmp_path / "labels.xls")
    with pytest.raises(ValueError, match=r"'path'.*that there is"):
        fresh.import_(tmp_path / "nowhere.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no images in folders"):
        fresh.import_(tmp_path / "empty")


def test_the_file_of_another_is_only_read(full, fresh):
    before = sqlite3.connect(full.database.path).execute("SELECT * FROM event").fetchall()
    assert fresh.import_(full.folder).new == len(before)
    after = sqlite3.connect(full.database.path).execute("SELECT * FROM event").fetchall()
    assert after == before
