"""Scripts in fresh processes, without the seconds that importing torch takes.

One interpreter imports torch and scikit-learn, then forks itself for each script. Where a script is
about their being imported, it needs an interpreter of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRELOADED = ("sklearn.linear_model", "torch")


class Warm:
    """Runs scripts in forks of one interpreter, one after the other."""

    def __init__(self):
        command = [sys.executable, "-m", __name__]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, code):
        """Run a script; return its exit status and all that it printed."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as output:
            print(json.dumps([code, output.name]), file=self._parent.stdin, flush=True)
            return int(self._parent.stdout.readline()), output.read()

    def close(self):
        self._parent.communicate()


def serve():
    for name in PRELOADED:
        __import__(name)
    assert not {"skactive", "modAL"} & set(sys.modules)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(script(*json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def script(code, output):
    with open(output, "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        exec(code, {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    serve()
