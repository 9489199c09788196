"""An experiment that is killed at a moment.

"fit:3" is the third call of fit, "select:2" likewise, "write:2" half-way through writing the second
record, "append:2" right after it.
"""

import os
import signal
from types import SimpleNamespace

from skactive.experiments import _loop, _records, run_experiment
from skactive.experiments._records import RecordFile
from tests.experiments import stubs


def main(out, moment, n_jobs=1):
    """Run it in a group of its own, with so many processes, until it is killed."""
    os.setsid()
    what, at = moment.split(":")
    calls = {"fit": 0, "select": 0, "write": 0, "append": 0}

    def kill_at(name, function):
        def counted(*args, **kwargs):
            calls[name] += 1
            if name == what and calls[name] == int(at):
                if name == "write":
                    descriptor, line = args
                    function(descriptor, line[: len(line) // 2])
                if name == "append":
                    function(*args)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return counted

    # Around fit and select, not in their places: the configuration sees the code of a class.
    _loop._train = kill_at("fit", _loop._train)
    query, of_unsure = _loop._query, kill_at("select", _loop._query)
    _loop._query = lambda name, *args: (of_unsure if name == "unsure" else query)(name, *args)
    RecordFile.append = kill_at("append", RecordFile.append)
    _records.os = SimpleNamespace(**vars(os) | {"write": kill_at("write", os.write)})
    run_experiment(
        stubs.FlatSGD(),
        stubs.STRATEGIES,
        *stubs.digits(),
        **stubs.BUDGET,
        seeds=2,
        out=out,
        progress=False,
        n_jobs=n_jobs,
    )
