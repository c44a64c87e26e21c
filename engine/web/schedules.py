"""Schedules: sessions begin by the clock, each time once, however many services look at it.

A time is a creation under the schedule's own scope, keyed with the time itself: whoever is second finds the session of
the first.  What the newest time was that began a session is what the store says, so that nothing is begun twice after
a restart; what was passed over is remembered by the process alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import RIGHTS, Role
from engine.errors import EngineError
from engine.language.value import timestamp
from engine.ports.records import UnknownSession
from engine.session.state.state import FINAL
from engine.web.bodies import NewSession
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.schedule import Misfire, Overlap, Schedule
from engine.web.service import Service, no_such, scope_of
from engine.web.sessions import begun

_log = logging.getLogger("engine.web")

LOOK_EVERY = 1.0
# a time that came longer ago was missed
GRACE = timedelta(minutes=1)


class Scheduler:
    """Begins the sessions of some schedules."""

    def __init__(self, service: Service, schedules: Mapping[str, Schedule]) -> None:
        self._service = service
        self._schedules = schedules
        self._passed: dict[str, datetime] = {}
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Begin what is due until the service closes; what goes wrong is logged, and is no other schedule's fault."""
        while not self._service.draining.is_set():
            for one in self._schedules.values():
                try:
                    await self.look(one)
                except (EngineError, HttpProblem) as error:
                    self._tell_once(one, str(error))
                except Exception:
                    _log.exception("the schedule %s began nothing", one.name)
            with trio.move_on_after(LOOK_EVERY):
                await self._service.draining.wait()

    def _tell_once(self, schedule: Schedule, why: str) -> None:
        if self._told.get(schedule.name) != why:
            self._told[schedule.name] = why
            _log.error("the schedule %s began nothing: %s", schedule.name, why)

    async def look(self, schedule: Schedule) -> str | None:
        """The id of the session that began, if the time has come for one; raises HttpProblem."""
        now = self._service.clock.now()
        if schedule.name not in self._passed:
            newest = await newest_time(self._service, schedule)
            # one that is new begins with the times that come: it makes up for none before
            self._passed[schedule.name] = newest if newest is not None else now
        time = schedule.newest(self._passed[schedule.name], now)
        if time is None:
            return None
        begun = await self._at(schedule, time, now)
        # what could not begin now is tried again: a store that is locked makes no time go by
        self._passed[schedule.name] = time
        return begun

    async def _at(self, schedule: Schedule, time: datetime, now: datetime) -> str | None:
        """Begin the session of a time that has come, unless it is passed over."""
        when = timestamp(time)
        if now - time > GRACE and schedule.misfire is Misfire.SKIP:
            _log.warning("the schedule %s missed %s", schedule.name, when)
            return None
        if schedule.overlap is Overlap.SKIP and await self._is_under_way(schedule, when):
            _log.warning("the schedule %s passes %s over: the session before is not over", schedule.name, when)
            return None
        return await begin(self._service, schedule, time)

    async def _is_under_way(self, schedule: Schedule, when: str) -> bool:
        creation = await self._service.store.access.newest_creation(scope_for(schedule))
        if creation is not None and creation.key == when:
            return False  # another service was first, and it is this very one
        try:
            row = None if creation is None else await self._service.store.session(creation.session_id)
        except UnknownSession:
            return False
        return row is not None and row.state not in FINAL


async def begin(service: Service, schedule: Schedule, time: datetime) -> str:
    """Begin the session of a time, or find the one that it began; gives its id.  Raises HttpProblem."""
    wanted = NewSession(
        agent=schedule.agent,
        message=schedule.message,
        attributes=dict(schedule.attributes),
        external_id=timestamp(time),
    )
    row, _ = await begun(service, principal_of(schedule), "", wanted, None)
    return row.id


def principal_of(schedule: Schedule) -> Principal:
    """Who begins a schedule's sessions."""
    name, rights = f"schedule:{schedule.name}", RIGHTS[Role.CALLER]
    return Principal(name, schedule.name, Role.CALLER, None, schedule.tenant, "schedule", rights)


def scope_for(schedule: Schedule) -> str:
    """What the times of a schedule are kept under."""
    return f"{scope_of(principal_of(schedule))}/external"


async def newest_time(service: Service, schedule: Schedule) -> datetime | None:
    """The newest time that began a session."""
    creation = await service.store.access.newest_creation(scope_for(schedule))
    if creation is None:
        return None
    time = datetime.fromisoformat(creation.key)
    try:
        await service.store.session(creation.session_id)
    except UnknownSession:
        # whoever reserved it died before it began: it is begun again
        return time - timedelta(seconds=1)
    return time


# -- the routes


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/schedules`: by name, with the time to come and what the newest one began."""
    own = [one for one in service.schedules.values() if principal.tenant in (None, one.tenant)]
    return answered({"items": [await _shown(service, one) for one in own], "next_cursor": None})


async def run_now(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/schedules/{id}/run`: 201 with the session that begins at once, beside those of its times."""
    name = request.path_params["id"]
    schedule = service.schedules.get(name)
    if schedule is None or principal.tenant not in (None, schedule.tenant):
        raise no_such("schedule", name)
    wanted = NewSession(agent=schedule.agent, message=schedule.message, attributes=dict(schedule.attributes))
    row, _ = await begun(service, principal_of(schedule), "", wanted, None)
    await service.note(request, principal, "run_schedule", row.id, "accepted")
    return answered({"id": row.id, "state": row.state, "seq": row.seq}, 201, {"location": f"/v1/sessions/{row.id}"})


async def _shown(service: Service, schedule: Schedule) -> dict[str, Any]:
    creation = await service.store.access.newest_creation(scope_for(schedule))
    following = schedule.next(service.clock.now())
    last = {"at": creation.key, "session_id": creation.session_id} if creation is not None else None
    return {
        "id": schedule.name, "cron": schedule.cron, "zone": schedule.zone.key, "agent": schedule.agent,
        "tenant": schedule.tenant, "misfire": schedule.misfire.value, "overlap": schedule.overlap.value,
        "next_at": timestamp(following) if following is not None else None, "last": last,
    }  # fmt: skip
