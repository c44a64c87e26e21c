"""The yeses to a call that are in its log and count, each with the request that it was said to."""

from __future__ import annotations

from engine.session.state.state import Approval, Call, Request, State


def is_said_in(yes: Approval, request: Request) -> bool:
    """Whether a yes is what answered a request."""
    answered = request.answered
    return (
        answered is not None
        and answered["action"] == "approve"
        and (yes.by, yes.digest, yes.rules) == (answered["by"], answered["digest"], frozenset(request.rules))
    )


def yes_ids(state: State, call: Call) -> frozenset[str]:
    """The requests about a call whose yes counts for it as it stands."""
    valid = [yes for yes in call.approvals if yes.digest == call.digest]
    asked = [one for one in state.requests.values() if one.call_id == call.id]
    return frozenset(one.id for one in asked if any(is_said_in(yes, one) for yes in valid))
