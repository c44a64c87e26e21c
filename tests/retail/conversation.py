"""Conversations as the engine is to see them: one decision after the other, and what has to come of each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.session.judge import CALL, CONFIRMED, PriorEvent

ALLOWED, STOPPED = "allowed", "stopped"


@dataclass(frozen=True, slots=True)
class Call:
    """A call, what was recorded of it, and whether it must happen; None where nothing is asked."""

    tool: str
    args: Mapping[str, Any]
    kind: str = "read"
    output: Any = None
    error: str | None = None
    must: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One decision; `yes` is the call that the customer confirms before it."""

    calls: tuple[Call, ...]
    yes: Call | None = None

    @property
    def call(self) -> Call:
        """The only call, or the first."""
        return self.calls[0]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one customer wants, and what is done for them."""

    name: str
    message: str
    user_id: str
    turns: tuple[Turn, ...] = field(default=(), repr=False)

    def writes(self) -> Iterator[tuple[int, Call]]:
        """The recorded writes, with the number of their turn."""
        for number, turn in enumerate(self.turns):
            for call in turn.calls:
                if call.kind == "write":
                    yield number, call

    def past_of(self, number: int) -> list[PriorEvent]:
        """What was recorded before the call of a turn, the yes to it among it."""
        found: list[PriorEvent] = []
        for place, turn in enumerate(self.turns[: number + 1]):
            if turn.yes is not None:
                found.append(PriorEvent(CONFIRMED, turn.yes.tool, turn.yes.args))
            if place < number:
                found += [PriorEvent(CALL, c.tool, c.args, c.output, c.error) for c in turn.calls]
        return found


def conversation(episode: Mapping[str, Any]) -> Conversation:
    """A recorded one; the writes that follow the policy must happen, the others must not."""
    right = {write["step"]: write["follows_policy"] for write in episode["writes"]}
    turns: list[Turn] = []
    confirmed = False
    for number, step in enumerate(episode["steps"]):
        if step["event"] == CONFIRMED:
            confirmed = True
            continue
        must = (ALLOWED if right[number] else STOPPED) if number in right else None
        call = Call(step["tool"], step["args"], step["kind"], step.get("output"), step.get("error"), must)
        yes = call if confirmed and call.kind == "write" else None
        confirmed = confirmed and yes is None
        turns.append(Turn((call,), yes))
    return Conversation(episode["task"], episode["instruction"], episode["user_id"] or "", tuple(turns))


def without_yes(told: Conversation) -> Conversation:
    """The same without a single yes of the customer: no write of it may happen."""
    turns = tuple(Turn(tuple(_stopped(call) for call in turn.calls)) for turn in told.turns)
    return replace(told, name=f"{told.name}-without-yes", turns=turns)


def _stopped(call: Call) -> Call:
    return replace(call, must=STOPPED, rule="") if call.kind == "write" else call
