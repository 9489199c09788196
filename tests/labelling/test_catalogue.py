import os
import shutil
from collections import defaultdict

import pytest
from PIL import Image

from skactive.labelling._catalogue import fingerprint, scan
from skactive.labelling._database import Database
from skactive.labelling._events import Event, record
from skactive.labelling._files import File, digest, inside, walk
from skactive.labelling._shares import draw_test, groups_of, place
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


def test_a_digest_tells_sizes_beginnings_and_ends(tmp_path):
    contents = {b"", b"a", b"b", b"a" * 40000, b"a" * 40001, b"b" + b"a" * 39999}
    contents |= {b"a" * 39999 + b"b", b"x" * 20000, b"x" * 16384, b"x" * 16385}
    found = set()
    for content in contents:
        (tmp_path / "file").write_bytes(content)
        found.add(digest(tmp_path / "file"))
    assert len(found) == len(contents)


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
    assert database.count("SELECT COUNT(*) FROM image WHERE share = 'test'") == 4
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
    assert database.count("SELECT COUNT(*) FROM image WHERE share = 'test'") == 12  # whole groups
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


def test_the_share_is_drawn_at_random_and_later_groups_in_the_same_way():
    n_drawn = defaultdict(int)
    later = 0
    for seed in range(200):
        last = draw_test([f"group {i}" for i in range(20)], 5, str(seed))
        chosen = [i for i in range(20) if place(str(seed), f"group {i}") <= last]
        assert len(chosen) == 5
        for i in chosen:
            n_drawn[i] += 1
        later += sum(place(str(seed), f"later {i}") <= last for i in range(20))
    # each is drawn 50 times of 200 on average, with a standard deviation of 6
    assert 25 < min(n_drawn.values()) <= max(n_drawn.values()) < 75
    assert 0.2 < later / 4000 < 0.3


def test_no_share_at_all():
    last = draw_test(["a", "b"], 0, "seed")
    assert all(place("seed", group) > last for group in "ab")
