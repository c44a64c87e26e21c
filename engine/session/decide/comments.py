"""What people say to each other about a request: recorded beside it, and no answer."""

from __future__ import annotations

from engine.language.blank_text import says_something
from engine.language.value import whole_text
from engine.session.decide.draft import Draft
from engine.session.state.event import EventKind
from engine.session.state.inputs import InputRefused, RequestCommented
from engine.spec.request_kind import RequestKind

# of one comment, in characters, and of one request
LONGEST, MOST = 2_000, 100


def comment(draft: Draft, reply: RequestCommented) -> InputRefused | None:
    """Record a comment, or say why it is refused: no such request, over, nothing said, or too much."""
    request = draft.state.requests.get(reply.request_id)
    if request is None or request.kind is RequestKind.PLANNER:
        return InputRefused("no_such_request", f"there is no request {reply.request_id} of people")
    if draft.state.final and not request.open:
        # nothing is said of it any more: how long it is kept counts from its end
        return InputRefused("session_over", f"session {draft.state.session_id} is over ({draft.state.status})")
    if not says_something(reply.text):
        return InputRefused("empty_message", "a comment must say something")
    if len(reply.text) > LONGEST:
        return InputRefused("too_long", f"a comment has at most {LONGEST} characters")
    if len(request.comments) >= MOST:
        return InputRefused("too_many_comments", f"a request has at most {MOST} comments")
    draft.emit(EventKind.REQUEST_COMMENTED, request_id=request.id, by=reply.by, text=whole_text(reply.text))
    return None
