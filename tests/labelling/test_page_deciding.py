"""The page in a real browser: what is taken back, what a review writes, and what a name decides."""

import pytest

from skactive.labelling._events import Event, record
from skactive.labelling._names import class_id, labeller_id
from tests.labelling.browser import (
    events,
    needs_chromium,
    opened,
    painted,
    press,
    saved,
    serving,
    shows,
)
from tests.labelling.folders import make_folder

pytestmark = needs_chromium


@pytest.fixture
def classes(server):
    return [class_id(server.database, name) for name in ("fox", "deer")]


def test_backspace_takes_back_a_correction_and_shows_it(context, server, classes, tmp_path):
    page = opened(context, server)
    first, _ = press(page, "1")
    second, third = press(page, "1")
    page.keyboard.press("ArrowLeft")
    painted(page, third)
    page.keyboard.press("ArrowLeft")
    painted(page, second)
    press(page, "2")  # the first image is a deer after all
    page.keyboard.press("Backspace")
    shows(page, first)
    assert page.inner_text("#guess") == "is fox"
    page.keyboard.press("Backspace")
    shows(page, second)
    saved(page)
    fox, deer = classes
    found = [(image, kind, class_) for image, kind, class_, _ in events(tmp_path / "photos")]
    assert found == [
        *[(first, "label", fox), (second, "label", fox), (first, "label", deer)],
        *[(first, "undo", None), (second, "undo", None)],
    ]


def test_backspace_takes_back_what_was_decided_before_a_reload(context, server, classes, tmp_path):
    page = opened(context, server)
    first, _ = press(page, "1")
    second, _ = press(page, "1")
    saved(page)
    page.reload()
    painted(page)
    page.keyboard.press("Backspace")
    shows(page, second)
    saved(page)
    # and then the last one that another program has corrected
    ada = labeller_id(server.database, "ada")
    record(server.database, ada, [Event(first, "label", classes[1])])
    page.keyboard.press("Backspace")
    shows(page, first)
    assert page.inner_text("#guess") == "is fox"
    saved(page)
    labels = server.database.read("SELECT image, class FROM label")
    assert labels == [(first, classes[0])]


@pytest.fixture
def doubted(server, classes):
    """Three labels that a review doubts, the most suspicious first."""
    ada = labeller_id(server.database, "ada")
    rows = server.database.read("SELECT id FROM image WHERE share = 'pool' ORDER BY id LIMIT 3")
    images = [image for (image,) in rows]
    record(server.database, ada, [Event(image, "label", classes[0]) for image in images])
    doubt(server, images[:2], classes[1])
    return images


def doubt(server, images, proposed):
    with server.database.writing() as connection:
        connection.executemany(
            "INSERT INTO suspicion VALUES (?, ?, ?)",
            [(image, 0.1 * (k + 1), proposed) for k, image in enumerate(images)],
        )


def test_a_review_leaves_a_label_and_takes_back_an_answer(
    context, server, doubted, classes, tmp_path
):
    page = opened(context, server)
    page.keyboard.press("v")
    shows(page, doubted[0])
    page.keyboard.press(" ")
    shows(page, doubted[1])
    page.keyboard.press("2")
    page.get_by_text("No network looks for wrong labels here").wait_for()
    page.keyboard.press("Backspace")
    shows(page, doubted[1])
    assert page.inner_text("#guess").startswith("is fox")
    page.keyboard.press("ArrowLeft")
    shows(page, doubted[0])
    page.keyboard.press("Enter")
    shows(page, doubted[1])
    page.keyboard.press("Escape")
    painted(page, doubted[1])
    page.keyboard.press("Backspace")  # the last decision is of a review that was left
    shows(page, doubted[0])
    saved(page)
    assert [row[:3] for row in events(tmp_path / "photos")[3:]] == [
        *[(doubted[1], "label", classes[1]), (doubted[1], "undo", None)],
        *[(doubted[0], "label", classes[0]), (doubted[0], "undo", None)],
    ]
    assert page.errors == []


def test_a_review_shows_what_networks_find_meanwhile_and_ends(context, server, doubted, classes):
    server.desk.trains = True
    page = opened(context, server)
    page.keyboard.press("v")
    shows(page, doubted[0])
    doubt(server, doubted[2:], classes[1])
    server.database.set("review", "done")
    for image in doubted:
        shows(page, image)
        page.keyboard.press("Enter")
    page.get_by_text("No label is left that looks wrong").wait_for()


