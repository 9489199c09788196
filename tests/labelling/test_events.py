import numpy as np
import pytest

from skactive.labelling._errors import RefusedError
from skactive.labelling._events import ANSWERS, Event, last_event, rebuild, record
from skactive.labelling._names import class_id, labeller_id, merge_class
from skactive.labelling._order import lease


def holds(database):
    return database.read("SELECT image, labeller, kind, class FROM label ORDER BY image, labeller")


def test_the_last_decision_holds(database):
    record(database, 1, [Event(1, "label", 1), Event(2, "skip"), Event(1, "label", 2)])
    assert holds(database) == [(1, 1, "label", 2), (2, 1, "skip", None)]


def test_undo_brings_back_what_held_before(database):
    record(database, 1, [Event(1, "label", 1), Event(1, "unsure")])
    undone = []
    for held in ([(1, 1, "label", 1)], []):
        uuid, image = last_event(database, 1)
        undone.append(uuid)
        record(database, 1, [Event(image, "undo", undoes=uuid)])
        assert holds(database) == held
    assert last_event(database, 1) is None
    assert len(set(undone)) == 2
    assert database.count("SELECT COUNT(*) FROM event") == 4  # nothing is taken away


def test_what_was_undone_is_asked_for_again_first_of_all(database):
    first, second = lease(database, 1, "tab", 2)
    record(database, 1, [Event(first.image, "label", 1, via=first.via)])
    assert lease(database, 1, "tab", 1)[0].image == second.image
    uuid, image = last_event(database, 1)
    record(database, 1, [Event(image, "undo", undoes=uuid)])
    again = lease(database, 1, "tab", 1)[0]
    assert (again.image, again.share) == (first.image, first.share)


def test_sent_twice_written_once(database):
    event = Event(1, "label", 1)
    assert len(record(database, 1, [event, event])) == 1
    assert record(database, 1, [event]) == []
    assert database.count("SELECT COUNT(*) FROM event") == 1
    with pytest.raises(RefusedError, match="known with other contents"):
        record(database, 1, [Event(1, "label", 2, uuid=event.uuid)])


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event(99, "label", 1), "no image 99"),
        (Event(1, "label", 99), "no class 99"),
        (Event(1, "label"), "A label has a class"),
        (Event(1, "skip", 1), "A label has a class"),
        (Event(1, "undo"), "An undo says"),
        (Event(1, "skip", undoes="a"), "An undo says"),
        (Event(1, "undo", undoes="nothing"), "not one that can be undone"),
        (Event(1, "think"), "no event 'think'"),
        (Event(1, "skip", via="air"), "via 'air'"),
        (Event(1, "label", 1, shown_class=99), "no class 99"),
    ],
)
def test_contradictions_are_refused_and_nothing_is_written(event, message, database):
    with pytest.raises(RefusedError, match=message):
        record(database, 1, [Event(2, "label", 1), event])
    assert holds(database) == []


def test_nobody_undoes_for_another(database):
    other = labeller_id(database, "bob")
    record(database, 1, [Event(1, "label", 1)])
    uuid, _ = last_event(database, 1)
    with pytest.raises(RefusedError, match="can be undone"):
        record(database, other, [Event(1, "undo", undoes=uuid)])


def test_times_never_fall_even_if_the_clock_does(database):
    record(database, 1, [Event(1, "label", 1, at=2**60)])
    record(database, 1, [Event(1, "label", 2)])
    assert holds(database) == [(1, 1, "label", 2)]


def test_the_answer_is_the_majoritys_and_of_equals_the_latest(database):
    people = [1, *(labeller_id(database, name) for name in ("bob", "eve"))]
    for person, class_ in zip(people, (1, 2, 2), strict=True):
        record(database, person, [Event(1, "label", class_)])
    for person, class_ in zip(people, (1, 2), strict=False):
        record(database, person, [Event(2, "label", class_)])
    record(database, 1, [Event(3, "unsure")])
    assert dict(row[:2] for row in database.read(ANSWERS)) == {1: 2, 2: 2}


def test_merged_classes_count_as_one(database):
    old = class_id(database, "navy")
    record(database, 1, [Event(1, "label", old)])
    merge_class(database, "navy", "blue")
    assert dict(row[:2] for row in database.read(ANSWERS)) == {1: 1}
    merge_class(database, "red", "navy")  # which is blue
    record(database, 1, [Event(2, "label", 3)])
    assert dict(row[:2] for row in database.read(ANSWERS)) == {1: 1, 2: 1}


def test_the_labels_follow_from_the_events_alone(database):
    draw = np.random.default_rng(0)
    people = [1, labeller_id(database, "bob")]
    for _ in range(400):
        person, image = int(draw.choice(people)), int(draw.integers(1, 9))
        kind = str(draw.choice(["label", "skip", "unsure", "undo"]))
        if kind == "undo":
            last = last_event(database, person)
            if last:
                record(database, person, [Event(last[1], "undo", undoes=last[0])])
            continue
        class_ = int(draw.integers(1, 4)) if kind == "label" else None
        record(database, person, [Event(image, kind, class_)])
    before = database.read("SELECT * FROM label ORDER BY image, labeller")
    assert len(before) == 16
    database.connection.execute("DELETE FROM label")
    rebuild(database)
    assert database.read("SELECT * FROM label ORDER BY image, labeller") == before
