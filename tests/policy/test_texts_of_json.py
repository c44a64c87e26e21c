"""What JSON's texts and keys may be, at the border where values become exact."""

from __future__ import annotations

import pytest

from engine.language.value import NotJson, exact, is_encodable


@pytest.mark.parametrize(("value", "can"), [({"a": ["ß", 1]}, True), ("\udfff", False), ({"\ud800": 1}, False)])
def test_half_of_a_surrogate_pair_can_not_be_written(value: object, can: bool) -> None:
    assert is_encodable(value) is can


def test_keys_are_texts() -> None:
    with pytest.raises(NotJson, match="keys must be text"):
        exact({1: "one"})


def test_a_key_that_is_a_kind_of_text_is_one() -> None:
    class Word(str):
        """A text with a class of its own, as an enum of words has."""

    assert exact({Word("a"): 1}) == {"a": 1}
