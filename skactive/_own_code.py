"""The user's own code that decides the numbers: what runs, whatever the file says by now."""

from __future__ import annotations

import dis
import hashlib
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

# Recorded with their versions, and never read, wherever they are installed.
_KNOWN = frozenset({"numpy", "sklearn", "skorch", "torch", "torchvision", "skactive", "modAL"})
# What Python and scikit-learn put into classes, and what changes no number.
_BOOKKEEPING = re.compile(r"__\w+__|_abc_impl|_sklearn_auto_wrap_output_keys|set_\w+_request")
# Hashes of other versions of Python differ: then nothing can be said.
_STDLIB = sysconfig.get_paths()["stdlib"], "<frozen"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

Plain = Callable[[Any], Any]
_Told = TypeVar("_Told")


def is_own(named: Any) -> bool:
    """Whether a class or function is of the user's own, and may be edited.

    What is installed is known by its version; functions are looked up by the file they come from,
    as wrappers borrow the name of a module.
    """
    if isinstance(named, FunctionType):
        file = named.__code__.co_filename
        root = str(named.__globals__.get("__name__", "")).partition(".")[0]
    else:
        module = str(getattr(named, "__module__", ""))
        root = module.partition(".")[0]
        file = getattr(sys.modules.get(module), "__file__", None) or ""
    if root in _KNOWN or root == "builtins" or root in sys.stdlib_module_names:
        return root == "__main__"
    return not _installed(file)


def _installed(file: str) -> bool:
    packages = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return bool(packages) or file.startswith(_STDLIB)


class OwnCode:
    """Collects the user's own functions and classes, and those that they use.

    Attributes
    ----------
    found : dict of str to object
        Hashes of functions, and the values of what they and classes hold, by dotted names.

    Parameters
    ----------
    plain : callable
        Turns a value into what JSON can hold, and passes functions and classes on to `add`.
    """

    def __init__(self, plain: Plain) -> None:
        self.found: dict[str, Any] = {}
        self._seen: dict[int, Any] = {}  # by id; the objects are kept, so that no id is used again
        self._plain = plain

    def add(self, named: Any) -> None:
        """Add a function or a class, if it is of the user's own, and what it uses."""
        if id(named) in self._seen:
            return
        self._seen[id(named)] = named
        if isinstance(named, FunctionType):
            if is_own(named):
                self._add_function(named)
        elif isinstance(named, type):
            if is_own(named):
                self._add_class(named)
            for base in named.__bases__:
                self.add(base)
        elif hasattr(named, "__wrapped__"):  # functools.cache
            self.add(named.__wrapped__)

    def _add_function(self, function: FunctionType) -> None:
        name = self._free(f"{function.__module__}.{function.__qualname__}")
        self.found[name] = f"{_PYTHON}:{_digest(function.__code__)}"
        for key, value in _values(function).items():
            self.found[f"{name}.{key}"] = self._plain(value)
        self._add_globals(function)

    def _add_globals(self, function: FunctionType) -> None:
        used = set(_names(function.__code__))
        loaded = set(_loaded(function.__code__))  # `x.mean` is not the global mean
        for key in sorted(loaded & function.__globals__.keys()):
            value = function.__globals__[key]
            place = f"{function.__globals__.get('__name__')}.{key}"
            if place in self.found:
                continue
            self._add_value(place, value, used)
        for module in _imported(function):  # within the function
            self._add_value(module.__name__, module, used)

    def _add_value(self, place: str, value: Any, used: set[str]) -> None:
        """Add what a name stands for; of a module of the user's own what is used of it."""
        told = self._lenient(value)
        self.found.setdefault(place, told)  # a function is there by now
        if isinstance(value, ModuleType) and _own_module(value):
            for key in sorted(used & vars(value).keys()):
                inner = vars(value)[key]
                # by its own name, for modules may hold each other
                name = inner.__name__ if isinstance(inner, ModuleType) else f"{place}.{key}"
                if name not in self.found:
                    self._add_value(name, inner, used)

    def _add_class(self, kind: type) -> None:
        name = self._free(f"{kind.__module__}.{kind.__qualname__}")
        self.found[name] = [f"{base.__module__}.{base.__qualname__}" for base in kind.__bases__]
        for key, value in vars(kind).items():
            functions = list(_functions_in(value))
            for function in functions:
                self.add(function)
            if not functions and not _BOOKKEEPING.fullmatch(key):
                told = self._lenient(value)
                self.found.setdefault(f"{name}.{key}", told)

    def _lenient(self, value: Any) -> Any:
        """Describe what code refers to; of a lock or a file, which has no value, the class."""
        if isinstance(value, ModuleType):
            return value.__name__
        try:
            return self._plain(value)
        except ValueError:
            return f"{type(value).__module__}.{type(value).__qualname__}"

    def _free(self, name: str) -> str:
        """Number the names that several functions have, as those made by one function do."""
        count, numbered = 1, name
        while numbered in self.found:
            count += 1
            numbered = f"{name}#{count}"
        return numbered


