"""The command line: `skactive demo`."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch

import skactive
from skactive import datasets, strategies
from skactive._torch import resolve_device
from skactive._validation import InvalidParameterError, check_count
from skactive.estimators import CNNClassifier, LPLClassifier
from skactive.exceptions import DatasetError, ResultsMismatchError
from skactive.experiments import Results, run_experiment

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DATASETS: dict[str, Callable[..., Bunch]] = {
    "fashion-mnist-4k": partial(datasets.load_fashion_mnist, "4k"),
    "fashion-mnist": partial(datasets.load_fashion_mnist, "full"),
    "mnist": datasets.load_mnist,
    "cifar10": datasets.load_cifar10,
    "cifar100": datasets.load_cifar100,
    "svhn": datasets.load_svhn,
}
# What the messages of Python functions say, in the words of the command line.
_AS_OPTIONS = {
    "pass path=": "pass --data-path ",
    "Pass path=": "Pass --data-path ",
    "path=None": "no --data-path",
    "'path' parameter": "--data-path option",
    "pass download=True": "pass --download",
    "download=True": "--download",
    'subset="full"': "--dataset fashion-mnist",
    'subset="4k"': "--dataset is fashion-mnist-4k",
    "another out=": "another --out",
}
_FAVOURITES = ("FisherMask", "LPLGrad", "Margin", "Entropy", "Random")
# What is meant for a network that is trained jointly with a loss-prediction module.
_JOINTLY = ("LPLGrad", "LearningLoss")

_DESCRIPTION = """\
Watch query strategies choose real images for a CNN.

There are 3,000 images of clothes (Fashion-MNIST, they come with the package) and labels for 20
of them, 2 of each class. A small CNN trains on these, is tested on 1,000 other images, and a
query strategy picks the 40 unlabelled images whose labels it wants next. The CNN starts anew
with 60 labels, and so on. All strategies begin with the same labels and the same initial
weights, so that what differs is what they picked. Everything is done with several seeds.

The defaults take two or three minutes on two cores and need no network."""

_EPILOG = """\
files, in the folder that --out names:
  learning_curves.png  test accuracy over the number of labels, a line a strategy: a strategy
                       whose line is higher needs fewer labels for the same accuracy
  queried_images.png   what the first strategy asked for, round by round, and the last one
                       beside it
  results.jsonl        one line of JSON a finished round: strategy, seed, round, labels, the
                       positions of the images asked for, accuracy, seconds
  config.json          what decides the numbers: data, network, strategies, package versions

to continue:
  Stop it with Ctrl-C, or kill it; finished rounds are kept. The same command with the same
  --out goes on where it was and ends with the same numbers. With more --rounds, --seeds or
  --strategies it adds to what is there. Other settings need another --out, and it says so.

examples:
  skactive demo
  skactive demo --strategies margin,random --rounds 10 --seeds 5 --out margin-or-random
  skactive demo --dataset cifar10 --data-path ~/data/cifar10 --batch 100 --out cifar10
  skactive demo --strategies entropy,random --epochs 100 --device cuda --out longer

