"""The pages: log in, the inbox, a request, and what came of an answer."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engine.access.rights import Right
from engine.api.answers import Answer, Approve, Deny, Reply, Settle
from engine.ports.access import RequestClaim
from engine.ports.records import InboxPage, RequestRow
from engine.runtime.errors import NotAllowed
from engine.spec.request_kind import RequestKind
from engine.web.absences import absences_for
from engine.web.bodies import came_late, number_of
from engine.web.claims import claimed, claims_listed, released
from engine.web.comments import commented
from engine.web.members import asked_of, may_answer, may_refuse, refused_yes
from engine.web.pages import away, bundles, confirm, login, overview, session_page, together
from engine.web.pages.answer_form import fields_of, value_of
from engine.web.pages.browser import Visitor, form_of, visitor_of
from engine.web.pages.card import card_of, row_of, standing_of
from engine.web.pages.evidence import RequestEvidence
from engine.web.pages.gather import away_now, earlier, gathered
from engine.web.pages.inbox_words import InboxWords
from engine.web.pages.render import need, row_shown, shown
from engine.web.problems import HttpProblem, problem_of
from engine.web.requests import answer_by, taken_back
from engine.web.responses import PAGE_HEADERS, answered
from engine.web.service import Service

_log = logging.getLogger("engine.web")
_STATIC = Path(__file__).parent / "static"
# of a longer log the newest events are shown, and of a longer list the oldest rows: some at first, and more if asked
MOST_EVENTS, FIRST_ROWS, MOST_ROWS = 1000, 30, 200

Page = Callable[[Service, Visitor, Request], Awaitable[Response]]


def routes(service: Service) -> list[Route]:
    """The routes of the pages; only those that let somebody in are open."""
    return [
        Route("/", _page(service, _home), methods=["GET"]),
        Route("/inbox", _page(service, partial(_inbox, InboxWords())), methods=["GET"]),
        Route("/inbox/together", _page(service, together.show), methods=["GET"]),
        Route("/inbox/together", _page(service, together.answer), methods=["POST"]),
        Route("/inbox/ids", _page(service, _ids), methods=["GET"]),
        Route("/inbox/{id}", _page(service, _request), methods=["GET"]),
        Route("/inbox/{id}/stands", _page(service, _stands), methods=["GET"]),
        Route("/inbox/{id}/claim", _page(service, _claim), methods=["POST"]),
        Route("/inbox/{id}/comment", _page(service, _comment), methods=["POST"]),
        Route("/inbox/{id}/answer", _page(service, _answer), methods=["POST"]),
        Route("/inbox/{id}/take-back", _page(service, _take_back), methods=["POST"]),
        Route("/sessions/{id}", _page(service, session_page.show), methods=["GET"]),
        Route("/sessions/{id}/erase", _page(service, session_page.erase), methods=["POST"]),
        Route("/bundles", _page(service, bundles.show), methods=["GET"]),
        Route("/bundles/{id}", _page(service, bundles.show_one), methods=["GET"]),
        Route("/bundles/whatif", _page(service, bundles.judge_past), methods=["POST"]),
        Route("/bundles/whatif/{id}", _page(service, bundles.show_past), methods=["GET"]),
        Route("/away", _page(service, away.show), methods=["GET"]),
        Route("/away", _page(service, away.say), methods=["POST"]),
        Route("/away/{id}/back", _page(service, away.back), methods=["POST"]),
        Route("/overview", _page(service, overview.show), methods=["GET"]),
        Route("/logout", _page(service, login.leave), methods=["POST"]),
        Route("/login", _open(service, login.login_form), methods=["GET"]),
        Route("/login", _open(service, login.log_in_by_token), methods=["POST"]),
        Route("/login/provider", _open(service, login.ask_provider), methods=["GET"]),
        Route("/login/callback", _open(service, login.come_from_provider), methods=["GET"]),
        Route("/confirm/{secret}", _open(service, confirm.ask), methods=["GET"]),
        Route("/confirm/{secret}", _open(service, confirm.answer), methods=["POST"]),
        Route("/login/{secret}", _open(service, login.link_form), methods=["GET"]),
        Route("/login/{secret}", _open(service, login.log_in_by_link), methods=["POST"]),
        *(Route(f"/static/{name}", _open(service, _static(name)), methods=["GET"]) for name in _FILES),
    ]


def _page(service: Service, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page for who is logged in; others are asked to."""

    async def endpoint(request: Request) -> Response:
        visitor = None
        try:
            visitor = await visitor_of(service, request)
            if visitor is not None and request.method == "POST" and await came_late(request):
                # whoever sends a form slowly may have been shut out meanwhile
                visitor = await visitor_of(service, request)
            if visitor is None:
                if "text/html" not in request.headers.get("accept", ""):
                    await service.principal(request)  # which says what is missing
                return login.login_page(service, 401, request.url.path)
            request.state.principal = visitor.principal.id
            return await page(service, visitor, request)
        except ClientDisconnect:
            raise
        except Exception as error:
            if visitor is not None and isinstance(error, HttpProblem) and error.status == 403:
                await service.note_refusal(request, visitor.principal, "page", request.url.path, error.code)
            return _told(error, visitor, request)

    return endpoint


