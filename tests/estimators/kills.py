"""A cache of features that is killed at every step, and written by two processes at once.

Run as a program, in a folder of its own: it forks, which a process with threads must not.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from skactive import Embedder
from skactive.estimators import _feature_cache, _file_table, _row_file

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 9, 9, 3), dtype=np.uint8)
SEEN = []


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        SEEN.append(len(x))
        return self.conv(x)


NET = Net()


def embedder(cache):
    return Embedder(NET, layer="conv", cache=cache, batch_size=3, device="cpu")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """A file that is killed in the middle of the n-th thing that happens to files."""

    left = 0

    def __init__(self, file):
        self.file = file

    @classmethod
    def tick(cls):
        cls.left -= 1
        return cls.left < 0

    def write(self, content):
        if self.tick():
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            die()
        return self.file.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        if name in ("truncate", "fileno") and self.tick():
            die()
        return getattr(self.file, name)


def dying_after(n):
    Dying.left = n
    for module in (_row_file, _file_table):
        module.open = lambda *args, **kwargs: Dying(open(*args, **kwargs))  # noqa: SIM115
    replace = os.replace
    os.replace = lambda *args: die() if Dying.tick() else replace(*args)


def child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def files_in(folder):
    from PIL import Image

    folder.mkdir()
    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(folder / f"{i}.png")
        os.utime(folder / f"{i}.png", ns=(10**18, 10**18))
    return sorted(folder.iterdir())


def main():
    here = Path.cwd()
    files = files_in(here / "images")
    wanted = Embedder(NET, layer="conv", device="cpu").transform(IMAGES)
    for X, name in ((IMAGES, "arrays"), (files, "files")):
        kills = 0
        while True:
            cache = here / f"{name}{kills}"

            def work(cache=cache, X=X, n=kills):
                dying_after(n)
                embedder(cache).transform(X)

            if status(child(work)) == 0:
                break
            SEEN.clear()
            np.testing.assert_allclose(embedder(cache).transform(X), wanted, atol=1e-6)
            computed = sum(SEEN)
            SEEN.clear()
            np.testing.assert_allclose(embedder(cache).transform(X), wanted, atol=1e-6)
            assert SEEN == [], "computed twice after a kill"
            assert computed <= 10, computed
            kills += 1
        print(name, kills)
        assert kills > 12, kills
    both = [child(lambda i=i: embedder(here / "both").transform(IMAGES[i:])) for i in (0, 1, 2)]
    assert [status(pid) for pid in both] == [0, 0, 0]
    SEEN.clear()
    np.testing.assert_allclose(embedder(here / "both").transform(IMAGES), wanted, atol=1e-6)
    assert SEEN == []
    (rows,) = (here / "both").glob("*/rows.bin")
    assert rows.stat().st_size == wanted.nbytes  # each once


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert _feature_cache
    main()
    sys.exit(0)
