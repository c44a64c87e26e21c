"""A session's log through the core again: what came from outside is taken from the log, all else has to follow.

What the log does not tell whole (a decision that was rejected and cut short, a result that was withheld, how far a
failed tool had come) is taken as it stands, and what follows from it is compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.language.value import NotJson, canonical, loads
from engine.session.decide.decide import begin, decide_draft, decide_job_draft
from engine.session.decide.draft import Draft, OverlayBundles
from engine.session.decide.transitions import advance
from engine.session.state import inputs
from engine.session.state.event import Event, EventKind
from engine.session.state.events.table import EVENTS
from engine.session.state.evolve import evolve, fold
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import NO_USAGE, Usage
from engine.spec.retry import FailureKind

NOTES = frozenset({EventKind.MODEL_CALLED, EventKind.PLANNER_FELL_BACK})


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event that does not follow: what the log has there, what the core writes, and where they part."""

    seq: int
    kind: str
    logged: Event | None
    came: Event | None
    why: str

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        came, logged = self.came, self.logged.payload if self.logged is not None else None
        # what follows where the log has nothing is told with its kind
        named = {"kind": came.kind.value} if came is not None and logged is None else {}
        told = {**named, **came.payload} if came is not None else None
        return {"seq": self.seq, "kind": self.kind, "logged": logged, "came": told, "why": self.why}


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How many events of a log followed, how many of them were taken as they stand, and the first that did not."""

    events: int
    as_recorded: int
    difference: Difference | None = None


def replay(log: Sequence[Event], bundle: Bundle, urgent: Mapping[str, Bundle] | None = None) -> ReplayResult:
    """Decide a session again, from its first event to its last; `urgent` are the bundles that judged beside its own."""
    state, at = _begun(log, bundle)
    if isinstance(at, Difference):
        return ReplayResult(0, 0, at)
    taken = 0
    while at < len(log):
        best: tuple[int, Difference] | None = None
        for reply, trusted, overlays in _ways(log, at, state, urgent or {}):
            if isinstance(reply, int):
                made: Draft | None = _as_recorded(log, at, reply, state, bundle, overlays)
            else:
                made = _decided(state, reply, bundle, overlays)
            differs = _compared(log, at, made.events) if made is not None else None
            if made is None or not made.events:
                continue
            if differs is None:
                state, at, taken = made.state, at + len(made.events), taken + trusted
                break
            if best is None or differs.seq > best[0]:
                best = differs.seq, differs
        else:
            event = log[at]
            none = Difference(event.seq, event.kind.value, event, None, "nothing that came in leads to it")
            return ReplayResult(at, taken, best[1] if best is not None else none)
    return ReplayResult(at, taken)


def _begun(log: Sequence[Event], bundle: Bundle) -> tuple[State, int | Difference]:
    first = log[0]
    p = first.payload
    if p["bundle"] != bundle.digest:
        # under another bundle it would have begun otherwise: its beginning is taken as it stands
        begun = 2 if len(log) > 1 and log[1].kind is EventKind.MESSAGE_RECEIVED else 1
        return fold(log[:begun]), begun
    message = next((e.payload["text"] for e in log[1:2] if e.kind is EventKind.MESSAGE_RECEIVED), "")
    reply = inputs.SessionRequested(
        first.session_id,
        p["agent"],
        p["planner"],
        p["attributes"],
        message,
        p["started_by"],
        p["root"],
        first.at,
        tuple(p.get("fallback", ())),
        p.get("handle_key", ""),
        p.get("environment", {}),
        tuple(p.get("stands_for", ())),
    )
    events = begin(reply, bundle)
    if isinstance(events, inputs.InputRefused):
        return fold(log[:1]), Difference(1, first.kind.value, first, None, f"it would be refused: {events.message}")
    differs = _compared(log, 0, events)
    return fold(log[: len(events)]), differs if differs is not None else len(events)


def _ways(
    log: Sequence[Event], at: int, state: State, urgent: Mapping[str, Bundle]
) -> Iterator[tuple[inputs.Input | int, bool, OverlayBundles]]:
    """What may have come in, and beside which urgent bundles: those of the next verdict, of the last one, or all."""
    digests = (judging_overlays(log[at:]), judging_overlays(reversed(log[:at])), tuple(urgent)) if urgent else ((),)
    sets = list(dict.fromkeys(tuple(digest for digest in some if digest in urgent) for some in digests))
    for reply, trusted in _replies(log, at, state):
        for some in sets:
            yield reply, trusted, tuple(urgent[digest] for digest in some)


def judging_overlays(log: Iterable[Event]) -> tuple[str, ...]:
    """The bundles that judged beside the session's own at the first verdict among some events."""
    verdict = next((event.payload for event in log if event.kind is EventKind.VERDICT), {})
    return tuple(one["bundle"] for one in verdict.get("beside", ()))


