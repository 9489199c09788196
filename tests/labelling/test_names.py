import pytest

from skactive.labelling._errors import RefusedError
from skactive.labelling._names import KEYS, class_id, class_names, labeller_id


def test_ids_never_change(database):
    assert class_id(database, "green") == 2
    assert class_id(database, " green ") == 2
    assert labeller_id(database, "ada") == 1
    assert class_names(database) == {1: "blue", 2: "green", 3: "red"}


def test_names_are_text_in_one_form(database):
    composed, decomposed = "caf\u00e9/tea", "cafe\u0301/tea"
    assert class_id(database, composed) == class_id(database, decomposed)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, 3, None, "\ud800"])
def test_other_names_are_refused(name, database):
    with pytest.raises(RefusedError, match="A name"):
        class_id(database, name)


def test_keys_go_to_the_first_classes_and_are_never_commands(database):
    for i in range(60):
        class_id(database, f"class {i}")
    keys = [key for (key,) in database.read("SELECT key FROM class ORDER BY position")]
    assert keys[: len(KEYS)] == list(KEYS)
    assert set(keys[len(KEYS) :]) == {None}
    assert not set(KEYS) & set("ghvz/? 0")
