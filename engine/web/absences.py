"""Who is away, and who looks at what they are asked meanwhile: attention moves, and no rights do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import Right
from engine.diagnostic.visible import line as visible
from engine.language.value import timestamp
from engine.ports.access import Absence
from engine.ports.records import RequestRow
from engine.random_bytes import random_hex
from engine.spec.bundle import Bundle
from engine.web.bodies import NewAbsence, body_of
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service, no_such

# how long somebody may be away, and how many absences are kept in all, and of who says them
LONGEST, MOST, MOST_OF_ONE = timedelta(days=366), 1000, 50
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/absences`: those that are not over, the soonest first."""
    items = [shown(one) for one in await absences_for(service, principal)]
    return answered({"items": items, "next_cursor": None})


async def create(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/absences`: 201; one's own, or as an operator anybody's."""
    wanted = await body_of(request, NewAbsence)
    absence = await said(service, principal, wanted, request)
    return answered(shown(absence), 201, {"location": f"/v1/absences/{absence.id}"})


async def end(service: Service, principal: Principal, request: Request) -> Response:
    """`DELETE /v1/absences/{id}`: 204; the person is back."""
    await ended(service, principal, request.path_params["id"], request)
    return Response(status_code=204, headers={"cache-control": "no-store"})


async def absences_for(service: Service, principal: Principal) -> list[Absence]:
    """The absences that are not over, and that somebody may know of."""
    now, mine = service.clock.now(), principal.tenant
    found = await service.absences.value(now, service.store.access.absences)
    return [one for one in found if one.ends > now and (mine is None or one.tenant in (None, mine))]


async def said(service: Service, principal: Principal, wanted: NewAbsence, request: Request) -> Absence:
    """Keep an absence; raises HttpProblem."""
    _check_says(principal)
    person = wanted.person or principal.person
    if person is None:
        raise HttpProblem(422, "invalid", "/person: whose absence it is; a machine has none of its own")
    if person != principal.person and not principal.may(Right.MANAGE_TOKENS):
        raise HttpProblem(403, "not_yours", "who is away says so themselves, or an operator does")
    now = service.clock.now()
    begins = _moment(wanted.begins, "from") if wanted.begins is not None else now
    ends = _moment(wanted.ends, "to")
    if not max(begins, now) < ends or ends - begins > LONGEST:
        raise HttpProblem(422, "invalid", "/to: it lies behind `from` and is still to come, within a year")
    check_delegate(service.bundle, person, wanted.delegate)
    kept = [one for one in await service.store.access.absences() if one.ends > now]
    for one in kept:
        meets = one.begins < ends and begins < one.ends and one.tenant in (None, principal.tenant)
        if one.person == wanted.delegate and one.delegate == person and meets:
            raise HttpProblem(422, "away_too", f"/delegate: {one.person} is away then, and has named {person}")
    if len(kept) >= MOST or sum(one.created_by == principal.id for one in kept) >= MOST_OF_ONE:
        raise HttpProblem(409, "too_many_absences", f"{MOST_OF_ONE} absences of one, and {MOST} in all: take some back")
    absence = Absence(f"abs_{random_hex(8)}", person, begins, ends, wanted.delegate, principal.tenant, principal.id)
    await service.store.access.add_absence(absence, now)
    service.absences.forget()
    await service.note(request, principal, "say_absent", absence.id, "away")
    return absence


async def ended(service: Service, principal: Principal, absence_id: str, request: Request) -> None:
    """Take an absence back; raises HttpProblem."""
    found = next((one for one in await absences_for(service, principal) if one.id == absence_id), None)
    if found is None or (principal.tenant is not None and found.tenant != principal.tenant):
        raise no_such("absence", absence_id)
    _check_says(principal)
    if found.person != principal.person and not principal.may(Right.MANAGE_TOKENS):
        raise HttpProblem(403, "not_yours", "who is away takes it back themselves, or an operator does")
    await service.store.access.end_absence(absence_id)
    service.absences.forget()
    await service.note(request, principal, "end_absence", absence_id, "back")


def _check_says(principal: Principal) -> None:
    """Raise HttpProblem 403 for who only reads: an absence is told to everybody who looks at a request."""
    if not principal.may(Right.COMMENT) and not principal.may(Right.MANAGE_TOKENS):
        raise HttpProblem(403, "not_permitted", "this token only reads: it says nothing to others")


def check_delegate(bundle: Bundle, person: str, delegate: str | None) -> None:
    """Raise HttpProblem for who can't answer in somebody's place: whose answer counts is what the bundle says.

    Of a group that is known by roles nobody can say beforehand who is in it.
    """
    if delegate is None:
        return
    if delegate in (person, CUSTOMER):
        raise HttpProblem(422, "invalid", f"/delegate: {delegate} stands in for nobody here")
    groups = bundle.reviewers.values()
    if not any(group.roles or group.has(delegate) for group in groups):
        raise HttpProblem(422, "delegate_not_member", f"{visible(delegate)} belongs to no group that the rules ask")
    if delegate != visible(delegate):
        raise HttpProblem(422, "invalid", "/delegate: a name that can be read as it is written")
    lacks = [
        name
        for name, group in sorted(bundle.reviewers.items())
        if group.has(person) and not group.roles and not group.has(delegate)
    ]
    if lacks:
        told = f"{delegate} is no member of {', '.join(lacks)}, where {person} is asked: their answer would not count"
        raise HttpProblem(422, "delegate_not_member", told)


async def away_from(service: Service, row: RequestRow, bundle: Bundle | None, absences: list[Absence]) -> list[Absence]:
    """Who of those that a request asks is away now: by their names in the groups of its session's bundle.

    What was said within a tenant is about what is asked there alone.
    """
    named = row.payload.get("names") or {}
    people = {person for of in named.values() for person in of}
    for group in row.payload.get("groups") or ():
        if group not in named and bundle is not None and group in bundle.reviewers:
            people.update(bundle.reviewers[group].members)
    now = service.clock.now()
    found = [one for one in absences if one.person in people and one.holds(now)]
    if all(one.tenant is None for one in found):
        return found
    tenant = await service.store.access.tenant_of(row.session_id)
    return [one for one in found if one.tenant in (None, tenant)]


def shown(absence: Absence) -> dict[str, Any]:
    """An absence as JSON."""
    return {
        "id": absence.id, "person": absence.person, "from": timestamp(absence.begins), "to": timestamp(absence.ends),
        "delegate": absence.delegate,
    }  # fmt: skip


def _moment(text: str, name: str) -> datetime:
    """A moment, or the begin of a day in UTC; raises HttpProblem."""
    try:
        if len(text) == 10:
            text += "T00:00:00+00:00" if _DAY.fullmatch(text) else " is no day"
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or not 1970 <= moment.year <= 9000:
            raise ValueError(text)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        told = f"/{name}: a day such as 2026-12-24, or a moment with its zone"
        raise HttpProblem(422, "invalid", told) from None
