"""A process that forks writers: each writes labels until it is killed.

For each number that it reads, a writer begins there: it says its process id, and then which of its
labels were acknowledged. When it has been killed, "|" ends the line. Only imports are done before
the fork: each writer opens the file.
"""

import os
import sys
from pathlib import Path

from skactive.labelling._database import Database
from skactive.labelling._events import Event, record


def write(folder, first):
    database = Database(folder)
    print(os.getpid(), flush=True)
    for image in range(first, first + 100_000):
        at = image % 200 + 1
        event = Event(at, "label", class_=image % 3 + 1, uuid=f"event-{image}")
        record(database, 1, [event])
        print(image, flush=True)


while line := sys.stdin.readline():
    pid = os.fork()
    if pid == 0:
        try:
            write(Path(sys.argv[1]), int(line))
        finally:
            os._exit(1)
    os.waitpid(pid, 0)
    print("|", flush=True)
