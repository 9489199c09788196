"""`skactive demo`: strategies choosing real images for a CNN."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skactive import strategies
from skactive.cli._arguments import DATASETS, count, load_dataset
from skactive.cli._failures import exit_code, said_at_the_end
from skactive.cli._imbalanced import (
    add_imbalanced,
    aimed_too,
    merged,
    who_asked_for_rare,
    with_a_tail,
)
from skactive.strategies.names import ALONE, JOINTLY

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skactive.experiments import Results

# What messages mark as Python, in the words of this command, and the options for parameters.
_WORDS = {
    "None": "left out",
    "False": "left out",
    "path": "--data-path",
    'subset="4k"': "--dataset is fashion-mnist-4k",
    'Pass subset="full"': "Pass --dataset fashion-mnist",
    "Leave path=None": "Leave --data-path out",
    "pass path=": "pass --data-path",
    "Pass path=": "Pass --data-path",
    "pass download=True": "pass --download",
    "download=True": "--download",
    "another out=": "another --out",
}
_OPTIONS = {
    "path": "--data-path",
    "download": "--download",
    "device": "--device",
    "rounds": "--rounds",
    "out": "--out",
}
_FAVOURITES = ("FisherMask", "Margin", "Entropy", "Random")

DESCRIPTION = """\
Watch query strategies choose real images for a CNN.

There are 3,000 images of clothes (Fashion-MNIST, they come with the package) and labels for 20
of them, 2 of each class. A small CNN trains on these, is tested on 1,000 other images, and a
query strategy picks the 40 unlabelled images whose labels it wants next. The CNN starts anew
with 60 labels, and so on. All strategies begin with the same labels and the same initial
weights, so that what differs is what they picked. Everything is repeated with several seeds.

The defaults take two or three minutes on two cores and need no internet."""

EPILOG = """\
files, in the folder that --out names:
  learning_curves.png  test accuracy over the number of labels, a line per strategy: a strategy
                       whose line is higher needs fewer labels for the same accuracy
  queried_images.png   what the first strategy asked for, round by round, and the last one
                       beside it
  results.jsonl        one line of JSON per finished round: strategy, seed, round, labels, the
                       positions of the images asked for, accuracy, seconds
  config.json          what decides the numbers: data, network, strategies, package versions

to continue:
  Stop it with Ctrl-C, or kill it; finished rounds are kept. The same command with the same
  --out continues where it stopped and ends with the same numbers. With more --rounds, --seeds or
  --strategies it adds to what is there. Other settings need another --out, and it says so.

examples:
  skactive demo
  skactive demo --strategies margin,random --rounds 10 --seeds 5 --out margin-or-random
  skactive demo --imbalanced --n-instances 20 --out imbalanced
  skactive demo --dataset cifar10 --data-path ~/data/cifar10 --n-instances 100 --out cifar10
  skactive demo --strategies entropy,random --epochs 100 --device cuda --out longer

in Python:
  from skactive.experiments import Results
  Results.load("skactive-demo").frame          # a pandas DataFrame, a row per round
