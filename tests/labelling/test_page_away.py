"""The page in a real browser: tabs, servers and disks that are away, and what is not written."""

import json

import pytest

from skactive.labelling._names import class_id
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
def page(context, server):
    class_id(server.database, "fox")
    return opened(context, server)


def test_a_tab_that_is_duplicated_is_asked_other_images(page, context):
    with context.expect_page() as opening:
        page.evaluate("window.open('/')")  # with a copy of what the browser keeps of the tab
    other = opening.value
    painted(other)
    for tab in (page, other):
        tab.bring_to_front()
        for _ in range(3):
            press(tab, "1")
        saved(tab)
    asked = [painted(page), painted(other)]
    assert len(set(asked)) == 2


def test_what_another_tab_is_asked_for_is_not_nothing(context, tmp_path):
    make_folder(tmp_path / "few", 4)
    server = serving(tmp_path / "few", n_test=0)
    try:
        class_id(server.database, "fox")
        page = opened(context, server)
        other = context.new_page()
        other.goto(server.addresses[0].url)
        other.get_by_text("What is left is asked for in another tab").wait_for()
        page.bring_to_front()
        for _ in range(3):
            press(page, "1")
        page.keyboard.press("1")
        page.get_by_text("Nothing is left to label").wait_for()
        other.get_by_text("Nothing is left to label").wait_for()
    finally:
        server.stop()


def test_a_file_that_cannot_be_read_now_comes_later(context, tmp_path):
    make_folder(tmp_path / "few", 4)
    server = serving(tmp_path / "few", n_test=0)
    away = []

    def answer(route):
        away[:] = away or [route.request.url]
        if route.request.url == away[0]:
            error = json.dumps({"error": "The file cannot be read: Permission denied."})
            route.fulfill(status=503, content_type="application/json", body=error)
        else:
            route.continue_()

    try:
        class_id(server.database, "fox")
        context.route("**/image/*", answer)
        page = opened(context, server)
        image = int(away[0].rsplit("/", 1)[1])
        assert "Permission denied. It comes again later." in page.inner_text("#notice")
        done = [press(page, "1")[0] for _ in range(2)]
        context.unroute("**/image/*")
        done.append(painted(page))
        page.keyboard.press("1")
        shows(page, image)
        saved(page)
        assert [row[0] for row in events(tmp_path / "few")] == done
        assert image not in done
    finally:
        server.stop()


def test_what_the_server_refuses_is_said_until_it_is_dismissed(page):
    def refuse(route):
        sent = route.request.post_data_json["events"]
        refused = {one["uuid"]: "There is no class 9." for one in sent}
        route.fulfill(json={"written": [], "refused": refused})

    page.route("**/api/events", refuse)
    path = page.inner_text("#path")
    press(page, "1")
    page.get_by_text(f"Not written: label of {path}: There is no class 9.").wait_for()
    page.unroute("**/api/events")
    press(page, "1")
    saved(page)
    assert page.is_visible("#notice")
    page.keyboard.press("Escape")
    assert not page.is_visible("#notice")


def test_a_key_that_is_not_valid_is_no_server_that_is_away(page, context):
    context.clear_cookies()
    press(page, "1")
    page.get_by_text("1 not saved yet: Open the address that skactive has printed").wait_for()
    assert "does not answer" not in page.inner_text("header")


def test_unsent_labels_of_others_are_told_and_a_tab_is_not_closed_over_one(page, server, tmp_path):
    image = painted(page)
    for name in ("ada b", "bo", "bo"):
        page.evaluate(
            "async ([name, image]) => { const { id } = await (await fetch('/api/state')).json();"
            " const uuid = crypto.randomUUID(); localStorage[['skactive', id,"
            " encodeURIComponent(name), '0', uuid].join(' ')] ="
            " JSON.stringify({ uuid, image, kind: 'skip', via: 'random' }); }",
            [name, image],
        )
    page.get_by_text("Not sent from this browser: 1 of ada b, 2 of bo.").wait_for()
    page.route("**/api/events", lambda route: route.abort())
    press(page, "1")
    page.wait_for_function("document.getElementById('saved').classList.contains('waiting')")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    assert events(tmp_path / "photos") == []


def test_no_question_is_asked_before_the_last_one_is_answered(page):
    waiting = []
    page.route("**/api/state", lambda route: waiting.append(route))
    page.wait_for_timeout(3500)
    assert len(waiting) == 1
    waiting[0].continue_()


def test_the_next_image_is_there_with_the_next_frame(page):
    page.wait_for_timeout(1000)  # those ahead are decoded
    page.evaluate(
        "() => { window.frames_ = 0; window.waited = [];"
        " const count = () => { window.frames_++; requestAnimationFrame(count); }; count();"
        " let pressed; addEventListener('keydown', () => { pressed = window.frames_; }, true);"
        " new MutationObserver(() => window.waited.push(window.frames_ - pressed)).observe("
        " document.body, { attributes: true, attributeFilter: ['data-painted'] }); }"
    )
    for _ in range(10):
        press(page, "1")
        page.wait_for_timeout(200)
    waited = page.evaluate("window.waited")
    assert len(waited) == 10
    assert min(waited) <= 1  # where the image came in time; decoding it anew took four at least
