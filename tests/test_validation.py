"""Messages that speak of the caller's parameters."""

import pytest

from skactive._validation import InvalidParameterError, invalid, on_behalf_of


class Caller:
    pass


def test_messages_name_the_callers_parameters():
    message = r"^The 'mask' parameter of Caller must be good\. Got 3 instead\. Mend it\.$"
    with (
        pytest.raises(InvalidParameterError, match=message) as caught,
        on_behalf_of(Caller(), kind="mask"),
    ):
        raise invalid("kind", "inner", "good", 3, "Mend it.")
    assert "'kind' parameter of inner" in str(caught.value.__cause__)
    message = r"^The 'size' parameter of Caller must be good\. Got 3 instead\.$"
    with pytest.raises(InvalidParameterError, match=message), on_behalf_of(Caller(), kind="mask"):
        raise invalid("size", "inner", "good", 3)


def test_other_errors_are_left_as_they_are():
    with pytest.raises(ValueError, match=r"^something else$"), on_behalf_of(Caller()):
        raise ValueError("something else")
    with (
        pytest.raises(InvalidParameterError, match=r"^in words of its own$"),
        on_behalf_of(Caller()),
    ):
        raise InvalidParameterError("in words of its own")
