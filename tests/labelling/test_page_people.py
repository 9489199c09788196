"""The page in a real browser: two labellers, a network behind them, and a review."""

import re

import pytest

from skactive.labelling import LabelSession
from skactive.labelling._names import class_id
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
from tests.labelling.folders import make_marked
from tests.labelling.spies import Nearest

pytestmark = needs_chromium
ASKS = "document.getElementById('guess').textContent.includes('Enter confirms')"


def test_two_labellers_are_asked_different_images_and_both_are_named(browser, tmp_path, truth):
    server = serving(tmp_path / "photos", ["ada", "bo"])
    try:
        class_id(server.database, "fox")
        contexts = [browser.new_context(bypass_csp=True) for _ in range(2)]
        ada, bo = (opened(contexts[person], server, person) for person in range(2))
        for _ in range(5):
            for page in (ada, bo):
                page.bring_to_front()
                press(page, "1")
        saved(ada)
        saved(bo)
        rows = server.database.read(
            "SELECT e.image, l.name FROM event e JOIN labeller l ON l.id = e.labeller ORDER BY e.id"
        )
        assert len({image for image, _ in rows}) == 10
        assert [sum(name == person for _, name in rows) for person in ("ada", "bo")] == [5, 5]
        # what one takes back is their own
        bo.bring_to_front()
        bo.keyboard.press("Backspace")
        saved(bo)
        ((undone,),) = server.database.read(
            "SELECT l.name FROM event e JOIN event u ON u.uuid = e.undoes"
            " JOIN labeller l ON l.id = u.labeller WHERE e.kind = 'undo'"
        )
        assert undone == "bo"
        for context in contexts:
            context.close()
    finally:
        server.stop()


@pytest.fixture
def learnt(tmp_path):
    """A folder whose images have labels, of which a few are wrong, and two rounds."""
    truth = make_marked(tmp_path / "marked", 140)
    with LabelSession(
        tmp_path / "marked",
        estimator=Nearest(),
        classes=["dark", "bright"],
        size=8,
        n_test=50,
        random_state=0,
    ) as session:
        shares = dict(session.database.read("SELECT path, share FROM image"))
        measured = [name for name in truth if shares[name] == "test"]
        pool = [name for name in truth if shares[name] == "pool"]
        for name in [*measured, *pool[:40]]:
            session.label(name, truth[name])
        session.run_round()
        for name in pool[40:70]:
            session.label(name, truth[name])
        wrong = pool[10:40:10]
        for name in wrong:
            session.label(name, "dark" if truth[name] == "bright" else "bright")
        session.run_round()
        assert set(session.suspicious(3)["path"]) == set(wrong)
    server = serving(tmp_path / "marked")
    yield server, wrong, truth
    server.stop()


def test_the_accuracy_the_curve_and_what_the_network_believes_are_shown(context, learnt):
    server, *_ = learnt
    page = opened(context, server)
    page.wait_for_function("document.querySelectorAll('#curve path').length === 2")
    assert re.match(
        r"(\d+\.\d|100\.0)% \(\d+\.\d% to (\d+\.\d|100\.0)%\), \d+ of \d+; balanced",
        page.inner_text("#accuracy"),
    )
    line = page.locator("#curve path").nth(1).get_attribute("d")
    points = re.findall(r"[ML]([\d.]+),([\d.]+)", line)
    assert len(points) == page.locator("#curve circle").count() == 2
    assert float(points[0][0]) < float(points[1][0])
    box = page.locator("#curve").bounding_box()
    assert box["width"] > 100
    assert box["height"] > 50
    shown = set()
    for _ in range(8):  # images for measuring come between those that a strategy chose
        shown.add(page.inner_text("#guess"))
        press(page, "1")
    assert any(re.fullmatch(r"network: (dark|bright) \(\d+%\)", text) for text in shown)
    # no prediction is shown for what is measured
    assert all(text == "for measuring" for text in shown if not text.startswith("network"))


def test_a_review_finds_the_wrong_labels_and_sets_them_right(context, learnt, tmp_path):
    server, wrong, truth = learnt
    page = opened(context, server)
    before = len(events(tmp_path / "marked"))
    first = painted(page)
    page.keyboard.press("v")
    page.wait_for_function(ASKS)
    painted(page, first)
    keys = dict(server.database.read("SELECT name, key FROM class"))
    asked = []
    for _ in wrong:
        image = painted(page)
        asked.append(page.inner_text("#path"))
        page.keyboard.press(keys[truth[asked[-1]]])
        painted(page, image)
    image = painted(page)
    confirmed = page.inner_text("#path")
    page.keyboard.press("Enter")
    painted(page, image)
    page.keyboard.press("Escape")
    saved(page)
    assert set(asked) == set(wrong)
    found = events(tmp_path / "marked")[before:]
    assert [(kind, via) for _, kind, _, via in found] == [("label", "review")] * 4
    labels = dict(
        server.database.read(
            "SELECT i.path, c.name FROM label l JOIN image i ON i.id = l.image"
            " JOIN class c ON c.id = l.class"
        )
    )
    assert {labels[path] for path in [*wrong, confirmed]} <= {"dark", "bright"}
    assert all(labels[path] == truth[path] for path in [*wrong, confirmed])
    assert page.errors == []


def test_an_answer_of_the_keyboard_in_review_does_not_touch_what_is_asked(context, learnt):
    server, *_ = learnt
    page = opened(context, server)
    first = painted(page)
    page.keyboard.press("v")
    page.wait_for_function(ASKS)
    painted(page, first)
    page.keyboard.press("Escape")
    page.wait_for_function(f"document.body?.dataset.painted === '{first}'")
    make_class(page, "grey")
    saved(page)
    name = server.database.value(
        "SELECT c.name FROM event e JOIN class c ON c.id = e.class ORDER BY e.id DESC LIMIT 1"
    )
    assert name == "grey"
