"""How a session stands, and the commands that go on from there: of one in a store, or at a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.policy.approvals import whom
from engine.session.state.state import FINAL, Status
from engine.spec.request_kind import RequestKind


def standing_line(found: Mapping[str, Any]) -> str:
    """How a session stands, of what `session_shown` tells of it."""
    state = Status(found["state"])
    outcome = f" ({found['outcome']})" if state is Status.DONE else ""
    by = f" by {found['cancelled_by']}" if state is Status.CANCELLED and found["cancelled_by"] is not None else ""
    return f"session {found['id']} is {state.value.replace('_', ' ')}{outcome}{by}"


def next_steps(found: Mapping[str, Any], *, who: str = "", jobs: bool = False) -> list[str]:
    """What can be done next; `who` says who acts where no token does, and `jobs` that some wait for a worker."""
    state, id_ = Status(found["state"]), found["id"]
    lines = [f"go on: engine resume {id_}"] if state is Status.RUNNING else []
    for request in found["requests"]:
        if request["open"]:
            lines += _how_to_answer(found, request, who)
    if jobs:
        lines.append("a worker has to run a job: engine worker")
    if state is Status.AWAITING_MESSAGE:
        lines.append(f'go on: engine send {id_} -m "..."')
    if state in FINAL:
        lines.append(f"its log: engine sessions events {id_}")
    return lines


def _how_to_answer(found: Mapping[str, Any], request: Mapping[str, Any], who: str) -> list[str]:
    id_ = request["id"]
    if request["kind"] == RequestKind.PLANNER:
        return [f"its client is to propose: engine propose {found['id']} --after {found['events']} DECISION"]
    if list(request["groups"]) == ["customer"]:
        return [f"the customer is asked: engine confirm {found['id']} yes|no"]
    if request["status"] == "delayed":
        return [
            f"a yes to {id_} counts at {request['counts_at']}: then a worker goes on, or: engine resume {found['id']}",
            f"as long as nobody has: engine review take-back {id_}{who}",
        ]
    groups = whom(request["groups"], request["names"])
    of = f" of {groups}" if groups else ""
    if request["kind"] == RequestKind.APPROVAL:
        return [
            f"a reviewer{of} is asked: engine review show {id_}",
            f"then: engine review approve {id_}{who}, or deny",
        ]
    if request["kind"] == RequestKind.SETTLE:
        return [f"somebody has to settle: engine review answer {id_}{who} --value did_not_happen"]
    return [f"somebody{of} is asked: engine review answer {id_}{who} --set FIELD=VALUE"]
