import threading
import time

from skactive.labelling import _order
from skactive.labelling._events import Event, record
from skactive.labelling._names import labeller_id
from skactive.labelling._order import interleave, lease, n_waiting, release, requeue


def images(rows):
    return [row.image for row in rows]


def test_a_tab_is_asked_for_the_same_until_it_answers(database):
    first = lease(database, 1, "tab", 3)
    assert lease(database, 1, "tab", 3) == first
    record(database, 1, [Event(first[0].image, "label", 1)])
    assert images(lease(database, 1, "tab", 3))[:2] == images(first)[1:]


def test_two_tabs_of_one_person_are_never_asked_the_same(database):
    one = images(lease(database, 1, "one", 8))
    two = images(lease(database, 1, "two", 8))
    assert len({*one, *two}) == 16
    other = labeller_id(database, "bob")
    assert not {*one, *two} & set(images(lease(database, other, "one", 8)))
    release(database, "one")
    assert images(lease(database, other, "three", 8)) == one


def test_more_are_handed_out_besides_those_that_a_tab_has(database):
    first = images(lease(database, 1, "tab", 4))
    more = images(lease(database, 1, "tab", 4, besides=frozenset(first)))
    assert len({*first, *more}) == 8
    rest = images(lease(database, 1, "tab", 99, besides=frozenset([*first, *more])))
    assert images(lease(database, 1, "tab", 99)) == [*first, *more, *rest]


def test_a_silent_tab_loses_its_images(database, monkeypatch):
    first = lease(database, 1, "closed", 5)
    monkeypatch.setattr(_order, "LEASE", -1)
    lease(database, 1, "closed", 5)
    monkeypatch.undo()
    assert lease(database, 1, "new", 5) == first


def test_every_image_is_asked_for_once(database):
    seen = []
    while rows := lease(database, 1, "tab", 7):
        seen += images(rows)
        record(database, 1, [Event(row.image, "label", 1, via=row.via) for row in rows])
    assert sorted(seen) == list(range(1, 31))


def test_one_in_three_is_for_measuring():
    rows = interleave([1, 2, 3, 4, 5], [11, 12], "query")
    assert rows == [
        *[(1, "query"), (2, "query"), (11, "test"), (3, "query"), (4, "query"), (12, "test")],
        (5, "query"),
    ]
    assert interleave([], [1], "query") == [(1, "test")]


def test_a_round_takes_the_place_of_the_queue(database):
    pool = [i for (i,) in database.read("SELECT id FROM image WHERE share = 'pool'")]
    lease(database, 1, "tab", 3)
    release(database, "tab")
    requeue(database, pool[5:9], 3)
    assert n_waiting(database) == 4
    rows = lease(database, 1, "tab", 6)
    assert [row.image for row in rows if row.via == "query"] == pool[5:9]
    assert [row.share for row in rows] == ["pool", "pool", "test"] * 2
    assert {row.round for row in rows} == {3}
    record(database, 1, [Event(pool[5], "label", 1)])
    assert n_waiting(database) == 3


def test_what_a_tab_has_stays_its_own_when_a_round_ends(database, monkeypatch):
    mine = lease(database, 1, "tab", 4)
    have = frozenset(images(mine))
    pool = [i for (i,) in database.read("SELECT id FROM image WHERE share = 'pool'")]
    requeue(database, [i for i in pool if i not in have][:2], 3)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    lease(database, 1, "tab", 0, besides=have)
    monkeypatch.setattr(time, "time", lambda: now + 120)  # without a renewal they would be free
    assert not have & set(images(lease(database, 1, "other", 30)))
    release(database, "tab")
    release(database, "other")
    again = {row.image: row.via for row in lease(database, 1, "other", 30)}
    assert again.items() >= {row.image: row.via for row in mine}.items()


def test_what_was_given_away_meanwhile_is_not_taken_back(database, monkeypatch):
    mine = frozenset(images(lease(database, 1, "silent", 4)))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * _order.LEASE)
    assert set(images(lease(database, 1, "other", 4))) == mine
    lease(database, 1, "silent", 0, besides=mine)
    rows = database.read("SELECT DISTINCT tab FROM lease")
    assert rows == [("other",)]


def test_what_was_undone_is_asked_for_as_it_was_at_first(database):
    pool = [i for (i,) in database.read("SELECT id FROM image WHERE share = 'pool'")][:3]
    requeue(database, pool, 1)
    for row in lease(database, 1, "tab", 2):
        record(database, 1, [Event(row.image, "label", 1, via=row.via)])
    record(database, 1, [Event(pool[0], "label", 2, via="review")])
    requeue(database, [], 2)
    for _ in range(2):
        record(database, 1, [undo(database, pool[0])])
    assert lease(database, 1, "tab", 1)[0][3:] == ("query", None)


def undo(database, image):
    (uuid,) = database.read(
        "SELECT uuid FROM event e WHERE image = ? AND kind != 'undo'"
        " AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.uuid) ORDER BY id DESC LIMIT 1",
        image,
    )[0]
    return Event(image, "undo", undoes=uuid)


def test_reading_waits_for_a_transaction_of_another_thread(database):
    """Whose end would abort it."""
    begun, held = threading.Event(), []

    def write():
        with database.writing():
            begun.set()
            time.sleep(0.3)
            held.append(True)

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait()
    assert _order._open(database, 1, "tab", 3, frozenset()) == []
    assert held
    thread.join()


def test_unreadable_and_missing_files_are_never_asked_for(database):
    database.connection.execute("UPDATE image SET state = 'missing' WHERE id % 3 = 0")
    database.connection.execute("UPDATE image SET state = 'unreadable' WHERE id % 3 = 1")
    assert {i % 3 for i in images(lease(database, 1, "tab", 30))} == {2}
