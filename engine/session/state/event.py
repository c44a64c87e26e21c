"""Everything that can happen to a session, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened."""

    SESSION_STARTED = "session_started"
    SESSION_CLAIMED = "session_claimed"
    SESSION_RELEASED = "session_released"
    SESSION_WOKEN = "session_woken"
    MESSAGE_RECEIVED = "message_received"
    STEP_STARTED = "step_started"
    QUESTION_RESERVED = "question_reserved"
    DECISION_RECORDED = "decision_recorded"
    DECISION_REJECTED = "decision_rejected"
    DECISION_PROPOSED = "decision_proposed"
    PLANNER_FAILED = "planner_failed"
    MODEL_CALLED = "model_called"
    PLANNER_FELL_BACK = "planner_fell_back"
    CALL_PROPOSED = "call_proposed"
    GATE_PENDING = "gate_pending"
    FACT_READ = "fact_read"
    VERDICT = "verdict"
    CALL_STARTED = "call_started"
    CALL_NOT_BEGUN = "call_not_begun"
    CALL_EDITED = "call_edited"
    CALL_OVER_BUDGET = "call_over_budget"
    ATTEMPT_FAILED = "attempt_failed"
    PROBE_ASKED = "probe_asked"
    PROBE_READ = "probe_read"
    JOB_ENQUEUED = "job_enqueued"
    JOB_LEASED = "job_leased"
    JOB_RELEASED = "job_released"
    JOB_RETRIED = "job_retried"
    JOB_DISCARDED = "job_discarded"
    CALL_CANCELLED = "call_cancelled"
    KEY_TAKEN = "key_taken"
    KEY_EXPIRED = "key_expired"
    METER_FULL = "meter_full"
    TOOL_RESULT = "tool_result"
    REQUEST_OPENED = "request_opened"
    REQUEST_ANSWERED = "request_answered"
    REQUEST_CLOSED = "request_closed"
    REQUEST_COMMENTED = "request_commented"
    YES_DELAYED = "yes_delayed"
    YES_TAKEN_BACK = "yes_taken_back"
    CUSTOMER_CONFIRMED = "customer_confirmed"
    CONFIRMATION_USED = "confirmation_used"
    CANCEL_REQUESTED = "cancel_requested"
    LIMIT_CROSSED = "limit_crossed"
    SESSION_ENDING = "session_ending"
    STEP_ENDED = "step_ended"
    STATE_TRANSITION = "state_transition"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a session's log; `seq` counts from 1 without a gap, `at` is in UTC."""

    session_id: str
    seq: int
    step: int
    kind: EventKind
    payload: Mapping[str, Any]
    at: datetime
