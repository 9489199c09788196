import json
import os
import unicodedata

import numpy as np
import pytest

from skactive.exceptions import InvalidParameterError
from skactive.labelling import LabelSession
from skactive.labelling._label_studio import _path_of, _time_of
from tests.labelling.folders import make_folder, picture
from tests.labelling.spies import Nearest


@pytest.fixture
def photos(tmp_path):
    make_folder(tmp_path / "photos", 4)
    return tmp_path / "photos"


def held(session):
    return dict(session.labels()[["path", "class"]].values.tolist())


def test_paths_as_seen_from_here_and_through_links(photos, monkeypatch):
    (photos.parent / "link").symlink_to(photos)
    monkeypatch.chdir(photos.parent)
    with LabelSession("link") as session:
        session.label("photos/0000.png", "a")
        session.label("./0001.png", "b")
        session.label(photos.parent / "link/0002.png", "c")
        assert held(session) == {"0000.png": "a", "0001.png": "b", "0002.png": "c"}


def test_a_path_that_means_two_images_is_refused(photos, monkeypatch):
    make_folder(photos / "photos", 1)
    monkeypatch.chdir(photos.parent)
    with LabelSession(photos) as session:
        with pytest.raises(InvalidParameterError, match="one from the working directory"):
            session.label("photos/0000.png", "a")
        assert held(session) == {}


def test_names_in_another_form_of_unicode(photos, tmp_path):
    nfc, nfd = (unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD"))
    picture("red", 9).save(photos / nfd)
    (tmp_path / "a.csv").write_text(f"path,class\n{nfc},b\n", encoding="utf-8")
    with LabelSession(photos) as session:
        session.label(nfc, "a")
        assert held(session) == {nfd: "a"}
        assert session.import_(tmp_path / "a.csv").new == 1


@pytest.mark.parametrize("name", ["labels.csv", "sorted", "session"])
def test_other_images_of_the_same_names_get_no_label(name, photos, tmp_path):
    with LabelSession(photos) as session:
        session.label("0000.png", "a")
        if name != "session":
            session.export(tmp_path / name)
    (tmp_path / "other").mkdir()
    picture("red", 77).save(tmp_path / "other/0000.png")
    with LabelSession(tmp_path / "other") as other:
        done = other.import_(photos if name == "session" else tmp_path / name)
        assert (done.new, len(done.unknown)) == (0, 1)
        assert held(other) == {}


def test_a_folder_of_links(photos, tmp_path):
    (tmp_path / "sorted/cat").mkdir(parents=True)
    (tmp_path / "sorted/cat/x.png").symlink_to(photos / "0002.png")
    with LabelSession(photos) as session:
        assert session.import_(tmp_path / "sorted").new == 1
        assert held(session) == {"0002.png": "cat"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("path,class\n{}0000.png,é\n0001.png,\n", "utf-16"),
        ("path;class\n{}0000.png;é\n0001.png;\n", "utf-8"),
    ],
)
@pytest.mark.parametrize("before", ["", "./", "photos/"])
def test_tables_of_spreadsheets(text, encoding, before, photos, tmp_path):
    (tmp_path / "a.csv").write_bytes(text.format(before).encode(encoding))
    with LabelSession(photos) as session:
        done = session.import_(tmp_path / "a.csv")
        assert (done.new, done.unknown, done.empty) == (1, [], ["0001.png"])
        assert held(session) == {"0000.png": "é"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("path,class\n0000.png,é\n".encode("cp1252"), "UTF-8"),
        (b"class,path\na\n", "Line 2 has no path"),
    ],
)
def test_tables_that_cannot_be_read(content, why, photos, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with LabelSession(photos) as session, pytest.raises(InvalidParameterError, match=why):
        session.import_(tmp_path / "a.csv")


def test_label_studio_uploads(photos, tmp_path):
    def task(name, *choices):
        results = [{"type": "choices", "value": {"choices": [choice]}} for choice in choices]
        marked = {"result": results, "created_at": "2024-05-01 10:00:00"}
        return {"data": {"img": f"/data/upload/1/3f9c1a2b-{name}"}, "annotations": [marked]}

    tasks = json.dumps([task("0000.png", "a"), task("0001.png")])
    (tmp_path / "a.json").write_text(tasks, encoding="utf-8-sig")
    with LabelSession(photos) as session:
        done = session.import_(tmp_path / "a.json")
        assert (done.new, done.empty) == (1, ["0001.png"])
        assert held(session) == {"0000.png": "a"}
    assert _time_of("2024-05-01 10:00:00") == _time_of("2024-05-01T10:00:00Z")


def test_names_with_hashes_and_percent_signs():
    here = {"a#1.png", "b%41.png"}
    assert _path_of("/data/local-files/?d=photos/a%231.png", here) == "a#1.png"
    assert _path_of("https://host/photos/a#1.png", here) == "a#1.png"
    assert _path_of("https://host/photos/b%41.png", here) == "b%41.png"


def test_numbers_of_numpy_and_the_home_folder(photos, monkeypatch):
    monkeypatch.setenv("HOME", str(photos.parent))
    monkeypatch.setenv("USERPROFILE", str(photos.parent))
    two = np.int64(2)
    with LabelSession(
        "~/photos", n_test=two, random_state=two, size=np.int64(8), subsample=two
    ) as session:
        assert session.folder == photos
        assert len(session.next(two)) == 2
        session.label("0000.png", "a")
        assert session.export("~/a.csv") == 1
    assert os.path.exists(photos.parent / "a.csv")


def test_a_class_whose_files_are_gone(photos):
    with LabelSession(photos, size=8, n_test=0, estimator=Nearest()) as session:
        session.label("0000.png", "a")
        session.label("0001.png", "b")
    (photos / "0000.png").unlink()
    with LabelSession(photos, size=8, estimator=Nearest()) as session:
        session.run_round()
        assert len(session.next(2)) == 2
        assert session.database.value("SELECT strategy FROM round") == "spread-out start"
