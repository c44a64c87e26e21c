"""The manual of one diagnostic code, kept in the file of the rule that says it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.diagnostic.diagnostic import Diagnostic, Severity
from engine.diagnostic.place import Place


@dataclass(frozen=True, slots=True)
class Manual:
    """What a code means, why it matters, and a wrong and a right example in YAML."""

    code: str
    title: str
    what: str
    why: str
    wrong: str
    right: str
    severity: Severity = Severity.ERROR

    def at(self, place: Place, message: str, *, note: str = "", help: str = "", on_entry: bool = False) -> Diagnostic:
        """The diagnostic of this code at a place."""
        return Diagnostic(self.code, self.severity, message, place, note, help, on_entry)

    def page(self) -> str:
        """The manual page as Markdown."""
        return (
            f"# {self.code}: {self.title}\n\n"
            f"Severity: {self.severity.value}.\n\n"
            f"## What it says\n\n{self.what.strip()}\n\n"
            f"## Why it matters\n\n{self.why.strip()}\n\n"
            f"## Wrong\n\n```yaml\n{self.wrong.strip()}\n```\n\n"
            f"## Right\n\n```yaml\n{self.right.strip()}\n```\n"
        )
