"""The arguments of `run_experiment`, checked: what is wrong is named, with the remedy."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from skactive._batches import check_finite, n_rows
from skactive._one_label import labels_of_one_kind
from skactive._parts import parts, unnamed_parts
from skactive._paths import home_expanded
from skactive._validation import Description, check_count, describe, invalid
from skactive.experiments._loop import Arm, Data, RoundPlan
from skactive.experiments._metrics import OWNER
from skactive.experiments._protocol import Protocol
from skactive.stopping import StoppingRule


def check_estimator(parameter: str, estimator: Any) -> None:
    """Raise unless it is an instance with the methods of an estimator."""
    usable = hasattr(estimator, "fit") and hasattr(estimator, "get_params")
    if not usable or isinstance(estimator, type):
        raise invalid(
            parameter,
            OWNER,
            "an estimator with fit, predict and get_params",
            estimator,
            "Pass an instance, such as CNNClassifier('small_cnn', classes=range(10)).",
        )
    # A modAL learner that has data is trained on them whenever it is cloned.
    if any(getattr(part, "X_training", None) is not None for part in parts(estimator)):
        raise invalid(
            parameter,
            OWNER,
            "a learner without training data of its own",
            Description(f"{type(estimator).__name__} with X_training"),
            "Leave X_training and y_training out: each round trains on what is labelled in it.",
        )


def check_arms(strategies: Any, estimator: Any) -> dict[str, Arm]:
    """Return what is compared, by name; a strategy without an estimator gets `estimator`."""
    must = "a dict of name to strategy, or a list of strategies"
    remedy = "For example {'margin': Margin(), 'random': Random()}."
    if isinstance(strategies, Mapping):
        named = dict(strategies)
    elif isinstance(strategies, (list, tuple)):
        named = {_class_name(s): s for s in strategies}
        if len(named) < len(strategies) and not any(isinstance(s, (str, type)) for s in strategies):
            raise invalid(
                "strategies",
                OWNER,
                "a dict where two strategies are of one class",
                strategies,
                "Give each a name of its own: {'name': strategy, ...}.",
            )
    else:
        raise invalid("strategies", OWNER, must, strategies, remedy)
    if not named:
        raise invalid("strategies", OWNER, f"{must}, at least one", strategies, remedy)
    arms = {}
    for name, given in named.items():
        pair = isinstance(given, tuple) and len(given) == 2
        own, strategy = given if pair else (estimator, given)
        usable = hasattr(strategy, "select") and hasattr(strategy, "get_params")
        if not isinstance(name, str) or not usable or isinstance(strategy, type):
            raise invalid(
                "strategies",
                OWNER,
                f"{must} with select and get_params",
                {name: given},
                f"Pass instances, or pairs (estimator, strategy). {remedy}",
            )
        if pair:
            check_estimator(f"strategies[{name!r}][0]", own)
        arms[name] = Arm(own, strategy)
    return arms


def _class_name(given: Any) -> str:
    strategy = given[1] if isinstance(given, tuple) and len(given) == 2 else given
    return strategy.__name__ if isinstance(strategy, type) else type(strategy).__name__


def warn_of_unknown_classes(arms: Mapping[str, Arm], data: Data) -> None:
    """Warn if an estimator's list of classes lacks some, or there is none."""
    estimators = {id(arm.estimator): arm.estimator for arm in arms.values()}
    for estimator in estimators.values():
        params = estimator.get_params()
        lists = {n: params[n] for n in params if n == "classes" or n.endswith("__classes")}
        for place, part in unnamed_parts(estimator):
            own = part.get_params(deep=False)
            lists |= {f"{place}.classes": own["classes"]} if "classes" in own else {}
        for name, known in lists.items():
            missing = np.setdiff1d(data.y, [] if known is None else _read_classes(known, name))
            if len(missing):
                warnings.warn(
                    f"run_experiment: the estimator's {name}={describe(known)} lacks "
                    f"{missing[:10].tolist()}, which it cannot predict in rounds without such "
                    f"labels. Pass {name.rpartition('.')[2]}={np.unique(data.y)[:20].tolist()}.",
                    stacklevel=4,
                )


