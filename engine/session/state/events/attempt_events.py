"""The kinds of event of a call's attempts: the intent to run it, what it takes, and what stands in its way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.value import canonical
from engine.session.state.event import Event, EventKind
from engine.session.state.events.definition import ADDED, Definition
from engine.session.state.events.parts import ReservedPart, doubtful, with_call, with_reserved
from engine.session.state.holds import Digest, H, Input, Output, Own, Report
from engine.session.state.persistent import copy_with
from engine.session.state.state import Phase, State
from engine.spec.bundle import WRITE


class CallStartedPayload(TypedDict):
    """The intent to run a call: which key and which part of meters it takes; a handoff `waits_for_person`.

    `generation` counts how many results under the key have expired, and `key_until` is when this one will.
    """

    call_id: Own[str]
    tool: Own[str]
    attempt: Own[int]
    idempotency_key: Annotated[str | None, H.KEY]
    key_scope: Annotated[str, H.SCOPE]
    digest: Digest
    compared: NotRequired[Annotated[dict[str, Any], H.COMPARED, ADDED]]
    key_until: NotRequired[Annotated[str | None, H.OWN, ADDED]]
    reserved: NotRequired[Annotated[list[ReservedPart], H.RESERVED, ADDED]]
    generation: NotRequired[Own[int]]
    job: NotRequired[Own[bool]]
    waits_for_person: Own[bool]


def _call_started(state: State, payload: CallStartedPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    phase = Phase.PARKED if payload["waits_for_person"] else Phase.STARTED
    state = with_reserved(state, call, payload.get("reserved", []))
    state = with_call(
        state,
        call,
        phase=phase,
        started_at=event.at,
        attempt=payload["attempt"],
        epoch=state.epoch,
        result=None,
        due_at=None,
        generation=payload.get("generation", 0),
        in_doubt=doubtful(call, call.phase is Phase.STARTED),
    )
    return copy_with(state, write_seq=event.seq) if call.effect is WRITE else state


class CallNotBegunPayload(TypedDict):
    """A call could not be started where it was to run: the attempt was none."""

    call_id: Own[str]
    tool: Own[str]
    attempt: Own[int]
    problem: Report[str]


def _not_begun(state: State, payload: CallNotBegunPayload, event: Event) -> State:
    # what it had taken (its key, its meters) it still holds, and the attempt was none
    call = state.calls[payload["call_id"]]
    return with_call(state, call, phase=Phase.PROPOSED, attempt=call.attempt - 1, wants=(), gate_seq=0)


class AttemptFailedPayload(TypedDict):
    """An attempt failed, and there is another; `delay` in seconds.  What may have `acted` leaves a write in doubt."""

    call_id: Own[str]
    tool: Own[str]
    attempt: Own[int]
    failure: Own[str]
    reason: Own[str]
    message: Report[str]
    dice: Own[Any]
    delay: Own[Any]
    due_at: Own[str]
    job: NotRequired[Own[bool]]
    acted: NotRequired[Own[bool]]


def _attempt_failed(state: State, payload: AttemptFailedPayload, event: Event) -> State:
    call, due = state.calls[payload["call_id"]], datetime.fromisoformat(payload["due_at"])
    doubt = doubtful(call, payload.get("acted", False))
    state = with_call(state, call, phase=Phase.RETRYING, due_at=due, leased=0, in_doubt=doubt)
    return copy_with(state, used=copy_with(state.used, retries=state.used.retries + 1))


def _attempt_line(entry: dict[str, Any]) -> str:
    again = f"again in {canonical(entry['delay'])} s"
    return f"{entry['tool']}: attempt {entry['attempt']} failed ({entry['failure']}): {entry['message']}; {again}"


class ProbeAskedPayload(TypedDict):
    """A read is to show whether a write happened whose end nobody knows."""

    call_id: Own[str]
    tool: Own[str]
    input: Input


def _probe_asked(state: State, payload: ProbeAskedPayload, event: Event) -> State:
    want = {"tool": payload["tool"], "input": payload["input"], "gate": event.seq}
    used = copy_with(state.used, fact_reads=state.used.fact_reads + 1)
    return copy_with(with_call(state, state.calls[payload["call_id"]], probing=want), used=used)


class ProbeReadPayload(TypedDict):
    """What that read brought, or why it did not (`problem`)."""

    call_id: Own[str]
    tool: Own[str]
    input: Input
    output: Output
    problem: Report[str | None]


def _probe_read(state: State, payload: ProbeReadPayload, event: Event) -> State:
    return with_call(state, state.calls[payload["call_id"]], probing=None)


class KeyTakenPayload(TypedDict):
    """The store says that another call holds or has used a call's idempotency key, and what that brought."""

    key: Annotated[str, H.WHOLE]
    status: Own[str]
    output: Annotated[Any, H.WHOLE]
    holder: Own[str]
    compared: Annotated[Any, H.WHOLE]


def _key_taken(state: State, payload: KeyTakenPayload, event: Event) -> State:
    return copy_with(state, taken={**state.taken, payload["key"]: payload})


class KeyExpiredPayload(TypedDict):
    """The store says how many results under a call's key have expired."""

    key: Annotated[str, H.WHOLE]
    generation: Own[int]


def _key_expired(state: State, payload: KeyExpiredPayload, event: Event) -> State:
    return copy_with(state, expired={**state.expired, payload["key"]: payload["generation"]})


class MeterFullPayload(TypedDict):
    """The store says that a call would go beyond a meter that sessions share."""

    call_id: Own[str]
    meter: Own[str]
    used: Own[Any]
    limit: Own[Any]


def _meter_full(state: State, payload: MeterFullPayload, event: Event) -> State:
    return copy_with(state, full={**state.full, payload["call_id"]: payload})


ATTEMPT_EVENTS = (
    Definition(
        EventKind.CALL_STARTED,
        CallStartedPayload,
        _call_started,
        lambda e: f"{e['tool']} (attempt {e['attempt']})",
        detail=True,
        projected=True,
    ),
    Definition(
        EventKind.CALL_NOT_BEGUN,
        CallNotBegunPayload,
        _not_begun,
        lambda e: f"{e['tool']}: it never began: {e['problem']}",
        from_outside=True,
    ),
    Definition(
        EventKind.ATTEMPT_FAILED,
        AttemptFailedPayload,
        _attempt_failed,
        _attempt_line,
        from_outside=True,
        projected=True,
    ),
    Definition(
        EventKind.PROBE_ASKED,
        ProbeAskedPayload,
        _probe_asked,
        lambda e: f"{e['tool']} is to show whether {e['call_id']} happened",
    ),
    Definition(
        EventKind.PROBE_READ,
        ProbeReadPayload,
        _probe_read,
        lambda e: f"{e['tool']}: {e['problem'] or canonical(e['output'])}",
    ),
    Definition(
        EventKind.KEY_TAKEN,
        KeyTakenPayload,
        _key_taken,
        lambda e: f"{e['key']} is held ({e['status']})",
        from_outside=True,
    ),
    Definition(
        EventKind.KEY_EXPIRED,
        KeyExpiredPayload,
        _key_expired,
        lambda e: f"results under the key {e['key']} have expired {e['generation']} times",
        from_outside=True,
    ),
    Definition(
        EventKind.METER_FULL,
        MeterFullPayload,
        _meter_full,
        lambda e: (
            f"{e['call_id']} would go beyond {e['meter']}: {canonical(e['used'])} of {canonical(e['limit'])} are used"
        ),
        from_outside=True,
    ),
)
