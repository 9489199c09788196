import stat
import sys

import pytest

from skactive.labelling._keys import keys_of


def test_a_key_stays_the_same_and_others_come_beside_it(tmp_path):
    first = keys_of(tmp_path, ["ada"])
    both = keys_of(tmp_path, ["ada", "Émilie / 2"])
    assert keys_of(tmp_path, ["ada"]) == first
    assert first.items() < both.items()
    assert set(both.values()) == {"ada", "Émilie / 2"}
    assert all(len(key) >= 32 for key in both)


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
def test_nobody_else_may_read_them(tmp_path):
    keys_of(tmp_path, ["ada"])
    keys_of(tmp_path, ["bo"])
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "\x00", "[]", "3"])
def test_a_file_that_is_broken_means_new_keys(text, tmp_path):
    (old,) = keys_of(tmp_path, ["ada"])
    (tmp_path / "keys.json").write_text(text)
    (new,) = keys_of(tmp_path, ["ada"])
    assert new != old
    assert keys_of(tmp_path, ["ada"]) == {new: "ada"}
