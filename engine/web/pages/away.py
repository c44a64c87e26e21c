"""The page about absences: who is away, and a form for one's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.access.rights import Right
from engine.diagnostic.visible import line as visible
from engine.ports.access import Absence
from engine.web.absences import absences_for, ended, said
from engine.web.bodies import NewAbsence
from engine.web.pages.browser import Visitor, form_of
from engine.web.pages.render import need, shown
from engine.web.problems import HttpProblem
from engine.web.responses import PAGE_HEADERS
from engine.web.service import Service

_NOTHING = {"from": "", "to": "", "delegate": ""}


async def show(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /away`."""
    need(visitor, Right.READ_REQUESTS)
    return await _page(service, visitor)


async def say(service: Service, visitor: Visitor, request: Request) -> Response:
    """`POST /away`: one's own absence."""
    need(visitor, Right.READ_REQUESTS)
    fields = await form_of(request, visitor)
    given = {name: fields[name].strip() for name in ("from", "to", "delegate") if fields.get(name, "").strip()}
    try:
        await said(service, visitor.principal, NewAbsence.model_validate(given), request)
    except ValidationError:
        return await _page(service, visitor, "say on which day you are back", 422, given)
    except HttpProblem as problem:
        return await _page(service, visitor, problem.detail, problem.status, given)
    return RedirectResponse("/away", 303, PAGE_HEADERS)


async def back(service: Service, visitor: Visitor, request: Request) -> Response:
    """`POST /away/{id}/back`."""
    need(visitor, Right.READ_REQUESTS)
    await form_of(request, visitor)
    await ended(service, visitor.principal, request.path_params["id"], request)
    return RedirectResponse("/away", 303, PAGE_HEADERS)


async def _page(
    service: Service, visitor: Visitor, problem: str = "", status: int = 200, typed: dict[str, str] = _NOTHING
) -> Response:
    found = await absences_for(service, visitor.principal)
    rows = [(one.id, told(one), visitor.principal.person == one.person or _operates(visitor)) for one in found]
    return shown(
        "away.html",
        status,
        visitor=visitor,
        rows=rows,
        problem=problem,
        typed=_NOTHING | typed,
        may_say=visitor.principal.person is not None,
    )


def _operates(visitor: Visitor) -> bool:
    return visitor.principal.may(Right.MANAGE_TOKENS)


def told(absence: Absence) -> str:
    """An absence in words; days in UTC."""
    stands_in = f"; {absence.delegate} looks after it" if absence.delegate is not None else ""
    return visible(f"{absence.person} is away from {_day(absence.begins)}, back {_day(absence.ends)}{stands_in}")


def all_told(absences: Sequence[Absence]) -> str:
    """Several of them, of who is away now."""
    return ". ".join(
        visible(f"{one.person} is away until {_day(one.ends)}{f', {one.delegate} stands in' if one.delegate else ''}")
        for one in absences
    )


def _day(moment: datetime) -> str:
    whole = (moment.hour, moment.minute) == (0, 0)
    return moment.strftime("%Y-%m-%d") if whole else moment.strftime("%Y-%m-%d %H:%M UTC")
