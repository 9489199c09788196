"""A file is written whole or not at all."""

import os
import stat

import pytest

from skactive._whole_files import write_whole


@pytest.mark.parametrize("content", ["grün\n", "grün\n".encode(), memoryview("grün\n".encode())])
def test_a_file_holds_what_is_given(tmp_path, content):
    path = tmp_path / "a.json"
    for _ in range(2):
        write_whole(path, content)
        assert path.read_text(encoding="utf-8") == "grün\n"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_after_an_error_the_old_one_is_there_and_nothing_beside_it(tmp_path, monkeypatch, function):
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, function, full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("asked", "found"), [(0o666, 0o644), (0o600, 0o600)])
def test_permissions_are_less_what_the_umask_takes_away(tmp_path, asked, found):
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "a", "", permissions=asked)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == found
