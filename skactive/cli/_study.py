"""An experiment as a TOML file: read, every field checked, and made into what it names."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive import datasets, estimators, strategies
from skactive._validation import InvalidParameterError, describe
from skactive.experiments import Protocol

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from sklearn.utils import Bunch

DATASETS: dict[str, Callable[..., Bunch]] = {
    "fashion-mnist-4k": partial(datasets.load_fashion_mnist, "4k"),
    "fashion-mnist": partial(datasets.load_fashion_mnist, "full"),
    "mnist": datasets.load_mnist,
    "cifar10": datasets.load_cifar10,
    "cifar100": datasets.load_cifar100,
    "svhn": datasets.load_svhn,
}
_SECTIONS = ("dataset", "estimator", "strategies", "experiment", "protocol")


@dataclass(frozen=True)
class Study:
    """What a file says.

    Parameters
    ----------
    data : Bunch
        Pool and test data.
    estimator : classifier
        The common one.
    strategies : dict of str to strategy or (estimator, strategy)
        By the names that results use.
    settings : dict
        The keyword arguments of `run_experiment`.
    """

    data: Bunch
    estimator: Any
    strategies: dict[str, Any]
    settings: dict[str, Any]


class Section:
    """A table of the file, whose fields are taken out one by one.

    Parameters
    ----------
    file : path
        Where it comes from, for messages.
    place : str
        The name of the table, for messages.
    content : dict
        What it holds.
    """

    def __init__(self, file: Path, place: str, content: Any) -> None:
        self.file, self.place = file, place
        if not isinstance(content, dict):
            raise self.fault("", "a table", content)
        self.rest = dict(content)

    def fault(self, field: str, must: str, got: Any, remedy: str = "") -> InvalidParameterError:
        """Build the error for a wrong field."""
        place = ".".join(part for part in (self.place, field) if part)
        message = f"{self.file}: {place} must be {must}. Got {describe(got)} instead."
        return InvalidParameterError(f"{message} {remedy}".rstrip())

    def take(self, field: str, kind: Any, must: str, default: Any = ...) -> Any:
        """Take a field out; without a default it has to be there."""
        if field not in self.rest:
            if default is ...:
                place = f"{self.place}.{field}"
                raise InvalidParameterError(f"{self.file}: {place} is missing; it is {must}.")
            return default
        value = self.rest.pop(field)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(field, must, value)
        return value

    def choice(self, field: str, known: Mapping[str, Any], default: Any = ...) -> str:
        """Take one of several names out."""
        must = f"one of {', '.join(known)}"
        name = self.take(field, str, must, default)
        if name not in known:
            raise self.fault(field, must, name)
        return name

    def done(self, known: Any) -> None:
        """Raise if there are fields left, which nobody knows."""
        for field in self.rest:
            raise InvalidParameterError(
                f"{self.file}: there is no {self.place}.{field}. "
                f"The fields of {self.place} are {', '.join(known)}."
            )


def read_study(path: str | Path) -> Study:
    """Read a file, load its data, and make its estimators and strategies.

    Parameters
    ----------
    path : str or path-like
        A TOML file.

    Returns
    -------
    Study
        What it says.

    Raises
    ------
    InvalidParameterError
        If the file is no TOML, or a field is missing, unknown or wrong; the message names the
        field and what it may be.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidParameterError(f"There is no file {str(path)!r}.")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidParameterError(f"{file} is not valid TOML: {error}") from None
    for name in content:
        if name not in _SECTIONS:
            raise InvalidParameterError(
                f"{file}: there is no {name}. A file has {', '.join(_SECTIONS)}."
            )
    for name in ("dataset", "strategies", "experiment"):
        if name not in content:
            raise InvalidParameterError(f"{file}: {name} is missing.")
    # What costs no time is checked first.
    settings = _settings(Section(file, "experiment", content["experiment"]))
    settings["protocol"] = _protocol(Section(file, "protocol", content.get("protocol", {})))
    common = content.get("estimator", {})
    estimator = _estimator(Section(file, "estimator", common))
    named = _strategies(file, content["strategies"], common)
    data, settings["dataset"] = _data(Section(file, "dataset", content["dataset"]))
    classes = np.unique(data.y_train).tolist()
    for each in [estimator, *(own[0] for own in named.values() if isinstance(own, tuple))]:
        if each.get_params(deep=False).get("classes", ...) is None:
            each.set_params(classes=classes)
    return Study(data, estimator, named, settings)


def _settings(section: Section) -> dict[str, Any]:
    count = "a whole number"
    several = "a number of seeds, or a list of seeds"
    settings = {
        "n_initial": section.take("n_initial", int, count),
        "batch_size": section.take("batch_size", int, count),
        "n_rounds": section.take("n_rounds", int, count),
        "seeds": section.take("seeds", (int, list), several),
        "initial": section.choice("initial", dict.fromkeys(["random", "balanced"]), "random"),
        "metrics": section.take("metrics", list, "a list of scikit-learn's scorers", None),
        "n_jobs": section.take("n_jobs", int, count, 1),
        "n_threads": section.take("n_threads", int, count, 1),
        "out": section.take("out", str, "a folder", None),
    }
    section.done(settings)
    return settings


def _protocol(section: Section) -> Protocol:
    known = [field.name for field in fields(Protocol)]
    given = {name: section.rest.pop(name) for name in known if name in section.rest}
    section.done(known)
    return _make(section, Protocol, given)


