"""The page in a real browser, as a person at a keyboard has it."""

import shutil

import pytest

from skactive.labelling._database import Database
from skactive.labelling._serve import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="NO CHROMIUM: THE PAGE IS NOT TESTED. apt-get install chromium"
)


def serving(folder, labellers=("ada",), **options):
    """A server whose catalogue is up to date."""
    server = Server(folder, list(labellers), **{"n_test": 6, "train": False, **options})
    server.start()
    server._threads[0].join()
    return server


def opened(context, server, person=0):
    """A tab of a labeller, once its first image can be seen."""
    found = context.new_page()
    found.errors = []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    found.goto(server.addresses[person].url)
    painted(found)
    return found


def painted(page, other_than=None):
    """Wait until an image can be seen; return its number."""
    page.wait_for_function(
        "old => document.body?.dataset.painted && document.body?.dataset.painted !== old"
        " && !document.getElementById('picture').classList.contains('hidden')",
        arg=str(other_than),
    )
    return int(page.evaluate("document.body?.dataset.painted"))


def press(page, key):
    """Press a key for the image that is seen, and wait for the next one."""
    image = painted(page)
    page.keyboard.press(key)
    return image, painted(page, image)


def make_class(page, name):
    """Type the name of a class for the image that is seen; return the image."""
    image = painted(page)
    page.keyboard.press("/")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    painted(page, image)
    return image


def events(folder):
    """What is on disk: image, kind, class, via."""
    database = Database(folder)
    rows = database.read("SELECT image, kind, class, via FROM event ORDER BY id")
    database.close()
    return rows


def saved(page):
    """Wait until nothing is unsent."""
    page.wait_for_function("document.getElementById('saved').textContent === 'saved'")


def shows(page, image):
    """Wait until an image can be seen."""
    page.wait_for_function(
        "image => document.body?.dataset.painted === image"
        " && !document.getElementById('picture').classList.contains('hidden')",
        arg=str(image),
    )
