import os
import shutil
import threading
from collections import defaultdict

import pytest
from PIL import Image

from skactive.labelling import _catalogue
from skactive.labelling._catalogue import fingerprint, scan
from skactive.labelling._database import Database
from skactive.labelling._events import Event, record
from skactive.labelling._files import File, digest, inside, walk
from skactive.labelling._order import lease
from skactive.labelling._shares import draw_test, groups_of
from tests.labelling.folders import make_folder, picture


def rows(database, what="path, state"):
    return dict(database.read(f"SELECT {what} FROM image"))


def paths(folder):
    return {file.path for file in walk(folder) if isinstance(file, File)}


@pytest.fixture
def labelled(database, folder):
    """A catalogue whose first three images have labels and all have digests."""
    assert fingerprint(database, folder) == 30
    assert fingerprint(database, folder) == 0
    ids = rows(database, "path, id")
    record(database, 1, [Event(ids[f"{i:04}.png"], "label", i + 1) for i in range(3)])
    return database


def labels(database):
    return dict(database.read("SELECT i.path, l.class FROM label l JOIN image i ON i.id = l.image"))


def test_paths_are_relative_with_slashes(tmp_path):
    make_folder(tmp_path / "deep" / "er", 2)
    make_folder(tmp_path / ".hidden", 2)
    (tmp_path / "deep" / "._0000.png").write_bytes(b"what macOS knows of 0000.png")
    (tmp_path / "deep" / "notes.txt").write_text("no image")
    (tmp_path / "deep" / "drawing.svg").write_text("<svg/>")
    picture("red", 0).save(tmp_path / "ÄÖ ü.JPG", format="JPEG")
    assert paths(tmp_path) == {"deep/er/0000.png", "deep/er/0001.png", "ÄÖ ü.JPG"}


def test_links_out_of_the_folder_are_refused(tmp_path):
    make_folder(tmp_path / "photos", 1)
    make_folder(tmp_path / "secret", 1)
    (tmp_path / "photos" / "out.png").symlink_to(tmp_path / "secret" / "0000.png")
    (tmp_path / "photos" / "in.png").symlink_to(tmp_path / "photos" / "0000.png")
    (tmp_path / "photos" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "photos" / "nowhere.png").symlink_to(tmp_path / "photos" / "gone.png")
    found = list(walk(tmp_path / "photos"))
    assert {file.path for file in found if isinstance(file, File)} == {"0000.png", "in.png"}
    refused = {file.path: file.why for file in found if not isinstance(file, File)}
    assert refused == {"out.png": "is a link out of the folder", "nowhere.png": "is not a file"}
    assert inside(tmp_path / "photos", "out.png") is None
    assert inside(tmp_path / "photos", "../secret/0000.png") is None
    assert inside(tmp_path / "photos", "in.png") == (tmp_path / "photos" / "0000.png").resolve()


def test_a_second_scan_finds_nothing_new(database, folder):
    found = scan(database, folder)
    assert (found.total, found.new, found.renamed, found.changed, found.missing) == (30, 0, 0, 0, 0)


def test_two_scans_at_once_find_each_file_once(tmp_path, monkeypatch):
    make_folder(tmp_path, 40)
    monkeypatch.setattr(_catalogue, "PIECE", 5)
    one, two = Database(tmp_path), Database(tmp_path)
    other, found = [], []

    def progress(done, todo):
        if not other:  # the other one begins after the first has looked at what is known
            other.append(threading.Thread(target=lambda: found.append(scan(two, tmp_path))))
            other[0].start()

    assert scan(one, tmp_path, progress=progress).new == 40
    other[0].join()
    assert (found[0].new, found[0].total) == (0, 40)
    one.close()
    two.close()


def test_what_progress_raises_ends_a_scan_that_goes_on_later(tmp_path, monkeypatch):
    make_folder(tmp_path, 40)
    monkeypatch.setattr(_catalogue, "PIECE", 5)
    database = Database(tmp_path)

    def end(done, todo):
        if (done, todo) == (10, 40):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        scan(database, tmp_path, progress=end)
    assert len(rows(database)) == 10
    assert scan(database, tmp_path).new == 30
    assert n_measured(database) == 8
    database.close()


