"""How much memory a call adds to what its process used before."""

import subprocess
import sys

CODE = """
import sys
import numpy as np
import torch
from skactive.selection import *
torch.set_num_threads(1)

def used(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024

{setup}
before = used("VmRSS:")
{call}
print(used("VmHWM:") - before)
"""


def peak_of(setup, call):
    """Return the peak above the memory in use before the call, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(setup=setup, call=call)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)
