"""How a change of a verdict is named: `refund-threshold:approval→allow`."""

from __future__ import annotations

import re

ALLOW, APPROVAL, DENY, WITHHELD, UNKNOWN = "allow", "approval", "deny", "withheld", "unknown"

# of tools that an agent has or has no more, and of inputs that a schema takes or takes no more
ADDED, REMOVED, TAKEN = "added", "removed", "taken"

STRICTNESS = {ALLOW: 0, APPROVAL: 1, DENY: 2, WITHHELD: 2}

FLIP_WORDS = (*STRICTNESS, UNKNOWN, ADDED, REMOVED, TAKEN)
_ARROW = re.compile(r"\s*(?:→|->|-to-|\bto\b)\s*")
_SAME = {"require_approval": APPROVAL, "require-approval": APPROVAL, "ask": APPROVAL}


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
