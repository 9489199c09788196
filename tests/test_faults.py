"""The error for a wrong argument: what it carries, what it says, and whose parameter it names."""

import copy
import pickle
import re
import sys
import threading
from typing import ClassVar

import joblib
import numpy as np
import pytest
from sklearn.utils import _param_validation

import skactive
from skactive import CNNClassifier, Margin, exceptions, strategies
from skactive._faults import (
    Alternatives,
    DeclaredParameters,
    Description,
    InvalidParameterError,
    invalid,
    on_behalf_of,
)
from skactive._phrases import Phrase
from skactive._validation import check_count


class Caller:
    pass


def attributes(error):
    return error.parameter, error.owner, error.must, error.got, error.remedy


def test_an_error_carries_what_it_says():
    error = invalid("size", Caller(), "good", [3], "Mend it.")
    assert str(error) == "The 'size' parameter of Caller must be good. Got [3] instead. Mend it."
    assert attributes(error) == ("size", "Caller", "good", [3], "Mend it.")
    assert str(invalid("a__b", "f", "good", Description("a lot"))) == (
        "The 'a__b' parameter of f must be good. Got a lot instead."
    )


def test_words_of_its_own():
    error = InvalidParameterError("In words of its own.", "Mend it.")
    assert str(error) == "In words of its own. Mend it."
    assert attributes(error) == ("", "", "", None, "Mend it.")


def test_it_is_public_and_what_scikit_learn_raises(warm):
    assert exceptions.InvalidParameterError is InvalidParameterError
    assert "InvalidParameterError" in exceptions.__all__
    for kind in (ValueError, TypeError, _param_validation.InvalidParameterError):
        assert issubclass(InvalidParameterError, kind)
    with pytest.raises(AttributeError, match=r"'skactive\.exceptions' has no attribute 'Nope'"):
        _ = exceptions.Nope
    code = "from skactive import Margin; Margin(batch_size=0).select(None, [[0.0]], 1)"
    status, said = warm.run(code)
    assert status == 1
    assert said.splitlines()[-1].startswith(
        "skactive.exceptions.InvalidParameterError: The 'batch_size' parameter of"
    )


@pytest.mark.parametrize(
    "got",
    [None, True, 3, 0.5, "text", np.zeros((2, 3)), [1], threading.Lock(), lambda: 0],
    ids=lambda got: type(got).__name__,
)
def test_it_can_be_pickled_and_copied(got):
    must = Alternatives([None, type("Local", (), {})])  # a constraint that cannot be pickled
    error = invalid("size", "f", must, got, Phrase("{Pass a=} of {b}.", b="{c}"))
    error.add_note("a note") if sys.version_info >= (3, 11) else None
    again = [pickle.loads(pickle.dumps(error, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in [*again, copy.copy(error), copy.deepcopy(error)]:
        assert type(other) is InvalidParameterError
        assert str(other) == str(error)
        assert str(other.renamed("g", {})) == str(error).replace("of f must", "of g must")
        assert attributes(other)[:3] == attributes(error)[:3]
        assert other.remedy.said({"Pass a=": "Set --a"}) == "Set --a of {c}."
        assert getattr(other, "__notes__", None) == getattr(error, "__notes__", None)
        if got is None or isinstance(got, (int, float, str)):
            assert other.got is got or other.got == got


@pytest.mark.parametrize("kind", [exceptions.DatasetError, exceptions.ResultsMismatchError])
def test_so_can_others_that_have_a_remedy(kind):
    error = kind("Gone.", Phrase("{Pass path=}."))
    assert str(error) == "Gone. Pass path=."
    for other in [pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)]:
        assert (type(other), str(other)) == (kind, str(error))
        assert (other.fault, other.remedy) == ("Gone.", "Pass path=.")
        assert other.remedy.said({"Pass path=": "Set x"}) == "Set x."
    assert str(kind("In one sentence.")) == "In one sentence."


def test_it_comes_back_from_another_process():
    wrong = joblib.delayed(check_count)("n", "f", 0)
    message = r"^The 'n' parameter of f must be an int of at least 1\. Got 0 instead\.$"
    with pytest.raises(InvalidParameterError, match=message) as caught:
        joblib.Parallel(n_jobs=2)([wrong, wrong])
    assert attributes(caught.value) == ("n", "f", "an int of at least 1", 0, "")


# On behalf of a caller ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "owner",
    ["inner", "a net under NLLLoss, queried by Margin", "a 'b' parameter of c must be d. Got e"],
)
@pytest.mark.parametrize(("given", "named"), [("kind", "mask"), ("size", "size"), ("a__b", "c__d")])
def test_messages_name_the_callers_parameters(owner, given, named):
    with (
        pytest.raises(InvalidParameterError) as caught,
        on_behalf_of(Caller(), kind="mask", a__b="c__d"),
    ):
        raise invalid(given, owner, "good", 3, "Mend it.")
    error = caught.value
    assert str(error) == (
        f"The {named!r} parameter of Caller must be good. Got 3 instead. Mend it."
    )
    assert attributes(error) == (named, "Caller", "good", 3, "Mend it.")
    assert f"{given!r} parameter of {owner}" in str(error.__cause__)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("something else"),
        InvalidParameterError("in words of its own"),
        # one of an estimator that is not ours: about its parameter, and no one else's
        _param_validation.InvalidParameterError("The 'C' parameter of SVC must be big. Got 0."),
    ],
    ids=lambda error: str(error)[:9],
)
def test_other_errors_are_left_as_they_are(error):
    with (
        pytest.raises(type(error), match=f"^{re.escape(str(error))}$") as caught,
        on_behalf_of(Caller()),
    ):
        raise error
    assert caught.value is error


