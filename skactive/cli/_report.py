"""`skactive report`: results as one page of HTML."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from skactive.cli._failures import name_failed
from skactive.cli._run import STUDY_FILE
from skactive.cli._words import IN_A_FILE, told
from skactive.exceptions import DatasetError

_DESCRIPTION = """\
Draw results: one page of HTML with pictures, tables and tests, that needs no other file.

With several folders, their results are merged. The images that were asked for are drawn where the
folder has the study.toml of `skactive run` and its data can be loaded."""


def add_report(commands: Any) -> None:
    """Add the command and its options to the parser."""
    report = commands.add_parser(
        "report",
        help="draw results on one page of HTML",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument(
        "folders", nargs="+", metavar="OUT", help="folders of results, or files results.jsonl"
    )
    report.add_argument(
        "--output", metavar="FILE", help="where to write it (default: OUT/report.html)"
    )
    report.add_argument(
        "--baseline",
        metavar="NAME",
        help="the strategy that label efficiency compares with (default: Random, if it is there)",
    )
    report.set_defaults(run=write, out=None, words={}, options={})


def write(arguments: argparse.Namespace) -> None:
    """Write the report as the arguments say."""
    # Imported here: they import torch and matplotlib, and --help does not need these.
    from skactive._validation import InvalidParameterError
    from skactive.cli._study import read_study
    from skactive.experiments import Results
    from skactive.plotting import write_report

    results = Results.load(arguments.folders)
    name_failed(results, "report")
    names = list(dict.fromkeys(results.frame["strategy"]))
    baseline = arguments.baseline or "Random"
    if arguments.baseline not in {None, *names}:
        raise InvalidParameterError(
            f"--baseline must be one of {', '.join(names)}. Got {baseline!r} instead."
        )
    given = [Path(path) for path in arguments.folders]
    folders = [path if path.is_dir() else path.parent for path in given]
    output = Path(arguments.output or folders[0] / "report.html")
    images = {}
    for folder in folders:
        if (folder / STUDY_FILE).is_file():
            try:
                study = read_study(folder / STUDY_FILE)
            except (InvalidParameterError, DatasetError) as error:
                print(f"Without the images that were asked for: {told(error, IN_A_FILE, {})}")
            else:
                images[study.settings["dataset"]] = study.data
    write_report(results, output, images=images, baseline=baseline)
    print(output)
