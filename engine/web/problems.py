"""What goes wrong with a request, as RFC 9457 has it: a status, a code to go by, and a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from engine.language.value import compact, jsonable
from engine.ports.records import CorruptLog, NewerLog, StoreMoved, UnknownSession
from engine.ports.resources import EnvironmentFault
from engine.runtime.errors import BundleUnavailable, EngineClosed, NotAllowed
from engine.store.backup import StoreStopped
from engine.store.faults import StoreFault
from engine.web.openid import ProviderUnavailable

TYPE = "application/problem+json"


class HttpProblem(Exception):
    """An answer that is no success; `digest` is what was answered to, for the audit."""

    def __init__(
        self, status: int, code: str, detail: str, *, more: Mapping[str, Any] | None = None, digest: str = ""
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.more = dict(more or {})
        self.digest = digest

    def response(self) -> Response:
        """The problem as a response."""
        body = {
            "type": f"urn:steadyhand:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.more,
        }
        headers = {"cache-control": "no-store"}
        if self.status == 401:
            headers["www-authenticate"] = 'Bearer realm="engine"'
        if self.status in (429, 503):
            headers["retry-after"] = "5"
        return Response(f"{compact(jsonable(body))}\n", self.status, headers, TYPE)


# what is asked is refused with, by the core's reason; what is not here stands in the way of what was asked: 409
_REFUSED: Mapping[str, int] = {
    "no_such_agent": 422,
    "no_such_job": 404,
    "no_such_request": 404,
    "no_such_session": 404,
    "invalid_attributes": 422,
    "invalid_decision": 422,
    "invalid_input": 422,
    "invalid_usage": 422,
    "not_a_client": 422,
    "not_text": 422,
    "empty_message": 422,
    "unknown_planner": 422,
    "unknown_tool": 422,
    "wrong_answer": 422,
    "note_required": 422,
    "too_long": 422,
    "not_a_member": 403,
    "own_request": 403,
    "not_yours": 403,
    "another_person": 403,
    "another_call": 409,
    "changed_meanwhile": 412,
}


def status_of(refused: NotAllowed) -> int:
    """The status of what the core refuses."""
    return _REFUSED.get(refused.reason, 409)


def problem_of(error: Exception) -> HttpProblem | None:
    """The problem that an error of the engine is; None for what is a fault of ours."""
    match error:
        case HttpProblem():
            return error
        case NotAllowed():
            return HttpProblem(status_of(error), error.reason, str(error))
        case UnknownSession():
            return HttpProblem(404, "no_such_session", str(error))
        case ProviderUnavailable():
            return HttpProblem(503, "provider_away", str(error))
        case EngineClosed():
            return HttpProblem(503, "draining", "this process is about to stop: ask again")
        case EnvironmentFault() | BundleUnavailable():
            return HttpProblem(503, "not_available", str(error))
        case StoreStopped():
            return HttpProblem(503, "store_stopped", str(error))
        case StoreMoved():
            return HttpProblem(503, "session_moved", str(error))
        case StoreFault() | sqlite3.Error():
            return HttpProblem(503, "store_away", "the store can't be read or written now: ask again")
        case NewerLog():
            return HttpProblem(503, "newer_log", str(error))
        case CorruptLog():
            return HttpProblem(500, "damaged", str(error))
        case _:
            return None
