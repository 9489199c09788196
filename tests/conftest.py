"""One thread, and no test of a device that is not there.

The networks here are tiny, and threads that wait for a busy core cost tenfold.
"""

import os
import signal

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as shells have it in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

import torch

from tests import properties  # noqa: F401  (the profile of all property tests)
from tests.device import DEVICE
from tests.warm import Warm

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def warm():
    """Runs scripts in fresh processes that have torch and scikit-learn already."""
    processes = Warm()
    yield processes
    processes.close()


def pytest_collection_modifyitems(items):
    there = {"cuda": torch.cuda.is_available()}
    there["device"] = there.get(DEVICE, DEVICE == "cpu")
    for item in items:
        for mark, found in there.items():
            if not found and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason="needs CUDA"))
