"""A session's log as spans of a trace, by the conventions for generative models: made from events alone.

The ids are hashes of the session and of the event that began a span.  So a trace is one across processes and the time
that a session waits, and what is sent twice is the same.  No value of a call is in any of it but what a schema says is
told, and nobody's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from engine.session.state.event import Event, EventKind
from engine.session.state.state import FINAL
from engine.spec.bundle import Tool
from engine.telemetry.told_values import told_values

INTERNAL, CLIENT = 1, 3
# what a call, a question and a session end with that is nobody's wish
_BAD = frozenset({"failed", "terminal_error", "retryable_error", "unknown", "error", "timeout"})


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """A part of a trace: its ids in hex, what it is, from when to when, and whether it `failed`."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    began: datetime
    ended: datetime
    attributes: Mapping[str, Any] = field(default_factory=dict)
    failed: str = ""


NO_TOOLS: Mapping[str, Tool] = {}


def spans_of(log: Sequence[Event], tools: Mapping[str, Tool] = NO_TOOLS) -> list[TraceSpan]:
    """The spans of a session that is over; none of one that goes on, or whose log was erased.

    `tools` are those of its bundle, whose schemas may say that a field is told.
    """
    if not log or not log[0].payload or log[-1].kind is EventKind.SESSION_STARTED:
        return []
    ends = [event for event in log if event.kind is EventKind.STATE_TRANSITION and event.payload.get("state") in FINAL]
    if not ends:
        return []
    root = _id(log[0])
    calls = {
        event.payload["call_id"]: event for event in log if event.kind is EventKind.CALL_PROPOSED and event.payload
    }
    return [
        _session(log[0], ends[-1], root),
        *_questions(log, root),
        *_calls(log, calls, root, tools),
        *_waits(log, {id_: _id(event) for id_, event in calls.items()}, root),
    ]


def trace_id(session_id: str) -> str:
    """The trace of a session, in 32 hex digits."""
    return sha256(session_id.encode()).hexdigest()[:32]


def _id(event: Event) -> str:
    return sha256(f"{event.session_id}/{event.seq}".encode()).hexdigest()[:16]


def _session(first: Event, last: Event, root: str) -> TraceSpan:
    agent, p = first.payload["agent"], last.payload
    told = {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent, "gen_ai.conversation.id": first.session_id,
        "steadyhand.state": p["state"], "steadyhand.outcome": p.get("outcome"),
        "steadyhand.bundle": first.payload["bundle"],
    }  # fmt: skip
    failed = p["state"] if p["state"] in _BAD else ""
    trace = trace_id(first.session_id)
    return TraceSpan(trace, root, "", f"invoke_agent {agent}", INTERNAL, first.at, last.at, told, failed)


def _questions(log: Sequence[Event], root: str) -> Iterator[TraceSpan]:
    for event in log:
        if event.kind is not EventKind.MODEL_CALLED or not event.payload:
            continue
        p = event.payload
        told = {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": p["model"],
            "gen_ai.conversation.id": event.session_id, "gen_ai.usage.input_tokens": p["tokens_in"],
            "gen_ai.usage.output_tokens": p["tokens_out"], "steadyhand.attempt": p["attempt"],
        }  # fmt: skip
        began = event.at - timedelta(seconds=float(p["seconds"]))
        failed = "" if p["status"] == "ok" else str(p["status"])
        trace = trace_id(event.session_id)
        yield TraceSpan(trace, _id(event), root, f"chat {p['model']}", CLIENT, began, event.at, told, failed)


def _calls(
    log: Sequence[Event], calls: Mapping[str, Event], root: str, tools: Mapping[str, Tool]
) -> Iterator[TraceSpan]:
    verdicts: dict[str, Mapping[str, Any]] = {}
    inputs = {call_id: event.payload["input"] for call_id, event in calls.items()}
    for event in log:
        p = event.payload
        if event.kind is EventKind.VERDICT and p:
            verdicts[p["call_id"]] = p
        if event.kind is EventKind.CALL_EDITED and p:
            inputs[p["call_id"]] = p["input"]
        if event.kind is not EventKind.TOOL_RESULT or not p or not p["final"] or p["call_id"] not in calls:
            continue
        first, verdict = calls[p["call_id"]], verdicts.get(p["call_id"], {})
        # a tool that no rule has judged may be one that somebody made up, and so may an id
        tool = p["tool"] if verdict else "unknown"
        told = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.id": _id(first),
            "gen_ai.conversation.id": event.session_id, "steadyhand.step": first.step,
            "steadyhand.status": p["status"], "steadyhand.reason": p["reason"] or None,
            "steadyhand.verdict": verdict.get("verdict"), "steadyhand.rule": verdict.get("rule"),
        }  # fmt: skip
        known = tools.get(p["tool"]) if verdict else None
        if known is not None:
            told |= dict(told_values("input", inputs[p["call_id"]], known.input_schema))
            told |= dict(told_values("output", p["output"], known.output_schema))
        failed = p["status"] if p["status"] in _BAD else ""
        trace = trace_id(event.session_id)
        yield TraceSpan(trace, _id(first), root, f"execute_tool {tool}", INTERNAL, first.at, event.at, told, failed)


def _waits(log: Sequence[Event], calls: Mapping[str, str], root: str) -> Iterator[TraceSpan]:
    opened: dict[str, Event] = {}
    for event in log:
        p = event.payload
        if not p:
            continue
        if event.kind is EventKind.REQUEST_OPENED:
            opened[p["request_id"]] = event
        elif event.kind in (EventKind.REQUEST_ANSWERED, EventKind.REQUEST_CLOSED):
            first = opened.pop(p["request_id"], None)
            if first is None:
                continue
            asked = first.payload
            told = {
                "steadyhand.request": asked["request_id"], "steadyhand.request.kind": asked["request_kind"],
                "steadyhand.groups": list(asked["groups"]), "steadyhand.rules": list(asked["rules"]),
                "steadyhand.answer": p.get("action") or p.get("how"), "gen_ai.conversation.id": event.session_id,
            }  # fmt: skip
            parent = calls.get(asked["call_id"] or "", root)
            name = f"wait {asked['request_kind']}"
            trace = trace_id(event.session_id)
            yield TraceSpan(trace, _id(first), parent, name, INTERNAL, first.at, event.at, told)
