"""A session's log as people and programs read it: flat entries, and one line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.diagnostic.visible import line as visible
from engine.policy.value import canonical, timestamp
from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.sealed import shown

Entry = dict[str, Any]


def entry(event: Event) -> Entry:
    """One event, flat: step and kind, the payload's fields, and the rest of the envelope."""
    return {
        "step": event.step,
        "kind": event.kind.value,
        **shown(event.payload),
        "seq": event.seq,
        "at": timestamp(event.at),
        "session_id": event.session_id,
    }


def entries(events: Iterable[Event]) -> list[Entry]:
    """A log as flat entries, a step's results in the decision's order; `seq` tells the real one."""
    found = [entry(event) for event in events]
    order = {e["call_id"]: n for n, e in enumerate(e for e in found if e["kind"] == K.CALL_PROPOSED)}
    slots: list[int] = []
    for index, e in enumerate([*found, {"kind": K.STATE_TRANSITION, "step": -1}]):
        if slots and (e["kind"] == K.STATE_TRANSITION or e["step"] != found[slots[0]]["step"]):
            ordered = sorted((found[slot] for slot in slots), key=lambda r: (order.get(r["call_id"], -1), r["seq"]))
            for slot, result in zip(slots, ordered, strict=True):
                found[slot] = result
            slots = []
        if e["kind"] == K.TOOL_RESULT:
            slots.append(index)
    return found


def headline(e: Entry) -> str:
    """What an entry says, in one line for people."""
    line = _LINES.get(e["kind"])
    try:
        text = line(e) if line is not None else str(e["kind"]).replace("_", " ")
    except (LookupError, TypeError, ValueError, AttributeError):
        # an event that was erased, or that says something else than its kind does
        text = f"({e['kind']} without what it should say) {canonical(e)}"
    # a user's text must not steer the reader's terminal
    return visible(text)


def _started(e: Entry) -> str:
    about = ", ".join(f"{name}={_short(value)}" for name, value in e["attributes"].items())
    return f"session {e['session_id']} of {e['agent']} ({about})"


def _decided(e: Entry) -> str:
    calls = ", ".join(call["name"] for call in e["tool_calls"])
    return " ".join(part for part in (_short(e["message"], 300), f"-> {calls}" if calls else "") if part)


def _model_called(e: Entry) -> str:
    cost = "" if e["cost_usd"] is None else f", {canonical(e['cost_usd'])} USD"
    again = "" if e["retry_in"] is None else f"; again in {canonical(e['retry_in'])} s"
    said = f": {_short(e['message'], 200)}" if e["message"] else ""
    tokens = f"{e['tokens_in']} + {e['tokens_out']} tokens"
    return f"{e['model']} {e['status']} ({tokens}{cost}, {canonical(e['seconds'])} s){said}{again}"


def _verdict(e: Entry) -> str:
    rule = f" by {e['rule']}" if e["rule"] else ""
    said = " (approved)" if e["satisfied"] else ""
    return f"{e['tool']}: {e['verdict']}{rule}{said}"


def _result(e: Entry) -> str:
    hidden = _ENVELOPE | _RESULT
    shown = " ".join(f"{name}={_short(value)}" for name, value in e.items() if name not in hidden)
    why = f" {e['reason']}" if e["reason"] else ""
    held = " (held)" if not e["final"] else ""
    said = f": {e['message']}" if e["message"] else ""
    return f"{e['tool']}: {e['status']}{why}{held}{' ' + shown if shown else ''}{said}"


def _opened(e: Entry) -> str:
    groups = ", ".join(e["groups"]) or "anybody"
    return f"{e['request_kind']} {e['request_id']} asked of {groups}: {e['message'] or e['reason']}"


def _answered(e: Entry) -> str:
    note = f" ({e['note']})" if e["note"] else ""
    return f"{e['request_id']}: {e['action']} by {e['by']}{note}"


def _transition(e: Entry) -> str:
    outcome = f" {e['outcome']}" if e["outcome"] != e["state"] else ""
    return f"{e['state']}{outcome}" + (f": {e['message']}" if e["message"] else "")


def _limit(e: Entry) -> str:
    return f"limit {e['limit']} of {e['allowed']} is crossed: {e['crossing']}"


def _attempt(e: Entry) -> str:
    again = f"again in {canonical(e['delay'])} s"
    return f"{e['tool']}: attempt {e['attempt']} failed ({e['failure']}): {e['message']}; {again}"


