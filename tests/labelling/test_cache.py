import numpy as np
import pytest

from skactive.estimators import ImageReader
from skactive.exceptions import UnreadableFileError
from skactive.labelling._cache import StoredImages
from skactive.labelling._catalogue import scan
from tests.labelling.folders import picture


@pytest.fixture
def cache(database, folder):
    return StoredImages(database, folder, 16)


def test_the_rows_are_the_images(cache, folder, database):
    ids = [7, 3, 30]
    assert cache.fill(ids).tolist() == ids
    paths = [database.value("SELECT path FROM image WHERE id = ?", i) for i in ids]
    expected = ImageReader(size=(16, 16)).transform([folder / path for path in paths])
    np.testing.assert_array_equal(cache.rows(ids), expected)
    np.testing.assert_array_equal(cache.images[ids], expected)


def test_what_is_there_is_not_read_again(cache, database, monkeypatch):
    cache.fill(range(1, 31))
    monkeypatch.setattr(cache._reader, "transform", lambda paths: 1 / 0)
    again = StoredImages(database, cache.folder, 16)
    monkeypatch.setattr(again._reader, "transform", lambda paths: 1 / 0)
    assert again.fill(range(1, 31)).tolist() == list(range(1, 31))


def test_the_file_may_be_deleted(cache):
    before = cache.rows(cache.fill([1, 2]))
    cache.path.unlink()
    np.testing.assert_array_equal(cache.rows(cache.fill([1, 2])), before)


def test_rows_that_were_deleted_meanwhile_are_read_again(cache, database, folder):
    """Between `fill` and `rows`; also where others have made the file anew by then."""
    before = cache.rows(cache.fill([1, 2, 3]))
    assert before.reshape(3, -1).any(1).all()
    for others in ([], [9]):
        cache.path.unlink()
        StoredImages(database, folder, 16).fill(others)
        np.testing.assert_array_equal(cache.rows([1, 2, 3]), before)
    cache.path.unlink()
    (folder / database.value("SELECT path FROM image WHERE id = 2")).unlink()
    with pytest.raises(UnreadableFileError, match="were deleted while they were used"):
        cache.rows([1, 2, 3])


def test_rows_of_files_that_are_gone_are_still_there(cache, database, folder):
    before = cache.rows(cache.fill([1, 2]))
    (folder / database.value("SELECT path FROM image WHERE id = 2")).unlink()
    scan(database, folder)
    np.testing.assert_array_equal(cache.rows([1, 2]), before)


def test_broken_and_missing_files_are_noted(cache, database, folder):
    paths = dict(database.read("SELECT id, path FROM image"))
    (folder / paths[1]).write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    (folder / paths[2]).unlink()
    whole = (folder / paths[3]).read_bytes()
    (folder / paths[3]).write_bytes(whole[: len(whole) // 2])
    assert cache.fill([1, 2, 3, 4]).tolist() == [4]
    states = dict(database.read("SELECT id, state FROM image WHERE id < 5"))
    assert states == {1: "unreadable", 2: "missing", 3: "unreadable", 4: "ok"}
    (folder / paths[1]).unlink()
    picture("red", 5, size=20).save(folder / paths[1])
    scan(database, folder)
    assert cache.fill([1, 2]).tolist() == [1]


def test_new_files_make_it_longer(cache, database, folder):
    before = cache.rows(cache.fill([1]))
    picture("red", 5).save(folder / "new.png")
    scan(database, folder)
    assert cache.fill([31]).tolist() == [31]
    np.testing.assert_array_equal(cache.rows([1]), before)


def test_a_file_that_has_become_a_link_out_is_not_read(cache, database, folder, tmp_path):
    path = folder / str(database.value("SELECT path FROM image WHERE id = 1"))
    path.rename(tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    assert cache.fill([1]).tolist() == []


def test_progress_is_said(cache):
    said = []
    cache.fill(range(1, 31), lambda done, todo: said.append((done, todo)))
    assert said == [(30, 30)]
