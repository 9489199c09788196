"""`skactive label` and `skactive labels`: people label a folder of images, a network learns."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from skactive.cli._arguments import count

_DESCRIPTION = """\
Open a page on which a person labels the images of a folder.

Images come in the order in which they teach a network the most; it trains in the background. Each
decision is kept before the next image is shown. The same command goes on tomorrow. All of it
is in FOLDER/.skactive; `skactive labels` reads and writes it."""
# The options that stand for parameters, in messages.
_OPTIONS = {
    "folder": "FOLDER",
    "name": "CLASS",
    "labellers": "--labeller",
    "classes": "--classes",
    "strategy": "--strategy",
    "network": "--network",
    "augment": "--augment",
    "size": "--size",
}
_MOST_NAMED = 10
# What SQLite calls an error, which Python 3.10 does not tell, and what helps.
_AGAIN = "Put a copy of .skactive/labels.sqlite back, or move it away to begin anew."
_WRITABLE = "Make .skactive and what is in it writable, or label a copy of the folder."
_REMEDIES = {
    "SQLITE_BUSY": "Another program holds the labels; end it, or try again.",
    "SQLITE_FULL": "Make room on the disk; what was labelled so far is kept.",
    "SQLITE_NOTADB": _AGAIN,
    "SQLITE_CORRUPT": _AGAIN,
    "SQLITE_READONLY": _WRITABLE,
    "SQLITE_CANTOPEN": _WRITABLE,
    "SQLITE_IOERR": "The disk or the network drive has failed; see if other files can be read.",
}
_REMEDY = "End other programs that have it open, and see that .skactive can be read and written to."


def told_of_labels(error: Exception) -> str:
    """Return what is wrong with the file of labels, in one sentence, and what helps."""
    name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])  # without what is finer
    return f"the file of labels: {error}. {_REMEDIES.get(name, _REMEDY)}"


def add_label(commands: Any) -> None:
    """Add the command and its options to the parser."""
    label = commands.add_parser(
        "label",
        help="label a folder of images; a network learns meanwhile",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    label.add_argument("folder", metavar="FOLDER", help="the folder of images")
    label.add_argument(
        "--classes", default="", metavar="NAMES", help="names of classes, separated by commas"
    )
    label.add_argument("--strategy", metavar="NAME", help="what chooses (default: margin)")
    label.add_argument("--network", metavar="NAME", help="what learns (default: small_cnn)")
    label.add_argument(
        "--augment",
        metavar="NAME",
        help="how it changes images in training: crop, flip, crop_flip, strong or none (default)",
    )
    label.add_argument(
        "--size", type=count(8), metavar="N", help="pixels at which it learns (default: 64)"
    )
    label.add_argument(
        "--test",
        type=count(0),
        metavar="N",
        help="images kept for measuring, drawn at random (default: 200, at most a fifth); once an "
        "image was asked for, it counts for files that come later",
    )
    label.add_argument(
        "--labeller",
        action="append",
        default=[],
        metavar="NAME",
        help="who labels (default: you); again for each further person",
    )
    label.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen; any but this computer's own needs --labeller, and nothing is "
        "encrypted there (default: %(default)s)",
    )
    label.add_argument("--port", type=count(0), default=0, metavar="N", help="default: its own")
    label.add_argument("--no-browser", action="store_true", help="only print the address")
    label.add_argument("--no-training", action="store_true", help="only label, at random")
    label.set_defaults(run=serve, out=None, words={}, options=_OPTIONS, torch=False)


def serve(arguments: argparse.Namespace) -> None:
    """Open the page."""
    from skactive import labelling

    def ready(addresses: Any) -> None:
        for address in addresses:
            print(f"{address.labeller} labels at {address.url}", flush=True)
        if arguments.host not in {"127.0.0.1", "localhost"}:
            print("The page is open to the network, and nothing is encrypted.", flush=True)
        print("Ctrl-C ends it; every label is on disk.", flush=True)
        if not arguments.no_browser:
            addresses[0].open()

    names = ("strategy", "network", "augment", "size")
    labelling.serve(
        arguments.folder,
        classes=[name for name in arguments.classes.split(",") if name.strip()],
        labellers=arguments.labeller,
        host=arguments.host,
        port=arguments.port,
        n_test=arguments.test,
        train=not arguments.no_training,
        settings={name: getattr(arguments, name) for name in names},
        ready=ready,
    )


def add_labels(commands: Any) -> None:
    """Add the commands that read and write labels."""
    labels = commands.add_parser("labels", help="what was labelled: status, export, import, …")
    what = labels.add_subparsers(metavar="WHAT", required=True, dest="what")
    helps: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
        "status": ("how far it is, and how accurate", {}),
        "export": (
            "write labels.csv, tasks.json (Label Studio) or a folder per class",
            {"path": ("TO", "file or folder")},
        ),
        "import": (
            "read such a file or folder, or another person's folder",
            {"path": ("FROM", "file or folder")},
        ),
        "predict": (
            "write a CSV file with a class for every image",
            {"path": ("TO", "the file")},
        ),
        "review": ("list the labels that are most likely wrong", {}),
        "merge": (
            "have the labels of a class count as those of another",
            {"name": ("CLASS", "what there will be no more"), "into": ("INTO", "the other")},
        ),
        "rename": (
            "give a class another name",
            {"name": ("CLASS", "the class"), "to": ("TO", "its new name")},
        ),
    }
    for name, (text, values) in helps.items():
        command = what.add_parser(name, help=text, description=text)
        command.add_argument("folder", metavar="FOLDER", help="the folder of images")
        for value, (shown, said) in values.items():
            command.add_argument(value, metavar=shown, help=said)
        command.set_defaults(run=run_labels, out=None, words={}, options=_OPTIONS, torch=False)


def run_labels(arguments: argparse.Namespace) -> None:
    """Do what is asked with the labels of a folder."""
    from pathlib import Path

    from skactive.labelling import LabelSession

    if not (Path(arguments.folder) / ".skactive").is_dir():
        raise ValueError(f"{arguments.folder} has no labels; skactive label opens it.")
    with LabelSession(arguments.folder) as session:
        _ACTIONS[arguments.what](session, arguments)


def _status(session: Any, arguments: argparse.Namespace) -> None:
    labels = session.labels()
    print(f"{len(labels)} of {session.scan_.total} images are labelled.")
    for state in ("unreadable", "missing"):
        n = session.database.count("SELECT COUNT(*) FROM image WHERE state = ?", state)
        if n:
            print(f"Files that are {state}: {n}")
    left_out = session.scan_.refused
    for path, why in left_out[:_MOST_NAMED]:
        print(f"{path} was left out: it {why}")
    if len(left_out) > _MOST_NAMED:
        print(f"{len(left_out) - _MOST_NAMED} more were left out.")
    for name, n in labels["class"].value_counts().items():
        print(f"  {name}: {n}")
    print(f"Accuracy: {session.accuracy()}")
    print(session.stopping().why)


def _export(session: Any, arguments: argparse.Namespace) -> None:
    print(f"{session.export(arguments.path)} written to {arguments.path}")


def _import(session: Any, arguments: argparse.Namespace) -> None:
    done = session.import_(arguments.path)
    print(f"{done.new} new, {done.known} known already")
    if done.empty:
        print(f"{len(done.empty)} have no class, first {done.empty[0]}", file=sys.stderr)
    if done.unknown:
        print(f"{len(done.unknown)} are not here, first {done.unknown[0]}", file=sys.stderr)


def _predict(session: Any, arguments: argparse.Namespace) -> None:
    table = session.predict(arguments.path)
    print(f"{len(table)} written to {arguments.path}")


def _review(session: Any, arguments: argparse.Namespace) -> None:
    for row in session.suspicious(20).itertuples(index=False):
        print("\t".join(str(value) for value in row))


def _merge(session: Any, arguments: argparse.Namespace) -> None:
    session.merge_class(arguments.name, arguments.into)


def _rename(session: Any, arguments: argparse.Namespace) -> None:
    session.rename_class(arguments.name, arguments.to)


_ACTIONS = {
    "status": _status,
    "export": _export,
    "import": _import,
    "predict": _predict,
    "review": _review,
    "merge": _merge,
    "rename": _rename,
}
