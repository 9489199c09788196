"""Rows in a file: whatever is left of it after a kill, what is found is what was written."""

import threading
import time

import numpy as np
import pytest

from skactive.estimators._file_table import FileTable
from skactive.estimators._row_file import RowFile

KEYS = [bytes([i]) * 32 for i in range(6)]
ROWS = np.random.default_rng(0).normal(size=(6, 3)).astype("<f4")


def opened(folder):
    rows = RowFile(folder, (3,), "<f4")
    rows.refresh()
    return rows


def check(rows, n):
    """It has the first n rows, in their order."""
    assert len(rows) == n
    assert [key in rows for key in KEYS] == [i < n for i in range(6)]
    np.testing.assert_array_equal(rows.rows(), ROWS[:n])
    np.testing.assert_array_equal(rows.take(KEYS[:n][::-1]), ROWS[:n][::-1])


def test_rows_are_found_again(tmp_path):
    rows = opened(tmp_path)
    check(rows, 0)
    rows.append(KEYS[:4], ROWS[:4])
    check(rows, 4)
    rows.append(KEYS[2:], ROWS[2:])  # some of them again
    check(rows, 6)
    rows.append(KEYS, ROWS + 1)  # a key stands for one content
    check(rows, 6)
    check(opened(tmp_path), 6)
    assert (tmp_path / "rows.bin").stat().st_size == ROWS.nbytes


def test_rows_in_one_piece_are_views(tmp_path):
    rows = opened(tmp_path)
    rows.append(KEYS, ROWS)
    piece = rows.take(KEYS[1:4])
    assert isinstance(piece, np.memmap)
    piece += 1  # of the copy in memory
    check(opened(tmp_path), 6)


