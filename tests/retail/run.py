"""Runs conversations through the engine: real tools on a database and a store of their own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.policy.rule import CUSTOMER
from engine.ports.planner import PlannerError
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.planner_view import PlannerView
from engine.session.state.event import Event, EventKind
from engine.session.state.state import State, Status
from engine.spec.bundle import Bundle
from engine.store.urls import open_url
from engine.trio_clock import TrioClock
from tests.retail.conversation import ALLOWED, Call, Conversation, Turn

START = datetime(2024, 5, 15, 20, 0, tzinfo=UTC)
DATABASE = Path("data/retail.db")


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one call: how it ended, what it gave, whether its tool ran, and which rules matched."""

    call: Call
    status: str
    output: Any
    ran: bool
    stopped_by: frozenset[str]

    @property
    def as_it_must(self) -> bool:
        """Whether it happened, with the recorded output, or was stopped, by the rule that has to."""
        if self.call.must is None:
            return True
        if self.call.must == ALLOWED:
            return self.ran and self.status == "ok" and alike(self.output, self.call.output)
        return self.status == "blocked" and (not self.call.rule or self.call.rule in self.stopped_by)

    @property
    def as_recorded(self) -> bool:
        """Whether a read gave what was recorded; what was recorded as an error is null here."""
        return self.status == "ok" and alike(self.output, self.call.output if self.call.error is None else None)

    @property
    def ran_as_write(self) -> bool:
        """Whether it may have changed something."""
        return self.ran and self.call.kind == "write"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a conversation."""

    told: Conversation
    came: tuple[Came, ...]
    state: State

    @property
    def wrong(self) -> list[Came]:
        """The calls that did not come out as they must."""
        return [came for came in self.came if not came.as_it_must]


async def run(bundle: Bundle, told: Conversation, shop: Path, folder: Path) -> Outcome:
    """One conversation in a folder of its own, on a copy of the shop's database."""
    (folder / DATABASE.parent).mkdir(parents=True)
    shutil.copyfile(shop, folder / DATABASE)
    async with open_url(f"sqlite:///{folder / 'engine.db'}", clock=TrioClock(START)) as store:
        script = _Script(told.turns)
        engine = Runner(store, root=folder, planner=script)
        agent = next(iter(bundle.agents))
        session_id = await engine.start(bundle, Opening(agent, told.message, {}), folder)
        script.speak(engine, session_id)
        state = await engine.drive(session_id)
        while state.status is Status.AWAITING_CONFIRMATION:
            # the customer did not say yes beforehand, and does not when asked
            await engine.answer(state.open_requests()[0].id, "deny", CUSTOMER)
            state = await engine.drive(session_id)
        return Outcome(told, _came(told, await store.load(session_id)), state)


class _Script:
    """A planner that says what was recorded; the customer's yes comes right before the call that it is for."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = iter(enumerate(turns))
        self._engine: Runner | None = None
        self._session = ""

    def speak(self, engine: Runner, session_id: str) -> None:
        """Through which engine the customer speaks."""
        self._engine, self._session = engine, session_id

    async def propose(self, view: PlannerView) -> Any:
        """See `ports.Planner`."""
        if view.problems:
            raise PlannerError("; ".join(view.problems))
        number, turn = next(self._turns, (0, None))
        if turn is None:
            return {"message": "That was all.", "tool_calls": [], "done": True}
        if turn.yes is not None and self._engine is not None:
            await self._engine.confirm(self._session, turn.yes.tool, turn.yes.args)
        calls = [
            {"id": _id(number, place), "name": call.tool, "input": dict(call.args)}
            for place, call in enumerate(turn.calls)
        ]
        return {"message": "", "tool_calls": calls, "done": False}


def _id(turn: int, place: int) -> str:
    return f"turn-{turn}-{place}"


def _came(told: Conversation, events: Sequence[Event]) -> tuple[Came, ...]:
    ends = {e.payload["call_id"]: e.payload for e in events if e.kind is EventKind.TOOL_RESULT and e.payload["final"]}
    ran = {e.payload["call_id"] for e in events if e.kind is EventKind.CALL_STARTED}
    verdicts: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event.kind is EventKind.VERDICT:
            # what is said when the call is proposed counts, not what is said again after an answer
            verdicts.setdefault(event.payload["call_id"], event.payload)
    found = []
    for number, turn in enumerate(told.turns):
        for place, call in enumerate(turn.calls):
            id_ = _id(number, place)
            end = ends.get(id_, {"status": "missing", "output": None, "rule": None})
            by = _stopping(verdicts.get(id_)) | ({end["rule"]} if end["rule"] and end["status"] != "ok" else set())
            found.append(Came(call, end["status"], end["output"], id_ in ran, frozenset(by)))
    return tuple(found)


def _stopping(verdict: Mapping[str, Any] | None) -> set[str]:
    """The rules that stopped a call by what they say, not because they could not be judged."""
    if verdict is None or verdict["verdict"] == "allow" or verdict["satisfied"]:
        return set()
    return {
        rule["rule"]
        for rule in verdict["rules"]
        if rule["matched"] and rule["effect"] == verdict["verdict"] and not rule.get("error")
    }


def alike(one: Any, other: Any) -> bool:
    """Whether two outputs say the same, their numbers to the cent."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if _is_number(one) and _is_number(other):
        return abs(Decimal(one) - Decimal(other)) < Decimal("0.005")
    return bool(one == other) and type(one) is type(other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
