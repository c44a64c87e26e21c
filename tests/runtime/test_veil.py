"""What is sealed of values that are too short to be looked for."""

from __future__ import annotations

from typing import Any

import pytest

from engine.runtime.cipher import Cipher
from engine.runtime.seals import Seals
from engine.session.sealed_tokens import is_sealed
from engine.session.state.event import Event, EventKind
from tests.runtime.test_sensitive_borders import sealed
from tests.session.play import START

MADE = sealed()


def event_of(kind: EventKind, payload: dict[str, Any]) -> Event:
    return Event("s", 1, 0, kind, payload, START)


def seals() -> Seals:
    found = Seals(Cipher(["one key"], "one key"), MADE, MADE.agents["bot"])
    found.learn([event_of(EventKind.SESSION_STARTED, {"attributes": {"tenant": "acme", "user": "ada-4411"}})])
    return found


@pytest.mark.parametrize(
    ("message", "hidden"),
    [("positive: true", True), ("pin 42", True), ("untrue", False), ("vip false", False), ("nothing", False)],
)
def test_a_message_of_the_bundle_that_says_what_is_short_is_sealed(message: str, hidden: bool) -> None:
    one = seals()
    one.learn([event_of(EventKind.CALL_PROPOSED, {"call_id": "a", "tool": "look", "input": {"iban": "x9", "pin": 42}})])
    one.learn([event_of(EventKind.TOOL_RESULT, {"call_id": "a", "tool": "look", "output": {"vip": True}})])
    told = one.sealed(event_of(EventKind.VERDICT, {"call_id": "a", "tool": "look", "message": message}))
    assert is_sealed(told.payload["message"]) is hidden
