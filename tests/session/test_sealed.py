"""What is sealed is known by its form, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.sealed_tokens import PREFIX, holds_sealed

TOKEN = f"{PREFIX}gAAAA"


@pytest.mark.parametrize("value", [TOKEN, f"to {TOKEN}.", [1, {"a": TOKEN}], {TOKEN: 1}, {"a": (None, [TOKEN])}])
def test_a_token_is_found_wherever_it_stands(value: Any) -> None:
    assert holds_sealed(value)


@pytest.mark.parametrize("value", ["", "sealed", 1, None, True, [], {}, {"a": ["b", {"c": 1}]}])
def test_what_holds_none_is_not_taken_for_one(value: Any) -> None:
    assert not holds_sealed(value)