def test_each_cut_of_the_index_leaves_whole_rows(tmp_path):
    opened(tmp_path).append(KEYS[:4], ROWS[:4])
    index = (tmp_path / "index.bin").read_bytes()
    assert len(index) == 4 * 40
    for n_bytes in range(len(index) + 1):
        (tmp_path / "index.bin").write_bytes(index[:n_bytes])
        check(opened(tmp_path), n_bytes // 40)
        opened(tmp_path).append(KEYS[:5], ROWS[:5])
        check(opened(tmp_path), 5)


def test_each_cut_of_the_rows_leaves_whole_rows(tmp_path):
    opened(tmp_path).append(KEYS[:4], ROWS[:4])
    content, index = ((tmp_path / name).read_bytes() for name in ("rows.bin", "index.bin"))
    for n_bytes in range(len(content) + 1):
        (tmp_path / "rows.bin").write_bytes(content[:n_bytes])
        (tmp_path / "index.bin").write_bytes(index)
        check(opened(tmp_path), n_bytes // 12)
        opened(tmp_path).append(KEYS[:5], ROWS[:5])
        check(opened(tmp_path), 5)


@pytest.mark.parametrize("place", [3, 37, 40 + 31, 40 + 39])
def test_a_record_that_did_not_reach_the_disk_is_no_record(tmp_path, place):
    opened(tmp_path).append(KEYS[:4], ROWS[:4])
    index = bytearray((tmp_path / "index.bin").read_bytes())
    index[place] ^= 1
    (tmp_path / "index.bin").write_bytes(index)
    check(opened(tmp_path), place // 40)
    opened(tmp_path).append(KEYS, ROWS)
    check(opened(tmp_path), 6)


def test_files_that_are_deleted_meanwhile(tmp_path):
    rows = opened(tmp_path / "a")
    rows.append(KEYS[:4], ROWS[:4])
    for name in ("rows.bin", "index.bin"):
        (tmp_path / "a" / name).unlink()
        rows.refresh()
        check(rows, 0)
        rows.append(KEYS[:4], ROWS[:4])
        check(rows, 4)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_files_that_others_have_made_anew(tmp_path, n):
    """With fewer, as many or more rows, in another order, up to the last one."""
    rows = opened(tmp_path / "a")
    rows.append(KEYS[:4], ROWS[:4])
    for name in ("rows.bin", "index.bin"):
        (tmp_path / "a" / name).unlink()
    order = [2, 1, 0, 3, 4, 5][:n]
    opened(tmp_path / "a").append([KEYS[i] for i in order], ROWS[order])
    rows.refresh()
    np.testing.assert_array_equal(rows.take([KEYS[i] for i in sorted(order)]), ROWS[sorted(order)])
    assert [key in rows for key in KEYS] == [i in order for i in range(6)]


def test_what_others_write_is_seen(tmp_path):
    one, other = opened(tmp_path), opened(tmp_path)
    one.append(KEYS[:2], ROWS[:2])
    other.append(KEYS[1:4], ROWS[1:4])  # knows what is there by now
    one.refresh()
    check(one, 4)


def test_many_writers_at_once(tmp_path):
    def write(seed):
        order = np.random.default_rng(seed).permutation(6)
        for i in order:
            opened(tmp_path).append([KEYS[i]], ROWS[[i]])

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = opened(tmp_path)
    assert len(rows) == 6
    np.testing.assert_array_equal(rows.take(KEYS), ROWS)


# -- files by path, size and time ------------------------------------------------


def noted(table, path, key):
    table.note(str(path), path.stat(), key)
    table.write()


@pytest.fixture
def file(tmp_path):
    import os

    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"1234")
    os.utime(path, ns=(10**18, 10**18))
    return path


def test_a_file_is_known_by_path_size_and_time(tmp_path, file):
    import os

    table = FileTable(tmp_path / "cache")
    assert table.lookup([str(file), str(tmp_path / "nope")]) == [None, None]
    noted(table, file, KEYS[0])
    again = FileTable(tmp_path / "cache")
    again.refresh()
    assert again.lookup([str(file)]) == table.lookup([str(file)]) == [KEYS[0]]
    os.utime(file, ns=(10**18, 10**18 + 1))
    assert again.lookup([str(file)]) == [None]
    noted(table, file, KEYS[1])  # the last note counts
    again.refresh()
    assert again.lookup([str(file)]) == [KEYS[1]]
    file.write_bytes(b"12345")
    os.utime(file, ns=(10**18, 10**18 + 1))
    assert again.lookup([str(file)]) == [None]


def in_place(file, other):
    file.write_bytes(b"4321")


def by_renaming(file, other):
    other.replace(file)


def by_a_link(file, other):
    file.unlink()
    file.symlink_to(other)


@pytest.mark.parametrize("change", [in_place, by_renaming, by_a_link])
def test_another_content_of_the_same_size_and_time(tmp_path, file, change):
    """As `cp -p`, `rsync -t`, archives, and links to another version of the data leave it."""
    import os

    other = tmp_path / "other.png"
    other.write_bytes(b"4321")
    os.utime(other, ns=(10**18, 10**18))
    table = FileTable(tmp_path / "cache")
    noted(table, file, KEYS[0])
    tick()
    change(file, other)
    os.utime(file, ns=(10**18, 10**18))
    assert file.stat().st_size == 4
    assert file.stat().st_mtime_ns == 10**18
    assert table.lookup([str(file)]) == [None]


def tick():
    """Let the clock of the file system go on, which may count in steps of ten milliseconds."""
    time.sleep(0.05)


def test_young_files_are_not_noted(tmp_path, file):
    """One that changes twice within a tick of the clock has the same size and time."""
    import os

    os.utime(file, ns=(2 * 10**19, 9 * 10**18))  # in the future
    table = FileTable(tmp_path / "cache")
    noted(table, file, KEYS[0])
    assert table.lookup([str(file)]) == [None]


def test_paths_are_those_seen_from_the_folder(tmp_path, file, monkeypatch):
    import os

    table = FileTable(tmp_path / "cache")
    noted(table, file, KEYS[0])
    monkeypatch.chdir(tmp_path)
    assert table.lookup(["images/a.png", os.path.join("images", "..", "images", "a.png")]) == [
        KEYS[0],
        KEYS[0],
    ]
    (tmp_path / "moved").mkdir()
    (tmp_path / "cache").rename(tmp_path / "moved" / "cache")
    file.parent.rename(tmp_path / "moved" / "images")
    moved = FileTable(tmp_path / "moved" / "cache")
    moved.refresh()
    assert moved.lookup([str(tmp_path / "moved" / "images" / "a.png")]) == [KEYS[0]]


def test_each_cut_of_the_table_leaves_whole_lines(tmp_path, file):
    table = FileTable(tmp_path / "cache")
    noted(table, file, KEYS[0])
    content = table.path.read_bytes()
    for n_bytes in range(len(content) + 1):
        table.path.write_bytes(content[:n_bytes])
        cut = FileTable(tmp_path / "cache")
        cut.refresh()
        assert cut.lookup([str(file)]) == [KEYS[0] if n_bytes == len(content) else None]
        noted(cut, file, KEYS[1])
        again = FileTable(tmp_path / "cache")
        again.refresh()
        assert again.lookup([str(file)]) == [KEYS[1]]


def test_a_table_that_is_deleted_meanwhile(tmp_path, file):
    table = FileTable(tmp_path / "cache")
    noted(table, file, KEYS[0])
    table.refresh()
    table.path.unlink()
    table.refresh()
    assert table.lookup([str(file)]) == [None]
