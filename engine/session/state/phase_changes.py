"""The ways of a call from phase to phase, and of a session from status to status: which event takes it where, and why.

The folds of the events (`events/`) make these changes, and `decide` says when. No other change may happen: the tests
of the core look at every event that any of them folds. The drawings of the documents are made from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.session.state.event import EventKind
from engine.session.state.state import Phase, Status


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """An event that takes a call from one of the phases `before` to `after`; the first one of a call has none before.

    >>> PhaseChange(K.ATTEMPT_FAILED, (P.STARTED,), P.RETRYING, "it failed, and may be tried again").after
    <Phase.RETRYING: 'retrying'>
    """

    kind: EventKind
    before: tuple[Phase, ...]
    after: Phase
    why: str


PHASE_CHANGES: tuple[PhaseChange, ...] = (
    PhaseChange(EventKind.CALL_PROPOSED, (), Phase.PROPOSED, "the planner proposes it"),
    PhaseChange(
        EventKind.GATE_PENDING, (Phase.PROPOSED, Phase.HELD, Phase.OVER_BUDGET), Phase.GATING, "its rules need facts"
    ),
    PhaseChange(EventKind.VERDICT, (Phase.PROPOSED, Phase.GATING, Phase.OVER_BUDGET), Phase.HELD, "a rule asks people"),
    PhaseChange(
        EventKind.CALL_OVER_BUDGET,
        (Phase.PROPOSED, Phase.GATING),
        Phase.OVER_BUDGET,
        "people are asked for more of a limit",
    ),
    PhaseChange(EventKind.VERDICT, (Phase.OVER_BUDGET,), Phase.PROPOSED, "there is more, and it is judged again"),
    PhaseChange(EventKind.SESSION_CLAIMED, (Phase.GATING,), Phase.PROPOSED, "a new driver reads its facts anew"),
    PhaseChange(EventKind.SESSION_CLAIMED, (Phase.GATING,), Phase.HELD, "the same, where people have been asked"),
    PhaseChange(
        EventKind.CALL_STARTED,
        (Phase.PROPOSED, Phase.GATING, Phase.HELD, Phase.RETRYING),
        Phase.STARTED,
        "allowed: the intent to run it",
    ),
    PhaseChange(
        EventKind.CALL_NOT_BEGUN, (Phase.STARTED,), Phase.PROPOSED, "the tool can't run here: the attempt was none"
    ),
    PhaseChange(EventKind.ATTEMPT_FAILED, (Phase.STARTED,), Phase.RETRYING, "it failed, and may be tried again"),
    PhaseChange(
        EventKind.JOB_ENQUEUED,
        (Phase.PROPOSED, Phase.GATING, Phase.HELD),
        Phase.ENQUEUED,
        "allowed: a job is left to workers",
    ),
    PhaseChange(
        EventKind.JOB_LEASED,
        (Phase.ENQUEUED, Phase.STARTED, Phase.RETRYING),
        Phase.PROPOSED,
        "a worker takes it, and judges it again",
    ),
    PhaseChange(
        EventKind.JOB_RELEASED,
        (Phase.PROPOSED, Phase.GATING, Phase.STARTED),
        Phase.ENQUEUED,
        "its worker gives it back",
    ),
    PhaseChange(
        EventKind.CALL_STARTED,
        (Phase.PROPOSED, Phase.GATING, Phase.HELD),
        Phase.PARKED,
        "allowed: a person does it (handoff)",
    ),
    PhaseChange(
        EventKind.TOOL_RESULT,
        (Phase.GATING, Phase.ENQUEUED, Phase.STARTED, Phase.RETRYING),
        Phase.PARKED,
        "unknown: nobody can vouch for the write",
    ),
    PhaseChange(
        EventKind.TOOL_RESULT,
        (
            Phase.PROPOSED,
            Phase.GATING,
            Phase.HELD,
            Phase.OVER_BUDGET,
            Phase.ENQUEUED,
            Phase.STARTED,
            Phase.RETRYING,
            Phase.PARKED,
        ),
        Phase.ENDED,
        "its final result",
    ),
)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A `state_transition` that takes a session from one status to another, and why."""

    before: Status
    after: Status
    why: str


# nothing is over, and nothing waited for in another way, but through `running`: what happens meanwhile wakes it first
STATUS_CHANGES: tuple[StatusChange, ...] = (
    StatusChange(Status.RUNNING, Status.AWAITING_HUMAN_REVIEW, "only people can take it further"),
    StatusChange(Status.AWAITING_HUMAN_REVIEW, Status.RUNNING, "they answered, or their time is over"),
    StatusChange(Status.RUNNING, Status.AWAITING_CONFIRMATION, "only the customer is asked"),
    StatusChange(Status.AWAITING_CONFIRMATION, Status.RUNNING, "the customer said yes or no"),
    StatusChange(Status.RUNNING, Status.AWAITING_JOB, "only a job is under way"),
    StatusChange(Status.AWAITING_JOB, Status.RUNNING, "the job ended, or needs people"),
    StatusChange(Status.RUNNING, Status.AWAITING_PLANNER, "its client is to propose"),
    StatusChange(Status.AWAITING_PLANNER, Status.RUNNING, "the client proposed, or its time is over"),
    StatusChange(Status.RUNNING, Status.AWAITING_MESSAGE, "the agent has replied"),
    StatusChange(Status.AWAITING_MESSAGE, Status.RUNNING, "the customer wrote again"),
    StatusChange(Status.RUNNING, Status.DONE, "a stop rule holds"),
    StatusChange(Status.RUNNING, Status.OUT_OF_BUDGET, "a limit stops it"),
    StatusChange(Status.RUNNING, Status.TIMED_OUT, "its time is over, or nobody answered"),
    StatusChange(Status.RUNNING, Status.CANCELLED, "somebody asked for it"),
    StatusChange(Status.RUNNING, Status.FAILED, "its planner gave nothing to go on by"),
)
