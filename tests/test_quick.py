"""`make quick`: which tests belong to which file."""

from types import SimpleNamespace

import pytest

from tests import quick
from tests.quick import (
    BATTERY,
    DOCS,
    EXAMPLES,
    IMPORTS,
    NOTEBOOKS,
    QUOTES,
    SMALL,
    SUITE,
    Checks,
    arguments,
    checks_of,
    has_types,
    in_room,
)

FILES = {
    "README.md": "",
    "Makefile": "",
    "pyproject.toml": "",
    "benchmarks/_results.py": "",
    "benchmarks/norms.py": "",
    "benchmarks/results/norms.md": "",
    "docs/conf.py": "",
    "docs/faq.md": "no code",
    "docs/guide/fisher.md": "```python\n1\n```",
    "docs/strategies.md": "no code",
    "examples/notebooks/1_why.ipynb": "",
    "examples/plot_one.py": "",
    "examples/quickstart.py": "",
    "skactive/__init__.py": "",
    "skactive/_batches.py": "",
    "skactive/_rng.py": "def generator(): ...",
    "skactive/estimators/_cnn_classifier.py": "class CNNClassifier: ...\nclass _Part: ...",
    "skactive/gradients/_mask.py": "def parameter_mask(): ...",
    "skactive/gradients/_plan.py": "def plan(): ...",
    "skactive/gradients/_takers.py": "from skactive.gradients._tape import Tape",
    "skactive/gradients/_tape.py": "class Tape: ...",
    "skactive/gradients/_diagonal.py": "    from skactive.gradients._plan import plan",
    "skactive/strategies/__init__.py": "from skactive.strategies._badge import BADGE",
    "skactive/strategies/_badge.py": "class BADGE: ...\ndef helper(): ...",
    "skactive/strategies/base/_clusters.py": "def cluster(): ...",
    "skactive/strategies/_typi.py": "from skactive.strategies.base._clusters import cluster\n"
    "class Typi: ...",
    "tests/conftest.py": "",
    "tests/cases.py": "",
    "tests/quick.py": "",
    "tests/benchmarks/test_results.py": "",
    "tests/benchmarks/test_suite.py": "",
    "tests/estimators/conftest.py": "",
    "tests/estimators/test_cnn_classifier.py": "",
    "tests/estimators/test_net.py": "",
    "tests/gradients/spies.py": "",
    "tests/gradients/test_diagonal.py": "from tests.cases import CASES",
    "tests/gradients/test_head_inputs.py": "from tests.gradients.spies import spy",
    "tests/gradients/test_parameter_mask.py": "from skactive.gradients import parameter_mask",
    "tests/gradients/test_scoring.py": "from skactive.gradients import _tape\n"
    "from tests.gradients import spies",
    "tests/selection/test_top.py": "",
    "tests/strategies/test_badge.py": "",
    "tests/strategies/test_entropy.py": "",
    "tests/strategies/test_typi.py": "",
    "tests/test_common.py": "generator",
    "tests/test_docs.py": "",
    "tests/test_examples.py": "",
    "tests/test_imports.py": "",
    "tests/test_notebooks.py": "",
    "tests/test_quick.py": "",
    "tests/test_batches.py": "",
}


def of_battery(*names):
    return [Checks(BATTERY, (f"[{name}", f"-{name}]")) for name in names]


