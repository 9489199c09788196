"""Record the picks of all cases of tests/picks.py: `python -m tests.record_picks`.

Only where picks are meant to change. It names the cases that did, and those where samples are so
nearly equal that rounding may decide: give these other data.
"""

import json
import warnings

import torch

from tests.picks import FILE, compute, table

JITTER = 1e-5


def main():
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    found = {name: compute(case) for name, case in sorted(table().items())}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    for name in sorted(found.keys() | before):
        if found.get(name) != before.get(name):
            print(f"changed: {name}")
    for name, case in table(JITTER).items():
        if compute(case)["picks"] != found[name]["picks"]:
            print(f"too nearly equal: {name}")


if __name__ == "__main__":
    main()
