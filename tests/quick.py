"""`make quick`: the linters, and the tests of what changed, in less than half a minute.

What changed is what git says of the working tree, staged, unstaged or untracked; where that is
nothing, what the last commit changed. A room, `make quick ROOM=gradients`, or a file of one,
`ROOM=strategies/_badge`, may be named instead. `checks_of` maps files to their tests.

Tests run in one process, since each worker would need five seconds to start. None is started after
`LAST_TEST`; what is left then is named. Types are checked beside the tests, if mypy has a cache.
pytest loads this file as well: its hooks stand at the end.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
# Seconds from the start: when no other test begins, and when types are given up.
LAST_TEST, LAST_TYPES = 18.0, 27.0
# What pytest needs before its first test.
TO_START = 4.0
UNTIL = "SKACTIVE_QUICK_UNTIL"

IMPORTS = "tests/test_imports.py"
BATTERY = "tests/test_common.py"
DOCS = "tests/test_docs.py"
EXAMPLES = "tests/test_examples.py"
NOTEBOOKS = "tests/test_notebooks.py"
QUOTES = "tests/benchmarks/test_results.py"
SUITE = "tests/benchmarks/test_suite.py"
# A look into each room, for what serves all of them.
SMALL = (
    "tests/estimators/test_net.py",
    "tests/gradients/test_head_inputs.py",
    "tests/selection/test_top.py",
    "tests/strategies/test_entropy.py",
    "tests/strategies/test_badge.py",
)
# And a look into the battery: of probabilities, of embeddings, of the network.
SMALL_BATTERY = ("Entropy", "CoreSet", "BADGE")


@dataclass(frozen=True)
class Checks:
    """Tests of one file.

    Attributes
    ----------
    file : str
        The file.
    names : tuple of str
        Words for pytest's -k; a test matches if it has one of them; none for the whole file.
    slow : bool
        Whether those that are marked slow are wanted too.
    """

    file: str
    names: tuple[str, ...] = ()
    slow: bool = False


def checks_of(path: str, files: Mapping[str, str]) -> list[Checks]:
    """Return the tests of a file, the nearest first.

    Parameters
    ----------
    path : str
        The file, from the root of the project. It may be one that was deleted.
    files : mapping of str to str
        The text of all files, by such paths.

    Returns
    -------
    list of Checks
        Of files that exist; empty where nothing tests this one.
    """
    return [tests for tests in _candidates(path, files) if tests.file in files]


def _candidates(path: str, files: Mapping[str, str]) -> list[Checks]:
    top, _, rest = path.partition("/")
    name = PurePosixPath(path).stem
    if top == "skactive" and path.endswith(".py"):
        return [*_of_source(path, files), Checks(IMPORTS)]
    if top == "tests" and path.endswith(".py"):
        return _of_tests(path, files)
    if top == "docs":
        return _of_docs(path, rest, files)
    if top == "benchmarks":
        return [Checks(mirror(path)), Checks(QUOTES), Checks(SUITE)]
    if rest.startswith("notebooks/"):
        return [Checks(NOTEBOOKS, (f"[{name}]", "numbered"))]
    if rest.startswith("plot_"):
        return [Checks(EXAMPLES, (f"[{name}]",), slow=True)]
    if top == "examples":
        return [Checks(EXAMPLES, (name,))]
    if path == "README.md":
        return [Checks(EXAMPLES, ("readme",)), Checks(QUOTES)]
    return _small() if path == "pyproject.toml" else []


def mirror(path: str) -> str:
    """Return where a file's own tests are: `tests/room/test_name.py`, of `skactive/room/_name.py`.

    Here benchmarks count as a room, and helpers of the tests as sources.
    """
    folder, file = PurePosixPath(path).parent, PurePosixPath(path)
    if folder.parts[0] in {"skactive", "tests"}:
        folder = PurePosixPath(*folder.parts[1:])
    return str("tests" / folder / f"test_{file.stem.lstrip('_')}.py")


def _of_source(path: str, files: Mapping[str, str]) -> list[Checks]:
    serves_all = path.count("/") == 1
    if path.endswith("/__init__.py"):
        strategies = [Checks(BATTERY, ("discovery", "docs_line"))] if "strategies" in path else []
        return [*strategies, Checks(DOCS, ("public_name",)), *(_small() if serves_all else [])]
    built_on_it = [] if mirror(path) in files else _importers(path, files)
    own = [mirror(path)] if mirror(path) in files else _that_name(path, files)
    own = own or [mirror(user) for user in built_on_it if mirror(user) in files]
    own = own or ([] if serves_all else _of_room(mirror(path), files))
    classes = _public_classes(path, files)
    if path.startswith("skactive/strategies/"):
        classes += [name for user in built_on_it for name in _public_classes(user, files)]
    battery = [_of_battery(name) for name in classes if name[0].isupper()]
    in_battery = path.startswith(("skactive/strategies/", "skactive/estimators/"))
    found = [Checks(file) for file in own] + (battery if in_battery else [])
    return [*found, *_small()] if serves_all else found


def _of_room(path: str, files: Mapping[str, str]) -> list[str]:
    """Return the files of tests that stand where a file does."""
    folder = PurePosixPath(path).parent
    return [file for file in files if re.fullmatch(rf"{folder}/test_\w+\.py", file)]


def _small() -> list[Checks]:
    return [*map(Checks, SMALL), *map(_of_battery, SMALL_BATTERY)]


def _of_battery(name: str) -> Checks:
    """Return the battery's tests of a class: its name is at an end of what they are given."""
    return Checks(BATTERY, (f"[{name}", f"-{name}]"))


