"""The page in a real browser: Chromium, by keyboard alone."""

import re

import pytest

from skactive.labelling._database import Database
from tests.labelling.browser import (
    events,
    make_class,
    needs_chromium,
    opened,
    painted,
    press,
    saved,
    serving,
)

pytestmark = needs_chromium


@pytest.fixture
def page(context, server):
    return opened(context, server)


def test_by_keyboard_alone_from_the_first_image_to_the_export(page, tmp_path, server):
    first = make_class(page, "fox")
    second, _ = press(page, "1")
    third, _ = press(page, " ")
    fourth, _ = press(page, "?")
    page.keyboard.press("Backspace")
    page.wait_for_function(f"document.body?.dataset.painted === '{fourth}'")
    again = make_class(page, "deer/roe")
    assert again == fourth
    saved(page)
    with page.expect_download() as download:
        page.keyboard.press("Shift+X")
    download.value.save_as(tmp_path / "labels.csv")
    kinds = [(image, kind) for image, kind, _, _ in events(tmp_path / "photos")]
    assert kinds == [
        *[(first, "label"), (second, "label"), (third, "skip"), (fourth, "unsure")],
        *[(fourth, "undo"), (fourth, "label")],
    ]
    text = (tmp_path / "labels.csv").read_text()
    assert len(re.findall("fox,label", text)) == 2
    assert "deer/roe,label" in text
    assert page.errors == []


def test_a_folder_without_images_says_so(context, tmp_path):
    (tmp_path / "empty").mkdir()
    server = serving(tmp_path / "empty")
    try:
        tab = context.new_page()
        tab.goto(server.addresses[0].url)
        tab.get_by_text("No image was found in empty. Put some there").wait_for()
    finally:
        server.stop()


def test_a_press_counts_only_for_an_image_that_has_been_painted(page, tmp_path):
    """A rejected decode() is no answer, and no press counts before the image can be seen."""
    page.evaluate(
        "() => { const real = HTMLImageElement.prototype.decode; let n = 0;"
        " HTMLImageElement.prototype.decode = function () {"
        " return n++ % 2 ? real.call(this) : Promise.reject(new Error('not now')); }; }"
    )
    make_class(page, "fox")
    for _ in range(100):
        page.keyboard.press("1")
    saved(page)
    found = events(tmp_path / "photos")
    assert {kind for _, kind, _, _ in found} == {"label"}
    images = [image for image, *_ in found]
    assert len(images) == len(set(images)) < 30
    assert (
        Database(tmp_path / "photos").value("SELECT COUNT(*) FROM image WHERE state != 'ok'") == 0
    )


def test_with_the_server_gone_nothing_is_skipped_and_nothing_is_lost(page, tmp_path, server):
    make_class(page, "fox")
    saved(page)
    server.stop()
    for _ in range(250):
        page.keyboard.press("1")
    page.wait_for_function("document.getElementById('saved').classList.contains('waiting')")
    unsent = page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('skactive')).length")
    assert 1 <= unsent <= 30
    assert len(events(tmp_path / "photos")) == 1
    again = serving(tmp_path / "photos")
    try:
        saved(page)
        found = events(tmp_path / "photos")
        assert len(found) == 1 + unsent
        assert {kind for _, kind, _, _ in found} == {"label"}
        assert len({image for image, *_ in found}) == len(found)
    finally:
        again.stop()


def test_two_tabs_of_one_person_are_never_asked_the_same(page, context, server, tmp_path):
    other = opened(context, server)
    make_class(page, "fox")
    other.wait_for_function("document.querySelectorAll('#classes li').length === 1")
    for _ in range(6):
        for tab in (page, other):
            tab.bring_to_front()  # one that cannot be seen paints nothing
            press(tab, "1")
    saved(page)
    saved(other)
    images = [image for image, *_ in events(tmp_path / "photos")]
    assert len(images) == len(set(images)) == 13


def test_a_tab_that_is_closed_with_unsent_labels(page, context, server, tmp_path):
    make_class(page, "fox")
    saved(page)
    page.route("**/api/events", lambda route: route.abort())
    decided = [press(page, "1")[0] for _ in range(3)]
    page.close()
    assert len(events(tmp_path / "photos")) == 1
    again = opened(context, server)
    saved(again)
    found = [image for image, *_ in events(tmp_path / "photos")]
    assert found[1:] == decided
    assert painted(again) not in found


def test_a_broken_file_is_passed_over(context, tmp_path, truth, server):
    for name in sorted(truth)[:29]:
        (tmp_path / "photos" / name).write_bytes(b"no image")
    page = context.new_page()
    page.goto(server.addresses[0].url)
    painted(page)
    assert page.inner_text("#path") == sorted(truth)[29]
    assert events(tmp_path / "photos") == []


def test_three_hundred_classes_by_typing_ahead(context, server, tmp_path):
    from skactive.labelling._names import class_id

    for i in range(300):
        class_id(server.database, f"species {i:03}")
    page = opened(context, server)
    image = painted(page)
    page.keyboard.press("/")
    page.keyboard.type("ies 27")
    assert page.inner_text("#found li:first-child") == "species 270"
    page.keyboard.type("3")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    painted(page, image)
    saved(page)
    name = server.database.value("SELECT c.name FROM label l JOIN class c ON c.id = l.class")
    assert name == "species 273"


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(width, scheme, browser, server, tmp_path):
    from skactive.labelling._names import class_id

    for i in range(300):
        class_id(server.database, f"a species with a rather long name {i:03}")
    context = browser.new_context(
        bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 720}
    )
    page = opened(context, server)
    box = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert box == [width, 720]
    for name in ("#picture", "#accuracy", "#csv", "#name", "#classes"):
        bounds = page.locator(name).bounding_box()
        assert bounds["width"] > 50, name
        assert bounds["x"] >= 0
        assert bounds["x"] + bounds["width"] <= width
        assert bounds["y"] + bounds["height"] <= 720
    page.screenshot(path=tmp_path / f"{width}-{scheme}.png")
    context.close()
