"""An experiment as a TOML file: read, every field checked, and made into what it names."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer_names

from skactive import datasets, estimators, stopping, strategies
from skactive._batches import n_rows, take_rows
from skactive._validation import Description, InvalidParameterError
from skactive.cli._arguments import DATASETS, load_dataset
from skactive.cli._section import Section
from skactive.cli._words import placed, within
from skactive.exceptions import UnsupportedEstimatorError
from skactive.experiments import Protocol, run_experiment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_SECTIONS = ("dataset", "estimator", "strategies", "experiment", "protocol")
# What the protocol sets on an estimator, and the field that it comes from.
_PROTOCOL_SETS = {"augment": "augment", "train_split": "validation", "callbacks": "train_to"}
_TRIAL_LABELS, _TRIAL_POOL, _TRIAL_BATCH = 40, 64, 20


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
        If the file is not TOML, or a field is missing, unknown or wrong; the message names the
        field and what it may be.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidParameterError(f"There is no file {str(path)!r}.")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # a BOM is no TOML
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
    all_estimators = [estimator, *(own[0] for own in named.values() if isinstance(own, tuple))]
    for each in all_estimators:
        _check_protocol(file, settings["protocol"], each)
    data, settings["dataset"] = _data(Section(file, "dataset", content["dataset"]))
    classes = np.unique(data.y_train).tolist()
    for each in all_estimators:
        if each.get_params(deep=False).get("classes", ...) is None:
            each.set_params(classes=classes)
    return Study(data, estimator, named, settings)


def _settings(section: Section) -> dict[str, Any]:
    section.check_names("run_experiment")
    settings = {
        "n_initial": section.count("n_initial", 1),
        "n_instances": section.count("n_instances", 1),
        "n_rounds": section.count("n_rounds", 0),
        "seeds": _seeds(section),
        "initial": section.choice("initial", ["random", "balanced"], "random"),
        "metrics": section.take("metrics", list, "a list of scikit-learn's scorers", None),
        "stopping": _stopping(section),
        "stop": section.take("stop", str, "the name of a rule of stopping", None),
        "n_jobs": section.take("n_jobs", int, "a whole number", 1),
        "n_threads": section.count("n_threads", 1, 1),
        "out": section.take("out", str, "a folder", None),
    }
    section.done(settings)
    scorers = get_scorer_names()
    for i, name in enumerate(settings["metrics"] or [], start=1):
        if name not in scorers:
            raise section.fault(f"metrics[{i}]", f"one of {', '.join(scorers)}", name)
    if settings["stop"] is not None and settings["stop"] not in (settings["stopping"] or {}):
        known = ", ".join(settings["stopping"] or {}) or "which there are none of"
        raise section.fault("stop", f"the name of a rule of stopping, {known}", settings["stop"])
    return settings


def _stopping(section: Section) -> dict[str, Any] | None:
    """Make the stopping rules, by name: names of classes, or tables with a class."""
    given = section.take("stopping", list, "a list of names or tables of stopping rules", None)
    known = {
        name: kind
        for name, kind in ((name, getattr(stopping, name)) for name in stopping.__all__)
        if hasattr(kind, "observe") and not inspect.isabstract(kind)
    }
    named: dict[str, Any] = {}
    for i, one in enumerate(given or [], start=1):
        table = {"class": one} if isinstance(one, str) else one
        inner = Section(section.file, f"{section.place}.stopping[{i}]", table)
        label = inner.take("name", str, "a name of its own", inner.rest.get("class"))
        rule = _instance(inner, known)
        if not label or label in named:
            raise inner.fault("name", "a name of its own", label, "Give it a name = ...")
        named[label] = rule
    return named or None


def _seeds(section: Section) -> int | list[int]:
    must = "a number of seeds of at least 1, or a list of different seeds of at least 0"
    seeds: int | list[int] = section.take("seeds", (int, list), must)
    which = list(range(seeds)) if isinstance(seeds, int) else seeds
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in which)
    if not which or not whole or min(which) < 0 or len(set(which)) < len(which):
        raise section.fault("seeds", must, seeds)
    return seeds


def _protocol(section: Section) -> Protocol:
    known = [field.name for field in fields(Protocol)]
    given = {
        name: _inner(section, name, section.rest.pop(name), {})
        for name in known
        if name in section.rest
    }
    section.done(known)
    return _make(section, Protocol, given)


def _check_protocol(file: Path, protocol: Protocol, estimator: Any) -> None:
    """Raise if an estimator cannot be trained as the protocol says."""
    try:
        protocol.apply(clone(estimator))._validate_params()
    except InvalidParameterError as error:
        raise placed(file, "protocol.", error, _PROTOCOL_SETS) from None


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
        name: kind
        for name, kind in public.items()
        if hasattr(kind, "select") and not inspect.isabstract(kind)
    }
    named: dict[str, Any] = {}
    for i, given in enumerate(content, start=1):
        place = f"strategies[{i}]"
        given = {"class": given} if isinstance(given, str) else given
        section = Section(file, place, given)
        own = section.rest.pop("estimator", None)
        label = section.take("name", str, "a name of its own", section.rest.get("class"))
        strategy = _instance(section, known)
        if not label or label in named:
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
    parameters = inspect.signature(kind).parameters
    given = {}
    for name in list(section.rest):
        if name in parameters:
            given[name] = _inner(section, name, section.rest.pop(name), known)
    section.check_names(kind.__name__)
    section.done(["class", *parameters])
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            raise InvalidParameterError(f"{section.file}: {section.at(name)} is missing.")
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
    except InvalidParameterError as error:
        raise placed(section.file, f"{section.place}.", error) from None
    return made


def _data(section: Section) -> tuple[Bunch, str]:
    """Load the data and cut them to size."""
    name = section.choice("name", DATASETS)
    where = {
        "path": section.take("path", str, "a folder", None),
        "download": section.take("download", bool, "true or false", False),
    }
    label = section.take("label", str, "what the results call the data", name)
    file = section.take("embeddings", str, "a .npy file with a row for each training image", None)
    pool = section.take("pool", int, "a number of training images", None)
    counts = section.take("counts", dict, "a table of class to number of images", None)
    test = section.take("test", int, "a number of test images", None)
    seed = section.count("seed", 0, 0)
    known = ["name", *where, "label", "embeddings", "pool", "counts", "test", "seed"]
    section.done(known)
    if pool is not None and counts is not None:
        raise section.fault("pool", "left out where there are counts", pool)
    try:
        data = load_dataset(name, **where)
    except InvalidParameterError as error:
        raise placed(section.file, "dataset.", error) from None
    X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test
    embeddings = None if file is None else _embeddings(section, file, len(y))
    rows = np.arange(len(y))
    if counts is not None:
        rows, y = _imbalanced(section, rows, y, counts, seed)
        kept = np.isin(y_test, y)  # what the pool has nothing of, nobody can learn
        X_test, y_test = X_test[kept], y_test[kept]
    if pool is not None:
        rows, y = _some(section, "pool", rows, y, pool, seed)
    if test is not None:
        X_test, y_test = _some(section, "test", X_test, y_test, test, seed)
    if counts is not None or pool is not None:
        X, embeddings = X[rows], None if embeddings is None else embeddings[rows]
    cut = {"X_train": X, "y_train": y, "X_test": X_test, "y_test": y_test}
    return type(data)(**{**data, **cut, "embeddings": embeddings}), label


def _embeddings(section: Section, file: str, n: int) -> np.ndarray:
    """Read features of the training images, as the data set has them before it is cut."""
    must = f"a .npy file of numbers of shape ({n}, D), a row for each training image"
    try:
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        remedy = "Write it with numpy.save(file, Embedder(...).transform(X_train))."
        raise section.fault("embeddings", must, file, remedy) from None
    if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != n:
        shape = Description(f"{file!r}, of shape {getattr(found, 'shape', None)}")
        raise section.fault("embeddings", must, shape, "Embed all of them, in their order.")
    return found


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
        raise placed(section.file, "dataset.", error) from None


def _some(
    section: Section, field: str, X: Any, y: np.ndarray, n: int, seed: int
) -> tuple[Any, np.ndarray]:
    """Draw some images at random, in their stored order."""
    if not 1 <= n <= len(y):
        raise section.fault(field, f"a number of images from 1 to {len(y)}", n)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(y))[:n])
    return X[drawn], y[drawn]


def _one_of_each(y: np.ndarray) -> np.ndarray:
    """Return where each class is for the first time."""
    return np.unique(y, return_index=True)[1]


def try_out(study: Study, file: Path) -> None:
    """Play a round of each strategy with a few images, so that what cannot run is found now.

    Parameters
    ----------
    study : Study
        What the file says.
    file : path
        Its name, for messages.

    Raises
    ------
    InvalidParameterError
        If a network cannot be trained, or a strategy cannot choose; the message names it.
    """
    data = study.data
    n, rows = n_rows(data.X_train), data.embeddings
    few = np.linspace(0, n - 1, min(n, _TRIAL_LABELS + _TRIAL_POOL)).round().astype(int)
    few = np.union1d(few, _one_of_each(data.y_train))  # as metrics may ask for
    X, y = take_rows(data.X_train, few), data.y_train[few]
    test = np.flatnonzero(np.isin(data.y_test, y))[:_TRIAL_POOL]
    test = np.union1d(test, _one_of_each(data.y_test))
    n_initial = min(study.settings["n_initial"], _TRIAL_LABELS, len(few) - 1)
    common = {
        key: study.settings[key] for key in ["metrics", "protocol", "initial", "n_threads"]
    } | {"n_initial": n_initial, "n_rounds": 1, "seeds": 1, "progress": False}
    n_instances = min(study.settings["n_instances"], _TRIAL_BATCH, len(few) - n_initial)
    for i, (name, arm) in enumerate(study.strategies.items(), start=1):
        estimator, strategy = arm if isinstance(arm, tuple) else (study.estimator, arm)
        estimator = clone(estimator).set_params(max_epochs=1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about scores of so little training
                run_experiment(
                    estimator,
                    {name: strategy},
                    X,
                    y,
                    take_rows(data.X_test, test),
                    data.y_test[test],
                    embeddings=None if rows is None else rows[few],
                    n_instances=n_instances,
                    **common,
                )
        except (ValueError, UnsupportedEstimatorError) as error:
            owner = error.owner if isinstance(error, InvalidParameterError) else ""
            place = f"strategies[{i}]."
            if owner == type(estimator).__name__:
                place = f"{place}estimator." if isinstance(arm, tuple) else "estimator."
            elif owner != type(strategy).__name__:
                raise within(file, place.rstrip("."), error) from None
            raise placed(file, place, error) from None