"""


def add_demo(commands: Any) -> None:
    """Add the command and its options to the parser."""
    demo = commands.add_parser(
        "demo",
        help="watch query strategies choose real images for a CNN",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [name for name in _FAVOURITES if name in ALONE]
    demo.add_argument(
        "--strategies",
        type=read_strategies,
        default=",".join(names),
        metavar="NAMES",
        help=f"names, separated by commas, from {', '.join(ALONE)}; case, - and _ do not "
        "matter (default: %(default)s)",
    )
    demo.add_argument(
        "--rounds",
        type=count(0),
        default=5,
        metavar="N",
        help="number of queries (default: %(default)s)",
    )
    demo.add_argument(
        "--n-instances",
        type=count(1),
        default=40,
        metavar="N",
        help="number of labels per query (default: %(default)s)",
    )
    demo.add_argument(
        "--initial",
        type=count(1),
        default=20,
        metavar="N",
        help="number of labels at first, spread evenly over the classes (default: %(default)s)",
    )
    demo.add_argument(
        "--seeds",
        type=count(1),
        default=2,
        metavar="N",
        help="number of seeds, 0 to N-1; the table and the picture average over them "
        "(default: %(default)s)",
    )
    demo.add_argument(
        "--epochs",
        type=count(1),
        default=40,
        metavar="N",
        help="epochs per training (default: %(default)s)",
    )
    demo.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help="cpu, cuda, cuda:1, mps, or auto: the best available (default: %(default)s)",
    )
    demo.add_argument(
        "--threads",
        type=count(1),
        default=1,
        metavar="N",
        help="threads that torch may use on a CPU; a CNN this small gains little from more, loses "
        "much where other programs run, and the numbers depend on it (default: %(default)s)",
    )
    demo.add_argument(
        "--dataset",
        choices=list(DATASETS),
        default="fashion-mnist-4k",
        metavar="NAME",
        help=f"{', '.join(DATASETS)} (default: %(default)s, which comes with the package)",
    )
    demo.add_argument(
        "--data-path",
        metavar="FOLDER",
        help="folder with the files of the other data sets, if not where skactive looks by default",
    )
    demo.add_argument(
        "--download", action="store_true", help="download them, if they are not there"
    )
    demo.add_argument(
        "--out",
        default="skactive-demo",
        metavar="FOLDER",
        help="the folder for the results (default: %(default)s)",
    )
    add_imbalanced(demo)
    demo.add_argument("--quiet", action="store_true", help="no introduction and no progress bar")
    demo.set_defaults(run=run_demo, words=_WORDS, options=_OPTIONS)


def read_strategies(text: str) -> list[str]:
    """Return the names in the value of --strategies."""
    by_plain_name = {_plain(name): name for name in ALONE}
    names: list[str] = []
    for given in text.split(","):
        if _plain(given) not in by_plain_name:
            raise argparse.ArgumentTypeError(
                f"there is no strategy {given.strip()!r}; there are {', '.join(ALONE)}"
            )
        names.append(by_plain_name[_plain(given)])
        if names.count(names[-1]) > 1:
            raise argparse.ArgumentTypeError(f"{names[-1]} is named twice")
    return names


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "").replace("_", "")


def run_demo(arguments: argparse.Namespace) -> int:
    """Run the demo as the arguments say, and return the exit code."""
    # Imported here: they import torch, and --help does not need it.
    from skactive._device import resolve_device
    from skactive._validation import check_count
    from skactive.estimators import CNNClassifier, LPLClassifier

    device = resolve_device(arguments.device, "skactive demo")
    data = load_dataset(arguments.dataset, path=arguments.data_path, download=arguments.download)
    seeds = range(arguments.seeds)
    tails = {seed: with_a_tail(data, seed) for seed in seeds} if arguments.imbalanced else {}
    data = tails[0].data if tails else data
    n_pool, n_classes = len(data.y_train), len(data.target_names)
    check_count(
        "rounds",
        "skactive demo",
        arguments.rounds,
        low=0,
        high=max(n_pool - arguments.initial, 0) // arguments.n_instances,
        high_is=f"{arguments.dataset} has {n_pool} images, {arguments.initial} are labelled at "
        f"first, and a round asks for {arguments.n_instances}",
        remedy="Lower --rounds, --n-instances or --initial.",
    )
    if not arguments.quiet:
        print(_introduction(arguments, data), flush=True)
    classifier, jointly = (
        kind(
            "small_cnn",
            classes=list(range(n_classes)),
            max_epochs=arguments.epochs,
            lr_schedule="cosine",
            device=str(device),
        )
        for kind in (CNNClassifier, LPLClassifier)
    )
    chosen = {name: getattr(strategies, name)() for name in arguments.strategies}
    arms = {
        name: (jointly, strategy) if name in JOINTLY else strategy
        for name, strategy in (aimed_too(chosen) if tails else chosen).items()
    }
    out = Path(arguments.out)
    with said_at_the_end():
        if tails:
            results = merged(
                [
                    _compare(classifier, arms, tail.data, [seed], out / f"seed-{seed}", arguments)
                    for seed, tail in tails.items()
                ]
            )
        else:
            results = _compare(classifier, arms, data, seeds, out, arguments)
    _draw(results, data, out)
    _print(results, arguments.seeds, out, [f"seed-{seed}/results.jsonl" for seed in tails])
    if rare := who_asked_for_rare(results, tails) if tails else []:
        print("\nOf the rarer half of the classes they asked for:", *rare, sep="\n")
    return exit_code(results, "demo")


def _compare(
    classifier: Any,
    arms: dict[str, Any],
    data: Bunch,
    seeds: Iterable[int],
    out: Path,
    arguments: argparse.Namespace,
) -> Results:
    """Run all strategies on one pool."""
    from skactive.experiments import run_experiment

    return run_experiment(
        classifier,
        arms,
        data.X_train,
        data.y_train,
        data.X_test,
        data.y_test,
        n_initial=arguments.initial,
        initial="balanced",
        n_instances=arguments.n_instances,
        n_rounds=arguments.rounds,
        seeds=seeds,
        dataset=arguments.dataset,
        n_threads=arguments.threads,
        out=out,
        progress=not arguments.quiet,
    )


def _introduction(arguments: argparse.Namespace, data: Bunch) -> str:
    jointly = [name for name in arguments.strategies if name in JOINTLY]
    trains = f"; for {' and '.join(jointly)} jointly with a loss-prediction module" * bool(jointly)
    return (
        f"{arguments.dataset}: {len(data.y_train)} images to choose from, {len(data.y_test)} to "
        f"test on, {len(data.target_names)} classes"
        f"{', of which each seed makes others rare' * arguments.imbalanced}.\n"
        f"{', '.join(arguments.strategies)}: {arguments.initial} labels at first, spread as evenly "
        f"over the classes as possible; then {arguments.rounds} × {arguments.n_instances} more; "
        f"seeds: {arguments.seeds}.\n"
        f"Every round trains a small CNN from scratch{trains}. "
        "Ctrl-C stops it; the same command goes on."
    )


def _print(results: Results, n_seeds: int, out: Path, more: list[str]) -> None:
    """Print the table, and which files there are."""
    print(f"\n{results.to_text()}\n")
    print(
        "Accuracy on the test images; seconds per round, and none for a query after the last one.\n"
        "A strategy is better where it has more accuracy at the same number of labels. "
        f"{n_seeds} seeds prove little:\n--seeds 5 adds to these results. The files:"
    )
    for name in ["learning_curves.png", "queried_images.png", "results.jsonl", *more]:
        if (out / name).exists():
            print(f"  {out / name}")


def _draw(results: Results, data: Bunch, out: Path) -> None:
    """Draw the two pictures; the second only if something was queried."""
    # Imported here: matplotlib is slow to import, and --help does not need it. Figures that
    # pyplot does not know need no display and no closing.
    from matplotlib.figure import Figure

    from skactive.plotting import LearningCurvesDisplay, QueriedImagesDisplay

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    LearningCurvesDisplay.from_results(results, ax=figure.subplots())
    figure.savefig(out / "learning_curves.png", dpi=150)

    n_rounds = int(results.frame["round"].max())
    if n_rounds == 0:
        return
    names = list(dict.fromkeys(results.frame["strategy"]))
    shown = names if len(names) == 1 else [names[0], names[-1]]
    figure = Figure(figsize=(6.4 * len(shown), 0.5 + 0.95 * n_rounds), layout="constrained")
    for name, ax in zip(shown, figure.subplots(1, len(shown), squeeze=False)[0], strict=True):
        QueriedImagesDisplay.from_results(
            results,
            data.X_train,
            y=data.y_train,
            class_names=data.target_names,
            strategy=name,
            n_images=8,
            ax=ax,
        )
    figure.savefig(out / "queried_images.png", dpi=150, bbox_inches="tight")
