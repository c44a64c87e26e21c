"""The ways of a call from phase to phase, and of a session from status to status: which event takes it where, and why.

The folds of the events (`events/`) make these changes, and `decide` says when. No other change may happen: the tests
of the core look at every event that any of them folds. The drawings of the documents are made from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.session.state.event import EventKind as K
from engine.session.state.state import Phase as P
from engine.session.state.state import Status as S


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """An event that takes a call from one of the phases `before` to `after`; the first one of a call has none before.

    >>> PhaseChange(K.ATTEMPT_FAILED, (P.STARTED,), P.RETRYING, "it failed, and may be tried again").after
    <Phase.RETRYING: 'retrying'>
    """

    kind: K
    before: tuple[P, ...]
    after: P
    why: str


PHASE_CHANGES: tuple[PhaseChange, ...] = (
    PhaseChange(K.CALL_PROPOSED, (), P.PROPOSED, "the planner proposes it"),
    PhaseChange(K.GATE_PENDING, (P.PROPOSED, P.HELD, P.OVER_BUDGET), P.GATING, "its rules need facts"),
    PhaseChange(K.VERDICT, (P.PROPOSED, P.GATING, P.OVER_BUDGET), P.HELD, "a rule asks people"),
    PhaseChange(K.CALL_OVER_BUDGET, (P.PROPOSED, P.GATING), P.OVER_BUDGET, "people are asked for more of a limit"),
    PhaseChange(K.VERDICT, (P.OVER_BUDGET,), P.PROPOSED, "there is more, and it is judged again"),
    PhaseChange(K.SESSION_CLAIMED, (P.GATING,), P.PROPOSED, "a new driver reads its facts anew"),
    PhaseChange(K.SESSION_CLAIMED, (P.GATING,), P.HELD, "the same, where people have been asked"),
    PhaseChange(K.CALL_STARTED, (P.PROPOSED, P.GATING, P.HELD, P.RETRYING), P.STARTED, "allowed: the intent to run it"),
    PhaseChange(K.CALL_NOT_BEGUN, (P.STARTED,), P.PROPOSED, "the tool can't run here: the attempt was none"),
    PhaseChange(K.ATTEMPT_FAILED, (P.STARTED,), P.RETRYING, "it failed, and may be tried again"),
    PhaseChange(K.JOB_ENQUEUED, (P.PROPOSED, P.GATING, P.HELD), P.ENQUEUED, "allowed: a job is left to workers"),
    PhaseChange(
        K.JOB_LEASED, (P.ENQUEUED, P.STARTED, P.RETRYING), P.PROPOSED, "a worker takes it, and judges it again"
    ),
    PhaseChange(K.JOB_RELEASED, (P.PROPOSED, P.GATING, P.STARTED), P.ENQUEUED, "its worker gives it back"),
    PhaseChange(K.CALL_STARTED, (P.PROPOSED, P.GATING, P.HELD), P.PARKED, "allowed: a person does it (handoff)"),
    PhaseChange(
        K.TOOL_RESULT,
        (P.GATING, P.ENQUEUED, P.STARTED, P.RETRYING),
        P.PARKED,
        "unknown: nobody can vouch for the write",
    ),
    PhaseChange(
        K.TOOL_RESULT,
        (P.PROPOSED, P.GATING, P.HELD, P.OVER_BUDGET, P.ENQUEUED, P.STARTED, P.RETRYING, P.PARKED),
        P.ENDED,
        "its final result",
    ),
)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A `state_transition` that takes a session from one status to another, and why."""

    before: S
    after: S
    why: str


# nothing is over, and nothing waited for in another way, but through `running`: what happens meanwhile wakes it first
STATUS_CHANGES: tuple[StatusChange, ...] = (
    StatusChange(S.RUNNING, S.AWAITING_HUMAN_REVIEW, "only people can take it further"),
    StatusChange(S.AWAITING_HUMAN_REVIEW, S.RUNNING, "they answered, or their time is over"),
    StatusChange(S.RUNNING, S.AWAITING_CONFIRMATION, "only the customer is asked"),
    StatusChange(S.AWAITING_CONFIRMATION, S.RUNNING, "the customer said yes or no"),
    StatusChange(S.RUNNING, S.AWAITING_JOB, "only a job is under way"),
    StatusChange(S.AWAITING_JOB, S.RUNNING, "the job ended, or needs people"),
    StatusChange(S.RUNNING, S.AWAITING_PLANNER, "its client is to propose"),
    StatusChange(S.AWAITING_PLANNER, S.RUNNING, "the client proposed, or its time is over"),
    StatusChange(S.RUNNING, S.AWAITING_MESSAGE, "the agent has replied"),
    StatusChange(S.AWAITING_MESSAGE, S.RUNNING, "the customer wrote again"),
    StatusChange(S.RUNNING, S.DONE, "a stop rule holds"),
    StatusChange(S.RUNNING, S.OUT_OF_BUDGET, "a limit stops it"),
    StatusChange(S.RUNNING, S.TIMED_OUT, "its time is over, or nobody answered"),
    StatusChange(S.RUNNING, S.CANCELLED, "somebody asked for it"),
    StatusChange(S.RUNNING, S.FAILED, "its planner gave nothing to go on by"),
)
