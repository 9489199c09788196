"""Keys of labellers: in a file of its own, so that one who is given the labels cannot label."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from skactive._whole_files import write_whole

_FILE = "keys.json"


def keys_of(home: Path, labellers: Iterable[str]) -> dict[str, str]:
    """Return the labeller of each key; made once, since a page that is open outlives the server.

    The file is its owner's alone to read. Without it there are new keys, and the page has to be
    opened anew.
    """
    path = home / _FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    keys = {str(name): known.get(name) or secrets.token_urlsafe(24) for name in labellers}
    if not keys.items() <= known.items():
        write_whole(path, json.dumps({**known, **keys}), permissions=0o600)
    return {key: name for name, key in keys.items()}
