"""What an error says is for people: no file reads it."""

import ast
from pathlib import Path

import pytest

import skactive

ROOT = Path(skactive.__file__).parent
# The files that do, and why.
ALLOWED = {
    "estimators/_training_errors.py": "torch and skorch say by no type what went wrong in training",
}
READING = {"endswith", "find", "index", "partition", "removeprefix", "removesuffix", "replace"}
READING |= {"rpartition", "rsplit", "split", "splitlines", "startswith", "count", "translate"}


def readers(tree):
    """Yield the expressions that look into the message of an error."""
    errors = {h.name for h in ast.walk(tree) if isinstance(h, ast.ExceptHandler) and h.name}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            kind = ast.unparse(node.annotation)
            errors |= {node.arg} if "Error" in kind or "Exception" in kind else set()
    messages = set()
    spelt = {f"{e}.{end}" for e in errors for end in ("args", "fault")}
    spelt |= {f"{text}({e})" for e in errors for text in ("str", "repr")}

    def has_message(node):
        for part in ast.walk(node):
            text = ast.unparse(part)
            if text in messages or text in spelt:
                return True
        return False

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and has_message(node.value):
            messages |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Compare, ast.Subscript)) and has_message(node):
            yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on_message = node.func.attr in READING and has_message(node.func.value)
            by_regex = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if on_message or (by_regex and any(map(has_message, node.args))):
                yield node


@pytest.mark.parametrize(
    "line",
    [
        "if 'parameter of x must' in str(error): pass",
        "re.match('The (.*) parameter', str(error))",
        "text = str(error); text = text.replace('a', 'b')",
        "str(error).startswith('The')",
        "error.args[0]",
        "error.fault.partition(' ')",
        "str(error)[3:]",
    ],
)
@pytest.mark.parametrize(
    "frame", ["try:\n  f()\nexcept E as error:\n  {}", "def f(error: ValueError):\n  {}"]
)
def test_what_reads_a_message_is_found(line, frame):
    assert list(readers(ast.parse(frame.format(line))))


@pytest.mark.parametrize(
    "line",
    ["print(f'Not here: {error}')", "error.owner == 'x'", "re.match('a', text)", "str(error) or 3"],
)
def test_what_does_not_is_not(line):
    assert not list(readers(ast.parse(f"try:\n  f()\nexcept E as error:\n  {line}")))


def test_no_file_reads_a_message():
    found = {}
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        found[name] = [ast.unparse(n) for n in readers(ast.parse(path.read_text("utf-8")))]
    assert {name: lines for name, lines in found.items() if lines and name not in ALLOWED} == {}
    assert all(found[name] for name in ALLOWED)


def test_no_regular_expression_is_left_where_messages_were_read():
    for path in [ROOT / "_validation.py", ROOT / "_faults.py", *(ROOT / "cli").glob("*.py")]:
        tree = ast.parse(path.read_text("utf-8"))
        imported = [n for n in ast.walk(tree) if isinstance(n, ast.Import)]
        assert "re" not in {alias.name for node in imported for alias in node.names}, path