def _decided(state: State, reply: inputs.Input, bundle: Bundle, overlays: OverlayBundles) -> Draft | None:
    call_id = getattr(reply, "call_id", None) or _of_job(state, reply)
    call = state.calls.get(call_id) if call_id else None
    leased = isinstance(reply, inputs.JobLeased) or (call is not None and call.leased > 0)
    if call is not None and leased and not isinstance(reply, inputs.JobRetryRequested | inputs.JobDiscardRequested):
        return decide_job_draft(state, call.id, reply, bundle, overlays)
    found = decide_draft(state, reply, bundle, overlays)
    return found if isinstance(found, Draft) else None


def _of_job(state: State, reply: inputs.Input) -> str | None:
    """The leased call that waits for a fact."""
    if not isinstance(reply, inputs.FactReturned | inputs.FactFailed):
        return None
    for call in state.calls.open.values():
        if call.leased and any(want["key"] == reply.key and want["gate"] == reply.gate for want in call.wants):
            return call.id
    return None


def _as_recorded(
    log: Sequence[Event], at: int, many: int, state: State, bundle: Bundle, overlays: OverlayBundles
) -> Draft:
    """The next events as they stand, and what follows from them by itself."""
    draft = Draft(state, bundle, log[at].at, overlays)
    for event in log[at : at + many]:
        draft.events.append(event)
        draft.state = evolve(draft.state, event)
    advance(draft)
    return draft


def _compared(log: Sequence[Event], at: int, made: Sequence[Event]) -> Difference | None:
    for offset, event in enumerate(made):
        if at + offset >= len(log):
            return Difference(event.seq, event.kind.value, None, event, "the log ends before it")
        logged = log[at + offset]
        why = _why(logged, event)
        if why:
            return Difference(logged.seq, logged.kind.value, logged, event, why)
    return None


def _why(logged: Event, came: Event) -> str:
    if logged.kind is not came.kind:
        return f"the log has {logged.kind.value}, and {came.kind.value} follows"
    if logged.step != came.step:
        return f"it belongs to step {logged.step}, and step {came.step} follows"
    if canonical(logged.payload) == canonical(came.payload):
        return ""
    # under which bundle a step began is what the replay itself may change
    apart = {"bundle"} if logged.kind is EventKind.STEP_STARTED else set()
    fields = sorted({*logged.payload, *came.payload} - EVENTS[logged.kind].added_since(logged.payload) - apart)
    other = [name for name in fields if _payload_text(logged.payload, name) != _payload_text(came.payload, name)]
    return f"{', '.join(other)} would be otherwise" if other else ""


def _payload_text(payload: Mapping[str, Any], name: str) -> str | None:
    text = canonical(payload[name]) if name in payload else None
    # where a session was driven its environment may have given other values than here
    return _VALUES_OF_SCOPE.sub("", text) if text is not None and name in ("scope", "key_scope") else text


_VALUES_OF_SCOPE = re.compile(r':[0-9a-f]{16}(?=\\"\]"\Z)')


# -- what came in

_Reply = tuple[inputs.Input | int, bool]


def _replies(log: Sequence[Event], at: int, state: State) -> Iterator[_Reply]:
    """What may have led to the next events, the likeliest first; a number takes so many as they stand."""
    event = log[at]
    made = FED.get(event.kind)
    if made is not None:
        yield from ((reply, False) for reply in made(event, log, at))
    elif event.kind in NOTES:
        yield from _planned_with_notes(log, at)
    yield inputs.TimePassed(event.at), False
    yield 1, True