# Declared constraints -----------------------------------------------------------------------

PUBLIC = [getattr(skactive, name) for name in skactive.__all__]
PUBLIC = [kind for kind in PUBLIC if hasattr(kind, "_parameter_constraints")]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_declared_parameters_are_refused_as_scikit_learn_does(kind):
    assert issubclass(kind, DeclaredParameters)
    constraints = kind._parameter_constraints
    assert constraints
    for name in constraints:
        params = {name: object()}
        members = {"_parameter_constraints": constraints, "get_params": lambda _, deep: params}  # noqa: B023
        checked = type(kind.__name__, (DeclaredParameters,), members)()
        with pytest.raises(_param_validation.InvalidParameterError) as theirs:
            _param_validation.validate_parameter_constraints(constraints, params, kind.__name__)
        with pytest.raises(InvalidParameterError) as ours:
            checked._validate_params()
        assert str(ours.value) == str(theirs.value)
        assert ours.value.parameter == name
        assert ours.value.owner == kind.__name__
        assert ours.value.got is params[name]


def test_what_is_not_declared_is_not_checked():
    class Loose(DeclaredParameters):
        _parameter_constraints: ClassVar[dict] = {
            "free": "no_validation",
            "some": [_param_validation.Hidden(_param_validation.StrOptions({"secret"})), int],
        }

        def __init__(self, some):
            self.some = some

        def get_params(self, deep):
            return {"free": object(), "other": object(), "some": self.some}

    Loose(3)._validate_params()
    Loose("secret")._validate_params()
    message = r"^The 'some' parameter of Loose must be an instance of 'int'\. Got 'x' instead\.$"
    with pytest.raises(InvalidParameterError, match=message):
        Loose("x")._validate_params()


@pytest.mark.parametrize(
    ("call", "parameter", "owner", "got"),
    [
        (lambda: CNNClassifier(max_epochs=0).fit([[0.0]], [0]), "max_epochs", "CNNClassifier", 0),
        (lambda: CNNClassifier(max_epochs=0).partial_fit([[0.0]], [0]), "max_epochs", None, 0),
        (lambda: skactive.ImageReader(mode="x").transform(["a"]), "mode", "ImageReader", "x"),
        (lambda: Margin(batch_size=0).select(None, [[0.0]], 1), "batch_size", "Margin", 0),
        (
            lambda: strategies.Subsample(Margin(), n=0).select(None, [[0.0]], 1),
            "n",
            "Subsample",
            0,
        ),
        (lambda: strategies.Hybrid("x").select(None, [[0.0]], 1), "strategies", "Hybrid", "x"),
    ],
)
def test_users_get_the_attributes(call, parameter, owner, got):
    with pytest.raises(exceptions.InvalidParameterError) as caught:
        call()
    assert caught.value.parameter == parameter
    assert caught.value.owner == owner or owner is None
    assert caught.value.got == got
    assert caught.value.must in str(caught.value)
