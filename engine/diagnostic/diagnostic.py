"""A complaint about the user's files: a value, collected with all others and never raised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.diagnostic.place import Place


class Severity(StrEnum):
    """How bad it is: an error stops the bundle from loading, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One complaint with one cause; the message stands alone, advice is only in `help`."""

    code: str
    severity: Severity
    message: str
    place: Place
    note: str = ""
    help: str = ""


def sort(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """All of them by place, then code, each said once."""
    unique: dict[object, Diagnostic] = {}
    for diagnostic in diagnostics:
        unique.setdefault((diagnostic.code, diagnostic.place, diagnostic.message), diagnostic)
    return tuple(sorted(unique.values(), key=lambda d: (d.place, d.code, d.message)))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them keeps the bundle from loading."""
    return any(d.severity is Severity.ERROR for d in diagnostics)
