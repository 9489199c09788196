"""A process that writes labels until it is killed, and says which of them were acknowledged."""

import sys
from pathlib import Path

from skactive.labelling._database import Database
from skactive.labelling._events import Event, record

folder, first = Path(sys.argv[1]), int(sys.argv[2])
database = Database(folder)
print("ready", flush=True)
for image in range(first, first + 100_000):
    at = image % 200 + 1
    event = Event(at, "label", class_=image % 3 + 1, uuid=f"event-{image}")
    record(database, 1, [event])
    print(image, flush=True)
