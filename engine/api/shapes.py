"""Sessions, requests and jobs as JSON values: one shape for the command line and for the door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engine.language.value import timestamp
from engine.ports.records import JobRow, RequestRow, SessionRow
from engine.session.state.state import Request, State


def session_listed(row: SessionRow) -> dict[str, Any]:
    """A session as lists show it."""
    return {
        "id": row.id,
        "agent": row.agent,
        "state": row.state,
        "outcome": row.outcome,
        "bundle": row.bundle,
        "events": row.seq,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def session_shown(state: State) -> dict[str, Any]:
    """How a session stands: what it was told, its calls and requests, what it used of its budget."""
    return {
        "id": state.session_id,
        "agent": state.agent,
        "state": state.status.value,
        "outcome": state.outcome,
        "message": state.told,
        "waiting_for": list(state.waiting_for),
        "attributes": dict(state.attributes),
        "started_by": state.started_by or "customer",
        "bundle": state.bundle,
        "messages": list(state.messages),
        "calls": [
            {
                "id": call.id,
                "step": call.step,
                "tool": call.name,
                "input": dict(call.input),
                "phase": call.phase.value,
                "status": call.result.status.value if call.result else None,
                "reason": call.result.reason if call.result else None,
            }
            for call in state.calls.values()
        ],
        "requests": [
            {
                "id": r.id,
                "kind": r.kind,
                "groups": list(r.groups),
                "names": dict(r.names),
                "open": r.open,
                "status": how_it_stands(r),
                "counts_at": timestamp(r.counts_at) if r.counts_at is not None and r.open else None,
            }
            for r in state.requests.values()
        ],
        "cancelled_by": state.cancel_by,
        "used": state.used.payload(),
        "limits": state.limits.payload(),
        "events": state.seq,
    }


def how_it_stands(request: Request) -> str:
    """What became of a request: `open`, `delayed`, `expired`, `answered` or how it was closed."""
    if request.answered is not None:
        return f"answered by {request.answered['by']}"
    if request.closed is not None:
        return request.closed
    if request.delayed is not None:
        return "delayed"
    return "expired" if is_over(request.expires_at) else "open"


def is_over(expires_at: datetime | None) -> bool:
    """Whether a request's time is over, whether its session knows that yet or not."""
    return expires_at is not None and expires_at <= datetime.now(UTC)


def request_status(row: RequestRow) -> str:
    """How a request of the inbox stands; of a `delayed` one a yes was said that does not count yet."""
    if row.status == "open" and row.counts_at is not None:
        return "delayed"
    return "expired" if row.status == "open" and is_over(row.expires_at) else row.status


def request_shown(row: RequestRow) -> dict[str, Any]:
    """A request: the call, the rules that ask and the values they saw, who is asked, and until when."""
    if row.problem:
        told = {"id": row.id, "kind": row.kind, "session_id": row.session_id, "status": row.status}
        return {**told, "problem": row.problem}
    p = row.payload
    return {
        "id": row.id,
        "kind": row.kind,
        "session_id": row.session_id,
        "status": request_status(row),
        "tool": p["tool"],
        "input": p["input"],
        "groups": p["groups"],
        "names": p.get("names", {}),
        "rules": p["rules"],
        "note": p.get("note", "optional"),
        "settle_delay": p.get("settle_delay"),
        "remind": p.get("remind", []),
        "escalate": p.get("escalate", {}),
        "reason": p["reason"],
        "message": p["message"],
        "values": p.get("values", {}),
        "difference": p.get("difference", []),
        "schema": p["schema"],
        "digest": p["digest"],
        "opened_at": row.opened_at,
        "expires_at": row.expires_at,
        "counts_at": row.counts_at if row.status == "open" else None,
    }


def comments_shown(state: State, request_id: str) -> list[dict[str, Any]]:
    """What people said about a request, the oldest first."""
    request = state.requests.get(request_id)
    return [{**one, "at": timestamp(one["at"])} for one in request.comments] if request is not None else []


def delayed_yes_shown(state: State, request_id: str) -> dict[str, Any]:
    """Who said a yes that does not count yet, when it counts, why, and what the call is to be by it if that changed."""
    request = state.requests.get(request_id)
    if request is None or not request.open or request.delayed is None:
        return {"said_by": None, "said": None}
    said = request.delayed
    counts_at = timestamp(request.counts_at) if request.counts_at is not None else None
    return {
        "said_by": str(said["by"]),
        "said": {"note": said["note"], "input": said["input"], "counts_at": counts_at},
    }


def answer_shown(state: State, request_id: str) -> dict[str, Any]:
    """What was answered: by whom, when, why, and the call's input as it was approved, where that was changed."""
    request = state.requests.get(request_id)
    if request is None or request.answered is None:
        return {"answered": None}
    said, call = request.answered, state.calls.get(request.call_id or "")
    edited = call is not None and said["action"] == "approve" and said["digest"] != request.digest
    return {
        "answered": {
            "action": said["action"],
            "by": said["by"],
            "at": timestamp(request.answered_at) if request.answered_at is not None else None,
            # an answer to a question that is sensitive as a whole has neither
            "note": said.get("note", ""),
            "value": said.get("value"),
            "input": call.input if call is not None and edited else None,
        }
    }


def job_shown(row: JobRow) -> dict[str, Any]:
    """A job as the queue has it."""
    return {
        "id": row.id,
        "session_id": row.session_id,
        "call_id": row.call_id,
        "tool": row.tool,
        "status": row.status,
        "attempts": row.attempts,
        "run_at": timestamp(row.run_at) if row.run_at else None,
        "enqueued_at": timestamp(row.enqueued_at) if row.enqueued_at else None,
        "owner": row.owner,
        "lease_until": timestamp(row.lease_until) if row.lease_until else None,
        "reason": row.reason,
        **({"problem": row.problem} if row.problem else {}),
    }