def _planned_with_notes(log: Sequence[Event], at: int) -> Iterator[_Reply]:
    """What a model's planner answered: how it came to it, and then what it proposed."""
    notes: list[inputs.Note] = []
    until = at
    while until < len(log) and log[until].kind in NOTES:
        notes.append(_note(log[until]))
        until += 1
    end = log[until] if until < len(log) else None
    if end is not None and end.kind in (
        EventKind.DECISION_RECORDED,
        EventKind.DECISION_REJECTED,
        EventKind.PLANNER_FAILED,
    ):
        for reply in FED[end.kind](end, log, until):
            assert isinstance(reply, inputs.PlannerAnswered | inputs.PlannerFailed), "what ends a question"
            yield _with_notes(reply, tuple(notes), log[at].at), False
        if end.kind is EventKind.DECISION_REJECTED:
            yield until - at + 1, True
    yield until - at, True


def _with_notes(
    reply: inputs.PlannerAnswered | inputs.PlannerFailed, notes: tuple[inputs.Note, ...], at: datetime
) -> inputs.Input:
    if isinstance(reply, inputs.PlannerAnswered):
        return inputs.PlannerAnswered(reply.ask, reply.raw, at, reply.usage, notes)
    return inputs.PlannerFailed(reply.ask, reply.problem, at, reply.usage, notes, reply.final)


def _note(event: Event) -> inputs.Note:
    p = event.payload
    if event.kind is not EventKind.MODEL_CALLED:
        return inputs.PlannerFellBack(**p)
    return inputs.ModelCall(**{**p, "repairs": tuple(p.get("repairs", ()))})


def _usage(p: Mapping[str, Any]) -> Usage:
    used = p.get("usage")
    return Usage(used["tokens"], used["cost_usd"]) if used else NO_USAGE


def _asks(log: Sequence[Event], at: int) -> int:
    """How many questions the planner had been asked."""
    return sum(
        e.kind in (EventKind.STEP_STARTED, EventKind.DECISION_REJECTED, EventKind.PLANNER_FAILED) for e in log[:at]
    )


