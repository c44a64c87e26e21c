"""A yes that counts after a while, so that who has slipped can take it back.

The yes is in the log at once, and the question stays open: nothing that waits for it goes on.  Once its time has come
it is recorded as any answer is, and the call is judged again.  A no counts at once, also while a yes waits.
"""

from __future__ import annotations

from engine.session.decide.draft import Draft
from engine.session.state.event import EventKind
from engine.session.state.inputs import InputRefused, YesTakenBack


def take_back(draft: Draft, reply: YesTakenBack) -> InputRefused | None:
    """Record that a yes is taken back, or say why it is refused: there is none, it counts already, another's."""
    request = draft.state.requests.get(reply.request_id)
    if request is None:
        return InputRefused("no_such_request", f"there is no request {reply.request_id}")
    if request.delayed is None or not request.open:
        told = f"no yes to request {request.id} waits: it counts already, was taken back, or was never said"
        return InputRefused("nothing_to_take_back", told)
    if request.delayed["by"] != reply.by:
        return InputRefused("not_yours", f"{request.delayed['by']} said yes to this: who may answer can still say no")
    draft.emit(EventKind.YES_TAKEN_BACK, request_id=request.id, by=reply.by)
    return None


def count_delayed_yes(draft: Draft) -> bool:
    """Record as an answer what was said long enough ago; one to a call that was edited since is closed instead."""
    for request in draft.state.open_requests():
        said = request.delayed
        if said is None or request.due_at is None or draft.state.now < request.due_at:
            continue
        call = draft.state.calls[said["call_id"]]
        if call.digest not in (request.digest, said["digest"]):
            draft.emit(EventKind.REQUEST_CLOSED, request_id=request.id, how="withdrawn")
            return True
        if said["digest"] != call.digest:
            told = {"input": said["input"], "digest": said["digest"], "key": said["key"], "by": said["by"]}
            draft.emit(EventKind.CALL_EDITED, step=call.step, call_id=call.id, **told)
        draft.emit(
            EventKind.REQUEST_ANSWERED,
            request_id=request.id,
            request_kind=request.kind.value,
            call_id=call.id,
            action="approve",
            by=said["by"],
            note=said["note"],
            value=None,
            digest=said["digest"],
            said_at=said["said_at"],
            **({"roles": said["roles"]} if said["roles"] else {}),
            **({"edited": True} if said["input"] is not None else {}),
        )
        return True
    return False
