"""What a person may answer, and when an answer is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.language.blank_text import says_something
from engine.language.value import timestamp
from engine.session.decide.draft import Draft
from engine.session.decide.people import is_member, known_groups, refused_person, refused_requester
from engine.session.decide.requests import settle
from engine.session.handles import place_of_handle
from engine.session.identity import call_digest, call_key
from engine.session.state.event import EventKind
from engine.session.state.inputs import InputRefused, RequestAnswered
from engine.session.state.state import Request
from engine.spec.bundle import Tool
from engine.spec.request_kind import RequestKind

SETTLED = ("did_not_happen", "abandon")

YES_OR_NO = frozenset({RequestKind.APPROVAL, RequestKind.BUDGET})


def answer(draft: Draft, reply: RequestAnswered) -> InputRefused | None:
    """Record an answer, or say why it is refused: used, expired, not a member, not the right kind, session over."""
    request = draft.state.requests.get(reply.request_id)
    if request is None:
        return InputRefused("no_such_request", f"there is no request {reply.request_id}")
    refused = _may_answer(draft, request, reply) or _handle(draft, reply) or _fits(draft, request, reply)
    if refused is not None:
        return refused
    edited = _edited(draft, request, reply)
    if isinstance(edited, InputRefused):
        return edited
    digest = request.digest if edited is None else edited.digest
    refused = refused_person(draft, request, reply, digest)
    if refused is not None:
        return refused
    roles = sorted(_roles_that_count(draft, request, reply))
    if request.settle_delay and reply.action == "approve":
        _delay(draft, request, reply, digest, edited, roles)
        return None
    if edited is not None:
        edit(draft, request, {"input": edited.input, "digest": edited.digest, "key": edited.key, "by": reply.by})
    told = {"action": reply.action, "by": reply.by, "note": reply.note, "value": reply.value, "digest": digest}
    record_answer(draft, request, told, roles, edited=edited is not None)
    if request.kind is RequestKind.SETTLE and (draft.state.final or request.closed is not None):
        _settle_late(draft, request)
    return None


def _delay(
    draft: Draft, request: Request, reply: RequestAnswered, digest: str, edited: _EditedCall | None, roles: list[str]
) -> None:
    """Record a yes that counts later (see `settle_delay`)."""
    call = draft.state.calls[request.call_id or ""]
    draft.emit(
        EventKind.YES_DELAYED,
        step=call.step,
        request_id=request.id,
        call_id=call.id,
        tool=call.name,
        by=reply.by,
        note=reply.note,
        digest=digest,
        input=edited.input if edited is not None else None,
        key=edited.key if edited is not None else None,
        roles=roles,
        counts_at=timestamp(draft.at + request.settle_delay),
    )


def _handle(draft: Draft, reply: RequestAnswered) -> InputRefused | None:
    """What people read in the place of a sensitive value is never one."""
    path = place_of_handle([reply.edit, reply.value]) if draft.agent.seal is not None else ""
    return InputRefused("invalid_input", "a handle of a sensitive value is no value: say what it is") if path else None


def _may_answer(draft: Draft, request: Request, reply: RequestAnswered) -> InputRefused | None:
    s = draft.state
    if request.kind is RequestKind.PLANNER:
        return InputRefused(
            "not_a_question", f"request {request.id} is answered by a decision, which a client proposes"
        )
    if request.answered is not None:
        return InputRefused("already_answered", f"request {request.id} was answered by {request.answered['by']}")
    if s.final and request.kind not in (RequestKind.SETTLE, RequestKind.FOLLOW_UP):
        return InputRefused("session_over", f"session {s.session_id} is over ({s.status})")
    if request.delayed is not None and reply.action != "deny":
        said = f"{request.delayed['by']} said yes to request {request.id}, which counts from"
        return InputRefused("already_answered", f"{said} {request.delayed['counts_at']} on unless it is taken back")
    if request.closed is not None and not _never_settled(request):
        return InputRefused(request.closed, f"request {request.id} is closed: {request.closed.replace('_', ' ')}")
    if request.kind is RequestKind.APPROVAL and is_denied(draft, request):
        return InputRefused("already_denied", "another group has said no to this call")
    if _is_stale(draft, request, reply):
        return InputRefused("changed", "the call was edited after this was asked: who is needed is asked anew")
    if (
        request.expires_at is not None
        and draft.at >= request.expires_at
        and request.delayed is None
        and not s.final
        and request.kind is not RequestKind.SETTLE
    ):
        session_id = request.id.rpartition(".")[0]
        told = f"request {request.id} expired at {timestamp(request.expires_at)}; its session goes on with"
        return InputRefused("expired", f"{told}: engine resume {session_id}")
    if request.groups and not is_member(draft, request, reply.by, reply.roles):
        groups = ", ".join(request.groups)
        return InputRefused("not_a_member", f"{reply.by} is not a member of {groups}")
    return refused_requester(draft, reply) if request.kind in YES_OR_NO else None


def _is_stale(draft: Draft, request: Request, reply: RequestAnswered) -> bool:
    """Whether a plain yes is to a call that was edited since: a no, or the same edit, still counts."""
    if request.kind is not RequestKind.APPROVAL or reply.action != "approve" or reply.edit:
        return False
    return request.digest != draft.state.calls[request.call_id or ""].digest


def _never_settled(request: Request) -> bool:
    """Whether nobody could say in time whether a write happened: whoever finds out later can say it still."""
    return request.kind is RequestKind.SETTLE and request.closed == "expired"


def is_denied(draft: Draft, request: Request) -> bool:
    """Whether somebody has said no to the call that a request is about."""
    answers = [one.answered for one in draft.state.requests.open.values() if one.call_id == request.call_id]
    return any(answer is not None and answer["action"] == "deny" for answer in answers)


def _roles_that_count(draft: Draft, request: Request, reply: RequestAnswered) -> frozenset[str]:
    """The roles by which somebody may answer a request that does not name them."""
    if not reply.roles or is_member(draft, request, reply.by):
        return frozenset()
    asked = (one.roles for group in request.groups for one in known_groups(draft, group))
    return reply.roles & frozenset().union(*asked)


def _fits(draft: Draft, request: Request, reply: RequestAnswered) -> InputRefused | None:
    if request.kind in YES_OR_NO:
        if reply.edit and request.kind is RequestKind.BUDGET:
            return InputRefused("wrong_answer", f"request {request.id} asks for a yes or a no")
        if reply.action not in ("approve", "deny"):
            return InputRefused("wrong_answer", f"request {request.id} asks for a yes or a no: approve or deny it")
        if request.note_required and reply.action == "approve" and not says_something(reply.note):
            return InputRefused("note_required", "a yes to this has to say why: give a note")
        return None
    if reply.action != "answer" or reply.edit is not None:
        return InputRefused(
            "wrong_answer", f"request {request.id} is a question ({request.kind}): answer it with a value"
        )
    tool = draft.tool(draft.state.calls[request.call_id].name) if request.call_id else None
    if request.kind is RequestKind.SETTLE:
        return _fits_settle(tool, reply.value)
    problems = (
        tool.check_output(reply.value) if tool and request.kind in (RequestKind.INPUT, RequestKind.CHOICE) else []
    )
    return InputRefused("wrong_answer", "the answer does not fit: " + "; ".join(problems)) if problems else None


def _fits_settle(tool: Tool | None, value: Any) -> InputRefused | None:
    if isinstance(value, str) and value in SETTLED:
        return None
    if isinstance(value, Mapping) and set(value) == {"happened"}:
        problems = tool.check_output(value["happened"]) if tool else []
        return InputRefused("wrong_answer", "the result does not fit: " + "; ".join(problems)) if problems else None
    return InputRefused("wrong_answer", 'settle with {"happened": RESULT}, "did_not_happen" or "abandon"')


@dataclass(frozen=True, slots=True)
class _EditedCall:
    """What a call becomes by an edit."""

    input: Mapping[str, Any]
    digest: str
    key: str | None


def _edited(draft: Draft, request: Request, reply: RequestAnswered) -> _EditedCall | InputRefused | None:
    """The call as a yes would have it; None without an edit."""
    if not reply.edit or request.call_id is None:
        return None
    if reply.action != "approve":
        return InputRefused("wrong_answer", "only an approved call can be edited")
    call = draft.state.calls[request.call_id]
    tool = draft.tool(call.name)
    edited = {**call.input, **reply.edit}
    problems = tool.check_input(edited)
    key, problem = call_key(draft.state, tool, edited) if not problems else (None, "")
    if problems or problem:
        return InputRefused(
            "invalid_input", "the edited call does not fit: " + "; ".join([*problems, problem]).strip("; ")
        )
    return _EditedCall(edited, call_digest(tool, call.name, edited), key)


def edit(draft: Draft, request: Request, told: Mapping[str, Any]) -> None:
    """Take an edit into the call, unless it stands so: its `input`, `digest` and `key`, and who it is `by`."""
    call = draft.state.calls[request.call_id or ""]
    if told["digest"] != call.digest:
        draft.emit(EventKind.CALL_EDITED, step=call.step, call_id=call.id, **told)


def record_answer(
    draft: Draft, request: Request, told: Mapping[str, Any], roles: list[str], *, edited: bool, **more: Any
) -> None:
    """Write that somebody answered: the `action`, who it is `by`, their `note` and `value`, and the call's `digest`."""
    more |= ({"roles": roles} if roles else {}) | ({"edited": True} if edited else {})
    draft.emit(
        EventKind.REQUEST_ANSWERED,
        request_id=request.id,
        request_kind=request.kind.value,
        call_id=request.call_id,
        **told,
        **more,
    )


def _settle_late(draft: Draft, request: Request) -> None:
    """A write settled after its session has ended, or gone on without it: the result is recorded, no more."""
    call = draft.state.calls[request.call_id or ""]
    settled = draft.state.requests[request.id].answered
    assert settled is not None
    settle(draft, call, settled)