def test_escape_ends_a_review_that_has_not_begun(context, server, doubted):
    page = opened(context, server)
    first = painted(page)
    waiting = []
    page.route("**/api/review", lambda route: waiting.append(route))
    page.keyboard.press("v")
    page.get_by_text("Networks are looking").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("document.getElementById('message').textContent === ''")
    with page.expect_response("**/api/review"):
        waiting[0].continue_()
    page.wait_for_timeout(500)
    shows(page, first)
    assert "Enter confirms" not in page.inner_text("#guess")


def enter(page, text, *keys):
    page.keyboard.press("/")
    page.keyboard.type(text)
    for key in keys:
        page.keyboard.press(key)


def decided(server):
    return [
        name
        for (name,) in server.database.read(
            "SELECT c.name FROM event e JOIN class c ON c.id = e.class ORDER BY e.id"
        )
    ]


def test_enter_takes_what_the_line_says(context, server):
    for name in ("scar", "fox", "Fox", "foxglove"):
        class_id(server.database, name)
    page = opened(context, server)
    image = painted(page)
    enter(page, "car", "Enter")  # no short form of "scar"
    assert page.inner_text("#enter") == "↑ ↓ choose; Shift+Enter: new class “car”"
    assert page.input_value("#name") == "car"
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#enter") == "Enter: scar; Shift+Enter: new class “car”"
    page.keyboard.press("Shift+Enter")
    image = painted(page, image)
    for text, keys in {"Fox": [], "foxg": [], "fo": ["ArrowDown", "ArrowDown"]}.items():
        enter(page, text, *keys, "Enter")
        image = painted(page, image)
    saved(page)
    assert decided(server) == ["car", "Fox", "foxglove", "Fox"]
    enter(page, "fo")
    page.click("#found li:first-child")
    painted(page, image)
    saved(page)
    assert decided(server)[-1] == "fox"
    assert page.input_value("#name") == ""


def test_an_enter_that_is_held_or_ends_a_composition_decides_nothing(context, server, classes):
    page = opened(context, server)
    enter(page, "owl")
    for more in ("repeat: true", "isComposing: true"):
        page.evaluate(
            "document.getElementById('name').dispatchEvent("
            f"new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, {more} }}))"
        )
    page.wait_for_timeout(500)
    assert page.input_value("#name") == "owl"
    assert server.database.count("SELECT COUNT(*) FROM class") == 2


def test_a_class_that_takes_its_time_goes_to_no_other_image(context, server, classes):
    page = opened(context, server)
    waiting = []
    page.route("**/api/classes", lambda route: waiting.append(route))
    image = painted(page)
    enter(page, "owl", "Enter")
    page.click("#classes button >> nth=0")
    painted(page, image)
    with page.expect_response("**/api/classes"):
        waiting[0].continue_()
    page.get_by_text("owl").first.wait_for()
    saved(page)
    assert decided(server) == ["fox"]


def test_keys_of_classes_in_capitals_and_by_tab(context, server):
    for i in range(40):
        class_id(server.database, f"species {i:02}")
    keys = dict(server.database.read("SELECT key, name FROM class WHERE key IS NOT NULL"))
    page = opened(context, server)
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    press(page, "X")  # without Shift: Caps Lock
    press(page, "A")
    image = painted(page)
    page.click("#classes button >> nth=3")
    image = painted(page, image)
    assert page.evaluate("document.activeElement === document.body")
    page.focus("#name")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    painted(page, image)
    saved(page)
    assert decided(server) == [keys["x"], keys["a"], "species 03", "species 01"]
    assert downloads == []
    assert page.get_attribute("#picture img", "alt").endswith(page.inner_text("#path"))
    assert page.inner_text("#who") == "labels of ada"


def test_a_large_image_is_zoomed_in_full(context, tmp_path):
    from PIL import Image

    folder = tmp_path / "large"
    make_folder(folder, 1)
    Image.effect_noise((2000, 1500), 60).save(folder / "0000.png")
    server = serving(folder, n_test=0)
    try:
        page = opened(context, server)
        width = "document.querySelector('#picture img').naturalWidth"
        assert page.evaluate(width) == 1600
        page.keyboard.press("z")
        page.wait_for_function(f"{width} === 2000")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.getElementById('stage').scrollLeft") > 0
        page.keyboard.press("Escape")
        assert page.evaluate("document.getElementById('stage').scrollWidth") < 1280
    finally:
        server.stop()
