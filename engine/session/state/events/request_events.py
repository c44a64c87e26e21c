"""The kinds of event of what people are asked, and of what the customer agreed to beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.blank_text import says_something
from engine.language.value import span, timestamp
from engine.policy.approvals import whom
from engine.policy.rule import CUSTOMER
from engine.session.state.event import Event, EventKind
from engine.session.state.events.definition import Definition, short
from engine.session.state.events.parts import with_call
from engine.session.state.holds import Digest, H, Input, Own, Words
from engine.session.state.persistent import copy_with
from engine.session.state.state import Approval, Request, State
from engine.session.state.yeses import is_said_in
from engine.spec.request_kind import RequestKind


class RequestOpenedPayload(TypedDict):
    """Somebody of `groups` is asked: about a call, or about more of a `limit`, which a yes extends by `extend_by`.

    Who answers a `distinct` one may answer no other about the same call, where the `note` is required a yes says why,
    and for a `settle_delay` it can be taken back.  Of the groups in `names` only the people there are asked.  All are
    told again when a time in `remind` has passed, and the groups in `escalate` are told only once theirs has.
    """

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
    distinct: NotRequired[Own[bool]]
    note: NotRequired[Own[str]]
    settle_delay: NotRequired[Own[str]]
    remind: NotRequired[Own[list[str]]]
    escalate: NotRequired[Own[dict[str, str]]]
    names: NotRequired[Annotated[dict[str, Any], H.PEOPLE]]
    values: NotRequired[Annotated[dict[str, Any], H.VALUES]]
    difference: NotRequired[Annotated[list[dict[str, Any]], H.DIFFERENCE]]


def _opened(state: State, payload: RequestOpenedPayload, event: Event) -> State:
    expires = payload["expires_at"]
    request = Request(
        id=payload["request_id"],
        kind=RequestKind(payload["request_kind"]),
        call_id=payload["call_id"],
        groups=tuple(payload["groups"]),
        rules=tuple(payload["rules"]),
        digest=payload["digest"],
        schema=payload["schema"],
        expires_at=datetime.fromisoformat(expires) if expires else None,
        opened_at=event.at,
        limit=payload.get("limit"),
        distinct=payload.get("distinct", False),
        note_required=payload.get("note") == "required",
        settle_delay=span(payload.get("settle_delay", "0s")),
        names={group: tuple(people) for group, people in payload.get("names", {}).items()},
    )
    return copy_with(state, requests=state.requests.with_item(request.id, request))


def _opened_line(entry: dict[str, Any]) -> str:
    if entry["request_kind"] == RequestKind.PLANNER:
        return f"{entry['request_id']}: its client is to propose"
    groups = whom(entry["groups"], entry.get("names", {})) or "anybody"
    return f"{entry['request_kind']} {entry['request_id']} asked of {groups}: {entry['message'] or entry['reason']}"


class RequestAnsweredPayload(TypedDict):
    """Somebody answered; `digest` is the call that a yes is for, `value` what else they gave.

    `roles` are those by which they belong to who was asked, where it is not by their name.  It was `edited` where they
    said what the call should be, be it as it stood already.  A yes that could be taken back was said at `said_at`.
    """

    request_id: Own[str]
    request_kind: Own[str]
    call_id: Own[str | None]
    action: Own[str]
    by: Words[str]
    note: Words[str]
    value: Annotated[Any, H.ANSWER]
    digest: Digest
    roles: NotRequired[Own[list[str]]]
    edited: NotRequired[Own[bool]]
    said_at: NotRequired[Own[str]]


def _answered(state: State, payload: RequestAnsweredPayload, event: Event) -> State:
    request = state.requests[payload["request_id"]]
    said = replace(request, answered=payload, answered_at=event.at)
    state = copy_with(state, requests=state.requests.with_item(request.id, said))
    if request.kind is RequestKind.BUDGET and request.limit is not None and payload["action"] == "approve":
        short_of = {call.id for call in state.calls.open.values() if call.short_of == request.limit}
        full = {id_: refused for id_, refused in state.full.items() if id_ not in short_of}
        return copy_with(
            state, limits=state.limits.extended(request.limit), crossed=state.crossed - {request.limit}, full=full
        )
    if request.kind is not RequestKind.APPROVAL or request.call_id is None:
        return state
    call = state.calls[request.call_id]
    if payload["action"] == "deny":
        marks = {request.digest, call.digest} | ({call.claim} if call.claim is not None else set())
        refusal = {"tool": call.name, "input": call.input, "at": event.at}
        return copy_with(state, denied=state.denied | marks, refusals=(*state.refusals, refusal))
    kept = tuple(approval for approval in call.approvals if approval.digest == payload["digest"])
    yes = Approval(
        frozenset(request.rules),
        frozenset(request.groups),
        payload["digest"],
        payload["by"],
        payload.get("edited", payload["digest"] != request.digest),
        distinct=request.distinct,
        names=frozenset(person for people in request.names.values() for person in people),
        noted=says_something(payload["note"]),
        settle_delay=request.settle_delay,
    )
    return with_call(state, call, approvals=(*kept, yes), approved_seq=event.seq)


def _answered_line(entry: dict[str, Any]) -> str:
    note = f" ({entry['note']})" if entry["note"] else ""
    return f"{entry['request_id']}: {entry['action']} by {entry['by']}{note}"


class YesDelayedPayload(TypedDict):
    """Somebody said yes, which counts at `counts_at` unless it is taken back; `input` is what the call is to be by it.

    It is null, as is its `key`, where the call is to be as it stands.
    """

    request_id: Own[str]
    call_id: Own[str]
    tool: Own[str]
    by: Words[str]
    note: Words[str]
    digest: Digest
    input: Annotated[dict[str, Any] | None, H.INPUT]
    key: Annotated[str | None, H.KEY]
    roles: Own[list[str]]
    counts_at: Own[str]


def _delayed(state: State, payload: YesDelayedPayload, event: Event) -> State:
    request = state.requests[payload["request_id"]]
    said = {**payload, "said_at": timestamp(event.at)}
    return copy_with(state, requests=state.requests.with_item(request.id, replace(request, delayed=said)))


class YesTakenBackPayload(TypedDict):
    """A yes of somebody that did not count yet was taken back: by themselves, or `why` else.

    That is since they belong to who is asked no more, or their token was revoked.  Then also one that waits for another
    person's.
    """

    request_id: Own[str]
    by: Words[str]
    why: Own[str]


def _taken_back(state: State, payload: YesTakenBackPayload, event: Event) -> State:
    request = state.requests[payload["request_id"]]
    if request.answered is not None:
        # it waited for another person's: the question stays answered, and once that is said all are asked anew
        call = state.calls[request.call_id or ""]
        kept = tuple(yes for yes in call.approvals if not is_said_in(yes, request))
        return with_call(state, call, approvals=kept)
    return copy_with(state, requests=state.requests.with_item(request.id, replace(request, delayed=None)))


class RequestClosedPayload(TypedDict):
    """Nobody is asked any more: it expired, or nobody needs the answer."""

    request_id: Own[str]
    how: Own[str]


def _closed(state: State, payload: RequestClosedPayload, event: Event) -> State:
    request = state.requests[payload["request_id"]]
    return copy_with(state, requests=state.requests.with_item(request.id, replace(request, closed=payload["how"])))


class RequestCommentedPayload(TypedDict):
    """Somebody said something about a request to the others who are asked; it is no answer, and no planner reads it."""

    request_id: Own[str]
    by: Words[str]
    text: Words[str]


def _commented(state: State, payload: RequestCommentedPayload, event: Event) -> State:
    request = state.requests[payload["request_id"]]
    said = {"by": payload["by"], "text": payload["text"], "at": event.at}
    commented = replace(request, comments=(*request.comments, said))
    return copy_with(state, requests=state.requests.with_item(request.id, commented))


class CustomerConfirmedPayload(TypedDict):
    """The customer agreed to a call of this input, before it is proposed."""

    tool: Own[str]
    input: Input
    digest: Digest


def _confirmed(state: State, payload: CustomerConfirmedPayload, event: Event) -> State:
    return copy_with(state, confirmed=(*state.confirmed, payload["digest"]))


class ConfirmationUsedPayload(TypedDict):
    """What the customer agreed to was proposed, and is agreed to once."""

    call_id: Own[str]
    digest: Digest
    rules: Own[list[str]]


def _confirmation_used(state: State, payload: ConfirmationUsedPayload, event: Event) -> State:
    left = list(state.confirmed)
    left.remove(payload["digest"])
    call = state.calls[payload["call_id"]]
    yes = Approval(frozenset(payload["rules"]), frozenset((CUSTOMER,)), payload["digest"], CUSTOMER, prior=True)
    return with_call(copy_with(state, confirmed=tuple(left)), call, approvals=(*call.approvals, yes))


REQUEST_EVENTS = (
    Definition(EventKind.REQUEST_OPENED, RequestOpenedPayload, _opened, _opened_line, projected=True),
    Definition(
        EventKind.REQUEST_ANSWERED,
        RequestAnsweredPayload,
        _answered,
        _answered_line,
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        EventKind.REQUEST_CLOSED,
        RequestClosedPayload,
        _closed,
        lambda e: f"{e['request_id']}: {e['how']}",
        projected=True,
    ),
    Definition(
        EventKind.REQUEST_COMMENTED,
        RequestCommentedPayload,
        _commented,
        lambda e: f"{e['request_id']}: {e['by']} says: {short(e['text'], 200)}",
        from_outside=True,
        others=True,
    ),
    Definition(
        EventKind.YES_DELAYED,
        YesDelayedPayload,
        _delayed,
        lambda e: f"{e['request_id']}: yes by {e['by']}, which counts at {e['counts_at']}",
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        EventKind.YES_TAKEN_BACK,
        YesTakenBackPayload,
        _taken_back,
        lambda e: f"{e['request_id']}: the yes of {e['by']} is taken back{': ' + e['why'] if e['why'] else ''}",
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        EventKind.CUSTOMER_CONFIRMED,
        CustomerConfirmedPayload,
        _confirmed,
        lambda e: f"{e['tool']} {short(e['input'], 200)}",
        from_outside=True,
        others=True,
    ),
    Definition(
        EventKind.CONFIRMATION_USED,
        ConfirmationUsedPayload,
        _confirmation_used,
        lambda e: f"{e['call_id']}: the customer had said yes",
    ),
)