def _planned(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    p = event.payload
    if "proposed" in p:
        return  # it follows from what a client proposed, which is fed
    raw = {name: p[name] for name in ("message", "tool_calls", "done")}
    yield inputs.PlannerAnswered(p.get("ask", _asks(log, at)), raw, event.at, _usage(p))


def _proposed(p: Mapping[str, Any], at: datetime) -> inputs.Input:
    raw = {name: p[name] for name in ("message", "tool_calls", "done")}
    return inputs.DecisionProposed(p["after"], raw, p["by"], at, _usage(p))


def _rejected(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    raw = event.payload["raw"]
    try:
        yield inputs.PlannerAnswered(_asks(log, at), loads(raw), event.at, _usage(event.payload))
    except NotJson:
        return


def _failed(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    problem = str(event.payload["problems"][0])
    for final in (False, True):
        yield inputs.PlannerFailed(_asks(log, at), problem, event.at, _usage(event.payload), final=final)


def _result(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    p = event.payload
    if p["status"] == "ok":
        yield inputs.ToolReturned(p["call_id"], p["attempt"], p["output"], event.at, p.get("fence_mark", ""))
        return
    for failure in FailureKind:
        for acted in (False, True):
            yield inputs.ToolFailed(
                p["call_id"],
                p["attempt"],
                failure,
                p["reason"],
                p["message"],
                acted,
                event.at,
                mark=p.get("fence_mark", ""),
            )


def _attempt(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    p = event.payload
    for wait in (None, Decimal(p["delay"])):
        yield inputs.ToolFailed(
            p["call_id"],
            p["attempt"],
            FailureKind(p["failure"]),
            p["reason"],
            p["message"],
            False,
            event.at,
            Decimal(p["dice"]),
            wait,
        )


def _fact(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    p = event.payload
    started = datetime.fromisoformat(p["started"]) if p.get("started") else event.at
    if p["problem"] is not None:
        yield inputs.FactFailed(p["key"], p["gate"], p["problem"], started, event.at)
    else:
        yield inputs.FactReturned(p["key"], p["gate"], p["output"], started, event.at)


def _answer(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    edited = event.payload["input"] if event.kind is EventKind.CALL_EDITED else None
    answered = log[at + 1] if edited is not None and at + 1 < len(log) else event
    p = answered.payload
    if edited is None and p.get("edited"):
        # the same edit as somebody's before: the call as it stood
        told = (EventKind.CALL_PROPOSED, EventKind.CALL_EDITED)
        stood = [one for one in log[:at] if one.kind in told and one.payload.get("call_id") == p["call_id"]]
        edited = stood[-1].payload["input"] if stood else None
    # one that was said before was fed then
    if answered.kind is EventKind.REQUEST_ANSWERED and "said_at" not in p:
        roles = frozenset(p.get("roles", ()))
        yield inputs.RequestAnswered(
            p["request_id"], p["action"], p["by"], p["note"], p["value"], edited, event.at, roles
        )


def _yes(p: Mapping[str, Any], at: datetime) -> inputs.Input:
    roles = frozenset(p["roles"])
    return inputs.RequestAnswered(p["request_id"], "approve", p["by"], p["note"], None, p["input"], at, roles)


def _back(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
    p = event.payload
    # what follows from who is asked by now is found again
    if p["why"] not in ("not_a_member", "own_request"):
        yield inputs.YesTakenBack(p["request_id"], p["by"], event.at, p["why"])


def _one(make: Callable[[Mapping[str, Any], datetime], inputs.Input]) -> Callable[..., Iterator[inputs.Input]]:
    def made(event: Event, log: Sequence[Event], at: int) -> Iterator[inputs.Input]:
        yield make(event.payload, event.at)

    return made


FED: Mapping[EventKind, Callable[[Event, Sequence[Event], int], Iterator[inputs.Input]]] = {
    EventKind.SESSION_CLAIMED: _one(lambda p, at: inputs.SessionClaimed(p["owner"], p["epoch"], at)),
    EventKind.SESSION_RELEASED: _one(lambda p, at: inputs.SessionReleased(p["owner"], at)),
    EventKind.MESSAGE_RECEIVED: _one(lambda p, at: inputs.MessageSent(p["text"], at)),
    EventKind.REQUEST_COMMENTED: _one(lambda p, at: inputs.RequestCommented(p["request_id"], p["by"], p["text"], at)),
    EventKind.YES_DELAYED: _one(_yes),
    EventKind.YES_TAKEN_BACK: _back,
    EventKind.CUSTOMER_CONFIRMED: _one(lambda p, at: inputs.ActionConfirmed(p["tool"], p["input"], at)),
    EventKind.DECISION_PROPOSED: _one(_proposed),
    EventKind.CANCEL_REQUESTED: _one(lambda p, at: inputs.CancelRequested(p["by"], at)),
    EventKind.KEY_EXPIRED: _one(lambda p, at: inputs.KeyExpired(p["key"], p["generation"], at)),
    EventKind.KEY_TAKEN: _one(
        lambda p, at: inputs.KeyTaken(p["key"], p["status"], p["output"], p["holder"], at, p.get("compared"))
    ),
    EventKind.METER_FULL: _one(lambda p, at: inputs.MeterFull(p["call_id"], p["meter"], p["used"], p["limit"], at)),
    EventKind.JOB_LEASED: _one(lambda p, at: inputs.JobLeased(p["call_id"], p["owner"], p["epoch"], at)),
    EventKind.JOB_RELEASED: _one(lambda p, at: inputs.JobReleased(p["call_id"], False, at)),
    EventKind.JOB_RETRIED: _one(lambda p, at: inputs.JobRetryRequested(p["call_id"], p["by"], at)),
    EventKind.JOB_DISCARDED: _one(lambda p, at: inputs.JobDiscardRequested(p["call_id"], p["by"], at)),
    EventKind.DECISION_RECORDED: _planned,
    EventKind.DECISION_REJECTED: _rejected,
    EventKind.PLANNER_FAILED: _failed,
    EventKind.TOOL_RESULT: _result,
    EventKind.ATTEMPT_FAILED: _attempt,
    EventKind.CALL_NOT_BEGUN: _one(lambda p, at: inputs.ToolNotBegun(p["call_id"], p["attempt"], p["problem"], at)),
    EventKind.FACT_READ: _fact,
    EventKind.REQUEST_ANSWERED: _answer,
    EventKind.CALL_EDITED: _answer,
}