def test_new_files(labelled, folder):
    make_folder(folder / "tuesday", 4)
    found = scan(labelled, folder)
    assert (found.new, found.renamed) == (4, 0)
    assert len(rows(labelled)) == 34


def test_renamed_and_moved_files_keep_their_labels(labelled, folder):
    (folder / "sub").mkdir()
    os.rename(folder / "0000.png", folder / "fox.png")
    os.rename(folder / "0001.png", folder / "sub" / "0001.png")
    found = scan(labelled, folder)
    assert (found.new, found.renamed, found.missing) == (0, 2, 0)
    assert labels(labelled) == {"fox.png": 1, "sub/0001.png": 2, "0002.png": 3}
    assert len(rows(labelled)) == 30


def test_files_with_labels_get_their_digests_first(database, folder):
    """Until it has one, a file that is renamed is a new one, and its label is left behind."""
    ids = rows(database, "path, id")
    record(database, 1, [Event(ids["0029.png"], "label", 1)])
    assert fingerprint(database, folder, 2) == 2
    os.rename(folder / "0029.png", folder / "fox.png")
    assert scan(database, folder).renamed == 1
    assert labels(database) == {"fox.png": 1}
    while fingerprint(database, folder, 7):
        pass
    assert None not in rows(database, "path, digest").values()


def test_files_that_changed_places_keep_their_own_labels(labelled, folder):
    os.rename(folder / "0000.png", folder / "other.png")
    os.rename(folder / "0001.png", folder / "0000.png")
    os.rename(folder / "other.png", folder / "0001.png")
    assert scan(labelled, folder).renamed == 2
    assert labels(labelled) == {"0000.png": 2, "0001.png": 1, "0002.png": 3}


