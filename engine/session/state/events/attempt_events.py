"""The kinds of event of a call's attempts: the intent to run it, what it takes, and what stands in its way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.value import canonical
from engine.session.state.event import Event
from engine.session.state.event import EventKind as K
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


def _call_started(s: State, p: CallStartedPayload, event: Event) -> State:
    call = s.calls[p["call_id"]]
    phase = Phase.PARKED if p["waits_for_person"] else Phase.STARTED
    s = with_reserved(s, call, p.get("reserved", []))
    s = with_call(
        s,
        call,
        phase=phase,
        started_at=event.at,
        attempt=p["attempt"],
        epoch=s.epoch,
        result=None,
        due_at=None,
        generation=p.get("generation", 0),
        in_doubt=doubtful(call, call.phase is Phase.STARTED),
    )
    return copy_with(s, write_seq=event.seq) if call.effect is WRITE else s


class CallNotBegunPayload(TypedDict):
    """A call could not be started where it was to run: the attempt was none."""

    call_id: Own[str]
    tool: Own[str]
    attempt: Own[int]
    problem: Report[str]


def _not_begun(s: State, p: CallNotBegunPayload, event: Event) -> State:
    # what it had taken (its key, its meters) it still holds, and the attempt was none
    call = s.calls[p["call_id"]]
    return with_call(s, call, phase=Phase.PROPOSED, attempt=call.attempt - 1, wants=(), gate_seq=0)


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


def _attempt_failed(s: State, p: AttemptFailedPayload, event: Event) -> State:
    call, due = s.calls[p["call_id"]], datetime.fromisoformat(p["due_at"])
    doubt = doubtful(call, p.get("acted", False))
    s = with_call(s, call, phase=Phase.RETRYING, due_at=due, leased=0, in_doubt=doubt)
    return copy_with(s, used=copy_with(s.used, retries=s.used.retries + 1))


def _attempt_line(e: dict[str, Any]) -> str:
    again = f"again in {canonical(e['delay'])} s"
    return f"{e['tool']}: attempt {e['attempt']} failed ({e['failure']}): {e['message']}; {again}"


class ProbeAskedPayload(TypedDict):
    """A read is to show whether a write happened whose end nobody knows."""

    call_id: Own[str]
    tool: Own[str]
    input: Input


def _probe_asked(s: State, p: ProbeAskedPayload, event: Event) -> State:
    want = {"tool": p["tool"], "input": p["input"], "gate": event.seq}
    used = copy_with(s.used, fact_reads=s.used.fact_reads + 1)
    return copy_with(with_call(s, s.calls[p["call_id"]], probing=want), used=used)


class ProbeReadPayload(TypedDict):
    """What that read brought, or why it did not (`problem`)."""

    call_id: Own[str]
    tool: Own[str]
    input: Input
    output: Output
    problem: Report[str | None]


def _probe_read(s: State, p: ProbeReadPayload, event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], probing=None)


class KeyTakenPayload(TypedDict):
    """The store says that another call holds or has used a call's idempotency key, and what that brought."""

    key: Annotated[str, H.WHOLE]
    status: Own[str]
    output: Annotated[Any, H.WHOLE]
    holder: Own[str]
    compared: Annotated[Any, H.WHOLE]


def _key_taken(s: State, p: KeyTakenPayload, event: Event) -> State:
    return copy_with(s, taken={**s.taken, p["key"]: p})


class KeyExpiredPayload(TypedDict):
    """The store says how many results under a call's key have expired."""

    key: Annotated[str, H.WHOLE]
    generation: Own[int]


def _key_expired(s: State, p: KeyExpiredPayload, event: Event) -> State:
    return copy_with(s, expired={**s.expired, p["key"]: p["generation"]})


class MeterFullPayload(TypedDict):
    """The store says that a call would go beyond a meter that sessions share."""

    call_id: Own[str]
    meter: Own[str]
    used: Own[Any]
    limit: Own[Any]


def _meter_full(s: State, p: MeterFullPayload, event: Event) -> State:
    return copy_with(s, full={**s.full, p["call_id"]: p})


ATTEMPT_EVENTS = (
    Definition(
        K.CALL_STARTED,
        CallStartedPayload,
        _call_started,
        lambda e: f"{e['tool']} (attempt {e['attempt']})",
        detail=True,
        projected=True,
    ),
    Definition(
        K.CALL_NOT_BEGUN,
        CallNotBegunPayload,
        _not_begun,
        lambda e: f"{e['tool']}: it never began: {e['problem']}",
        from_outside=True,
    ),
    Definition(
        K.ATTEMPT_FAILED, AttemptFailedPayload, _attempt_failed, _attempt_line, from_outside=True, projected=True
    ),
    Definition(
        K.PROBE_ASKED,
        ProbeAskedPayload,
        _probe_asked,
        lambda e: f"{e['tool']} is to show whether {e['call_id']} happened",
    ),
    Definition(
        K.PROBE_READ, ProbeReadPayload, _probe_read, lambda e: f"{e['tool']}: {e['problem'] or canonical(e['output'])}"
    ),
    Definition(
        K.KEY_TAKEN, KeyTakenPayload, _key_taken, lambda e: f"{e['key']} is held ({e['status']})", from_outside=True
    ),
    Definition(
        K.KEY_EXPIRED,
        KeyExpiredPayload,
        _key_expired,
        lambda e: f"results under the key {e['key']} have expired {e['generation']} times",
        from_outside=True,
    ),
    Definition(
        K.METER_FULL,
        MeterFullPayload,
        _meter_full,
        lambda e: (
            f"{e['call_id']} would go beyond {e['meter']}: {canonical(e['used'])} of {canonical(e['limit'])} are used"
        ),
        from_outside=True,
    ),
)
