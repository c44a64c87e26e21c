"""Which fields of which events may hold what schemas mark `x-sensitive`, and in what form: complete by test."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from engine.session.event import RESERVED
from engine.session.event import EventKind as K


class Holds(StrEnum):
    """What a field may hold."""

    OWN = "own"
    """The engine's own words and numbers, which the store goes by: never a value of the session."""
    WORDS = "words"
    """What somebody said or a tool gave: whatever holds a sensitive value that is known."""
    WHOLE = "whole"
    """Something made of values in whatever form: nothing of it can be told."""
    LINES = "lines"
    """Texts of which nothing can be told."""
    ATTRIBUTES = "attributes"
    """What the agent's `attributes` describe."""
    INPUT = "input"
    """What the input schema of the event's tool describes."""
    OUTPUT = "output"
    """What the output schema of the event's tool describes."""
    ANSWER = "answer"
    """A person's answer in the place of a tool's output, or what a settled call brought."""
    SUMMARY = "summary"
    """A field of the tool's output, under its own name."""
    REPORT = "report"
    """What a tool says of its failure, in whatever form."""
    CALLS = "calls"
    """Proposed calls, each with its input."""
    FACTS = "facts"
    """Reads that a gate waits for, each with its input."""
    FACT_KEY = "fact_key"
    """What a read is known by, made of its input."""
    DIGEST = "digest"
    """What a call is known by, made of its input."""
    TRACES = "traces"
    """Rules, each with the values that it saw."""
    VALUES = "values"
    """The values that rules saw, by rule and name."""
    DIFFERENCE = "difference"
    """What was one way and is another, by name."""
    KEY = "key"
    """A call's idempotency key, by which the store compares."""
    SCOPE = "scope"
    """The scope of an idempotency key, which holds the tenant."""
    COMPARED = "compared"
    """Fields of an input, by which the store compares."""
    RESERVED = "reserved"
    """What a call adds to meters, which the store adds up by their keys."""


H = Holds
_OF_CALL = {"call_id": H.OWN, "tool": H.OWN}
_CLAIM = {
    **_OF_CALL, "idempotency_key": H.KEY, "key_scope": H.SCOPE, "digest": H.DIGEST, "compared": H.COMPARED,
    "key_until": H.OWN, "generation": H.OWN, "reserved": H.RESERVED,
}  # fmt: skip
_PROBE = {**_OF_CALL, "input": H.INPUT, "output": H.OUTPUT, "problem": H.REPORT}
_JOB = {**_OF_CALL, "by": H.WORDS, "owner": H.OWN, "epoch": H.OWN, "new": H.OWN}
_MODEL = dict.fromkeys(
    ("attempt", "prompt_digest", "tokens_in", "tokens_out", "cost_usd", "seconds", "retry_in", "cached", "cache_write"),
    H.OWN,
)

