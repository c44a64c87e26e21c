"""The kinds of event of what people are asked, and of what the customer agreed to beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

from engine.policy.rule import CUSTOMER
from engine.session.state.event import Event
from engine.session.state.event import EventKind as K
from engine.session.state.events.definition import Definition, short
from engine.session.state.events.parts import with_call
from engine.session.state.holds import Digest, H, Input, Own, Words
from engine.session.state.persistent import copy_with
from engine.session.state.state import Approval, Request, State
from engine.spec.request_kind import RequestKind


class RequestOpenedPayload(TypedDict):
    """Somebody of `groups` is asked: about a call, or about more of a `limit`, which a yes extends by `extend_by`."""

    request_id: Own[str]
    request_kind: Own[str]
    call_id: Own[str | None]
    tool: Own[str | None]
    input: Annotated[dict[str, Any] | None, H.INPUT]
    groups: Own[list[str]]
    rules: Own[list[str]]
    digest: Digest
    schema: Own[Any]
    reason: Own[str]
    message: Words[str]
    expires_at: Own[str | None]
    limit: NotRequired[Own[str]]
    extend_by: NotRequired[Own[Any]]
    values: NotRequired[Annotated[dict[str, Any], H.VALUES]]
    difference: NotRequired[Annotated[list[dict[str, Any]], H.DIFFERENCE]]


def _opened(s: State, p: RequestOpenedPayload, event: Event) -> State:
    expires = p["expires_at"]
    request = Request(
        id=p["request_id"],
        kind=RequestKind(p["request_kind"]),
        call_id=p["call_id"],
        groups=tuple(p["groups"]),
        rules=tuple(p["rules"]),
        digest=p["digest"],
        schema=p["schema"],
        expires_at=datetime.fromisoformat(expires) if expires else None,
        opened_at=event.at,
        limit=p.get("limit"),
    )
    return copy_with(s, requests=s.requests.with_item(request.id, request))


def _opened_line(e: dict[str, Any]) -> str:
    if e["request_kind"] == RequestKind.PLANNER:
        return f"{e['request_id']}: its client is to propose"
    groups = ", ".join(e["groups"]) or "anybody"
    return f"{e['request_kind']} {e['request_id']} asked of {groups}: {e['message'] or e['reason']}"


class RequestAnsweredPayload(TypedDict):
    """Somebody answered; `digest` is the call that a yes is for, `value` what else they gave."""

    request_id: Own[str]
    request_kind: Own[str]
    call_id: Own[str | None]
    action: Own[str]
    by: Words[str]
    note: Words[str]
    value: Annotated[Any, H.ANSWER]
    digest: Digest


def _answered(s: State, p: RequestAnsweredPayload, event: Event) -> State:
    request = s.requests[p["request_id"]]
    s = copy_with(s, requests=s.requests.with_item(request.id, replace(request, answered=p)))
    if request.kind is RequestKind.BUDGET and request.limit is not None and p["action"] == "approve":
        short_of = {call.id for call in s.calls.open.values() if call.short_of == request.limit}
        full = {id_: refused for id_, refused in s.full.items() if id_ not in short_of}
        return copy_with(s, limits=s.limits.extended(request.limit), crossed=s.crossed - {request.limit}, full=full)
    if request.kind is not RequestKind.APPROVAL or request.call_id is None:
        return s
    call = s.calls[request.call_id]
    if p["action"] == "deny":
        marks = {request.digest, call.digest} | ({call.claim} if call.claim is not None else set())
        refusal = {"tool": call.name, "input": call.input, "at": event.at}
        return copy_with(s, denied=s.denied | marks, refusals=(*s.refusals, refusal))
    kept = tuple(approval for approval in call.approvals if approval.digest == p["digest"])
    yes = Approval(
        frozenset(request.rules), frozenset(request.groups), p["digest"], p["by"], p["digest"] != request.digest
    )
    return with_call(s, call, approvals=(*kept, yes), approved_seq=event.seq)


def _answered_line(e: dict[str, Any]) -> str:
    note = f" ({e['note']})" if e["note"] else ""
    return f"{e['request_id']}: {e['action']} by {e['by']}{note}"


class RequestClosedPayload(TypedDict):
    """Nobody is asked any more: it expired, or nobody needs the answer."""

    request_id: Own[str]
    how: Own[str]


def _closed(s: State, p: RequestClosedPayload, event: Event) -> State:
    request = s.requests[p["request_id"]]
    return copy_with(s, requests=s.requests.with_item(request.id, replace(request, closed=p["how"])))


class CustomerConfirmedPayload(TypedDict):
    """The customer agreed to a call of this input, before it is proposed."""

    tool: Own[str]
    input: Input
    digest: Digest


def _confirmed(s: State, p: CustomerConfirmedPayload, event: Event) -> State:
    return copy_with(s, confirmed=(*s.confirmed, p["digest"]))


class ConfirmationUsedPayload(TypedDict):
    """What the customer agreed to was proposed, and is agreed to once."""

    call_id: Own[str]
    digest: Digest
    rules: Own[list[str]]


def _confirmation_used(s: State, p: ConfirmationUsedPayload, event: Event) -> State:
    left = list(s.confirmed)
    left.remove(p["digest"])
    call = s.calls[p["call_id"]]
    yes = Approval(frozenset(p["rules"]), frozenset((CUSTOMER,)), p["digest"], CUSTOMER, prior=True)
    return with_call(copy_with(s, confirmed=tuple(left)), call, approvals=(*call.approvals, yes))


REQUEST_EVENTS = (
    Definition(K.REQUEST_OPENED, RequestOpenedPayload, _opened, _opened_line, projected=True),
    Definition(
        K.REQUEST_ANSWERED,
        RequestAnsweredPayload,
        _answered,
        _answered_line,
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        K.REQUEST_CLOSED, RequestClosedPayload, _closed, lambda e: f"{e['request_id']}: {e['how']}", projected=True
    ),
    Definition(
        K.CUSTOMER_CONFIRMED,
        CustomerConfirmedPayload,
        _confirmed,
        lambda e: f"{e['tool']} {short(e['input'], 200)}",
        from_outside=True,
        others=True,
    ),
    Definition(
        K.CONFIRMATION_USED,
        ConfirmationUsedPayload,
        _confirmation_used,
        lambda e: f"{e['call_id']}: the customer had said yes",
    ),
)