SOME = [*map(Checks, SMALL), *of_battery("Entropy", "CoreSet", "BADGE")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # a file with a mirror; a strategy's part of the battery, an estimator's too
        (
            "skactive/strategies/_badge.py",
            [Checks("tests/strategies/test_badge.py"), *of_battery("BADGE"), Checks(IMPORTS)],
        ),
        (
            "skactive/estimators/_cnn_classifier.py",
            [
                Checks("tests/estimators/test_cnn_classifier.py"),
                *of_battery("CNNClassifier"),
                Checks(IMPORTS),
            ],
        ),
        ("skactive/gradients/_diagonal.py", ["tests/gradients/test_diagonal.py", IMPORTS]),
        # without one: what names a name of it, or the module, or who imports it
        ("skactive/gradients/_mask.py", ["tests/gradients/test_parameter_mask.py", IMPORTS]),
        ("skactive/gradients/_tape.py", ["tests/gradients/test_scoring.py", IMPORTS]),
        ("skactive/gradients/_plan.py", ["tests/gradients/test_diagonal.py", IMPORTS]),
        (
            "skactive/strategies/base/_clusters.py",
            [Checks("tests/strategies/test_typi.py"), *of_battery("Typi"), Checks(IMPORTS)],
        ),
        # what serves all rooms, and what lists names
        ("skactive/_batches.py", [Checks("tests/test_batches.py"), *SOME, Checks(IMPORTS)]),
        ("skactive/_rng.py", [*SOME, Checks(IMPORTS)]),
        ("skactive/__init__.py", [Checks(DOCS, ("public_name",)), *SOME, Checks(IMPORTS)]),
        (
            "skactive/strategies/__init__.py",
            [
                Checks(BATTERY, ("discovery", "docs_line")),
                Checks(DOCS, ("public_name",)),
                Checks(IMPORTS),
            ],
        ),
        ("pyproject.toml", SOME),
        # tests, and what serves them
        ("tests/gradients/test_scoring.py", ["tests/gradients/test_scoring.py"]),
        (BATTERY, of_battery("Entropy", "CoreSet", "BADGE")),
        ("tests/quick.py", ["tests/test_quick.py"]),
        ("tests/cases.py", ["tests/gradients/test_diagonal.py"]),
        (
            "tests/gradients/spies.py",
            ["tests/gradients/test_head_inputs.py", "tests/gradients/test_scoring.py"],
        ),
        ("tests/conftest.py", SOME),
        (
            "tests/estimators/conftest.py",
            ["tests/estimators/test_cnn_classifier.py", "tests/estimators/test_net.py"],
        ),
        # pages, examples, benchmarks
        (
            "docs/guide/fisher.md",
            [Checks(DOCS, ("[guide/fisher.md]",), slow=True), Checks(DOCS), Checks(QUOTES)],
        ),
        ("docs/faq.md", [DOCS, QUOTES]),
        ("docs/strategies.md", [Checks(DOCS), Checks(QUOTES), Checks(BATTERY, ("docs_line",))]),
        ("docs/conf.py", [DOCS, QUOTES]),
        ("README.md", [Checks(EXAMPLES, ("readme",)), Checks(QUOTES)]),
        ("examples/plot_one.py", [Checks(EXAMPLES, ("[plot_one]",), slow=True)]),
        ("examples/quickstart.py", [Checks(EXAMPLES, ("quickstart",))]),
        ("examples/notebooks/1_why.ipynb", [Checks(NOTEBOOKS, ("[1_why]", "numbered"))]),
        ("benchmarks/_results.py", [QUOTES, QUOTES, SUITE]),
        ("benchmarks/norms.py", [QUOTES, SUITE]),
        ("benchmarks/results/norms.md", [QUOTES, SUITE]),
        # nothing tests these
        ("Makefile", []),
        # deleted, or not written yet
        ("tests/gradients/test_gone.py", []),
        (
            "skactive/gradients/_gone.py",
            [*(f for f in FILES if f.startswith("tests/gradients/test_")), IMPORTS],
        ),
    ],
)
def test_tests_of_a_file(path, expected):
    expected = [tests if isinstance(tests, Checks) else Checks(tests) for tests in expected]
    found = checks_of(path, FILES)
    assert found == expected


def test_a_file_that_is_half_written_has_its_mirror():
    files = {**FILES, "skactive/strategies/_badge.py": "class BADGE("}
    found = checks_of("skactive/strategies/_badge.py", files)
    assert found == [Checks("tests/strategies/test_badge.py"), Checks(IMPORTS)]


