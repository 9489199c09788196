import pytest

from skactive.labelling._catalogue import scan
from skactive.labelling._database import Database
from skactive.labelling._names import class_id, labeller_id
from tests.labelling.browser import CHROMIUM, serving
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


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool:
        found = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def truth(tmp_path):
    return make_folder(tmp_path / "photos", 30)


@pytest.fixture
def server(tmp_path, truth):
    found = serving(tmp_path / "photos")
    yield found
    found.stop()


@pytest.fixture
def context(browser):
    found = browser.new_context(bypass_csp=True)
    found.set_default_timeout(60_000)
    yield found
    found.close()
