"""The route about what sessions used: by day, tenant and agent."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.telemetry.usage import DayUsage, UsageKey
from engine.web.bodies import number_of
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.sessions import MOST

# days that are told unless others are asked for, and at the most
USUAL, MOST_DAYS = 30, 366


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/usage`: a row for each day, tenant and agent, the oldest first; `?from=&to=` are days, both included."""
    first, last = _period(request, service.clock.now().date())
    limit, start = number_of(request, "limit", MOST, MOST, 1), number_of(request, "cursor", 0, 10**9)
    rows = await usage_of(service, principal, first, last)
    page = rows[start : start + limit]
    more = str(start + limit) if start + limit < len(rows) else None
    return answered({"items": [_shown(key, usage) for key, usage in page], "next_cursor": more})


async def usage_of(service: Service, principal: Principal, first: date, last: date) -> list[tuple[UsageKey, DayUsage]]:
    """What somebody may see of a period, in order."""
    await service.follower.refresh()
    mine = principal.tenant
    found = [
        (key, usage)
        for key, usage in service.follower.usage.days.items()
        if first <= key.day <= last and mine in (None, key.tenant)
    ]
    return sorted(found, key=lambda one: (one[0].day, one[0].tenant or "", one[0].agent))


def _period(request: Request, today: date) -> tuple[date, date]:
    last = _day(request, "to", today)
    first = _day(request, "from", last - timedelta(days=USUAL - 1))
    if not timedelta(0) <= last - first < timedelta(days=MOST_DAYS):
        raise HttpProblem(422, "invalid", f"`from` comes before `to`, by {MOST_DAYS} days at the most")
    return first, last


def _day(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        # a year that nobody means leads to days that there are not
        day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else date.min
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 9000:
        raise HttpProblem(422, "invalid", f"`{name}` is a day such as 2026-01-31")
    return day


def _shown(key: UsageKey, usage: DayUsage) -> dict[str, Any]:
    return {
        "day": key.day.isoformat(), "tenant": key.tenant, "agent": key.agent, "started": usage.started,
        "ended": dict(usage.ended), "steps": usage.steps, "calls": usage.calls, "model_calls": usage.model_calls,
        "tokens_in": usage.tokens_in, "tokens_out": usage.tokens_out, "cost_usd": usage.cost_usd,
        "holds": usage.holds, "failures": dict(usage.failures), "budget_stops": dict(usage.budget_stops),
    }  # fmt: skip
