"""Run test_modal.py on modAL 0.4.1 and 0.4.2.1, stock and mended, and compare with what is known.

Usage: python tests/modal_matrix.py [--modal-0421 FOLDER]

0.4.1 is the installed modAL. FOLDER holds modAL-python 0.4.2.1, installed with
``pip install --no-deps --target FOLDER`` because it pins a skorch that no longer imports;
without it, that is done into .venv-modal0421.

The exit status is 0 if with the mends every test passes, and if on stock modAL those of
STOCK_FAILURES fail and no others. They are those of scikit-learn >= 1.8 with pandas >= 3.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = {"scikit-learn": (1, 8), "pandas": (3, 0)}
VERSIONS = ("0.4.1", "0.4.2.1")

# Reason, versions, and the tests as "operation parameters"; a star stands for any parameters.
STOCK_FAILURES = [
    (
        "scikit-learn 1.8 has no check_X_y(force_all_finite=)",
        VERSIONS,
        [
            "teach *",
            "teach_only_new *",
            "teach_bootstrap *",
            "teach_bootstrap_only_new *",
            "fit *",
            "fit_kwargs",
            "pipeline *",
            "clone_of_a_taught_learner *",
            "not_finite *",
            "lengths_differ *",
            "features_differ *",
            "images_of_several_sizes",
        ],
    ),
    (
        "bootstrap_init is not stored",
        VERSIONS,
        [
            f"{operation} {name}"
            for operation, names in {
                "repr": ("ActiveLearner", "BayesianOptimizer", "Committee", "CommitteeRegressor"),
                "clone": ("ActiveLearner", "BayesianOptimizer", "Committee", "CommitteeRegressor"),
                "get_params": ("ActiveLearner", "BayesianOptimizer"),
            }.items()
            for name in names
        ],
    ),
    (
        "bootstrapping indexes X[rows]: a frame's columns, a Series' labels, no list",
        VERSIONS,
        [
            f"{operation} {kind}{rest}"
            for operation, rest in (("bootstrap_init", "-*"), ("committee_rebag", ""))
            for kind in ("frame", "series", "list", "image_list")
        ],
    ),
    (
        "committees read X.shape, which a list has not",
        VERSIONS,
        [
            "query ?-list-Committee",
            "query ?-image_list-Committee",
            "score list-Committee",
            "score image_list-Committee",
            "committee_votes list",
            "committee_votes image_list",
            "committee_strategies *-list",
            "committee_strategies *-image_list",
            "on_transformed list-Committee",
        ],
    ),
    (
        "rows of a list of images become nested lists of floats",
        VERSIONS,
        ["query ?-image_list-ActiveLearner"],
    ),
    (
        "data_hstack returns None for frames and for what it does not know",
        VERSIONS,
        [
            "on_transformed_frame *",
            "on_transformed_ensemble_of_frames",
            "unknown_kind data_hstack",
        ],
    ),
    (
        "pandas 2 has no DataFrame.append; add_row stacks rows, not images",
        VERSIONS,
        [
            f"enumerate_and_add_row {kind}"
            for kind in ("images", "frame", "series", "image_list", "tensor", "image_tensor")
        ],
    ),
    (
        "NumPy has no np.float, for which modAL.expected_error asks",
        VERSIONS,
        ["expected_error *"],
    ),
    (
        "drop_rows drops by label; retrieving and dropping rows of tensors",
        VERSIONS,
        [
            f"retrieve_and_drop_rows *-{kind}"
            for kind in ("frame", "series", "tensor", "image_tensor")
        ],
    ),
    (
        "a single row of a sparse array is no matrix",
        VERSIONS,
        ["sparse_formats array-*"],
    ),
    (
        "labels of two kinds: Series and tensors are not stacked",
        VERSIONS,
        [
            *(
                f"labels_of_two_kinds {kind}-series"
                for kind in ("array", "list", "series", "tensor")
            ),
            *(f"labels_of_two_kinds {kind}-tensor" for kind in ("array", "list", "series")),
        ],
    ),
    (
        "0.4.1 knows no tensors and no dicts",
        ("0.4.1",),
        [
            "query ?-tensor-*",
            "query ?-image_tensor-*",
            "committee_strategies *-tensor",
            "committee_strategies *-image_tensor",
            "on_transformed tensor-*",
            "index_out_of_range tensor",
            "index_out_of_range image_tensor",
            "single_row tensor",
            "single_row image_tensor",
            "labels_of_two_kinds tensor-tensor",
            "dict",
        ],
    ),
    (
        "0.4.2 tries X[rows] first, which chooses columns of that name",
        ("0.4.2.1",),
        ["query_integer_columns *"],
    ),
    (
        "0.4.2 turns an index out of range into 'datatype is not supported'",
        ("0.4.2.1",),
        [
            "index_out_of_range array",
            "index_out_of_range images",
            "index_out_of_range tensor",
            "index_out_of_range image_tensor",
        ],
    ),
]


def check_versions():
    """Leave unless the list is for the scikit-learn and pandas that are installed."""
    for name, needed in NEEDED.items():
        if tuple(map(int, version(name).split(".")[:2])) < needed:
            wanted = " and ".join(f"{n} >= {a}.{b}" for n, (a, b) in NEEDED.items())
            sys.exit(f"The list of stock failures is for {wanted}; here is {name} {version(name)}.")


def install_0421(folder):
    """Install modAL 0.4.2.1 without what it pins, unless it is there."""
    if not (folder / "modAL").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", folder, "modAL-python==0.4.2.1"], check=True)
    return folder


def run_tests(release, folder, stock):
    """Run the tests on one modAL; return {test: "ok", "fails" or "skipped"}."""
    environment = {k: v for k, v in os.environ.items() if k != "SKACTIVE_TEST_STOCK_MODAL"}
    if folder is not None:
        paths = [str(folder), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    if stock:
        environment["SKACTIVE_TEST_STOCK_MODAL"] = "1"
    code = "from importlib.metadata import version; print(version('modAL-python'))"
    found = (
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        )
        .stdout.decode()
        .strip()
    )
    if found != release:
        sys.exit(f"modAL-python {release} is needed for this run; found {found}.")

    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.xml")
        # No conftest: it might import skactive, and with it mend the stock modAL.
        options = ["--noconftest", "-p", "no:cacheprovider", "-q", f"--junitxml={report}"]
        tests = ["tests/test_modal.py", *([] if stock else ["tests/test_modal_teach.py"])]
        finished = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if finished.returncode not in (0, 1) or (finished.returncode and not stock):
            print(finished.stdout)
        if finished.returncode not in (0, 1):
            sys.exit(f"pytest ended with status {finished.returncode}.")
        return dict(map(read_case, ET.parse(report).iter("testcase")))


def read_case(case):
    """Read a test's name, as "operation parameters", and its outcome from the report."""
    name = case.get("name").removeprefix("test_").removesuffix("]").replace("[", " ", 1)
    outcomes = {child.tag for child in case}
    if outcomes & {"failure", "error"}:
        return name, "fails"
    return name, "skipped" if "skipped" in outcomes else "ok"


