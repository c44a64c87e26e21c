"""The kinds of event of a job: a call that is handed over to a worker."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

from engine.session.state.event import Event, EventKind
from engine.session.state.events.definition import Definition, same
from engine.session.state.events.parts import ReservedPart, doubtful, with_call, with_reserved
from engine.session.state.holds import Digest, H, Own, Words
from engine.session.state.state import Phase, State


class JobEnqueuedPayload(TypedDict):
    """A call was handed over to a worker, to run from `run_at`, with what it takes as any call that starts."""

    call_id: Own[str]
    tool: Own[str]
    idempotency_key: Annotated[str | None, H.KEY]
    key_scope: Annotated[str, H.SCOPE]
    digest: Digest
    compared: Annotated[dict[str, Any], H.COMPARED]
    key_until: Own[str | None]
    reserved: Annotated[list[ReservedPart], H.RESERVED]
    run_at: Own[str]
    generation: NotRequired[Own[int]]


def _enqueued(state: State, payload: JobEnqueuedPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    state = with_reserved(state, call, payload["reserved"])
    return with_call(
        state,
        call,
        phase=Phase.ENQUEUED,
        job=True,
        leased=0,
        wants=(),
        gate_seq=0,
        result=None,
        due_at=datetime.fromisoformat(payload["run_at"]),
        generation=payload.get("generation", 0),
    )


class JobLeasedPayload(TypedDict):
    """A worker took a job."""

    call_id: Own[str]
    tool: Own[str]
    owner: Own[str]
    epoch: Own[int]


def _leased(state: State, payload: JobLeasedPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    # whatever an earlier worker had asked for is asked anew
    return with_call(
        state,
        call,
        phase=Phase.PROPOSED,
        leased=payload["epoch"],
        wants=(),
        gate_seq=0,
        due_at=None,
        in_doubt=doubtful(call, call.phase is Phase.STARTED),
    )


class JobReleasedPayload(TypedDict):
    """A worker gave a job back; what may have `acted` leaves a write in doubt."""

    call_id: Own[str]
    tool: Own[str]
    acted: NotRequired[Own[bool]]


def _released(state: State, payload: JobReleasedPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    doubt = doubtful(call, payload.get("acted", False))
    return with_call(state, call, phase=Phase.ENQUEUED, leased=0, wants=(), gate_seq=0, in_doubt=doubt)


class JobRetriedPayload(TypedDict):
    """Somebody had a job that had failed tried again, as the `new` call."""

    call_id: Own[str]
    tool: Own[str]
    by: Words[str]
    new: Own[str]


class JobDiscardedPayload(TypedDict):
    """Somebody gave a job up."""

    call_id: Own[str]
    tool: Own[str]
    by: Words[str]


JOB_EVENTS = (
    Definition(
        EventKind.JOB_ENQUEUED,
        JobEnqueuedPayload,
        _enqueued,
        lambda e: f"{e['tool']}: handed over to a worker, to run from {e['run_at']}",
        projected=True,
    ),
    Definition(
        EventKind.JOB_LEASED,
        JobLeasedPayload,
        _leased,
        lambda e: f"{e['tool']}: taken by worker {e['owner']}",
        from_outside=True,
        others=True,
    ),
    Definition(
        EventKind.JOB_RELEASED,
        JobReleasedPayload,
        _released,
        lambda e: f"{e['tool']}: given back by its worker",
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        EventKind.JOB_RETRIED,
        JobRetriedPayload,
        same,
        lambda e: f"{e['tool']}: to be tried again as {e['new']}, says {e['by']}",
        from_outside=True,
        others=True,
    ),
    Definition(
        EventKind.JOB_DISCARDED,
        JobDiscardedPayload,
        same,
        lambda e: f"{e['tool']}: given up by {e['by']}",
        from_outside=True,
        others=True,
        projected=True,
    ),
)
