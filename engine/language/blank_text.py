"""Whether a text says anything to whoever reads it."""

from __future__ import annotations

import unicodedata

# letters and symbols of Unicode that are blank
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def says_something(text: str) -> bool:
    """Whether a letter, a digit or a symbol is to be seen in it: blanks, dashes and dots alone tell nobody anything."""
    return any(unicodedata.category(char)[0] in "LNS" and char not in _BLANK for char in text)
