"""What decides the numbers of an experiment, in a form that can be stored and compared."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from skactive._renamed import RENAMED
from skactive._validation import Phrase, describe
from skactive._whole_files import write_whole
from skactive.exceptions import ResultsMismatchError
from skactive.experiments._later_metrics import check_later
from skactive.experiments._loop import Arm, Data, Terms
from skactive.experiments._plain import described, fingerprint
from skactive.experiments._records import Record, read_json
from skactive.experiments._resources import versions

_ABSENT = object()
_NAMED = 6


def make_config(
    estimator: Any, arms: Mapping[str, Arm], data: Data, terms: Terms
) -> dict[str, Any]:
    """Describe an experiment by what decides its numbers.

    Seeds, the number of rounds and the number of strategies are not part of it: more of them
    extend an experiment.

    Parameters
    ----------
    estimator : estimator
        Described by its class and its parameters.
    arms : mapping of str to Arm
        The strategies, likewise, and the estimators that differ from `estimator`.
    data : Data
        Described by shape, dtype and checksum.
    terms : Terms
        The budget, the protocol and the measurements.

    Returns
    -------
    dict
        Made of what JSON can hold.
    """
    common, plan = described(estimator), terms.plan
    config = {
        "estimator": common,
        "n_initial": plan.n_initial,
        "initial": plan.initial,
        "n_instances": plan.n_instances,
        "data": {n: fingerprint(value) for n, value in vars(data).items() if value is not None},
        "strategies": {name: _describe_arm(arm, common) for name, arm in arms.items()},
        "dataset": terms.dataset,
        "protocol": asdict(terms.protocol),
        "n_threads": terms.n_threads,
        "metrics": {name: described(scorer) for name, scorer in terms.metrics.items()},
        "versions": [versions()],
    }
    if terms.stopping:
        config["stopping"] = {name: described(rule) for name, rule in terms.stopping.items()}
    return json.loads(json.dumps(config, allow_nan=False))


def _describe_arm(arm: Arm, common: Any) -> Any:
    own = described(arm.estimator)
    return described(arm.strategy) | ({} if own == common else {"estimator": own})


def read_config(path: Path) -> dict[str, Any]:
    """Read a config.json.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    dict
        What `make_config` made.

    Raises
    ------
    InvalidParameterError
        If it is damaged.
    ResultsMismatchError
        If parameters are in it under names that they no longer have.
    """
    stored: dict[str, Any] = read_json(path, dict)
    renamed = dict.fromkeys(_renamed(stored, "run_experiment"))
    if renamed:
        raise ResultsMismatchError(
            f"{path} is of an earlier skactive: {'; '.join(renamed)}. Rename them in that file, "
            "and its results are as good as before."
        )
    return stored


def _renamed(value: Any, owner: str) -> Iterator[str]:
    """Say which parameters of `owner` in a configuration, and of what is in it, have new names."""
    if isinstance(value, list):
        for item in value:
            yield from _renamed(item, "")
    elif isinstance(value, dict):
        for old, new in RENAMED.get(owner, {}).items():
            if old in value:
                yield f"{old} of {owner} is called {new} now"
        module, _, kind = str(value.get("class", "")).rpartition(".")
        for key, item in value.items():
            own = key == "params" and module.startswith("skactive.")
            yield from _renamed(item, kind if own else "")


def merge_config(out: Path, config: dict[str, Any], records: Collection[Record]) -> dict[str, Any]:
    """Add what is new to OUT/config.json, if what is there agrees.

    What has led to no record is not binding: neither a strategy without one, nor a whole file.

    Parameters
    ----------
    out : pathlib.Path
        The folder of the experiment.
    config : dict
        The one that `make_config` made.
    records : list of Record
        The existing ones.

    Returns
    -------
    dict
        The configuration of old and new records.

    Raises
    ------
    ResultsMismatchError
        If there are results that come from another configuration, from an unknown one, or from one
        whose parameters have other names now.
    """
    path = out / "config.json"
    recorded = {record["strategy"] for record in records}
    if not recorded:
        return config
    if not path.exists():
        raise ResultsMismatchError(
            f"{str(out)!r} holds results.jsonl but no config.json, so nothing says which "
            "configuration the results come from.",
            Phrase("Pass {another out=}."),
        )
    stored = read_config(path)
    known = stored["strategies"]
    stored["strategies"] = {name: known[name] for name in known if name in recorded}
    check_later(stored["metrics"], config["metrics"])
    stored["metrics"] = config["metrics"] | stored["metrics"]
    found = list(differences(stored, config, ""))
    if found:
        raise ResultsMismatchError(
            f"The results in {str(out)!r} come from another configuration: {_some(found)}.",
            Phrase("Pass {another out=} to start anew, or the former values to continue."),
        )
    new_versions = [new for new in config["versions"] if new not in stored["versions"]]
    versions = stored["versions"] + new_versions
    strategies = stored["strategies"] | config["strategies"]
    return config | {"strategies": strategies, "versions": versions}


def store_config(out: Path, config: dict[str, Any], records: Collection[Record]) -> None:
    """Write OUT/config.json: see `merge_config`."""
    path = out / "config.json"
    content = json.dumps(merge_config(out, config, records), indent=2) + "\n"
    if path.exists() and path.read_text() == content:
        return
    write_whole(path, content)


def differences(old: Any, new: Any, place: str) -> Iterator[str]:
    """Say where two configurations differ, other than by an extension."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{place} was {_shown(old)} and is now {_shown(new)}"
        return
    kind = old.get("class")
    if isinstance(kind, str) and kind != new.get(
        "class"
    ):  # then the parameters differ too: say it once
        old, new = {"class": kind}, {"class": new.get("class")}
    for key in {**old, **new}:
        more_strategies = place == "strategies" and not (key in old and key in new)
        other_versions = not place and key == "versions"
        if more_strategies or other_versions:
            continue
        inner = f"{place}.{key}" if place else key
        yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), inner)


def _some(found: list[str]) -> str:
    """Join the first differences; one edited class may differ in a dozen."""
    more = len(found) - _NAMED
    return "; ".join(found[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else describe(value)
