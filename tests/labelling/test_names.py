import pytest

from skactive.labelling._errors import RefusedError
from skactive.labelling._names import (
    KEYS,
    class_id,
    class_names,
    labeller_id,
    merge_class,
    rename_class,
)


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


def test_a_class_gets_another_name(database):
    rename_class(database, "blue", " navy ")
    assert class_names(database) == {1: "navy", 2: "green", 3: "red"}
    rename_class(database, "navy", "navy")
    with pytest.raises(RefusedError, match="class 'green' already; merge"):
        rename_class(database, "navy", "green")
    with pytest.raises(RefusedError, match="There is no class 'blue'"):
        rename_class(database, "blue", "sky")


def test_merged_classes_are_one_and_a_key_is_free(database):
    merge_class(database, "green", "blue")
    assert class_names(database) == {1: "blue", 2: "blue", 3: "red"}
    merge_class(database, "blue", "red")
    assert set(class_names(database).values()) == {"red"}
    with pytest.raises(RefusedError, match="one class already"):
        merge_class(database, "green", "red")
    with pytest.raises(RefusedError, match="There is no class 'typo'"):
        merge_class(database, "typo", "red")
    assert class_id(database, "typo") == 4  # it was not made by the attempt
    assert database.value("SELECT key FROM class WHERE id = 4") == "1"
    rename_class(database, "blue", "crimson")  # what it is part of now
    assert set(class_names(database).values()) == {"crimson", "typo"}


def test_keys_go_to_the_first_classes_and_are_never_commands(database):
    for i in range(60):
        class_id(database, f"class {i}")
    keys = [key for (key,) in database.read("SELECT key FROM class ORDER BY position")]
    assert keys[: len(KEYS)] == list(KEYS)
    assert set(keys[len(KEYS) :]) == {None}
    assert not set(KEYS) & set("ghvz/? 0")
