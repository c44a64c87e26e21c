"""A yes that counts after a while, so that who has slipped can take it back.

The yes is in the log at once, and the question stays open: nothing that waits for it goes on.  Once its time has come
it is recorded as any answer is, and the call is judged again.  A no counts at once, also while a yes waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.session.decide.answers import edit, is_denied, record_answer
from engine.session.decide.draft import Draft
from engine.session.decide.people import is_member, refused_requester
from engine.session.state.event import EventKind
from engine.session.state.inputs import TOKEN_REVOKED, InputRefused, RequestAnswered, YesTakenBack
from engine.session.state.state import Phase, Request
from engine.session.state.yeses import yes_ids


def take_back(draft: Draft, reply: YesTakenBack) -> InputRefused | None:
    """Record that a yes is taken back, or say why it is refused: there is none, it counts already, another's."""
    request = draft.state.requests.get(reply.request_id)
    if request is None:
        return InputRefused("no_such_request", f"there is no request {reply.request_id}")
    if _waits_for_others(draft, request) and reply.why == TOKEN_REVOKED and request.answered is not None:
        if request.answered["by"] != reply.by:
            return InputRefused("not_yours", f"{request.answered['by']} said yes to this")
        draft.emit(EventKind.YES_TAKEN_BACK, request_id=request.id, by=reply.by, why=reply.why)
        return None
    if request.delayed is None or not request.open:
        told = f"no yes to request {request.id} waits: it counts already, was taken back, or was never said"
        return InputRefused("nothing_to_take_back", told)
    if request.delayed["by"] != reply.by:
        return InputRefused("not_yours", f"{request.delayed['by']} said yes to this: who may answer can still say no")
    draft.emit(EventKind.YES_TAKEN_BACK, request_id=request.id, by=reply.by, why=reply.why)
    return None


def _waits_for_others(draft: Draft, request: Request) -> bool:
    """Whether a yes is in the log that starts nothing yet, since other people have to say theirs."""
    call = draft.state.calls.get(request.call_id or "")
    return call is not None and call.phase is Phase.HELD and request.id in yes_ids(draft.state, call)


def count_delayed_yes(draft: Draft) -> bool:
    """Record as an answer what was said long enough ago, unless nobody would take it from them any more.

    Nothing counts once the call is denied, or the session is to end: that came first.  Whoever belongs to who is asked
    no more, as an urgent bundle has it, said no yes; and one to a call that was edited since was to another.
    """
    if draft.state.cancel_by is not None or draft.state.ending is not None:
        return False
    # in the order in which they count, whenever somebody looks
    waiting = [(one.counts_at, one) for one in draft.state.open_requests() if one.counts_at is not None]
    for counts_at, request in sorted(waiting, key=lambda one: one[0]):
        said = request.delayed
        if said is None or draft.state.now < counts_at:
            continue
        call = draft.state.calls[said["call_id"]]
        if is_denied(draft, request):
            continue
        if call.digest not in (request.digest, said["digest"]):
            draft.emit(EventKind.REQUEST_CLOSED, request_id=request.id, how="withdrawn")
        elif why := _refused_now(draft, request, said):
            draft.emit(EventKind.YES_TAKEN_BACK, request_id=request.id, by=said["by"], why=why)
        else:
            _count(draft, request, said)
        return True
    return False


def _refused_now(draft: Draft, request: Request, said: Mapping[str, Any]) -> str:
    """Why a yes would be refused by now that was taken when it was said."""
    roles = frozenset(said["roles"])
    if request.groups and not is_member(draft, request, said["by"], roles):
        return "not_a_member"
    again = RequestAnswered(request.id, "approve", said["by"], said["note"], None, None, draft.at, roles)
    refused = refused_requester(draft, again)
    return refused.reason if refused is not None else ""


def _count(draft: Draft, request: Request, said: Mapping[str, Any]) -> None:
    edited = said["input"] is not None
    if edited:
        edit(draft, request, {name: said[name] for name in ("input", "digest", "key", "by")})
    told = {"action": "approve", "by": said["by"], "note": said["note"], "value": None, "digest": said["digest"]}
    record_answer(draft, request, told, said["roles"], edited=edited, said_at=said["said_at"])
