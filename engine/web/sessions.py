"""The routes about sessions: they are started, listed, read, told something more, and ended."""

from __future__ import annotations

import trio
from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import Right
from engine.api.answers import Approve, Deny
from engine.api.session import Session
from engine.api.shapes import session_listed, session_shown
from engine.language.value import digest
from engine.ports.access import Creation
from engine.ports.records import SessionRow, UnknownSession
from engine.runtime.opening import new_session_id
from engine.runtime.retention import erase_session, is_erased
from engine.session.state.event import Event, EventKind
from engine.session.state.state import Request as SessionRequest
from engine.session.state.state import Status
from engine.session.trace import entry, headline
from engine.web.bodies import (
    NewConfirmation,
    NewErasure,
    NewMessage,
    NewProposal,
    NewSession,
    NewSessions,
    body_of,
    number_of,
)
from engine.web.members import people_behind
from engine.web.problems import HttpProblem, problem_of
from engine.web.responses import answered
from engine.web.service import Service, address_of, attributes_for, scope_of

MOST = 200
# the longest that a read may wait for something to happen, in seconds
WAIT = 25


async def start(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions`: 201, or 200 with the session that was started by the same request before."""
    wanted = await body_of(request, NewSession)
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 200:
        raise HttpProblem(422, "invalid", "`Idempotency-Key` has 1 to 200 characters")
    row, first = await started(service, principal, request, wanted, key)
    place = {"location": f"/v1/sessions/{row.id}"}
    return answered({"id": row.id, "state": row.state, "seq": row.seq}, 201 if first else 200, place)


async def start_batch(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/batch`: 200 with what came of each, in their order; each by itself is started or refused."""
    wanted = await body_of(request, NewSessions)
    found = []
    for one in wanted.items:
        try:
            row, first = await started(service, principal, request, one, None)
            found.append({"status": 201 if first else 200, "id": row.id, "state": row.state, "seq": row.seq})
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            found.append({"status": problem.status, "code": problem.code, "detail": problem.detail})
    return answered({"items": found})


async def started(
    service: Service, principal: Principal, request: Request, wanted: NewSession, key: str | None
) -> tuple[SessionRow, bool]:
    """A session that a request wants, and whether it is a new one; raises HttpProblem."""
    return await begun(service, principal, address_of(request), wanted, key)


async def begun(
    service: Service, principal: Principal, address: str, wanted: NewSession, key: str | None
) -> tuple[SessionRow, bool]:
    """A session that is wanted, and whether it is a new one; raises HttpProblem."""
    attributes = attributes_for(principal, wanted.attributes)
    plain = wanted.model_dump() | {"attributes": attributes}
    session_id = new_session_id()
    if key is not None and wanted.external_id is not None:
        raise HttpProblem(422, "invalid", "give either an Idempotency-Key or an `external_id`")
    owner = scope_of(principal)
    scope, name = (f"{owner}/external", wanted.external_id) if wanted.external_id else (owner, key or session_id)
    bundle, agent = service.bundle_for(attributes, wanted.agent)
    if await service.store.access.creation(scope, name) is None:
        # what does not fit is refused before anything of it is kept; what was begun stays so under any later bundle
        service.engine.check_start(
            bundle, message=wanted.message, agent=agent, attributes=attributes, planner=wanted.planner
        )
    creation = Creation(scope, name, digest(plain), session_id, principal.tenant, service.clock.now(), owner)
    kept = await service.store.access.reserve(creation)
    if kept.digest != creation.digest:
        if wanted.external_id:
            raise HttpProblem(409, "external_id_taken", f"another session has the external id {wanted.external_id}")
        raise HttpProblem(422, "idempotency_key_reused", "this Idempotency-Key was sent with another body")
    first = kept.session_id == session_id
    if first:
        await service.note_from(address, principal, "start", session_id, "accepted")
    try:
        await service.store.session(kept.session_id)
    except UnknownSession:
        # reserved and not begun: by this request, or by one that is under way or whose process died in between
        await service.engine.start(
            bundle, message=wanted.message, agent=agent, attributes=attributes, planner=wanted.planner,
            started_by=principal.starter, drive=False, session_id=kept.session_id,
            stands_for=sorted(await people_behind(service, principal.id)) if principal.person is None else (),
        )  # fmt: skip
    return await service.store.session(kept.session_id), first


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/sessions`: the newest first, `?state=&agent=&limit=&cursor=`."""
    limit = number_of(request, "limit", 50, MOST, 1)
    state, agent, cursor = (request.query_params.get(name) for name in ("state", "agent", "cursor"))
    if state is not None and state not in set(Status):
        raise HttpProblem(422, "invalid", f"`state` is one of {', '.join(sorted(Status))}")
    if cursor is not None:
        await service.session(principal, cursor)
    rows = await service.store.sessions(limit + 1, state, agent=agent, before=cursor, tenant=principal.tenant)
    more = rows[limit - 1].id if len(rows) > limit else None
    return answered({"items": [session_listed(row) for row in rows[:limit]], "next_cursor": more})


async def read(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/sessions/{id}`: how it stands; `?wait=S&after=SEQ` waits until something happened behind an event."""
    session = await service.session(principal, request.path_params["id"])
    wait, after = number_of(request, "wait", 0, WAIT), number_of(request, "after", 0, 10**12)
    if wait:
        service.check_room(principal)
        with service.counted(principal):
            await _await_more(service, session.id, after, wait)
    if await is_erased(service.store, session.id):
        row = await service.store.session(session.id)
        nothing: dict[str, object] = {"message": "", "attributes": {}, "messages": [], "calls": [], "requests": []}
        told = session_listed(row) | nothing | {"used": {}, "erased": True, "seq": row.seq}
        return answered(told, headers={"etag": f'"{row.seq}"'})
    state = await service.engine.look(session.id)
    return answered(session_shown(state) | {"seq": state.seq}, headers={"etag": f'"{state.seq}"'})


async def _await_more(service: Service, session_id: str, after: int, seconds: int) -> None:
    """Wait until something has happened behind an event; another process writes it, so that it is looked for."""
    with trio.move_on_after(seconds), service.wakes.watching(session_id) as watch:
        while not (service.draining.is_set() or await _seq(service, session_id) > after):
            await watch.wait()


async def events(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/sessions/{id}/events` as a page of JSON: `?after=SEQ&limit=`."""
    session = await service.session(principal, request.path_params["id"])
    after, limit = number_of(request, "after", 0, 10**12), number_of(request, "limit", MOST, MOST, 1)
    log = await service.store.load(session.id, after)
    page = [entry(event) for event in log[:limit] if may_see(principal, event)]
    return answered({"items": page, "next_cursor": str(log[limit - 1].seq) if len(log) > limit else None})


def may_see(principal: Principal, event: Event) -> bool:
    """What people tell each other about a request is not told to who reads its own sessions alone, for a customer."""
    return event.kind is not EventKind.REQUEST_COMMENTED or principal.may(Right.READ)


async def send(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/{id}/messages`: 202; 412 where the session has gone on since its ETag (`If-Match`)."""
    session = await service.own_session(principal, request.path_params["id"])
    await check_not_erased(service, session.id)
    said = await body_of(request, NewMessage)
    await session.send(said.text, only_at=only_at(request))
    await service.note(request, principal, "send", session.id, "sent")
    return await _accepted(service, session.id)


async def confirm(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/{id}/confirmations`: 202; what the customer says to what they are asked, or beforehand."""
    session = await service.own_session(principal, request.path_params["id"])
    await check_not_erased(service, session.id)
    said = await body_of(request, NewConfirmation)
    if said.tool is not None:
        if said.answer != "yes":
            raise HttpProblem(422, "invalid", "/answer: only a yes can be given beforehand")
        await session.confirm(said.tool, said.input, only_at=only_at(request))
    else:
        asked = await asked_of_customer(session)
        wanted = only_at(request)
        if wanted is not None and await _seq(service, session.id) != wanted:
            raise HttpProblem(412, "changed_meanwhile", f"session {session.id} has gone on since: look at it again")
        reply = Approve(by=CUSTOMER) if said.answer == "yes" else Deny(by=CUSTOMER)
        await service.engine.answer(asked.id, reply, digest=asked.digest, drive=False)
    await service.note(request, principal, "confirm", session.id, said.answer)
    return await _accepted(service, session.id)


async def propose(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/{id}/proposals`: 202; the next step of a session whose planner is a client."""
    session = await service.own_session(principal, request.path_params["id"])
    await check_not_erased(service, session.id)
    said = await body_of(request, NewProposal)
    decision = {"message": said.message, "tool_calls": said.tool_calls, "done": said.done}
    await session.propose(decision, after=said.after, by=principal.person or principal.name)
    await service.note(request, principal, "propose", session.id, "accepted")
    return await _accepted(service, session.id)


async def cancel(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/{id}/cancel`: 202; 412 as for messages."""
    session = await service.session(principal, request.path_params["id"])
    await check_not_erased(service, session.id)
    await session.cancel(principal.person or principal.name, only_at=only_at(request))
    await service.note(request, principal, "cancel", session.id, "cancelled")
    return await _accepted(service, session.id)


async def erase(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/sessions/{id}/erasure`: 200; what the session said is destroyed, its chain still verifies."""
    session = await service.session(principal, request.path_params["id"])
    said = await body_of(request, NewErasure)
    count = await erased_for(service, principal, session.id, said.why, request)
    return answered({"id": session.id, "erased": count})


async def erased_for(service: Service, principal: Principal, session_id: str, why: str, request: Request) -> int:
    """Destroy what a session said, for a reason that is noted; gives how many payloads that were, raises NotAllowed."""
    await service.follower.count(await service.store.session(session_id))  # what it used is counted first
    count = await erase_session(service.store, session_id)
    await service.note(request, principal, "erase", session_id, why)
    return count


async def verify(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/sessions/{id}/verify`: what is wrong with its log, empty if it is whole."""
    session = await service.session(principal, request.path_params["id"])
    return answered({"id": session.id, "problems": await service.store.verify(session.id)})


async def verdicts(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/sessions/{id}/verdicts`: what the rules said of each call, with what they saw and a line for people."""
    session = await service.session(principal, request.path_params["id"])
    log = await service.store.load(session.id)
    told = [entry(event) for event in log if event.kind is EventKind.VERDICT]
    return answered({"items": [{**one, "text": headline(one)} for one in told], "next_cursor": None})


async def asked_of_customer(session: Session) -> SessionRequest:
    """The oldest question of a session that is the customer's alone; raises HttpProblem 409."""
    asked = [one for one in await session.open_requests() if one.groups == (CUSTOMER,)]
    if not asked:
        raise HttpProblem(409, "nothing_asked", f"session {session.id} asks the customer nothing")
    return asked[0]


async def check_not_erased(service: Service, session_id: str) -> None:
    """Raise HttpProblem 409 for a session that is erased."""
    if await is_erased(service.store, session_id):
        raise HttpProblem(409, "erased", f"session {session_id} is erased: nothing is done with it any more")


def only_at(request: Request) -> int | None:
    """The event that `If-Match` names, at which a session has to stand still; raises HttpProblem."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    number = given.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) <= 12):
        raise HttpProblem(412, "changed_meanwhile", "`If-Match` is the ETag of the session: the number of an event")
    return int(number)


async def _seq(service: Service, session_id: str) -> int:
    return (await service.store.session(session_id)).seq


async def _accepted(service: Service, session_id: str) -> Response:
    row = await service.store.session(session_id)
    return answered({"id": row.id, "state": row.state, "seq": row.seq}, 202)