in Python:
  from skactive.experiments import Results
  Results.load("skactive-demo").frame          # a pandas DataFrame, a row a round
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    int
        The exit code: 0, or 2 after a mistake of the user, or 130 after Ctrl-C.

    Examples
    --------
    >>> from skactive.cli import main
    >>> main(["demo", "--rounds", "1", "--data-path", "here"])
    2
    """
    arguments = _parser().parse_args(argv)
    try:
        _demo(arguments)
    except (InvalidParameterError, ResultsMismatchError, DatasetError, OSError) as error:
        message = " ".join(str(error).split())
        for python, option in _AS_OPTIONS.items():
            message = message.replace(python, option)
        print(f"skactive demo: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"\nskactive demo: stopped. The finished rounds are in {arguments.out}; "
            "the same command goes on from there.",
            file=sys.stderr,
        )
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, also those in the options of a command."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse would leave them to the main parser, which knows no command
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}. See {self.prog} --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skactive", description="Deep active learning for images.")
    parser.add_argument("--version", action="version", version=f"skactive {skactive.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="watch query strategies choose real images for a CNN",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = known_strategies()
    names = [name for name in _FAVOURITES if name in known]
    demo.add_argument(
        "--strategies", type=_strategies, default=",".join(names), metavar="NAMES",
        help=f"which ones, separated by commas, of {', '.join(known)}; case, - and _ do not "
        "matter (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--rounds", type=_count(0), default=5, metavar="N",
        help="how many queries (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--batch", type=_count(1), default=40, metavar="N",
        help="how many labels a query asks for (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--initial", type=_count(1), default=20, metavar="N",
        help="how many labels there are at first, evenly over the classes (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--seeds", type=_count(1), default=2, metavar="N",
        help="how many seeds, 0 to N-1; the table and the picture average over them "
        "(default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--epochs", type=_count(1), default=40, metavar="N",
        help="epochs of each training (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--device", default="auto", metavar="NAME",
        help="cpu, cuda, cuda:1, mps, or auto: the best there is (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--threads", type=_count(1), default=1, metavar="N",
        help="threads that torch may use on a CPU; a CNN this small gains little from more, loses "
        "much where other programs run, and the numbers depend on it (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--dataset", choices=list(_DATASETS), default="fashion-mnist-4k", metavar="NAME",
        help=f"{', '.join(_DATASETS)} (default: %(default)s, which comes with the package)",
    )  # fmt: skip
    demo.add_argument(
        "--data-path", metavar="FOLDER",
        help="where the files of the other data sets are, if not where skactive looks by itself",
    )  # fmt: skip
    demo.add_argument(
        "--download", action="store_true", help="download them, if they are not there"
    )
    demo.add_argument(
        "--out", default="skactive-demo", metavar="FOLDER",
        help="the folder for the results (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument("--quiet", action="store_true", help="no introduction and no progress bar")
    return parser


def known_strategies() -> dict[str, type]:
    """Return the query strategies that can be made without arguments, by name."""
    public = {name: getattr(strategies, name) for name in strategies.__all__}
    return {
        name: kind
        for name, kind in public.items()
        if hasattr(kind, "select")
        and not inspect.isabstract(kind)
        and all(p.default is not p.empty for p in inspect.signature(kind).parameters.values())
    }


def _strategies(text: str) -> dict[str, Any]:
    """Read the value of --strategies."""
    known = known_strategies()
    by_plain_name = {_plain(name): name for name in known}
    names = []
    for given in text.split(","):
        if _plain(given) not in by_plain_name:
            raise argparse.ArgumentTypeError(
                f"there is no strategy {given.strip()!r}; there are {', '.join(known)}"
            )
        names.append(by_plain_name[_plain(given)])
        if names.count(names[-1]) > 1:
            raise argparse.ArgumentTypeError(f"{names[-1]} is named twice")
    return {name: known[name]() for name in names}


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "").replace("_", "")


def _count(low: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {low}, not {text!r}"
            )
        return value

    return count


def _demo(arguments: argparse.Namespace) -> None:
    device = resolve_device(arguments.device, "skactive demo")
    data = _load(arguments)
    n_pool, n_classes = len(data.y_train), len(data.target_names)
    check_count(
        "rounds", "skactive demo", arguments.rounds, low=0,
        high=max(n_pool - arguments.initial, 0) // arguments.batch,
        high_is=f"{arguments.dataset} has {n_pool} images, {arguments.initial} are labelled at "
        f"first, and a round asks for {arguments.batch}",
        remedy="Lower --rounds, --batch or --initial.",
    )  # fmt: skip
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
    arms = {
        name: (jointly, strategy) if name in _JOINTLY else strategy
        for name, strategy in arguments.strategies.items()
    }
    with _torch_threads(arguments.threads):
        results = run_experiment(
            classifier,
            arms,
            data.X_train,
            data.y_train,
            data.X_test,
            data.y_test,
            n_initial=arguments.initial,
            initial="balanced",
            batch_size=arguments.batch,
            n_rounds=arguments.rounds,
            seeds=arguments.seeds,
            out=arguments.out,
            progress=not arguments.quiet,
        )
    out = Path(arguments.out)
    _draw(results, data, out)
    print(f"\n{results.to_text()}\n")
    print(
        "Accuracy on the test images; seconds a round, and none for a query after the last one.\n"
        "A strategy is better where it has more accuracy at the same number of labels. "
        f"{arguments.seeds} seeds prove little:\n--seeds 5 adds to these results. The files:"
    )
    for name in ["learning_curves.png", "queried_images.png", "results.jsonl"]:
        if (out / name).exists():
            print(f"  {out / name}")


@contextmanager
def _torch_threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _load(arguments: argparse.Namespace) -> Bunch:
    load = _DATASETS[arguments.dataset]
    where = {"path": arguments.data_path, "download": arguments.download}
    return load(**{name: value for name, value in where.items() if value})


def _introduction(arguments: argparse.Namespace, data: Bunch) -> str:
    jointly = [name for name in arguments.strategies if name in _JOINTLY]
    trains = f"; for {' and '.join(jointly)} jointly with a loss-prediction module" * bool(jointly)
    return (
        f"{arguments.dataset}: {len(data.y_train)} images to choose from, {len(data.y_test)} to "
        f"test on, {len(data.target_names)} classes.\n"
        f"{', '.join(arguments.strategies)}: {arguments.initial} labels at first, spread as evenly "
        f"over the classes as they go; then {arguments.rounds} × {arguments.batch} more; "
        f"seeds: {arguments.seeds}.\n"
        f"Every round trains a small CNN from scratch{trains}. "
        "Ctrl-C stops it; the same command goes on."
    )


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