def _read_classes(known: Any, name: str) -> Any:
    """Return a list of classes as estimators read it; what is no list is left to them."""
    is_list = np.iterable(known) and not isinstance(known, (str, bytes))
    return labels_of_one_kind("classes", known, name)[0] if is_list else known


def check_data(X: Any, y: Any, X_test: Any, y_test: Any) -> Data:
    """Return the images and labels, if they belong together."""
    labels: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    for X_name, images, y_name, given in [("X", X, "y", y), ("X_test", X_test, "y_test", y_test)]:
        by_position = hasattr(images, "__len__") and hasattr(images, "__getitem__")
        if not by_position or getattr(images, "shape", None) == () or not n_rows(images):
            raise invalid(
                X_name,
                OWNER,
                "images, at least one, that can be fetched by position",
                images,
                "Pass an array, a memmap, a tensor, a data frame or a sequence.",
            )
        labels[y_name], kinds[y_name] = labels_of_one_kind(y_name, given, OWNER)
        if labels[y_name].shape != (n_rows(images),):
            raise invalid(
                y_name,
                OWNER,
                f"1-D, a label for each of the {n_rows(images)} rows of {X_name}",
                labels[y_name],
                f"Check that {X_name} and {y_name} belong together.",
            )
    shapes = [tuple(images.shape)[1:] for images in (X, X_test) if hasattr(images, "shape")]
    if len(shapes) == 2 and shapes[0] != shapes[1]:  # lists and Datasets mostly have none
        raise invalid(
            "X_test",
            OWNER,
            f"images of the same shape as those of X, {shapes[0]}",
            X_test,
            "Prepare both in the same way.",
        )
    if kinds["y_test"] != kinds["y"]:
        raise invalid(
            "y_test",
            OWNER,
            f"{kinds['y']}, as y is",
            Description(f"{kinds['y_test']}, {describe(labels['y_test'][:5].tolist())},"),
            "Convert one of the two.",
        )
    strange = np.setdiff1d(labels["y_test"], labels["y"])
    if len(strange):
        raise invalid(
            "y_test",
            OWNER,
            "labels of classes that y has, too",
            strange[:10].tolist(),
            "Remove the test images of these classes; no strategy can find their labels in X.",
        )
    # The same dtype: a class that is 1 here and 1.0 there would have two names in the results.
    return Data(X, labels["y"], X_test, labels["y_test"].astype(labels["y"].dtype))


def check_embeddings(embeddings: Any, data: Data) -> Any:
    """Return embeddings, if there is a row of finite numbers for each image."""
    if embeddings is None:
        return None
    n, shape = len(data.y), tuple(getattr(embeddings, "shape", ()))
    kind = str(getattr(embeddings, "dtype", "")).removeprefix("torch.")
    numbers = kind.startswith(("float", "int", "uint", "bfloat"))
    if len(shape) != 2 or shape[0] != n or not numbers:
        raise invalid(
            "embeddings",
            OWNER,
            f"an array of numbers of shape ({n}, D), a row for each of the {n} rows of X",
            embeddings,
            "Embed all of X, in its order; rows of queries and labels are taken from these.",
        )
    check_finite(embeddings, OWNER, "embeddings")
    return embeddings


def check_plan(
    data: Data, n_initial: Any, initial: Any, n_instances: Any, n_rounds: Any
) -> RoundPlan:
    """Return the budget, if the pool is large enough for it."""
    n_samples = len(data.y)
    n_initial = check_count("n_initial", OWNER, n_initial, high=n_samples, high_is="all of X")
    n_instances = check_count("n_instances", OWNER, n_instances)
    check_count(
        "n_rounds",
        OWNER,
        n_rounds,
        low=0,
        high=(n_samples - n_initial) // n_instances,
        high_is=f"X has {n_samples} images, {n_initial} are labelled at first, "
        f"and a round asks for {n_instances}",
        remedy="Lower n_rounds, n_instances or n_initial.",
    )
    if not (isinstance(initial, str) and initial in {"random", "balanced"}):
        raise invalid(
            "initial",
            OWNER,
            "'random' or 'balanced'",
            initial,
            "'balanced' draws the classes as evenly as n_initial allows.",
        )
    return RoundPlan(n_initial, initial, n_instances, int(n_rounds))


