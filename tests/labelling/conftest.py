import pytest

from skactive.labelling._catalogue import scan
from skactive.labelling._database import Database
from skactive.labelling._names import class_id, labeller_id
from tests.labelling.folders import make_folder


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def database(folder):
    found = Database(folder)
    scan(found, folder, n_test=6)
    assert labeller_id(found, "ada") == 1
    assert [class_id(found, name) for name in ("blue", "green", "red")] == [1, 2, 3]
    yield found
    found.close()
