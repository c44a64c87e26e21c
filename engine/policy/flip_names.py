"""How a change of a verdict is named: `refund-threshold:approval→allow`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.policy.rule import Effect

ALLOW, APPROVAL, DENY, WITHHELD, UNKNOWN = "allow", "approval", "deny", "withheld", "unknown"

# of tools that an agent has or has no more, and of inputs that a schema takes or takes no more
ADDED, REMOVED, ACCEPTED = "added", "removed", "taken"
# of guarantees: `no-large-refund:promised→removed`
PROMISED = "promised"

# what a verdict is due to where no rule makes it
NOT_OFFERED, INVALID_INPUT = "not_offered", "invalid_input"

STRICTNESS = {ALLOW: 0, APPROVAL: 1, DENY: 2, WITHHELD: 2}

FLIP_WORDS = (*STRICTNESS, UNKNOWN, ADDED, REMOVED, ACCEPTED, PROMISED)
_ARROW = re.compile(r"\s*(?:→|->|-to-|\bto\b)\s*")
_SAME = {"require_approval": APPROVAL, "require-approval": APPROVAL, "ask": APPROVAL}


# an effect is its own text, and is found by it
_OF_EFFECT: Mapping[str, str] = {Effect.ALLOW: ALLOW, Effect.REQUIRE_APPROVAL: APPROVAL, Effect.DENY: DENY}


def word(effect: Effect | str) -> str:
    """A verdict in the words of a flip."""
    return _OF_EFFECT[effect]


class BadFlip(ValueError):
    """A text that names no change of a verdict."""


def flip_name(text: str) -> str:
    """The name as somebody wrote it, with `->` or `→` and any word for asking, in one form; raises BadFlip."""
    rule, colon, kind = text.strip().rpartition(":")
    words = [_SAME.get(part, part) for part in _ARROW.split(kind.strip())]
    if not colon or not rule or len(words) != 2 or not set(words) <= set(FLIP_WORDS):
        known = ", ".join(FLIP_WORDS)
        raise BadFlip(f"`{text}` is no flip such as `refund-threshold:approval->allow`, between two of {known}")
    return f"{rule}:{words[0]}→{words[1]}"
