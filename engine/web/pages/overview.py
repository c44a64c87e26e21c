"""How things stand: how sessions ended day by day, what people were asked and said, and what waits for longest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import quantiles

from starlette.requests import Request
from starlette.responses import Response

from engine.access.rights import Right
from engine.diagnostic.visible import line as visible
from engine.ports.records import RequestRow, SessionRow
from engine.session.state.state import FINAL
from engine.telemetry.usage import AskedRule, DayUsage, UsageKey
from engine.web.bodies import number_of
from engine.web.pages.browser import Visitor
from engine.web.pages.render import need, shown
from engine.web.pages.span import span_told
from engine.web.service import Service
from engine.web.usage import usage_of

# the drawing of days: its width, its height, and the space for names of days beneath
WIDTH, HEIGHT, FOOT = 720, 160, 18
# from top to bottom, so that what nobody wished for is on top
ENDS = ("failed", "timed_out", "out_of_budget", "cancelled", "done")
# so many answers say something about a rule, and such shares of them do
ENOUGH, LOOSE, TIGHT = 20, 0.99, 0.5


@dataclass(frozen=True, slots=True)
class DayBlock:
    """A part of a day's bar: its place, the state that it counts, and how many."""

    x: float
    y: float
    width: float
    height: float
    state: str
    told: str


@dataclass(frozen=True, slots=True)
class DayDrawing:
    """How sessions ended, a bar for each day; `days` are names of days with their places."""

    blocks: tuple[DayBlock, ...]
    days: tuple[tuple[float, str], ...]
    most: int
    width: int = WIDTH
    height: int = HEIGHT + FOOT


@dataclass(frozen=True, slots=True)
class RuleRow:
    """What people said to what a rule asks; shares in percent, waits as texts."""

    rule: str
    group: str
    asked: int
    unchanged: str
    edited: str
    denied: str
    unanswered: int
    usual_wait: str
    long_wait: str
    hint: str


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """What a group is asked now; `request_id` is the oldest of it."""

    group: str
    open: int
    oldest: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it, of so many days; each count with its name."""

    days: int
    started: int
    drawing: DayDrawing
    alive: tuple[tuple[str, int], ...]
    ends: tuple[tuple[str, int], ...]
    holds: int
    failures: tuple[tuple[str, int], ...]
    budget_stops: tuple[tuple[str, int], ...]
    cost: str
    tokens: int
    asked: tuple[RuleRow, ...]
    rules: tuple[tuple[str, int], ...]
    open: tuple[OpenGroup, ...]


async def show(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /overview`: how things stand, of the sessions that somebody may see; `?days=7|30|90`."""
    need(visitor, Right.READ)
    now, tenant, days = service.clock.now(), visitor.principal.tenant, number_of(request, "days", 30, 90, 1)
    sessions = await service.store.sessions(tenant=tenant)
    requests = await service.store.requests(tenant=tenant, open_only=True)
    usage = await usage_of(service, visitor.principal, now.date() - timedelta(days=days - 1), now.date())
    return shown("overview.html", visitor=visitor, told=overview_of(sessions, requests, usage, now, days))


def overview_of(
    sessions: Sequence[SessionRow],
    open_requests: Sequence[RequestRow],
    usage: Sequence[tuple[UsageKey, DayUsage]],
    now: datetime,
    days: int,
) -> Overview:
    """What stands in a store, as far as somebody may see it."""
    whole = DayUsage()
    for _, one in usage:
        whole.add(one)
    alive = Counter(row.state.replace("_", " ") for row in sessions if row.state not in FINAL)
    return Overview(
        days=days, started=whole.started, drawing=_drawing(usage, now.date(), days), alive=tuple(alive.most_common()),
        ends=_counts(whole.ended), holds=whole.holds, failures=_counts(whole.failures),
        budget_stops=_counts(whole.budget_stops), cost=_money(whole.cost_usd),
        tokens=whole.tokens_in + whole.tokens_out,
        asked=tuple(_rule(rule, group, one) for (rule, group), one in _busiest(whole)),
        rules=tuple((visible(name), count) for name, count in whole.rules.most_common(10)),
        open=_open(open_requests, now),
    )  # fmt: skip


def _counts(counter: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple((visible(name.replace("_", " ")), count) for name, count in counter.most_common())


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f} USD" if amount else "none told"


def _busiest(whole: DayUsage) -> list[tuple[tuple[str, str], AskedRule]]:
    return sorted(whole.asked.items(), key=lambda one: (-one[1].asked, one[0]))[:20]


def _rule(rule: str, group: str, one: AskedRule) -> RuleRow:
    answers = one.unchanged + one.edited + one.denied
    usual, long = _waits(one.seconds)
    return RuleRow(
        visible(rule), visible(group), one.asked, _share(one.unchanged, answers), _share(one.edited, answers),
        _share(one.denied, answers), one.unanswered, usual, long, _hint(one, answers),
    )  # fmt: skip


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""


def _hint(one: AskedRule, answers: int) -> str:
    """What the answers say about the rule itself, once there are enough of them."""
    if answers >= ENOUGH and one.unchanged / answers >= LOOSE:
        return "nearly always approved as it is: does it have to ask?"
    if answers >= ENOUGH and one.denied / answers >= TIGHT:
        return "denied as often as not: could it deny by itself?"
    return ""


def _waits(seconds: Sequence[float]) -> tuple[str, str]:
    """What half of the waits, and all but one in twenty of them, took at the most."""
    if len(seconds) < 2:
        return (_seconds(seconds[0]),) * 2 if seconds else ("", "")
    parts = quantiles(seconds, n=20, method="inclusive")
    return _seconds(parts[9]), _seconds(parts[18])


def _seconds(number: float) -> str:
    return span_told(timedelta(seconds=number))


def _open(requests: Sequence[RequestRow], now: datetime) -> tuple[OpenGroup, ...]:
    by_group: dict[str, list[RequestRow]] = {}
    for row in requests:
        by_group.setdefault(visible(", ".join(row.payload.get("groups") or ()) or "anybody"), []).append(row)
    found = []
    for name, rows in sorted(by_group.items()):
        oldest = min(rows, key=lambda row: row.opened_at or now)
        waited = span_told(now - (oldest.opened_at or now))
        found.append(OpenGroup(name, len(rows), waited, oldest.id))
    return tuple(found)


def _drawing(usage: Iterable[tuple[UsageKey, DayUsage]], today: date, days: int) -> DayDrawing:
    by_day: dict[date, Counter[str]] = {}
    for key, one in usage:
        by_day.setdefault(key.day, Counter()).update(one.ended)
    most = max((sum(ended.values()) for ended in by_day.values()), default=0)
    step = WIDTH / days
    blocks, names = [], []
    for number in range(days):
        day = today - timedelta(days=days - 1 - number)
        x, y = round(number * step, 1), 0.0
        if number % max(1, days // 6) == 0:
            names.append((x, f"{day:%d %b}" if days > 7 else f"{day:%a %d %b}"))
        ended = by_day.get(day, Counter())
        y = HEIGHT * (1 - sum(ended.values()) / most) if most else 0.0
        for state in ENDS:
            if ended[state]:
                height = HEIGHT * ended[state] / most
                told = f"{day.isoformat()}: {ended[state]} {state.replace('_', ' ')}"
                blocks.append(DayBlock(x, round(y, 1), round(step * 0.8, 1), round(height, 1), state, told))
                y += height
    return DayDrawing(tuple(blocks), tuple(names), most)
