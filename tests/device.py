"""The devices that tests run on.

The environment variable SKACTIVE_TEST_DEVICE names one, "cuda" say: tests marked `device` run there
(on CUDA unless another is named; "cpu" only shows that these tests run), and the networks of the
battery and of the table of picks, which are on the CPU unless one is named, are there.
"""

import os

_NAMED = os.environ.get("SKACTIVE_TEST_DEVICE")
DEVICE = _NAMED or "cuda"
BATTERY_DEVICE = _NAMED or "cpu"