def _pending(e: Entry) -> str:
    if e["behind"]:
        return f"{e['tool']} waits: {e['behind'].replace('_', ' ')}"
    return f"{e['tool']} waits for facts: {', '.join(sorted({fact['fact'] for fact in e['facts']}))}"


def _short(value: Any, most: int = 60) -> str:
    text = value if isinstance(value, str) else canonical(value)
    return text if len(text) <= most else text[: most - 3] + "..."


_ENVELOPE = frozenset({"step", "kind", "seq", "at", "session_id"})
_RESULT = frozenset(
    {
        "call_id", "tool", "status", "reason", "message", "rule", "output", "final", "reused", "repair", "settled",
        "attempt", "started", "difference", "job", "fence_mark",
    }
)  # fmt: skip

_LINES: Mapping[str, Callable[[Entry], str]] = {
    K.SESSION_STARTED: _started,
    K.SESSION_CLAIMED: lambda e: f"driven by {e['owner']} (epoch {e['epoch']})",
    K.MESSAGE_RECEIVED: lambda e: _short(e["text"], 300),
    K.STEP_STARTED: lambda e: f"step {e['number']}",
    K.DECISION_RECORDED: _decided,
    K.DECISION_REJECTED: lambda e: "; ".join(e["problems"]),
    K.PLANNER_FAILED: lambda e: "; ".join(e["problems"]),
    K.MODEL_CALLED: _model_called,
    K.PLANNER_FELL_BACK: lambda e: f"planner {e['planner']} has no answer ({e['reason']}): {e['to']} is asked",
    K.KEY_EXPIRED: lambda e: f"results under the key {e['key']} have expired {e['generation']} times",
    K.CALL_OVER_BUDGET: lambda e: f"{e['tool']} waits for more of {e['limit']}",
    K.CALL_PROPOSED: lambda e: f"{e['tool']} {_short(e['input'], 200)}",
    K.GATE_PENDING: _pending,
    K.FACT_READ: lambda e: f"{e['tool']}: {e['problem'] or _short(e['output'], 200)}",
    K.VERDICT: _verdict,
    K.CALL_STARTED: lambda e: f"{e['tool']} (attempt {e['attempt']})",
    K.ATTEMPT_FAILED: _attempt,
    K.CALL_NOT_BEGUN: lambda e: f"{e['tool']}: it never began: {e['problem']}",
    K.CALL_EDITED: lambda e: f"{e['call_id']} edited by {e['by']}: {_short(e['input'], 200)}",
    K.QUESTION_RESERVED: lambda e: f"{e['tokens']} tokens and {canonical(e['cost_usd'])} USD are set aside to ask",
    K.PROBE_ASKED: lambda e: f"{e['tool']} is to show whether {e['call_id']} happened",
    K.PROBE_READ: lambda e: f"{e['tool']}: {e['problem'] or canonical(e['output'])}",
    K.JOB_ENQUEUED: lambda e: f"{e['tool']}: handed over to a worker, to run from {e['run_at']}",
    K.JOB_LEASED: lambda e: f"{e['tool']}: taken by worker {e['owner']}",
    K.JOB_RELEASED: lambda e: f"{e['tool']}: given back by its worker",
    K.JOB_RETRIED: lambda e: f"{e['tool']}: to be tried again as {e['new']}, says {e['by']}",
    K.JOB_DISCARDED: lambda e: f"{e['tool']}: given up by {e['by']}",
    K.CALL_CANCELLED: lambda e: f"{e['tool']}: {e['reason']}",
    K.KEY_TAKEN: lambda e: f"{e['key']} is held ({e['status']})",
    K.TOOL_RESULT: _result,
    K.REQUEST_OPENED: _opened,
    K.REQUEST_ANSWERED: _answered,
    K.REQUEST_CLOSED: lambda e: f"{e['request_id']}: {e['how']}",
    K.CUSTOMER_CONFIRMED: lambda e: f"{e['tool']} {_short(e['input'], 200)}",
    K.CONFIRMATION_USED: lambda e: f"{e['call_id']}: the customer had said yes",
    K.CANCEL_REQUESTED: lambda e: f"by {e['by']}",
    K.LIMIT_CROSSED: _limit,
    K.SESSION_ENDING: lambda e: f"{e['state']}: {e['reason']}",
    K.STEP_ENDED: lambda e: e["reason"].replace("_", " "),
    K.STATE_TRANSITION: _transition,
}
