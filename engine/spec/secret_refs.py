"""References to secrets in documents, `${secret:NAME}`: a bundle names them and never holds them."""

from __future__ import annotations

import re
from collections.abc import Callable

_REFERENCE = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
_ALMOST_REFERENCE = re.compile(r"\$\{\s*secret\b[^}]*\}?")


def references(text: str) -> list[str]:
    """The names of the secrets that a text refers to."""
    return _REFERENCE.findall(text)


def malformed(text: str) -> tuple[int, int] | None:
    """Where a text means to refer to a secret and does not, as offsets; None if it is well formed."""
    found = _ALMOST_REFERENCE.search(_REFERENCE.sub(lambda match: " " * len(match[0]), text))
    return None if found is None else found.span()


def filled(text: str, reveal: Callable[[str], str]) -> str:
    """The text with the secrets in their places."""
    return _REFERENCE.sub(lambda match: reveal(match[1]), text)
