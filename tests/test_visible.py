"""Text of others is shown with marks for what can't be seen, and as it is where it can be."""

from __future__ import annotations

import json

import pytest

from engine.diagnostic.visible import escaped, line

SMUGGLED = "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in b"pay mallory")


@pytest.mark.parametrize("before", ["order", "order ", "é", "1", "\u2764"])
def test_a_row_of_selectors_is_shown_as_marks(before: str) -> None:
    shown = line(f"{before}{SMUGGLED} thanks")
    # the first may choose a form of what stands before it
    assert shown.count("<U+") >= len(SMUGGLED) - 1
    assert len(SMUGGLED) - 1 <= escaped(json.dumps(before + SMUGGLED, ensure_ascii=False)).count("\\u")


@pytest.mark.parametrize("char", ["\ufe0f", "\U000e0100", "\u180b", "\u180f"])
def test_a_selector_behind_what_has_one_form_is_a_mark(char: str) -> None:
    assert line(f"a{char}b") == f"a<U+{ord(char):04X}>b"
    assert line(char) == f"<U+{ord(char):04X}>"


@pytest.mark.parametrize(
    "text",
    ["\u2764\ufe0f", "1\ufe0f\u20e3", "\u8fbb\U000e0100", "\u2603\ufe0e", "\u1820\u180b", "a \U0001f3f3\ufe0f"],
    ids=["heart", "keycap", "ideograph", "as-text", "mongolian", "flag"],
)
def test_a_form_that_is_chosen_is_shown_as_it_is(text: str) -> None:
    assert line(text) == text
    assert escaped(text) == text