of_a_clone = pytest.mark.skipif(not (quick.ROOT / ".git").exists(), reason="needs a clone")


@of_a_clone
def test_all_files_that_it_names_are_there():
    there = quick.read_files()
    named = {IMPORTS, BATTERY, DOCS, EXAMPLES, NOTEBOOKS, QUOTES, SUITE, *SMALL}
    assert named <= set(there)
    battery = there[BATTERY]
    for name in ("discovery", "docs_line"):
        assert name in battery
    assert "public_name" in there[DOCS]
    assert "numbered" in there[NOTEBOOKS]
    assert "readme" in there[EXAMPLES]


@of_a_clone
def test_every_source_has_tests():
    files = quick.read_files()
    for path in files:
        if path.startswith("skactive/") and path.endswith(".py") and "__main__" not in path:
            assert [tests for tests in checks_of(path, files) if tests != Checks(IMPORTS)], path


def test_the_command():
    assert arguments([], slow=False) == []
    whole = [Checks("tests/test_a.py"), Checks("tests/test_b.py"), Checks("tests/test_a.py")]
    quick_only = ["-m", "not slow"]
    assert arguments(whole, slow=False) == ["tests/test_a.py", "tests/test_b.py", *quick_only]
    # a part of a file that is run as a whole says nothing
    part = Checks("tests/test_a.py", ("[x",))
    assert arguments([part, *whole], slow=False) == arguments(whole, slow=False)
    battery = of_battery("BADGE", "Entropy")
    words = "test_b.py or [BADGE or -BADGE] or [Entropy or -Entropy]"
    mixed = arguments([whole[1], *battery], slow=False)
    assert mixed == ["tests/test_b.py", BATTERY, "-k", words, *quick_only]
    page = Checks(DOCS, ("[faq.md]",), slow=True)
    assert arguments([page, *whole], slow=True) == [DOCS, "-k", "[faq.md]"]
    assert arguments([page], slow=False) == []


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        ("gradients", [f for f in FILES if f.startswith("tests/gradients/test_")]),
        ("strategies/_badge", ["skactive/strategies/_badge.py"]),
        ("skactive/strategies/_badge.py", ["skactive/strategies/_badge.py"]),
        ("_batches", ["skactive/_batches.py"]),
        ("docs", [DOCS, QUOTES]),
        ("docs/faq.md", ["docs/faq.md"]),
        ("examples/", [EXAMPLES, NOTEBOOKS]),
        ("examples/plot_one", ["examples/plot_one.py"]),
    ],
)
def test_a_room(room, expected):
    assert in_room(room, FILES) == expected


def test_a_room_that_is_not_there():
    match = r"one of benchmarks, docs, .*strategies, or a file such as .* Got 'gradient'"
    with pytest.raises(SystemExit, match=match):
        in_room("gradient", FILES)


def test_types_are_warm_once_mypy_has_run(tmp_path):
    assert not has_types(tmp_path)
    (tmp_path / ".mypy_cache" / "3.11").mkdir(parents=True)
    assert not has_types(tmp_path)
    (tmp_path / ".mypy_cache" / "3.11" / "cache.db").touch()
    assert has_types(tmp_path)


def test_what_is_left_when_time_is_up_is_named(monkeypatch):
    lines, config = [], SimpleNamespace(stash=pytest.Stash())
    reporter = SimpleNamespace(config=config, write_line=lines.append)
    items = [SimpleNamespace(nodeid=f"tests/test_{x}.py::test", config=config) for x in "aab"]
    monkeypatch.setenv(quick.UNTIL, "inf")
    assert [quick.pytest_runtest_protocol(item) for item in items] == [None] * 3
    quick.pytest_terminal_summary(reporter)
    assert lines == []
    monkeypatch.setenv(quick.UNTIL, "0")
    assert all(quick.pytest_runtest_protocol(item) for item in items)
    quick.pytest_terminal_summary(reporter)
    assert lines == ["Time is up; left: 2 of tests/test_a.py, 1 of tests/test_b.py."]
