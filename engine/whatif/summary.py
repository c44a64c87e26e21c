"""The flips of many sessions as a table: per rule what becomes of what, how often, and about how much money."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from engine.whatif.flip import Flip, sum_money


@dataclass(frozen=True, slots=True)
class FlipRow:
    """All flips of one name."""

    rule: str
    kind: str
    loosens: bool
    flips: tuple[Flip, ...]
    accepted: bool

    @property
    def name(self) -> str:
        """What it is acknowledged by."""
        return f"{self.rule}:{self.kind}"

    @property
    def calls(self) -> int:
        """How many calls would have been judged otherwise."""
        return len(self.flips)

    @property
    def sessions(self) -> int:
        """In how many sessions."""
        return len({flip.session_id for flip in self.flips})

    @property
    def money(self) -> dict[str, Any]:
        """What those calls were about, by unit."""
        return sum_money(self.flips)

    @property
    def open(self) -> bool:
        """Whether it loosens, and nobody answers for it."""
        return self.loosens and not self.accepted

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule,
            "flip": self.kind,
            "loosens": self.loosens,
            "calls": self.calls,
            "sessions": self.sessions,
            "money": self.money,
            "accepted": self.accepted,
        }


def tally(flips: Iterable[Flip], accepted: Callable[[Flip], bool]) -> list[FlipRow]:
    """A row for each rule and flip, what loosens first, then what is most frequent.

    A row is accepted if all of it that loosens is.
    """
    groups: dict[tuple[str, str], list[Flip]] = {}
    for flip in flips:
        groups.setdefault((flip.rule, flip.kind), []).append(flip)
    rows = []
    for (rule, kind), found in groups.items():
        loosening = [flip for flip in found if flip.loosens]
        answered = bool(loosening) and all(accepted(flip) for flip in loosening)
        rows.append(FlipRow(rule, kind, bool(loosening), tuple(found), answered))
    return sorted(rows, key=lambda row: (not row.loosens, -row.calls, row.name))
