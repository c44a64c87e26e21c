"""What people are asked now, and whether another bundle would ask it still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from engine.policy.flip_names import ALLOW, APPROVAL, DENY
from engine.session.state.event import Event, EventKind
from engine.spec.request_kind import RequestKind
from engine.whatif.flip import Flip


def open_calls(log: Sequence[Event]) -> tuple[str, ...]:
    """For each approval that people are asked for at the end of a log, the id of its call."""
    found: dict[str, str] = {}
    for event in log:
        if event.kind is EventKind.REQUEST_OPENED and event.payload["request_kind"] == RequestKind.APPROVAL:
            found[event.payload["request_id"]] = event.payload["call_id"]
        elif event.kind in (EventKind.REQUEST_ANSWERED, EventKind.REQUEST_CLOSED):
            found.pop(event.payload["request_id"], None)
    return tuple(found.values())


@dataclass
class OpenRequests:
    """How many approvals are open, and what another bundle would say of their calls; of the rest it says the same."""

    open: int = 0
    would_run: int = 0
    would_be_denied: int = 0
    would_ask_otherwise: int = 0
    not_known: int = 0
    # sessions of which nobody can say what they ask
    unreadable: int = 0

    def add(self, calls: Iterable[str], flips: Iterable[Flip]) -> None:
        """Count those of one session."""
        after = {flip.call_id: flip.after for flip in flips}
        for call in calls:
            self.open += 1
            match after.get(call):
                case None:
                    pass
                case word if word == ALLOW:
                    self.would_run += 1
                case word if word == DENY:
                    self.would_be_denied += 1
                case word if word == APPROVAL:
                    self.would_ask_otherwise += 1
                case _:
                    self.not_known += 1

    def payload(self) -> dict[str, int]:
        """As JSON."""
        return asdict(self)

    def told(self) -> str:
        """In words; empty where nothing is open."""
        if not self.open and not self.unreadable:
            return ""
        parts = [
            f"{self.would_run} would no longer ask" if self.would_run else "",
            f"{self.would_be_denied} would be denied" if self.would_be_denied else "",
            f"{self.would_ask_otherwise} would ask otherwise" if self.would_ask_otherwise else "",
            f"of {self.not_known} it is not known" if self.not_known else "",
        ]
        said = ", ".join(part for part in parts if part) or "all would be asked as they are"
        unread = f"; what {self.unreadable} that can't be read ask is not known" if self.unreadable else ""
        return f"of {self.open} open request{'s' if self.open != 1 else ''}: {said}{unread}"