def _importers(path: str, files: Mapping[str, str]) -> list[str]:
    """Return the files of the same room that import one."""
    folder, _, name = path.removesuffix(".py").rpartition("/")
    module = f"{folder.replace('/', '.')}.{name}"
    imports = re.compile(rf"^\s*from {re.escape(module)} import", re.MULTILINE)
    room = re.compile(rf"{'/'.join(path.split('/')[:2])}/(?:\w+/)?(?!__init__)\w+\.py")
    return [file for file, text in files.items() if room.fullmatch(file) and imports.search(text)]


def _that_name(path: str, files: Mapping[str, str]) -> list[str]:
    """Return the tests of a file's room that name its module, or a class or function of it."""
    module = PurePosixPath(path).stem
    words = "|".join([re.escape(module), *_public(path, files)])
    named = re.compile(rf"(?<!\w)(?:{words})\b")
    room = _of_room(mirror(path), files)
    return [file for file in room if named.search(files[file]) and file != BATTERY]


def _public(path: str, files: Mapping[str, str], kinds: tuple[type, ...] = ()) -> list[str]:
    """Return the public classes and functions of a file; none where the file is half written."""
    try:
        body = ast.parse(files.get(path, "")).body
    except SyntaxError:
        return []
    kinds = kinds or (ast.ClassDef, ast.FunctionDef)
    return [node.name for node in body if isinstance(node, kinds) and node.name[0] != "_"]


def _public_classes(path: str, files: Mapping[str, str]) -> list[str]:
    return _public(path, files, (ast.ClassDef,))


def _of_tests(path: str, files: Mapping[str, str]) -> list[Checks]:
    folder, _, name = path.removesuffix(".py").rpartition("/")
    if path == BATTERY:
        return [_of_battery(name) for name in SMALL_BATTERY]
    if name.startswith("test_"):
        return [Checks(path)]
    if name == "conftest":
        return _small() if folder == "tests" else [*map(Checks, _of_room(path, files))]
    package = re.escape(folder.replace("/", "."))
    uses = re.compile(rf"{package}\.{name}\b|from {package} import .*\b{name}\b")
    users = [file for file, text in files.items() if file != path and uses.search(text)]
    return [Checks(mirror(path)), *(Checks(file) for file in users if "/test_" in file)]


def _of_docs(path: str, page: str, files: Mapping[str, str]) -> list[Checks]:
    found = [Checks(DOCS), Checks(QUOTES)]
    if "```python" in files.get(path, ""):
        found.insert(0, Checks(DOCS, (f"[{page}]",), slow=True))
    return [*found, Checks(BATTERY, ("docs_line",))] if page == "strategies.md" else found


def arguments(tests: Iterable[Checks], slow: bool) -> list[str]:
    """Return pytest's arguments for tests that are all slow, or all not; none for no tests."""
    tests = [t for t in dict.fromkeys(tests) if t.slow == slow]
    whole = {t.file for t in tests if not t.names}
    named = [t for t in tests if t.file not in whole]
    chosen = list(dict.fromkeys(t.file for t in tests))
    if not chosen:
        return []
    # -k holds for all files, and the name of a file is one of its tests' words
    words = [PurePosixPath(file).name for file in chosen if file in whole]
    words += dict.fromkeys(word for t in named for word in t.names)
    only = ["-k", " or ".join(words)] if named else []
    return [*chosen, *only, *([] if slow else ["-m", "not slow"])]


def in_room(room: str, files: Mapping[str, str]) -> list[str]:
    """Return what a room or a file stands for: a room for the files of its tests.

    Raises
    ------
    SystemExit
        If there is no such room or file.
    """
    room = room.strip("/").removeprefix("skactive/").removesuffix(".py")
    for path in (f"skactive/{room}.py", f"{room}.py", room):
        if path in files:
            return [path]
    pages = {"docs": [DOCS, QUOTES], "examples": [EXAMPLES, NOTEBOOKS]}
    found = pages.get(room, [file for file in files if file.startswith(f"tests/{room}/test_")])
    if not found:
        rooms = {match[1] for file in files if (match := re.match(r"tests/(\w+)/test_", file))}
        listed = ", ".join(sorted(rooms | set(pages)))
        raise SystemExit(
            f"ROOM must be one of {listed}, or a file such as strategies/_badge. Got {room!r}."
        )
    return found


