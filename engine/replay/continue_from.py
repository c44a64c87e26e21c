"""A session's way from one of its states on under another bundle, as far as what was recorded reaches.

The core decides; tools, facts, planner and people answer with what they said in the log, and only to the same
question.  Where nothing was recorded it ends, and says of what nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.session.decide.decide import decide_draft
from engine.session.decide.draft import Draft, OverlayBundles
from engine.session.decide.transitions import advance
from engine.session.state import inputs
from engine.session.state.effects import AskPlanner, NextEffect, ReadFact, RunTool
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import evolve
from engine.session.state.pending import pending
from engine.session.state.state import Call, Request, State, Status
from engine.spec.bundle import WRITE, Bundle
from engine.spec.retry import FailureKind

# a session that goes on longer than its log and again as much goes round in circles
AS_LONG_AGAIN = 2
# who drives it here, where the log does not say
AGAIN = "replay"


@dataclass(frozen=True, slots=True)
class Continuation:
    """What happens from there: the events, how the session then stands, and why it is not known further; or ""."""

    events: tuple[Event, ...]
    state: State
    unknown: str


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is said in the place of the log: a decision for the first question, outputs by tool.

    `until` is the step after which nothing more is asked.
    """

    decision: Any = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    until: int | None = None


AS_RECORDED = Overrides()


def redrive(
    before: State,
    log: Sequence[Event],
    bundle: Bundle,
    at: datetime,
    otherwise: Overrides = AS_RECORDED,
    overlays: OverlayBundles = (),
) -> Continuation:
    """Go on from a state of a log, whose next event is judged at `at`, under a bundle and urgent ones beside it."""
    said = _RecordedAnswers(log, before.seq, otherwise)
    draft = Draft(before, bundle, at, overlays)
    advance(draft)
    state, events = draft.state, list(draft.events)
    while not state.final:
        if otherwise.until is not None and (state.step > otherwise.until or _over(events, otherwise.until)):
            return Continuation(tuple(events), state, "")
        if len(events) > AS_LONG_AGAIN * len(log):
            return Continuation(tuple(events), state, "it goes on longer than what was recorded")
        reply = said.reply(state, bundle)
        if isinstance(reply, str):
            return Continuation(tuple(events), state, reply)
        further = decide_draft(state, reply, bundle, overlays)
        if isinstance(further, inputs.InputRefused):
            return Continuation(tuple(events), state, f"what was answered is refused: {further.message}")
        if not further.events:
            return Continuation(tuple(events), state, "what was recorded comes too late")
        state = further.state
        events += further.events
        if isinstance(reply, inputs.RequestAnswered | inputs.MessageSent):
            # what people say is only recorded; whoever drives the session draws the conclusions
            claimed = decide_draft(state, _claim(state), bundle, overlays)
            assert isinstance(claimed, Draft), "a claim is never refused"
            state = claimed.state
            events += claimed.events
    return Continuation(tuple(events), state, "")


def _claim(state: State) -> inputs.SessionClaimed:
    return inputs.SessionClaimed(state.owner or AGAIN, state.epoch + 1, _counts_by(state))


def _counts_by(state: State) -> datetime:
    """When all that was said counts."""
    return max([state.now, *(one.counts_at for one in state.open_requests() if one.counts_at is not None)])


def _over(events: Sequence[Event], step: int) -> bool:
    return any(event.kind is EventKind.STEP_ENDED and event.step == step for event in events)


