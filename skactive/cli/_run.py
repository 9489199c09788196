"""`skactive run`: an experiment from a TOML file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skactive._whole_files import write_whole
from skactive.cli._arguments import count
from skactive.cli._failures import exit_code, said_at_the_end
from skactive.cli._words import IN_A_FILE, placed, within

if TYPE_CHECKING:
    from skactive._validation import InvalidParameterError
    from skactive.cli._study import Study
    from skactive.experiments import Results

STUDY_FILE = "study.toml"
_OPTIONS = {"n_jobs": "jobs", "n_rounds": "rounds"}  # those named otherwise than the fields
_DESCRIPTION = """\
Run an experiment that a TOML file describes: data, network, strategies, seeds.

The file has the tables [dataset], [estimator], [experiment] and [protocol], and a list of
strategies; docs/experiments.md has all their fields. Finished rounds are kept in the folder that
the field experiment.out names; the same command continues after a kill, with the same numbers."""
_EPILOG = """\
examples:
  skactive run study.toml
  skactive run study.toml --jobs 2 --out results
  skactive run study.toml --check
  skactive report results
"""


def add_run(commands: Any) -> None:
    """Add the command and its options to the parser."""
    run = commands.add_parser(
        "run",
        help="run an experiment from a TOML file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("config", metavar="CONFIG.toml", help="the file")
    run.add_argument("--out", metavar="FOLDER", help="the folder for the results")
    run.add_argument(
        "--jobs",
        type=count(1),
        metavar="N",
        help="number of rounds computed at a time, in processes of their own",
    )
    run.add_argument(
        "--rounds",
        type=count(0),
        metavar="N",
        help="number of queries, instead of the file's n_rounds",
    )
    run.add_argument(
        "--seeds", type=count(1), metavar="N", help="seeds 0 to N-1, instead of the file's"
    )
    run.add_argument(
        "--check",
        action="store_true",
        help="check the file, and try each strategy on a few images; keep nothing",
    )
    run.add_argument("--quiet", action="store_true", help="no introduction and no progress bar")
    run.set_defaults(run=run_study, words=IN_A_FILE, options={})


def run_study(arguments: argparse.Namespace) -> int:
    """Run the experiment as the arguments say, and return the exit code."""
    # Imported here: they import torch, and --help does not need it.
    from skactive._validation import InvalidParameterError
    from skactive.cli._study import read_study, try_out
    from skactive.experiments import check_experiment, run_experiment

    study = read_study(arguments.config)
    settings = study.settings
    for option, field in [
        ("out", "out"),
        ("jobs", "n_jobs"),
        ("rounds", "n_rounds"),
        ("seeds", "seeds"),
    ]:
        if getattr(arguments, option) is not None:
            settings[field] = getattr(arguments, option)
    if settings["out"] is None:
        raise InvalidParameterError(
            f"{arguments.config}: experiment.out is missing; it is a folder for the results. "
            "Pass --out."
        )
    arguments.out = settings["out"]
    data = study.data
    experiment = (
        study.estimator,
        study.strategies,
        data.X_train,
        data.y_train,
        data.X_test,
        data.y_test,
    )
    settings["embeddings"] = data.embeddings
    try:
        check_experiment(*experiment, **settings)
    except InvalidParameterError as error:
        raise _placed(error, arguments) from None
    if not arguments.quiet or arguments.check:
        print(_introduction(study), flush=True)
    if arguments.check:
        try_out(study, Path(arguments.config))
        print("Each network has been trained, and each strategy has chosen, on a few images.")
        return 0
    out = Path(settings["out"])
    out.mkdir(parents=True, exist_ok=True)
    # the report reads it there
    write_whole(out / STUDY_FILE, Path(arguments.config).read_bytes())
    with said_at_the_end():
        results = run_experiment(*experiment, **settings, progress=not arguments.quiet)
    print(f"\n{_final(results)}\n\nskactive report {out} draws it.")
    return exit_code(results, "run")


def _placed(error: InvalidParameterError, arguments: argparse.Namespace) -> InvalidParameterError:
    """Name the field of the file, or the option, that an error is about."""
    field = error.parameter if error.owner == "run_experiment" else ""
    if getattr(arguments, _OPTIONS.get(field, field), None) is not None:
        return placed("command line", "--", error, _OPTIONS)
    if field in {"X", "y", "X_test", "y_test", "dataset", "embeddings"}:
        return within(arguments.config, "dataset", error)
    return placed(arguments.config, "experiment.", error)


def _introduction(study: Study) -> str:
    settings, data = study.settings, study.data
    seeds = settings["seeds"]
    n_seeds = seeds if isinstance(seeds, int) else len(seeds)
    return (
        f"{settings['dataset']}: {len(data.y_train)} images to choose from, {len(data.y_test)} to "
        f"test on.\n{', '.join(study.strategies)}: {settings['n_initial']} labels at first, then "
        f"{settings['n_rounds']} × {settings['n_instances']} more; seeds: {n_seeds}.\n"
        f"Results in {settings['out']}. Ctrl-C stops it; the same command goes on."
    )


def _final(results: Results) -> str:
    """Return accuracies at the last number of labels, and areas, as text."""
    table = results.intervals().drop(columns="dataset")
    table = table[table["n_labelled"] == table["n_labelled"].max()]
    areas = results.aubc().groupby("strategy", sort=False)["aubc"].mean()
    return results.to_text(table.assign(aubc=table["strategy"].map(areas)).reset_index(drop=True))
