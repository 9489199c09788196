import pytest

from skactive.labelling._settings import (
    AUGMENTATIONS,
    NETWORKS,
    Settings,
    find_strategy,
    load_settings,
    make_estimator,
    make_strategy,
)
from skactive.strategies import QueryStrategy
from skactive.strategies.names import ALONE


def test_settings_are_stored(database):
    assert load_settings(database) == Settings()
    assert load_settings(database, size=32, strategy="Entropy").size == 32
    assert load_settings(database, size=None) == Settings(size=32, strategy="Entropy")


@pytest.mark.parametrize("name", ["Margin", "margin", "CORE-SET", "core_set", " fisherMask "])
def test_names_in_any_case(name):
    assert find_strategy(name) in ALONE


def test_an_unknown_name():
    with pytest.raises(ValueError, match=r"'strategy'.*must be one of BADGE.*Got 'best'"):
        find_strategy("best")


@pytest.mark.parametrize("name", ALONE)
def test_each_can_be_made(name):
    assert isinstance(make_strategy(name, 3), QueryStrategy)
    assert make_strategy(name, 3).random_state == 3
    assert make_estimator(Settings(strategy=name)).augment is None
    assert make_estimator(Settings(strategy=name, augment="flip")).augment == "flip"


def test_names_are_those_that_the_estimators_know():
    from skactive.estimators._augment import AUGMENTATIONS as KNOWN
    from skactive.estimators._networks import NETWORKS as KNOWN_NETWORKS

    assert set(NETWORKS) == {"auto", *KNOWN_NETWORKS}
    assert set(AUGMENTATIONS) == {"none", *KNOWN}


def test_settings_of_before_have_no_augmentation(database):
    database.set("settings", '{"network": "vgg11"}')
    assert load_settings(database) == Settings(network="vgg11", augment="none")
    assert load_settings(database, network="torchvision/resnet18").network == "torchvision/resnet18"


@pytest.mark.parametrize(
    ("name", "value", "must"),
    [
        ("size", 4, "at least 8"),
        ("size", 32.0, "an int"),
        ("subsample", 0, "at least 1"),
        ("n_instances", True, "an int"),
        ("network", 3, "one of auto, small_cnn"),
        ("network", "resnet19", "one of auto, small_cnn.*Pass others as estimator="),
        ("network", ["vgg11"], "one of"),
        ("augment", "blur", "one of none, crop, flip, crop_flip, strong"),
        ("augment", True, "one of none"),
    ],
)
def test_wrong_settings(name, value, must, database):
    with pytest.raises(ValueError, match=f"'{name}' parameter of LabelSession.*{must}"):
        load_settings(database, **{name: value})
    assert load_settings(database) == Settings()