class _RecordedAnswers:
    """What a log says that tools, facts, the planner and people answered after one of its events."""

    def __init__(self, log: Sequence[Event], after: int, otherwise: Overrides) -> None:
        self._otherwise = otherwise
        self._decided = otherwise.decision is None
        self._results: dict[str, Event] = {}
        self._facts: dict[str, list[Event]] = {}
        self._decisions: dict[int, tuple[Event, Any]] = {}
        self._answers: list[tuple[Request, Event]] = []
        self._messages = [e for e in log if e.kind is EventKind.MESSAGE_RECEIVED and e.seq > after]
        self._writes: list[int] = []
        self._digests: dict[str, str] = {}
        self._edited: set[str] = set()
        self._after = after
        state: State | None = None
        for event in log:
            self._note(event, state)
            state = evolve(state, event)

    def _note(self, event: Event, state: State | None) -> None:
        kind, payload = event.kind, event.payload
        if state is None:
            return
        if kind is EventKind.CALL_STARTED:
            self._digests[payload["call_id"]] = payload["digest"]
            if state.calls[payload["call_id"]].effect is WRITE:
                self._writes.append(event.seq)
        elif kind is EventKind.TOOL_RESULT and payload["final"]:
            self._results[payload["call_id"]] = event
        elif kind is EventKind.FACT_READ:
            self._facts.setdefault(payload["key"], []).append(event)
        elif kind is EventKind.DECISION_RECORDED:
            self._decisions[payload["ask"]] = event, _view(state)
        elif kind is EventKind.CALL_EDITED:
            self._edited.add(payload["call_id"])
        elif kind is EventKind.REQUEST_ANSWERED:
            self._answers.append((state.requests[payload["request_id"]], event))

    def reply(self, state: State, bundle: Bundle) -> inputs.Input | str:
        """What comes next, or why nobody knows."""
        effects = pending(state, bundle)
        why = ""
        for effect in effects:
            found = self._to(effect, state)
            if not isinstance(found, str):
                return found
            why = why or found
        return why or self._of_people(state)

    def _to(self, effect: NextEffect, state: State) -> inputs.Input | str:
        if isinstance(effect, RunTool):
            return self._ran(effect, state)
        if isinstance(effect, ReadFact):
            return self._read(effect, state)
        return self._planned(effect, state)

    def _planned(self, effect: AskPlanner, state: State) -> inputs.Input | str:
        if not self._decided:
            self._decided = True
            return inputs.PlannerAnswered(effect.ask, self._otherwise.decision, state.now)
        event, view = self._decisions.get(effect.ask, (None, None))
        if event is None:
            return "the planner was not asked so often"
        if view != _view(state):
            return "the planner would have seen something else"
        return inputs.PlannerAnswered(effect.ask, _decision(event), _at(event, state))

    def _ran(self, effect: RunTool, state: State) -> inputs.Input | str:
        event, call = self._results.get(effect.call_id), state.calls[effect.call_id]
        if effect.tool in self._otherwise.outputs:
            return inputs.ToolReturned(call.id, call.attempt, self._otherwise.outputs[effect.tool], state.now)
        if event is None or self._digests.get(effect.call_id) != call.digest:
            return f"{effect.tool} did not run"
        payload, at = event.payload, _at(event, state)
        if payload["status"] == "ok":
            return inputs.ToolReturned(call.id, call.attempt, payload["output"], at, payload.get("fence_mark", ""))
        if payload["reason"] == "result_withheld":
            return f"what {effect.tool} gave was withheld, and is not recorded"
        lost = payload["status"] == "unknown" or payload["settled"]
        failure = FailureKind.LOST if lost else FailureKind.ERROR
        return inputs.ToolFailed(
            call.id,
            call.attempt,
            failure,
            payload["reason"],
            payload["message"],
            lost,
            at,
            mark=payload.get("fence_mark", ""),
        )

    def _read(self, effect: ReadFact, state: State) -> inputs.Input | str:
        """The reading of the same fact that has as many of the session's writes behind it."""
        if effect.tool in self._otherwise.outputs:
            now = state.now
            return inputs.FactReturned(effect.fact_key, effect.gate, self._otherwise.outputs[effect.tool], now, now)
        writes = _writes(state)
        told = [e for e in self._facts.get(effect.fact_key, ()) if sum(seq < e.seq for seq in self._writes) == writes]
        if not told:
            return f"{effect.tool} was not read then"
        # it may have been read again after an answer: the next reading, or where none follows the last
        event = next((e for e in told if e.at >= state.now), told[-1])
        started = datetime.fromisoformat(event.payload["started"]) if event.payload["started"] else event.at
        at, problem = _at(event, state), event.payload["problem"]
        if problem is not None:
            return inputs.FactFailed(effect.fact_key, effect.gate, problem, started, at)
        return inputs.FactReturned(effect.fact_key, effect.gate, event.payload["output"], started, at)

    def _of_people(self, state: State) -> inputs.Input | str:
        delayed = any(one.delayed is not None for one in state.open_requests())
        for request in (one for one in state.open_requests() if one.delayed is None):
            for asked, event in self._answers:
                if event.seq <= self._after or asked.call_id in self._edited or not _same(asked, request):
                    continue
                p = event.payload
                if _said_already(state, request, p["by"]):
                    continue
                roles = frozenset(p.get("roles", ()))
                return inputs.RequestAnswered(
                    request.id, p["action"], p["by"], p["note"], p["value"], None, _at(event, state), roles
                )
        if state.status is Status.AWAITING_MESSAGE and self._messages:
            event = self._messages.pop(0)
            return inputs.MessageSent(event.payload["text"], _at(event, state))
        if delayed:
            # nobody has to say more: its time comes
            return _claim(state)
        groups = sorted({group for request in state.open_requests() for group in request.groups})
        if not groups and state.status is not Status.AWAITING_MESSAGE:
            return f"it is {state.status.value}, and what comes next is not recorded"
        return f"nobody knows what {', '.join(groups) or 'the customer'} would have said"


def _view(state: State) -> Any:
    """What a planner goes by, times aside."""
    return (
        state.messages,
        state.step,
        state.problems,
        {tool: log.all() for tool, log in state.resulted.items()},
        {tool: [_timeless(entry) for entry in log] for tool, log in state.succeeded.items()},
    )


def _timeless(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"input": entry["input"], "output": entry["output"]}


def _decision(event: Event) -> dict[str, Any]:
    return {name: event.payload[name] for name in ("message", "tool_calls", "done")}


def _at(event: Event, state: State) -> datetime:
    return max(event.at, state.now)


def _writes(state: State) -> int:
    return sum(1 for call in state.calls.values() if _wrote(call))


def _wrote(call: Call) -> bool:
    return call.effect is WRITE and call.started_at is not None


def _said_already(state: State, request: Request, by: str) -> bool:
    """Whether a person's yes to the call counts already, so that another person has to answer this request."""
    call = state.calls.get(request.call_id or "")
    approvals = call.approvals if call is not None else ()
    return any(yes.by == by and (request.distinct or yes.rules & set(request.rules)) for yes in approvals)


def _same(asked: Request, request: Request) -> bool:
    """Whether somebody was asked the same: about the same call, for the same rules."""
    return (asked.kind, asked.digest, asked.groups, asked.rules) == (
        request.kind,
        request.digest,
        request.groups,
        request.rules,
    )
