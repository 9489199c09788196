"""Freed memory is kept for the next batch: seen in the pages that the system hands out."""

import os
import subprocess
import sys

import pytest

from skactive._allocator import _SETTINGS, _glibc

# Each starts a process of its own.
pytestmark = [
    pytest.mark.skipif(_glibc() is None, reason="glibc's allocator is meant"),
    pytest.mark.slow,
]

# Ten rounds of two blocks of 40 MB, filled and freed; prints how many blocks of 40 MB the system
# has handed out in pages, and by how much the process has grown, in such blocks.
CODE = """
import resource
import torch
from skactive import _allocator
from skactive._allocator import memory_kept

N = 40 * 2**20

def handed_out():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt * resource.getpagesize()

def taken():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def rounds():
    for _ in range(10):
        a, b = (torch.full((N,), 1, dtype=torch.uint8) for _ in range(2))

def measured():
    before = handed_out()
    rounds()
    return round((handed_out() - before) / N, 1)

rounds()  # what torch sets up when first used
size = taken()
{work}
print(round((taken() - size) / N, 1))
"""


def run(work, code=CODE, **environment):
    """The numbers that a fresh process prints."""
    # Dask sets one of these for the workers that it starts, and leaves it set
    others = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", code.replace("{work}", work)],
        env=others | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(line) for line in done.stdout.split()]


def test_blocks_are_handed_out_again_and_given_back_afterwards():
    work = "print(measured())\nwith memory_kept():\n    rounds()\n    print(measured())"
    outside, inside, grown = run(f"_allocator._LONG = 0\n{work}")
    assert outside > 15  # twice a round
    assert inside < 8  # fewer, as what else is allocated lies between them
    assert grown < 1


def test_an_inner_block_does_not_end_it():
    inside, _ = run(
        "with memory_kept():\n    with memory_kept():\n        rounds()\n    print(measured())"
    )
    assert inside < 8


def test_it_ends_after_an_error():
    outside, _ = run(
        "try:\n    with memory_kept():\n        1 / 0\n"
        "except ZeroDivisionError:\n    print(measured())"
    )
    assert outside > 15


def test_who_has_set_the_allocator_is_left_alone():
    work = "with memory_kept():\n    rounds()\n    print(measured())"
    assert run(work, MALLOC_TRIM_THRESHOLD_="131072")[0] > 15


NETWORKS = """
import resource, numpy as np, skactive
from skactive import _allocator
_allocator._LONG = float("inf")  # what takes long gives back, and all takes long on a busy machine
X = np.random.default_rng(0).integers(0, 256, (256, 3, 32, 32), dtype=np.uint8)
y = np.arange(256) % 10
clf = skactive.CNNClassifier("small_cnn", max_epochs=1, batch_size=256, random_state=0).fit(X, y)
for work in (
    lambda: clf.fit(X, y),
    lambda: clf.predict_proba(X),
    lambda: skactive.Margin().select(clf, X),
    lambda: skactive.GradientNorm().select(clf, X),
):
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_training_and_scoring_keep_it():
    """Layers hand on some MB, batch by batch; done again, the work needs few new pages."""
    kept, given_back = run("", NETWORKS), run("", NETWORKS, MALLOC_TRIM_THRESHOLD_="131072")
    assert len(kept) == 4
    for ours, theirs in zip(kept, given_back, strict=True):
        assert ours < 0.5 * theirs
