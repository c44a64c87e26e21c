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
    """One complaint with one cause; the message stands alone, advice is only in `help`.

    One that is said `on_entry` keeps a bundle out that comes in now, and not one that was stored before there was it.
    """

    code: str
    severity: Severity
    message: str
    place: Place
    note: str = ""
    help: str = ""
    on_entry: bool = False


def sort(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """All of them by place, then code, each said once; what others stand on (specs, then policies) comes first."""
    unique: dict[object, Diagnostic] = {}
    for diagnostic in diagnostics:
        unique.setdefault((diagnostic.code, diagnostic.place, diagnostic.message), diagnostic)
    return tuple(sorted(unique.values(), key=lambda d: (_rank(d.place.file), d.place, d.code, d.message)))


def _rank(file: str) -> int:
    return next((rank for rank, folder in enumerate(("specs/", "policies/")) if file.startswith(folder)), 2)


def has_errors(diagnostics: Iterable[Diagnostic], *, stored: bool = False) -> bool:
    """Whether any of them keeps the bundle from loading; one that is `stored` has entered long ago."""
    return any(d.severity is Severity.ERROR and not (stored and d.on_entry) for d in diagnostics)