def test_a_folder_that_is_renamed_holds_nobody_up(labelled, folder, monkeypatch):
    """Between its pieces others can write; and one that is killed there is gone on from."""
    monkeypatch.setattr(_catalogue, "PIECE", 7)
    for i in range(30):
        os.rename(folder / f"{i:04}.png", folder / f"x{(i + 1) % 30:04}.png")
    changes, statements = [], []

    def count(sql):
        if sql.startswith("UPDATE image SET path"):
            statements.append(sql)
        if sql == "COMMIT":
            changes.append(len(statements))
            statements.clear()

    with monkeypatch.context() as patched:
        patched.setattr(_catalogue, "_make_way", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            scan(labelled, folder)
    labelled.connection.set_trace_callback(count)
    assert scan(labelled, folder).renamed == 30
    labelled.connection.set_trace_callback(None)
    assert max(changes) <= 14
    assert labels(labelled) == {f"x{i + 1:04}.png": i + 1 for i in range(3)}


def test_a_file_that_takes_the_place_of_another(labelled, folder):
    os.replace(folder / "0001.png", folder / "0000.png")
    found = scan(labelled, folder)
    assert (found.renamed, found.missing, found.new) == (1, 1, 0)
    assert labels(labelled)["0000.png"] == 2
    assert sorted(labels(labelled).values()) == [1, 2, 3]  # that of the lost one is kept
    assert len(rows(labelled)) == 30


def test_missing_files_keep_their_labels_and_come_back(labelled, folder, tmp_path):
    shutil.move(folder / "0000.png", tmp_path / "0000.png")
    assert scan(labelled, folder).missing == 1
    assert rows(labelled)["0000.png"] == "missing"
    assert labels(labelled)["0000.png"] == 1
    shutil.move(tmp_path / "0000.png", folder / "back.png")
    found = scan(labelled, folder)
    assert (found.renamed, found.missing, found.new) == (1, 0, 0)
    assert rows(labelled)["back.png"] == "ok"
    os.rename(folder / "back.png", folder / "0000.png")
    scan(labelled, folder)
    assert labels(labelled) == {"0000.png": 1, "0001.png": 2, "0002.png": 3}


def test_a_copy_is_another_image(labelled, folder):
    shutil.copy(folder / "0000.png", folder / "copy.png")
    found = scan(labelled, folder)
    assert (found.new, found.renamed) == (1, 0)
    assert "copy.png" not in labels(labelled)


def test_a_touched_file_is_the_same_and_a_changed_one_is_reviewed(labelled, folder):
    os.utime(folder / "0000.png", (2e9, 2e9))
    picture("red", 77, size=31).save(folder / "0001.png")
    picture("red", 78, size=31).save(folder / "0009.png")  # it has no label
    found = scan(labelled, folder)
    assert (found.changed, found.new, found.renamed) == (2, 0, 0)
    assert labels(labelled) == {"0000.png": 1, "0001.png": 2, "0002.png": 3}
    ids = rows(labelled, "id, path")
    assert [ids[i] for (i,) in labelled.read("SELECT image FROM suspicion")] == ["0001.png"]


def test_files_with_exif_data_are_fine(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    exif[0x010E] = "caption \u00e9"
    picture("red", 0).save(tmp_path / "turned.jpg", exif=exif)
    database = Database(tmp_path)
    assert scan(database, tmp_path).new == 1
    assert fingerprint(database, tmp_path) == 1
    database.close()


def test_a_digest_tells_sizes_and_contents(tmp_path):
    contents = {b"", b"a", b"b", b"a" * 40000, b"a" * 40001, b"b" + b"a" * 39999}
    contents |= {b"a" * 39999 + b"b", b"x" * 20000, b"x" * 16384, b"x" * 16385}
    contents |= {b"x" * k + b"y" + b"x" * (262143 - k) for k in (0, 20000, 100000, 262143)}
    large = 16 * 16384 + 15 * 1000  # sixteen pieces and as many gaps as there are between
    contents |= {
        b"x" * at + b"y" + b"x" * (large - at - 1)
        for k in range(16)
        for at in (k * 17384, k * 17384 + 16383)
    }
    found = set()
    for content in contents:
        (tmp_path / "file").write_bytes(content)
        found.add(digest(tmp_path / "file"))
    assert len(found) == len(contents)


def test_an_edit_in_the_middle_of_a_bitmap_is_a_change(tmp_path):
    """Whose size and margins stay as they are."""
    image = Image.new("RGB", (400, 400))
    image.save(tmp_path / "scan.bmp")
    database = Database(tmp_path)
    scan(database, tmp_path)
    fingerprint(database, tmp_path)
    image.paste("red", (150, 150, 250, 250))
    image.save(tmp_path / "scan.bmp")
    os.utime(tmp_path / "scan.bmp", (2e9, 2e9))
    assert scan(database, tmp_path).changed == 1
    database.close()


def test_a_file_with_another_time_and_no_digest_yet_is_read_anew(database, folder):
    database.connection.execute("UPDATE image SET cached = 16")
    os.utime(folder / "0003.png", (2e9, 2e9))
    scan(database, folder)
    assert database.read("SELECT path FROM image WHERE cached = 0") == [("0003.png",)]


def test_digests_of_another_kind_are_no_changes(labelled, folder):
    labelled.connection.execute("UPDATE image SET digest = 'of the first kind'")
    labelled.connection.execute("DELETE FROM meta WHERE key = 'digest'")
    os.utime(folder / "0000.png", (2e9, 2e9))
    assert scan(labelled, folder).changed == 0
    assert fingerprint(labelled, folder) == 30
    os.utime(folder / "0000.png", (3e9, 3e9))
    os.rename(folder / "0001.png", folder / "fox.png")
    found = scan(labelled, folder)
    assert (found.changed, found.renamed) == (0, 1)


# The share for measuring -----------------------------------------------------------------------


def burst(folder, minute, n):
    return [File(f"{folder}/{minute}-{i}.jpg", 1, (minute * 60 + i % 60) * 10**9) for i in range(n)]


def test_a_group_is_a_folder_and_a_minute():
    files = [*burst("a", 1, 3), *burst("a", 2, 3), *burst("b", 1, 3)]
    groups = groups_of(files, 1000)
    members = defaultdict(set)
    for path, group in groups.items():
        members[group].add(path)
    assert sorted(map(len, members.values())) == [3, 3, 3]


def test_files_that_were_copied_in_one_minute_are_no_burst():
    files = [*burst("a", 1, 31), *burst("b", 1, 30)]
    assert len(set(groups_of(files, 1000).values())) == 31 + 1
    assert len(set(groups_of(burst("a", 1, 12), 119).values())) == 12
    assert len(set(groups_of(burst("a", 1, 12), 120).values())) == 1


def test_a_small_folder_that_was_copied_is_not_one_group(tmp_path):
    make_folder(tmp_path, 20, minutes=0)
    database = Database(tmp_path)
    scan(database, tmp_path)
    assert n_measured(database) == 4
    database.close()


def test_groups_are_never_on_both_sides(tmp_path):
    make_folder(tmp_path, 40, minutes=0)
    for i in range(40):
        at = 1_700_000_000 + i // 4 * 60
        os.utime(tmp_path / f"{i:04}.png", (at, at))
    database = Database(tmp_path)
    scan(database, tmp_path, n_test=9)
    sides = database.read('SELECT "group", COUNT(DISTINCT share), COUNT(*) FROM image GROUP BY 1')
    assert {n for _, n, _ in sides} == {1}
    assert len(sides) == 10
    assert n_measured(database) == 12  # whole groups
    asked_for(database)
    before = rows(database, "path, share")
    for i in range(40, 80):  # more of the same bursts on the next day, and new ones
        path = tmp_path / f"{i:04}.png"
        picture("red", i).save(path)
        at = 1_700_000_000 + (i - 36) // 4 * 60
        os.utime(path, (at, at))
    assert scan(database, tmp_path).new == 40
    sides = database.read('SELECT "group", COUNT(DISTINCT share) FROM image GROUP BY 1')
    assert {n for _, n in sides} == {1}
    after = rows(database, "path, share")
    assert {path: after[path] for path in before} == before
    database.close()


def test_the_share_is_drawn_at_random():
    n_drawn = defaultdict(int)
    sizes = {f"group {i}": 1 for i in range(20)}
    for seed in range(200):
        chosen = draw_test(sizes, 5, str(seed))
        assert len(chosen) == 5
        for group in chosen:
            n_drawn[group] += 1
    # each is drawn 50 times of 200 on average, with a standard deviation of 6
    assert 25 < min(n_drawn.values()) <= max(n_drawn.values()) < 75


def test_no_share_at_all():
    assert draw_test({"a": 1, "b": 1}, 0, "seed") == set()
    assert draw_test({"a": 1, "b": 1}, -3, "seed") == set()


def n_measured(database):
    return database.count("SELECT COUNT(*) FROM image WHERE share = 'test'")


def asked_for(database):
    """From now on, shares are for good."""
    assert lease(database, 1, "tab", 1)


def grow(folder, database, first, last, n_test=None):
    make_folder(folder / str(first), last - first)
    assert scan(database, folder, n_test).new == last - first
    return n_measured(database)


@pytest.mark.parametrize("asked", [False, True])
def test_a_folder_that_was_opened_with_few_files_is_measured_when_more_come(asked, tmp_path):
    database = Database(tmp_path)
    assert grow(tmp_path, database, 0, 4) == 0
    if asked:
        asked_for(database)
    assert grow(tmp_path, database, 4, 100) == 20
    assert grow(tmp_path, database, 100, 110, n_test=24) == 24
    database.close()


def test_the_share_does_not_grow_beyond_what_was_wanted(tmp_path):
    database = Database(tmp_path)
    assert grow(tmp_path, database, 0, 30, n_test=10) == 10
    asked_for(database)
    before = rows(database, "path, share")
    assert grow(tmp_path, database, 30, 130) == 10
    (tmp_path / "0" / next(p for p, s in before.items() if s == "test")[2:]).unlink()
    assert grow(tmp_path, database, 130, 150) == 11  # ten of which there are
    after = rows(database, "path, share")
    assert {path: after[path] for path in before} == before
    database.close()


def test_a_number_that_is_given_later_counts_until_the_first_question(tmp_path):
    database = Database(tmp_path)
    assert grow(tmp_path, database, 0, 30) == 6
    for n in (12, 0, 3):
        scan(database, tmp_path, n)
        assert n_measured(database) == n
    asked_for(database)
    scan(database, tmp_path, 12)
    assert n_measured(database) == 3
    database.close()


def test_the_first_files_are_of_all_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(_catalogue, "PIECE", 10)
    for name in "abcde":
        make_folder(tmp_path / name, 10)
    database = Database(tmp_path)
    scan(database, tmp_path)
    first = database.read("SELECT path FROM image WHERE id <= 10")
    assert len({path[0] for (path,) in first}) > 1
    paths = [path for (path,) in database.read("SELECT path FROM image ORDER BY id")]
    assert paths != sorted(paths)
    database.close()