def _open(
    service: Service, page: Callable[[Service, Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await page(service, request)
        except ClientDisconnect:
            raise
        except Exception as error:
            return _told(error, None, request)

    return endpoint


def _told(error: Exception, visitor: Visitor | None, request: Request) -> Response:
    problem = problem_of(error)
    if problem is None:
        # of a link that logs in only what it is may be logged
        _log.exception("%s /%s failed", request.method, request.url.path.split("/")[1])
        problem = HttpProblem(500, "fault", "This is a fault of the engine; its log says which.")
    if "text/html" not in request.headers.get("accept", ""):
        response = problem.response()
        response.headers.update({name: value for name, value in PAGE_HEADERS.items() if name != "cache-control"})
        return response
    return shown("problem.html", problem.status, visitor=visitor, detail=problem.detail)


# -- what people are asked


async def _home(service: Service, visitor: Visitor, request: Request) -> Response:
    return RedirectResponse("/inbox", 303, PAGE_HEADERS)


async def _inbox(words: InboxWords, service: Service, visitor: Visitor, request: Request) -> Response:
    """What people are asked, what expires soonest first; `?status=all`, `?mine=1`, `?tool=NAME`, `?rows=200`."""
    need(visitor, Right.READ_REQUESTS)
    query = request.query_params
    everything, mine, tool = query.get("status") == "all", query.get("mine") == "1", query.get("tool", "")
    now = service.clock.now()
    most = number_of(request, "rows", FIRST_ROWS, MOST_ROWS, 1)
    page = await _rows(service, visitor, request, most)
    told = [await service.logged.listed(row) for row in page.rows]
    claims = await claims_listed(service)
    absences = await absences_for(service, visitor.principal)
    groups = await _groups(service, visitor, told)
    listed = [
        row_of(row, await words.of(service, row), now, claimed_by=_claimer(claims, row.id),
               together=groups.get(row.id, ""), away=away.all_told(await away_now(service, row, absences)))
        for row in told
    ]  # fmt: skip
    return shown(
        "inbox.html", visitor=visitor, rows=[row_shown(row) for row in listed], grouped=bool(groups),
        hidden=min(page.count, MOST_ROWS) - len(listed), all=page.count,
        more=urlencode({**query, "rows": MOST_ROWS}) if most < MOST_ROWS else "", everything=everything, mine=mine,
        tool=tool,
    )  # fmt: skip


async def _rows(service: Service, visitor: Visitor, request: Request, most: int) -> InboxPage:
    """The first requests that the inbox lists under the filters of its query, what expires soonest first."""
    query = request.query_params
    tenant, open_only = visitor.principal.tenant, query.get("status") != "all"
    if query.get("mine") != "1" and not query.get("tool"):
        return await service.store.inbox(tenant=tenant, open_only=open_only, limit=most)
    rows = (await service.store.inbox(tenant=tenant, open_only=open_only)).rows
    if query.get("mine") == "1":
        rows = await asked_of(service, visitor.principal, rows)
    rows = [row for row in rows if query.get("tool", "") in ("", row.payload.get("tool"))]
    return InboxPage(rows[:most], len(rows))


async def _ids(service: Service, visitor: Visitor, request: Request) -> Response:
    """What an inbox that stays open compares with what it shows."""
    need(visitor, Right.READ_REQUESTS)
    page = await _rows(service, visitor, request, MOST_ROWS)
    return answered({"items": [row.id for row in page.rows]})


async def _stands(service: Service, visitor: Visitor, request: Request) -> Response:
    """What the page of a request that stays open compares with what it was."""
    need(visitor, Right.READ_REQUESTS)
    row = await service.logged.listed(
        await service.request(visitor.principal, request.path_params["id"])
    )  # fmt: skip
    return answered({"stands": standing_of(row, await service.engine.look(row.session_id))})


async def _groups(service: Service, visitor: Visitor, rows: Sequence[RequestRow]) -> dict[str, str]:
    """By request the name of those that it can be answered together with, where there are others."""
    if not visitor.principal.may(Right.ANSWER):
        return {}
    bundles = {row.session_id: await service.logged.bundle_of(row.session_id) for row in rows}
    keys = {row.id: key for row in rows if (key := together.key_of(row, bundles[row.session_id])) is not None}
    counts = Counter(keys.values())
    several = len({key[2] for key in keys.values()}) > 1
    told = {key: f"{key[0]}: {', '.join(key[1])}{f', bundle {key[2][:8]}' if several else ''}" for key in counts}
    return {id_: told[key] for id_, key in keys.items() if counts[key] > 1}


def _claimer(claims: Mapping[str, RequestClaim], request_id: str) -> str:
    return claims[request_id].person if request_id in claims else ""


async def _claim(service: Service, visitor: Visitor, request: Request) -> Response:
    """Say that one is at a request, or is no more."""
    need(visitor, Right.ANSWER)
    fields = await form_of(request, visitor)
    row = await service.request(visitor.principal, request.path_params["id"])
    if fields.get("claim") == "release":
        await released(service, visitor.principal, row.id)
    else:
        await claimed(service, visitor.principal, row.id, take=fields.get("claim") == "take")
    return RedirectResponse(f"/inbox/{row.id}", 303, PAGE_HEADERS)


async def _comment(service: Service, visitor: Visitor, request: Request) -> Response:
    need(visitor, Right.COMMENT)
    fields = await form_of(request, visitor)
    row = await service.request(visitor.principal, request.path_params["id"])
    # a browser counts the end of a line as one character, and sends two
    text = fields.get("text", "").replace("\r\n", "\n")
    try:
        await commented(service, visitor.principal, row.id, text, request)
    except NotAllowed as refused:
        return await _card(service, visitor, row.id, problem=str(refused), status=409, typed=text)
    return RedirectResponse(f"/inbox/{row.id}", 303, PAGE_HEADERS)


async def _request(service: Service, visitor: Visitor, request: Request) -> Response:
    need(visitor, Right.READ_REQUESTS)
    return await _card(service, visitor, request.path_params["id"])


async def _answer(service: Service, visitor: Visitor, request: Request) -> Response:
    need(visitor, Right.ANSWER)
    fields = await form_of(request, visitor)
    row = await service.logged.listed(await service.request(visitor.principal, request.path_params["id"]))
    edited = fields.get("answer") == "edit"
    state = await service.engine.look(row.session_id) if edited else None
    evidence = await gathered(service, row, state) if state is not None else RequestEvidence()
    digest = fields.get("digest")
    try:
        reply = _reply(row, visitor, fields, evidence.edits)
    except HttpProblem as problem:
        return await _card(service, visitor, row.id, problem=problem.detail, status=problem.status)
    if digest is None:
        raise HttpProblem(422, "invalid", "the form does not say what it answers")
    try:
        await answer_by(service, visitor.principal, row, reply, digest)
    except NotAllowed as refused:
        await service.note(request, visitor.principal, "answer", row.id, refused.reason, digest)
        return await _card(service, visitor, row.id, problem=str(refused), status=409)
    await service.note(request, visitor.principal, "answer", row.id, fields["answer"], digest)
    return RedirectResponse(f"/inbox/{row.id}", 303, PAGE_HEADERS)


async def _take_back(service: Service, visitor: Visitor, request: Request) -> Response:
    """One's yes is taken back while it does not count yet."""
    need(visitor, Right.ANSWER)
    await form_of(request, visitor)
    row = await service.request(visitor.principal, request.path_params["id"])
    try:
        await taken_back(service, visitor.principal, row.id, request)
    except NotAllowed as refused:
        await service.note(request, visitor.principal, "take_back", row.id, refused.reason)
        return await _card(service, visitor, row.id, problem=str(refused), status=409)
    return RedirectResponse(f"/inbox/{row.id}", 303, PAGE_HEADERS)


def _reply(row: RequestRow, visitor: Visitor, fields: Mapping[str, str], edits: Any) -> Reply:
    """What a form says; raises HttpProblem.  `edits` is the schema of the call's input, where it may be changed."""
    by, note, said = visitor.principal.person or "", fields.get("note", "").strip(), fields.get("answer")
    match said:
        case "approve":
            return Approve(by=by, note=note)
        case "edit" if row.kind == RequestKind.APPROVAL and (form := fields_of(edits)) is not None:
            return Approve(by=by, note=note, edit=value_of(form, fields))
        case "deny":
            return Deny(by=by, note=note)
        case "value" if (form := fields_of(row.payload.get("schema"))) is not None:
            return Answer(by=by, value=value_of(form, fields), note=note)
        case "done" if row.kind == RequestKind.FOLLOW_UP:
            return Answer(by=by, value=note or "done", note=note)
        case "happened" if (form := fields_of(row.payload.get("schema"))) is not None:
            return Settle(by=by, happened=True, output=value_of(form, fields), note=note)
        case "did_not_happen" | "abandon":
            return Settle(by=by, happened=False if said == "did_not_happen" else None, note=note)
        case _:
            raise HttpProblem(422, "invalid", "the form says neither yes nor no, nor anything else that fits")


async def _card(
    service: Service, visitor: Visitor, request_id: str, *, problem: str = "", status: int = 200, typed: str = ""
) -> Response:
    row = await service.logged.listed(await service.request(visitor.principal, request_id))
    state = await service.engine.look(row.session_id)
    evidence = await gathered(service, row, state)
    now = service.clock.now()
    claimer = _claimer(await service.store.access.request_claims(now), row.id)
    asked = await may_answer(service, visitor.principal, row)
    refused = await refused_yes(service, visitor.principal, row) if asked else ""
    about, before = await earlier(service, row, state, visitor.principal.tenant)
    missing = await away_now(service, row, await absences_for(service, visitor.principal))
    return shown(
        "request.html", status, visitor=visitor, card=card_of(row, state, now, evidence), claimer=claimer,
        about=about, before=before, problem=problem, typed=typed, may_answer=asked,
        refused=refused, may_refuse=bool(refused) and await may_refuse(service, visitor.principal, row),
        away=away.all_told(missing),
        may_comment=visitor.principal.may(Right.COMMENT), is_reviewer=visitor.principal.may(Right.ANSWER),
        next_id=await _next(service, visitor, row) if visitor.principal.may(Right.ANSWER) else None,
    )  # fmt: skip


async def _next(service: Service, visitor: Visitor, after: RequestRow) -> str | None:
    """The request to go on with: the oldest other one that somebody is asked."""
    for row in await service.store.requests(tenant=visitor.principal.tenant, open_only=True, limit=MOST_ROWS):
        if row.id != after.id and row.counts_at is None and await asked_of(service, visitor.principal, [row]):
            return row.id
    return None


# what the pages are drawn with
_FILES = {"style.css": "text/css", "icon.svg": "image/svg+xml", "live.js": "text/javascript"}


def _static(name: str) -> Callable[[Service, Request], Awaitable[Response]]:
    headers = {"cache-control": "max-age=3600", "x-content-type-options": "nosniff"}

    async def answer(service: Service, request: Request) -> Response:
        return Response((_STATIC / name).read_bytes(), 200, headers, _FILES[name])

    return answer
