"""The routes about jobs: what workers run after a step is over."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.api.shapes import job_shown
from engine.ports.records import JOB_STATUSES, JobRow
from engine.web.bodies import number_of
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service, no_such
from engine.web.sessions import MOST


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/jobs`: in the order in which they were enqueued, `?status=&session_id=&limit=&cursor=`."""
    limit = number_of(request, "limit", 50, MOST, 1)
    status, session_id, cursor = (request.query_params.get(name) for name in ("status", "session_id", "cursor"))
    if status is not None and status not in JOB_STATUSES:
        raise HttpProblem(422, "invalid", f"`status` is one of {', '.join(JOB_STATUSES)}")
    rows = await service.store.jobs(status, session_id)
    if principal.tenant is not None:
        own = set(await service.store.access.sessions_of(principal.tenant))
        rows = [row for row in rows if row.session_id in own]
    ids = [row.id for row in rows]
    if cursor is not None and cursor not in ids:
        raise no_such("job", cursor)
    page = rows[ids.index(cursor) + 1 if cursor is not None else 0 :]
    more = page[limit - 1].id if len(page) > limit else None
    return answered({"items": [job_shown(row) for row in page[:limit]], "next_cursor": more})


async def read(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/jobs/{id}`: how it stands."""
    return answered(job_shown(await _job(service, principal, request.path_params["id"])))


async def retry(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/jobs/{id}/retry`: 202; a dead job is tried once more, as a new call that the gate judges again."""
    row = await _job(service, principal, request.path_params["id"])
    await service.engine.session(row.session_id, drive=False).retry_job(row.call_id, by=_by(principal))
    await service.note(request, principal, "retry_job", row.id, "accepted")
    return answered({"id": row.id, "session_id": row.session_id}, 202)


async def discard(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/jobs/{id}/discard`: 202; a job that waits is given up, a dead one taken off the list."""
    row = await _job(service, principal, request.path_params["id"])
    await service.engine.session(row.session_id, drive=False).discard_job(row.call_id, by=_by(principal))
    await service.note(request, principal, "discard_job", row.id, "accepted")
    return answered({"id": row.id, "session_id": row.session_id}, 202)


def _by(principal: Principal) -> str:
    return principal.person or principal.name


async def _job(service: Service, principal: Principal, job_id: str) -> JobRow:
    """A job of a session that a principal may see; raises HttpProblem 404 for any other."""
    row = await service.store.job(job_id)
    if row is None:
        raise no_such("job", job_id)
    try:
        await service.session(principal, row.session_id)
    except HttpProblem as problem:
        raise (no_such("job", job_id) if problem.status == 404 else problem) from None
    return row