def _functions_in(value: Any) -> Iterator[Any]:
    """Yield the functions that an attribute of a class consists of."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, property):
        yield from (part for part in (value.fget, value.fset, value.fdel) if part is not None)
    elif isinstance(value, cached_property):
        yield value.func
    elif isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
        yield value


def _own_module(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    root = module.__name__.partition(".")[0]
    return not (_installed(file) or root in _KNOWN or root in sys.stdlib_module_names)


def _imported(function: FunctionType) -> Iterator[ModuleType]:
    """Yield the modules of the user's own that a function imports when it is called."""
    package = function.__globals__.get("__package__") or ""
    for level, name, wanted in _imports(function.__code__):
        with suppress(Exception):  # as it would fail, or be passed over, when the function runs
            named = resolve_name("." * level + name, package)
            root = named.partition(".")[0]
            spec = find_spec(root)
            known = root in _KNOWN or root in sys.stdlib_module_names
            if known or spec is None or _installed(spec.origin or ""):
                continue
            module = import_module(named)
            for part in wanted:
                if not hasattr(module, part):
                    import_module(f"{named}.{part}")
            yield module


def _imports(code: CodeType) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield how many packages up, and under which name, a function finds what, within it."""
    before: list[Any] = []
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            level, wanted = before[-2:]
            yield level, instruction.argval, wanted or ()
        if instruction.opname.startswith("LOAD_"):
            before.append(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imports(constant)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names of globals and attributes in a function and in those inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _loaded(code: CodeType) -> Iterator[str]:
    """Yield the names of globals in a function and in those inside it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)


def _values(function: FunctionType) -> dict[str, Any]:
    """Return what a function brings along: defaults, what it encloses, and its attributes."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    values = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    values |= function.__kwdefaults__ or {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # an empty cell
            if name != "__class__" and cell.cell_contents is not function:
                values[name] = cell.cell_contents
    return values | {key: vars(function)[key] for key in vars(function) if key != "__wrapped__"}


def _digest(code: CodeType) -> str:
    """Hash what a function does: neither comments, lines and docstrings, nor its name."""
    digest = hashlib.sha256()
    for piece in _pieces(code):
        digest.update(piece.encode() + b"\n")
    return digest.hexdigest()[:16]


def _pieces(code: CodeType) -> Iterator[str]:
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    yield repr((counts, code.co_varnames, code.co_freevars, code.co_cellvars))
    yield repr(getattr(code, "co_exceptiontable", b""))
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        if isinstance(value, CodeType):
            yield instruction.opname
            yield from _pieces(value)
        elif isinstance(value, frozenset):  # in an order that changes from process to process
            yield f"{instruction.opname} {sorted(map(repr, value))}"
        else:
            yield f"{instruction.opname} {value!r}"


class Nested:
    """Describes values that may hold themselves."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def describe(self, value: Any, by: Callable[[Any], _Told]) -> _Told | str:
        """Return what `by` says of a value, or "itself" while that is being said."""
        if id(value) in self._open:
            return "itself"
        self._open.add(id(value))
        try:
            return by(value)
        finally:
            self._open.discard(id(value))
