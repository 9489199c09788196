"""Processes that begin with all imports done: forked from one that has done them once."""

import multiprocessing

PRELOADED = ["tests.experiments.killed_run", "tests.labelling.killed_worker"]


def forked(function, *arguments):
    """Call a function of a module in a process of its own; return that when it has ended.

    To import torch and scikit-learn takes seconds: one process does it, for all those to come.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=function, args=arguments)
    process.start()
    process.join()
    return process
