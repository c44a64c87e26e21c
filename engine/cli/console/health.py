"""What was looked at and how it stands, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.cli.console.trace_printer import print_json, table
from engine.session.exit_code import FAILED, OK

GOOD, LOOK, BAD = "good", "look at it", "bad"
_COLOURS = {GOOD: "green", LOOK: "yellow", BAD: "bold red"}


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """What was looked at, how it stands, and what to do."""

    what: str
    standing: str
    told: str

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {"what": self.what, "standing": self.standing, "told": self.told}


def show(title: str, found: Sequence[HealthFinding], output_format: str) -> int:
    """Show what was found, as text or as JSON; the exit code, which is 1 where something is bad."""
    if output_format == "json":
        print_json([one.payload() for one in found])
    else:
        table(title, ["what", "standing", "told"], [[one.what, one.standing, one.told] for one in found], _COLOURS)
    return FAILED if any(one.standing == BAD for one in found) else OK