def _estimator(section: Section) -> Any:
    public = {name: getattr(estimators, name) for name in estimators.__all__}
    known = {name: kind for name, kind in public.items() if hasattr(kind, "predict")}
    return _instance(section, known, "CNNClassifier")


def _strategies(file: Path, content: Any, common: Any) -> dict[str, Any]:
    if not isinstance(content, list) or not content:
        raise Section(file, "strategies", {}).fault(
            "", "a list of at least one name or table", content, 'For example ["Random"].'
        )
    public = {name: getattr(strategies, name) for name in strategies.__all__}
    known = {
        name: kind for name, kind in public.items()
        if hasattr(kind, "select") and not inspect.isabstract(kind)
    }  # fmt: skip
    named: dict[str, Any] = {}
    for i, given in enumerate(content, start=1):
        place = f"strategies[{i}]"
        given = {"class": given} if isinstance(given, str) else given
        section = Section(file, place, given)
        own = section.rest.pop("estimator", None)
        label = section.rest.pop("name", section.rest.get("class"))
        strategy = _instance(section, known)
        if not isinstance(label, str) or label in named:
            raise section.fault("name", "a name of its own", label, "Give it a name = ...")
        named[label] = strategy
        if own is not None:
            inner = Section(file, f"{place}.estimator", own)
            inner.rest = {**common, **inner.rest}
            named[label] = (_estimator(inner), strategy)
    return named


def _instance(section: Section, known: Mapping[str, Any], default: Any = ...) -> Any:
    """Make an object of the class that a section names, with its other fields as parameters."""
    kind = known[section.choice("class", known, default)]
    parameters = list(inspect.signature(kind).parameters)
    given = {}
    for name in list(section.rest):
        if name in parameters:
            given[name] = _inner(section, name, section.rest.pop(name), known)
    section.done(["class", *parameters])
    return _make(section, kind, given)


def _inner(section: Section, place: str, value: Any, known: Mapping[str, Any]) -> Any:
    """Make the strategies that a strategy is made of: tables with a class, also within lists.

    TOML has no null: "none" stands for None. It has no tuples either: what a strategy wants as
    (name, strategy) or (strategy, until_labels) is a list within the list.
    """
    if value == "none":
        return None
    if isinstance(value, dict) and "class" in value:
        return _instance(Section(section.file, f"{section.place}.{place}", value), known)
    if isinstance(value, list):
        items = [_inner(section, f"{place}[{i}]", item, known) for i, item in enumerate(value, 1)]
        entry = place.endswith("]") and any(hasattr(item, "select") for item in items)
        return tuple(items) if entry else items
    return value


def _make(section: Section, kind: Any, given: Mapping[str, Any]) -> Any:
    try:
        made = kind(**given)
        if hasattr(made, "_validate_params"):
            made._validate_params()
    except (InvalidParameterError, TypeError) as error:
        raise InvalidParameterError(f"{section.file}: {section.place}: {error}") from None
    return made


def _data(section: Section) -> tuple[Bunch, str]:
    """Load the data and cut them to size."""
    name = section.choice("name", DATASETS)
    where = {
        "path": section.take("path", str, "a folder", None),
        "download": section.take("download", bool, "true or false", False),
    }
    label = section.take("label", str, "what the results call the data", name)
    pool = section.take("pool", int, "a number of training images", None)
    counts = section.take("counts", dict, "a table of class to number of images", None)
    test = section.take("test", int, "a number of test images", None)
    seed = section.take("seed", int, "a whole number", 0)
    known = ["name", *where, "label", "pool", "counts", "test", "seed"]
    section.done(known)
    if pool is not None and counts is not None:
        raise section.fault("pool", "left out where there are counts", pool)
    try:
        data = DATASETS[name](**{key: value for key, value in where.items() if value})
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{section.file}: dataset: {error}") from None
    X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test
    if counts is not None:
        X, y = _imbalanced(section, X, y, counts, seed)
        kept = np.isin(y_test, y)  # what the pool has nothing of, nobody can learn
        X_test, y_test = X_test[kept], y_test[kept]
    if pool is not None:
        X, y = _some(section, "pool", X, y, pool, seed)
    if test is not None:
        X_test, y_test = _some(section, "test", X_test, y_test, test, seed)
    cut = {"X_train": X, "y_train": y, "X_test": X_test, "y_test": y_test}
    return type(data)(**{**data, **cut}), label


def _imbalanced(
    section: Section, X: Any, y: np.ndarray, counts: Mapping[str, Any], seed: int
) -> tuple[Any, np.ndarray]:
    classes = {str(c): c for c in np.unique(y).tolist()}
    for c in counts:
        if c not in classes:
            raise section.fault(f"counts.{c}", f"of a class, one of {', '.join(classes)}", c)
    try:
        by_class = {classes[c]: n for c, n in counts.items()}
        return datasets.make_imbalanced(X, y, by_class, random_state=seed)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{section.file}: dataset.counts: {error}") from None


def _some(
    section: Section, field: str, X: Any, y: np.ndarray, n: int, seed: int
) -> tuple[Any, np.ndarray]:
    """Draw some images at random, in their stored order."""
    if not 1 <= n <= len(y):
        raise section.fault(field, f"a number of images from 1 to {len(y)}", n)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(y))[:n])
    return X[drawn], y[drawn]
