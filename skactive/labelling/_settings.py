"""How the network learns and what it asks for: settings that are stored with the labels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from skactive import strategies
from skactive.labelling._arguments import check_whole
from skactive.labelling._database import Database
from skactive.labelling._errors import invalid
from skactive.strategies.names import ALONE, JOINTLY

_OWNER = "LabelSession"
# Names that `CNNClassifier` knows for images: looking at it would import torch.
NETWORKS = ("auto", "small_cnn", "resnet18", "resnet18_narrow", "vgg11")
AUGMENTATIONS = ("none", "crop", "flip", "crop_flip", "strong")


@dataclass
class Settings:
    """What is stored: names and numbers. Objects that were passed are stored by their repr."""

    strategy: str = "Margin"
    network: str = "small_cnn"
    augment: str = "none"
    size: int = 64
    subsample: int = 5000
    n_instances: int = 60


def load_settings(database: Database, **given: Any) -> Settings:
    """Return the stored settings, with those that are given, which are stored from now on."""
    stored = json.loads(database.get("settings") or "{}")
    known = asdict(Settings())
    merged = {**known, **{key: stored[key] for key in known if key in stored}}
    merged.update({key: value for key, value in given.items() if value is not None})
    found = Settings(**merged)
    check_settings(found)
    if asdict(found) != stored:
        database.set("settings", json.dumps(asdict(found)))
    return found


def check_settings(settings: Settings) -> None:
    """Raise if a setting is not what it must be; numbers of NumPy, which cannot be stored, go."""
    for name, low in (("size", 8), ("subsample", 1), ("n_instances", 1)):
        setattr(settings, name, check_whole(name, getattr(settings, name), low))
    network = settings.network
    known = network in NETWORKS or (isinstance(network, str) and network.startswith("torchvision/"))
    if not known:
        must = f"one of {', '.join(NETWORKS)}, or 'torchvision/' and the name of one"
        raise invalid("network", _OWNER, must, network, "Pass others as estimator=.")
    if settings.augment not in AUGMENTATIONS:
        raise invalid("augment", _OWNER, f"one of {', '.join(AUGMENTATIONS)}", settings.augment)


def find_strategy(name: str) -> str:
    """Return the name of a strategy as it is spelt; case, - and _ do not matter."""
    plain = {known.lower(): known for known in ALONE}
    found = plain.get(name.strip().lower().replace("-", "").replace("_", ""))
    if found is None:
        raise invalid("strategy", _OWNER, f"one of {', '.join(ALONE)}, or a strategy", name)
    return found


def make_strategy(name: str, seed: int) -> Any:
    """Make a strategy of its name."""
    kind = getattr(strategies, find_strategy(name))
    return kind(random_state=seed)


def make_estimator(settings: Settings) -> Any:
    """Make the network that a session trains unless it is given another classifier."""
    from skactive import estimators

    jointly = settings.strategy in JOINTLY
    kind = estimators.LPLClassifier if jointly else estimators.CNNClassifier
    return kind(settings.network, augment=None if settings.augment == "none" else settings.augment)
