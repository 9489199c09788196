"""How much memory a call adds to what its process used before."""

import atexit
import json
import subprocess
import sys
from functools import cache

CODE = """
import ctypes, json, sys
import numpy as np
import torch
from skactive.selection import *
torch.set_num_threads(1)

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024

def grown(setup, call):
    names = dict(globals())
    exec(setup, names)
    # What is freed goes back, if the allocator can: else it would be taken without a count.
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is counted from here
    before = peak()
    exec(call, names)
    return peak() - before

for line in sys.stdin:
    print(grown(*json.loads(line)), flush=True)
"""


@cache
def _process():
    """One for all calls, as it takes seconds to load the libraries."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.communicate)  # it ends where there is nothing more to read
    return process


def peak_of(setup, call):
    """Return the peak above the memory in use before the call, in MB."""
    process = _process()
    process.stdin.write(json.dumps([setup, call]) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, "The process ended: what it printed tells why."
    return float(answer)
