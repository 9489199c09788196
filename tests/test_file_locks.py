"""Locks on files, also where the file system has none."""

import errno
import os

import pytest

from skactive._file_locks import lock_at_once, locked

fcntl = pytest.importorskip("fcntl")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_systems_without_locks(tmp_path, monkeypatch, code):
    """Lustre without flock, some NFS and SMB: work goes on unlocked."""

    def refuse(descriptor, how):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open(tmp_path / "file", "ab") as file:
        assert lock_at_once(file.fileno())
    with locked(tmp_path / "file"):
        pass


def test_other_errors_are_told(tmp_path, monkeypatch):
    def refuse(descriptor, how):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open(tmp_path / "file", "ab") as file, pytest.raises(OSError, match="broken"):
        lock_at_once(file.fileno())


def test_a_lock_that_another_has(tmp_path):
    with open(tmp_path / "file", "ab") as one, open(tmp_path / "file", "ab") as other:
        assert lock_at_once(one.fileno())
        assert not lock_at_once(other.fileno())