FIELDS: Mapping[K, Mapping[str, Holds]] = {
    K.SESSION_STARTED: {
        "agent": H.OWN, "planner": H.OWN, "fallback": H.OWN, "bundle": H.OWN, "root": H.OWN,
        "attributes": H.ATTRIBUTES, "started_by": H.WORDS, "limits": H.OWN, "handle_key": H.WHOLE,
    },
    K.SESSION_CLAIMED: {"owner": H.OWN, "epoch": H.OWN},
    K.SESSION_RELEASED: {"owner": H.OWN},
    K.SESSION_WOKEN: {},
    K.MESSAGE_RECEIVED: {"text": H.WORDS},
    K.STEP_STARTED: {"number": H.OWN, "bundle": H.OWN, "finishing": H.OWN},
    K.QUESTION_RESERVED: {"ask": H.OWN, "tokens": H.OWN, "cost_usd": H.OWN},
    K.DECISION_RECORDED: {
        "message": H.WORDS, "tool_calls": H.CALLS, "done": H.OWN, "ask": H.OWN, "usage": H.OWN,
    },
    # nobody knows what the parts of such an answer were to be
    K.DECISION_REJECTED: {"problems": H.LINES, "raw": H.WHOLE, "usage": H.OWN},
    K.PLANNER_FAILED: {"problems": H.WORDS, "usage": H.OWN},
    K.MODEL_CALLED: {
        **_MODEL, "planner": H.OWN, "model": H.WORDS, "status": H.OWN, "request_id": H.WORDS,
        "finish_reason": H.WORDS, "message": H.WORDS, "repairs": H.WORDS,
    },
    K.PLANNER_FELL_BACK: {"planner": H.OWN, "to": H.OWN, "reason": H.WORDS},
    K.CALL_PROPOSED: {
        **_OF_CALL, "input": H.INPUT, "effect": H.OWN, "digest": H.DIGEST, "key": H.KEY, "scope": H.SCOPE,
    },
    K.GATE_PENDING: {**_OF_CALL, "facts": H.FACTS, "behind": H.OWN},
    K.FACT_READ: {
        "tool": H.OWN, "key": H.FACT_KEY, "input": H.INPUT, "output": H.OUTPUT, "problem": H.REPORT, "gate": H.OWN,
        "started": H.OWN,
    },
    K.VERDICT: {
        **_OF_CALL, "verdict": H.OWN, "rule": H.OWN, "reason": H.OWN, "message": H.WORDS, "policy_error": H.OWN,
        "approvers": H.OWN, "rules": H.TRACES, "satisfied": H.OWN, "asks": H.VALUES, "job": H.OWN,
        "beside": H.TRACES,
    },
    K.CALL_STARTED: {**_CLAIM, "attempt": H.OWN, "waits_for_person": H.OWN, "job": H.OWN},
    K.CALL_NOT_BEGUN: {**_OF_CALL, "attempt": H.OWN, "problem": H.REPORT},
    K.CALL_EDITED: {"call_id": H.OWN, "by": H.WORDS, "input": H.INPUT, "digest": H.DIGEST, "key": H.KEY},
    K.CALL_OVER_BUDGET: {**_OF_CALL, "limit": H.OWN},
    K.ATTEMPT_FAILED: {
        **_OF_CALL, "attempt": H.OWN, "delay": H.OWN, "dice": H.OWN, "due_at": H.OWN, "failure": H.OWN,
        "reason": H.OWN, "message": H.REPORT, "job": H.OWN,
    },
    K.PROBE_ASKED: _PROBE,
    K.PROBE_READ: _PROBE,
    K.JOB_ENQUEUED: {**_CLAIM, "run_at": H.OWN},
    K.JOB_LEASED: _JOB,
    K.JOB_RELEASED: _JOB,
    K.JOB_RETRIED: _JOB,
    K.JOB_DISCARDED: _JOB,
    K.CALL_CANCELLED: {**_OF_CALL, "reason": H.OWN},
    # what another call brought, under a key that is made of an input
    K.KEY_TAKEN: {"key": H.WHOLE, "status": H.OWN, "output": H.WHOLE, "holder": H.OWN, "compared": H.WHOLE},
    K.KEY_EXPIRED: {"key": H.WHOLE, "generation": H.OWN},
    K.METER_FULL: {"call_id": H.OWN, "meter": H.OWN, "used": H.OWN, "limit": H.OWN},
    K.TOOL_RESULT: {
        **dict.fromkeys(RESERVED, H.OWN), "message": H.REPORT, "output": H.OUTPUT, "difference": H.DIFFERENCE,
    },
    K.REQUEST_OPENED: {
        **_OF_CALL, "request_id": H.OWN, "request_kind": H.OWN, "input": H.INPUT, "groups": H.OWN, "rules": H.OWN,
        "digest": H.DIGEST, "schema": H.OWN, "reason": H.OWN, "message": H.WORDS, "expires_at": H.OWN,
        "limit": H.OWN, "extend_by": H.OWN, "values": H.VALUES, "difference": H.DIFFERENCE,
    },
    K.REQUEST_ANSWERED: {
        "request_id": H.OWN, "request_kind": H.OWN, "call_id": H.OWN, "action": H.OWN, "by": H.WORDS,
        "note": H.WORDS, "value": H.ANSWER, "digest": H.DIGEST,
    },
    K.REQUEST_CLOSED: {"request_id": H.OWN, "how": H.OWN},
    K.CUSTOMER_CONFIRMED: {"tool": H.OWN, "input": H.INPUT, "digest": H.DIGEST},
    K.CONFIRMATION_USED: {"call_id": H.OWN, "digest": H.DIGEST, "rules": H.OWN},
    K.CANCEL_REQUESTED: {"by": H.WORDS},
    K.LIMIT_CROSSED: {"limit": H.OWN, "used": H.OWN, "allowed": H.OWN, "crossing": H.OWN, "tool": H.OWN},
    K.SESSION_ENDING: {"state": H.OWN, "reason": H.OWN},
    K.STEP_ENDED: {"reason": H.OWN},
    K.STATE_TRANSITION: {
        "state": H.OWN, "outcome": H.OWN, "message": H.WORDS, "waiting_for": H.OWN, "reason": H.OWN,
        "problem": H.WORDS,
    },
}  # fmt: skip


def holds(kind: K, field: str) -> Holds:
    """What a field of an event may hold; of one that nobody declared, anything."""
    unnamed = Holds.SUMMARY if kind is K.TOOL_RESULT else Holds.WHOLE
    return FIELDS[kind].get(field, unnamed)
