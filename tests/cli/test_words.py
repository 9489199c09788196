"""Errors in the words of the command line and of TOML files."""

import datetime
from pathlib import Path

import pytest

import skactive
from skactive._faults import Alternatives, Description, InvalidParameterError, invalid
from skactive._phrases import Phrase
from skactive.cli._words import IN_A_FILE, as_toml, field_error, placed, told, within
from skactive.exceptions import DatasetError

FILE = Path("a b") / "study.toml"
PUBLIC = [getattr(skactive, name) for name in skactive.__all__]
DECLARED = [
    (kind.__name__, name, constraints)
    for kind in PUBLIC
    for name, constraints in getattr(kind, "_parameter_constraints", {}).items()
]


@pytest.mark.parametrize(("owner", "name", "constraints"), DECLARED)
def test_what_is_declared_is_said_in_toml(owner, name, constraints):
    error = placed(FILE, "estimator.", invalid(name, owner, Alternatives(constraints), object()))
    assert error.parameter == f"estimator.{name}"
    assert error.owner == str(FILE)
    assert str(error).startswith(f"{FILE}: estimator.{name} must be {error.must}. Got <object")
    assert error.must
    for python in ["instance", "callable", "None", "True", "numpy", "torch", "{'", "bool"]:
        assert python not in error.must.replace('"none"', "")


@pytest.mark.parametrize(
    ("constraints", "must"),
    [
        ([str, type], "a text"),
        ([list, tuple, None], 'a list or "none"'),
        (["boolean"], "true or false"),
        ([callable, dict, None], 'a table or "none"'),
        (["random_state"], 'an int in the range [0, 4294967295] or "none"'),
        ([callable], "a callable"),  # nothing that a file could hold
    ],
)
def test_the_form_in_a_file(constraints, must):
    assert field_error(FILE, "a.b", Alternatives(constraints), 0).must == must


def test_names_and_places():
    inner = invalid("module__width", "a net of two words", "big", None, Phrase("{Pass path=}."))
    error = placed(FILE, "estimator.", inner)
    assert str(error) == (
        f'{FILE}: estimator.module_params.width must be big. Got "none" instead. Set dataset.path.'
    )
    assert error.remedy == "Set dataset.path."
    error = placed("command line", "--", invalid("n_jobs", "f", "big", 0), {"n_jobs": "jobs"})
    assert str(error) == "command line: --jobs must be big. Got 0 instead."
    assert (error.parameter, error.owner) == ("--jobs", "command line")


@pytest.mark.parametrize("place", ["protocol.", "protocol"])
@pytest.mark.parametrize("kind", [ValueError, InvalidParameterError, DatasetError])
def test_what_is_about_no_field_says_where_it_comes_from(kind, place):
    error = placed(FILE, place, kind("The 'a' parameter of b must be c. Got d instead."))
    assert str(error) == f"{FILE}: protocol: The 'a' parameter of b must be c. Got d instead."
    assert str(within(FILE, "x", DatasetError("Gone.", Phrase("{Pass path=}.")))) == (
        f"{FILE}: x: Gone. Set dataset.path."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, '"none"'),
        (True, "true"),
        (1.5, "1.5"),
        ("é", '"é"'),
        ((1, None), '[1, "none"]'),
        ({"a": [False]}, "{ a = [false] }"),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (Description("a lot of it"), "a lot of it"),
        (skactive.Margin(), "Margin()"),
    ],
)
def test_values(value, text):
    assert as_toml(value) == text


def test_options_stand_for_parameters():
    error = invalid("path", "load", Phrase("{None} here"), "x y", Phrase("{Pass path=}."))
    words = {"None": "left out", "Pass path=": "Pass --data-path"}
    assert told(error, words, {"path": "--data-path"}) == (
        "--data-path must be left out here. Got 'x y' instead. Pass --data-path."
    )
    assert told(error, {}, {}) == str(error)
    assert (
        told(ValueError("Pass path= to None"), IN_A_FILE, {"path": "--x"}) == "Pass path= to None"
    )
