"""Texts of which more may come: what may be shown of one so far."""

from __future__ import annotations

import re
from collections.abc import Iterable


def shown_so_far(text: str, found: re.Pattern[str], wholes: Iterable[str], mark: str) -> str:
    """A text with a mark for all that is found, without an end that may become one of the wholes.

    Nothing that is found is cut: what is held back begins before it then.
    """
    cut = len(text) - max((overlap(text, whole) for whole in wholes), default=0)
    cut = min((one.start() for one in found.finditer(text) if one.start() < cut < one.end()), default=cut)
    return found.sub(mark, text[:cut])


def overlap(text: str, whole: str) -> int:
    """How many characters at the end of a text are the beginning, and not all, of another."""
    at = max(len(text) - len(whole) + 1, 0)
    while (at := text.find(whole[:1], at)) >= 0 and at < len(text):
        if whole.startswith(text[at:]):
            return len(text) - at
        at += 1
    return 0