def check_seeds(seeds: Any) -> list[int]:
    """Return the seeds: 0 to `seeds` - 1, or those given."""
    if not isinstance(seeds, Iterable) or isinstance(seeds, (str, bytes)):
        return list(range(check_count("seeds", OWNER, seeds)))
    which = list(seeds)
    if not which:
        raise invalid("seeds", OWNER, "at least one seed", which, "Pass seeds=1, or seeds=[0].")
    which = [check_count("seeds", OWNER, seed, low=0) for seed in which]
    if len(set(which)) < len(which):
        raise invalid("seeds", OWNER, "distinct", which, "A seed twice is the same run twice.")
    return which


def check_protocol(protocol: Any, arms: Mapping[str, Arm]) -> Protocol:
    """Return the protocol, if the estimators have what it sets."""
    if protocol is None:
        return Protocol()
    if not isinstance(protocol, Protocol):
        raise invalid("protocol", OWNER, "a Protocol or None", protocol, "For example Protocol().")
    for name, arm in arms.items():
        protocol.apply(clone(arm.estimator), f"the estimator of {name!r}")
    return protocol


def check_stopping(stopping: Any, stop: Any) -> dict[str, StoppingRule]:
    """Return the stopping rules by name, of which `stop` is one."""
    must = "a dict of name to stopping rule, or a list of rules of different classes"
    remedy = "For example [Agreement()]; see skactive.stopping."
    named: dict[str, StoppingRule] = {}
    if isinstance(stopping, Mapping):
        named = dict(stopping)
    elif isinstance(stopping, (list, tuple)):
        named = {type(rule).__name__: rule for rule in stopping}
    if len(named) < (0 if stopping is None else max(n_rows(stopping), 1)):
        raise invalid("stopping", OWNER, must, stopping, remedy)
    for name, rule in named.items():
        if not isinstance(name, str) or not isinstance(rule, StoppingRule):
            raise invalid("stopping", OWNER, must, {name: rule}, remedy)
        rule._validate_params()
    if stop is not None and stop not in named:
        names = ", ".join(map(repr, named)) or "which there are none of"
        raise invalid("stop", OWNER, f"None or the name of a rule of stopping=, {names}", stop)
    return named


def check_dataset(dataset: Any) -> str:
    """Return the name of the data."""
    if not isinstance(dataset, str) or not dataset:
        raise invalid("dataset", OWNER, "a name for the data, a str", dataset)
    return dataset


def check_n_jobs(n_jobs: Any) -> int:
    """Return the number of processes to use; -1 for one per core, as in scikit-learn."""
    count = isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool)
    if not count or n_jobs == 0:
        raise invalid("n_jobs", OWNER, "an int of at least 1, or -1 for one per core", n_jobs)
    return int(n_jobs)


def check_threads(n_threads: Any) -> int:
    """Return the number of threads per process; None takes torch's present setting."""
    if n_threads is None:
        return torch.get_num_threads()
    return check_count("n_threads", OWNER, n_threads)


def check_folder(out: str | os.PathLike[str]) -> Path:
    """Return the folder of the results, which need not exist."""
    must = "a folder, or a path to make one at"
    if not isinstance(out, (str, os.PathLike)) or not os.fspath(out):
        raise invalid("out", OWNER, must, out, "Leave it out to keep nothing.")
    folder = Path(home_expanded(out))
    files = [path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()]
    if files:
        it = "It" if files[0] == folder else str(files[0])
        raise invalid("out", OWNER, must, str(out), f"{it} is a file.")
    return folder