def print_matrix(results):
    """Print one row per operation, and one column per version, before and after."""
    cells = defaultdict(lambda: defaultdict(list))
    for column, outcomes in results.items():
        for name, outcome in outcomes.items():
            cells[name.split(" ")[0]][column].append(outcome)
    width = max(map(len, cells))
    heads = [f"{release} {kind}" for release, kind in results]
    print("operation".ljust(width), *(head.ljust(15) for head in heads), sep="  ")
    for operation, row in cells.items():
        summaries = [summarise(row[column]).ljust(15) for column in results]
        print(operation.ljust(width), *summaries, sep="  ")
    print("in all".ljust(width), *(summarise(list(o.values())) for o in results.values()), sep="  ")


def summarise(outcomes):
    """Say how many of the tests that ran fail, if any."""
    ran = [outcome for outcome in outcomes if outcome != "skipped"]
    if not ran:
        return "-"
    failing = ran.count("fails")
    return f"fails {failing}/{len(ran)}" if failing else f"ok {len(ran)}"


def find_surprises(release, outcomes):
    """Compare the failures on stock modAL with the list; return what differs."""
    failing = {name for name, outcome in outcomes.items() if outcome == "fails"}
    listed, surprises = set(), []
    print(f"\nWhy tests fail on stock modAL {release}:")
    for reason, releases, patterns in STOCK_FAILURES:
        if release not in releases:
            continue
        matches = {p: {n for n in outcomes if fnmatchcase(n, p)} for p in patterns}
        surprises += [
            f"{release}: {p!r} in the list names no test" for p in patterns if not matches[p]
        ]
        group = set().union(*matches.values())
        surprises += [f"{release}: {name!r} is listed twice" for name in sorted(group & listed)]
        listed |= group
        print(f"  {len(group & failing):3}  {reason}")
    surprises += [f"{release}: {name!r} fails, unlisted" for name in sorted(failing - listed)]
    surprises += [f"{release}: {name!r} is listed, and passes" for name in sorted(listed - failing)]
    return surprises


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--modal-0421", metavar="FOLDER", type=Path, help="modAL 0.4.2.1's folder")
    folder = parser.parse_args().modal_0421
    check_versions()
    folders = {
        "0.4.1": None,
        "0.4.2.1": (folder or install_0421(ROOT / ".venv-modal0421")).resolve(),
    }

    results = {
        (release, "stock" if stock else "mended"): run_tests(release, folders[release], stock)
        for release in VERSIONS
        for stock in (True, False)
    }
    print_matrix(results)
    surprises = []
    for release in VERSIONS:
        surprises += find_surprises(release, results[release, "stock"])
        mended = results[release, "mended"]
        surprises += [f"{release}, mended: {n!r} fails" for n, o in mended.items() if o == "fails"]
    print("\nAs listed." if not surprises else "\nNot as listed:", *surprises, sep="\n  ")
    return int(bool(surprises))


if __name__ == "__main__":
    sys.exit(main())
