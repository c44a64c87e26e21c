"""Plays a session on the pure core alone: replies in, events out, time as the test says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.session.decide.decide import begin, decide
from engine.session.state import inputs
from engine.session.state.effects import NextEffect, ReadFact, RunTool
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.pending import pending
from engine.session.state.state import Call, State
from engine.spec.bundle import Bundle
from engine.spec.retry import FailureKind

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def call(id_: str, name: str, **input_: Any) -> dict[str, Any]:
    """A proposed call."""
    return {"id": id_, "name": name, "input": input_}


class Play:
    """One session."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        started_by: str | None = None,
        stands_for: tuple[str, ...] = (),
        claim: bool = True,
        key: str = "",
        **attributes: Any,
    ) -> None:
        self.bundle = bundle
        self.now = START
        first = inputs.SessionRequested(
            "s1",
            "bot",
            "script",
            attributes or {"tenant": "acme"},
            "hello",
            started_by,
            "/r",
            self.now,
            handle_key=key,
            stands_for=stands_for,
        )
        events = begin(first, bundle)
        assert not isinstance(events, inputs.InputRefused)
        self.log: list[Event] = list(events)
        self.state: State = fold(events)
        if claim:
            self.claim()

    # -- replies

    def say(self, reply: Any) -> list[Event]:
        events = decide(self.state, reply, self.bundle)
        assert not isinstance(events, inputs.InputRefused), events
        for number, event in enumerate(events, self.state.seq + 1):
            assert event.seq == number
        self.log += events
        if events:
            self.state = fold(events, self.state)
        return list(events)

    def refused(self, reply: Any) -> str:
        answer = decide(self.state, reply, self.bundle)
        assert isinstance(answer, inputs.InputRefused), answer
        return answer.reason

    def claim(self) -> list[Event]:
        return self.say(inputs.SessionClaimed("me", self.state.epoch + 1, self.now))

    def plan(self, *calls: Mapping[str, Any], message: str = "", done: bool = False) -> list[Event]:
        return self.plan_raw({"message": message, "tool_calls": list(calls), "done": done})

    def plan_raw(self, raw: Any) -> list[Event]:
        return self.say(inputs.PlannerAnswered(self.state.asks, raw, self.now))

    def returns(self, call_id: str, output: Any = None) -> list[Event]:
        attempt = self.call(call_id).attempt
        return self.say(inputs.ToolReturned(call_id, attempt, {} if output is None else output, self.now))

    def fails(self, call_id: str, failure: str = "error", *, acted: bool = True) -> list[Event]:
        attempt = self.call(call_id).attempt
        return self.say(
            inputs.ToolFailed(call_id, attempt, FailureKind(failure), failure, "it failed", acted, self.now)
        )

    def read(self, output: Any = None, *, problem: str | None = None, until: int = 9) -> None:
        """Answer the fact reads that are pending, all with one output."""
        for _ in range(until):
            reads = [effect for effect in self.effects if isinstance(effect, ReadFact)]
            if not reads:
                return
            first = reads[0]
            if problem is None:
                self.say(inputs.FactReturned(first.fact_key, first.gate, output, self.now, self.now))
            else:
                self.say(inputs.FactFailed(first.fact_key, first.gate, problem, self.now, self.now))

    def tick(self, seconds: float = 0) -> list[Event]:
        self.pass_time(seconds)
        return self.say(inputs.TimePassed(self.now))

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def answer(self, action: str, by: str, request: int = 1, **more: Any) -> inputs.RequestAnswered:
        given = {"note": "", "value": None, "edit": None, **more}
        return inputs.RequestAnswered(
            f"s1.{request}",
            action,
            by,
            given["note"],
            given["value"],
            given["edit"],
            self.now,
            frozenset(given.get("roles", ())),
        )

    # -- what came of it

    @property
    def effects(self) -> tuple[NextEffect, ...]:
        return pending(self.state, self.bundle)

    @property
    def running(self) -> list[str]:
        return [effect.call_id for effect in self.effects if isinstance(effect, RunTool)]

    @property
    def reading(self) -> list[str]:
        return [effect.tool for effect in self.effects if isinstance(effect, ReadFact)]

    def call(self, call_id: str) -> Call:
        return self.state.calls[call_id]

    def result(self, call_id: str) -> tuple[str, str]:
        result = self.call(call_id).result
        assert result is not None
        return result.status, result.reason

    def kinds(self, *wanted: EventKind) -> list[str]:
        return [event.kind.value for event in self.log if not wanted or event.kind in wanted]

    def started(self) -> list[str]:
        return [event.payload["call_id"] for event in self.log if event.kind is EventKind.CALL_STARTED]