def read_files() -> dict[str, str]:
    """Return the text of all files that git knows or would add, by path; deleted ones are not."""
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard")
    texts = {path for path in listed if path.endswith((".py", ".md"))}
    return {
        path: (ROOT / path).read_text(encoding="utf-8") if path in texts else ""
        for path in sorted(set(listed))
        if (ROOT / path).is_file()
    }


def changed_files() -> tuple[list[str], str]:
    """Return the files that changed, code before pages, and by what."""
    new = _git("ls-files", "--others", "--exclude-standard")
    found = {*_git("diff", "--name-only", "--no-renames", "HEAD"), *new}
    if found:
        return sorted(found, key=_rank), "changed since the last commit"
    last = _git("show", "-m", "--first-parent", "--name-only", "--no-renames", "--format=", "HEAD")
    return sorted(last, key=_rank), "changed by the last commit"


def _rank(path: str) -> tuple[bool, bool, str]:
    """Order code before pages, and what lists names after what they name."""
    return not path.startswith(("skactive/", "tests/")), path.endswith("__init__.py"), path


def _git(*arguments: str) -> list[str]:
    command = ["git", "-C", str(ROOT), *arguments, "-z"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"make quick asks git for the files, in a clone. Got: {error}") from None
    return [path for path in done.stdout.split("\0") if path]


def has_types(root: Path) -> bool:
    """Whether an earlier run of mypy has left a cache, so that the next one takes seconds."""
    return any((root / ".mypy_cache").glob("3.*/*"))


def show(*arguments: str) -> list[str]:
    """Print a command of this Python as a person would repeat it, and return it."""
    python = os.path.relpath(sys.executable, ROOT)
    python = sys.executable if python.startswith("..") else python
    print("$", shlex.join([python, "-m", *arguments]), flush=True)
    return [sys.executable, "-m", *arguments]


def check_style() -> bool:
    """Run ruff; return whether it is content."""
    check = subprocess.run(show("ruff", "check", "--quiet", "."), cwd=ROOT)
    layout = subprocess.run(show("ruff", "format", "--check", "--quiet", "."), cwd=ROOT)
    return not check.returncode and not layout.returncode


def check_types(command: list[str], seconds: float) -> tuple[bool, str]:
    """Run mypy; return whether it is content, and what to report."""
    start = time.time()
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return True, f"Types: not done after {seconds:.0f} s, given up. `make lint` takes its time."
    said = (done.stdout + done.stderr).strip()
    return not done.returncode, f"Types, in {time.time() - start:.1f} s: {said}"


def check_tests(tests: list[Checks], until: float) -> bool:
    """Run tests, the slow ones last; return whether none failed."""
    fine = True
    for slow in (False, True):
        if chosen := arguments(tests, slow):
            command = show("pytest", "-q", *chosen)
            if time.time() + TO_START > until:
                print("Time is up; left.")
                continue
            # this file's hooks; the command that was shown has no bound
            command += ["-p", "tests.quick"]
            environment = {**os.environ, UNTIL: str(until)}
            code = subprocess.run(command, cwd=ROOT, env=environment).returncode
            fine &= code in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    return fine


def main(room: str = "") -> int:
    start, files = time.time(), read_files()
    changed, since = (in_room(room, files), f"of {room}") if room else changed_files()
    tested = {path: checks_of(path, files) for path in changed}
    print(f"Files {since}: {', '.join(changed)}.")
    style = check_style()
    styled = time.time()
    typed, said = True, "Types: skipped; mypy has no cache yet, and `make lint` leaves one."
    with ThreadPoolExecutor(1) as pool:
        if warm := has_types(ROOT):
            types = pool.submit(check_types, show("mypy"), LAST_TYPES - (styled - start))
        fine = check_tests([t for tests in tested.values() for t in tests], start + LAST_TEST)
        ended = time.time()
        if warm:
            typed, said = types.result()
    print(said)
    if untested := [path for path in changed if not tested[path]]:
        print(f"Without tests of their own: {', '.join(untested)}.")
    print("Not run: tests of other files, and what is marked slow. `make test` runs everything.")
    print(
        f"{time.time() - start:.1f} s: style {styled - start:.1f}, tests {ended - styled:.1f}, "
        f"waiting for types {time.time() - ended:.1f}."
    )
    failed = [n for n, ok in (("style", style), ("types", typed), ("tests", fine)) if not ok]
    print(f"Failed: {', '.join(failed)}." if failed else "All that ran passed.")
    return int(bool(failed))


# -- what pytest calls ----------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Leave a test, where time is up."""
    if time.time() < float(os.environ[UNTIL]):
        return None
    item.config.stash.setdefault(_LEFT, []).append(item.nodeid.partition("::")[0])
    return True


_LEFT = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the files whose tests were left."""
    left = terminalreporter.config.stash.get(_LEFT, [])
    if left:
        counted = ", ".join(f"{left.count(file)} of {file}" for file in dict.fromkeys(left))
        terminalreporter.write_line(f"Time is up; left: {counted}.")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
