"""The page of a session: its calls as a drawing, what it used, every event, and whether they follow by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.access.rights import Right
from engine.api.shapes import request_status
from engine.language.value import duration_text
from engine.replay.replay import replay
from engine.runtime.errors import BundleUnavailable, NotAllowed
from engine.session.sealed_tokens import holds_sealed
from engine.session.state.event import Event
from engine.session.state.state import FINAL, State
from engine.session.trace import entry, headline
from engine.web.bodies import number_of
from engine.web.pages.browser import Visitor, form_of
from engine.web.pages.card import words_of
from engine.web.pages.gather import sentence_of
from engine.web.pages.render import need, shown
from engine.web.pages.timeline import timeline_of
from engine.web.problems import HttpProblem
from engine.web.responses import PAGE_HEADERS
from engine.web.service import Service
from engine.web.sessions import erased_for

# of a long log the last are shown; a step is shown whole
MOST_EVENTS = 500
MOST_STEPS = 10_000
# what a session may use so much of, and how it is called
_BUDGETS = {
    "steps": "steps", "calls": "calls", "fact_reads": "reads of facts", "repairs": "repairs",
    "model_tokens": "tokens of models", "model_cost_usd": "cost of models in USD", "wall_clock": "time",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """What was used of a limit: in words, and as a share of it between 0 and 1."""

    name: str
    used: str
    limit: str
    share: float


def budgets_of(state: State) -> list[BudgetLine]:
    """The limits that a session has, with what it used of each."""
    used, limits = state.used.payload(), state.limits
    told = [_line(name, used[key], getattr(limits, key)) for key, name in _BUDGETS.items()]
    per_tool = sorted(used["calls_per_tool"].items())
    tools = [_line(f"calls of {tool}", of, limits.per_tool(tool)) for tool, of in per_tool]
    return [one for one in [*told, *tools] if one is not None]


def _line(name: str, used: Any, limit: Any) -> BudgetLine | None:
    if limit is None:
        return BudgetLine(name, _text(used), "no limit", 0.0) if used else None
    share = _number(used) / _number(limit) if _number(limit) else 1.0
    return BudgetLine(name, _text(used), _text(limit), min(share, 1.0))


def _number(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _text(value: Any) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)


async def show(service: Service, visitor: Visitor, request: Request) -> Response:
    """`GET /sessions/{id}`: all of it, or one step with `?step=N`."""
    need(visitor, Right.READ)
    session = await service.session(visitor.principal, request.path_params["id"])
    step = number_of(request, "step", 0, MOST_STEPS, 1) if "step" in request.query_params else None
    return await _page(service, visitor, session.id, step)


async def _page(
    service: Service, visitor: Visitor, session_id: str, step: int | None = None, problem: str = "", status: int = 200
) -> Response:
    log, row = await service.store.load(session_id), await service.store.session(session_id)
    erased = bool(await service.store.erased(session_id))
    budgets = [] if erased else budgets_of(await service.engine.look(session_id))
    chosen = [event for event in log if step is None or event.step == step]
    shown_of = chosen if step is not None else chosen[-MOST_EVENTS:]
    entries = [entry(event) for event in shown_of]
    lines = [(one["seq"], one["at"][:19].replace("T", " "), one["kind"], headline(one)) for one in entries]
    steps = sorted({event.step for event in log if event.step})
    erases = visitor.principal.may(Right.ERASE) and row.state in FINAL and not erased
    return shown(
        "session.html", status, visitor=visitor, row=row, lines=lines, more=len(chosen) - len(shown_of),
        drawing=timeline_of(log), problems=await service.store.verify(session_id),
        asked=await _asked(service, session_id), budgets=budgets, step=step, steps=steps,
        replayed=await _replayed(service, log, step),
        erases=erases, problem=problem,
    )  # fmt: skip


async def erase(service: Service, visitor: Visitor, request: Request) -> Response:
    """`POST /sessions/{id}/erase`: what it said is destroyed, for a reason."""
    need(visitor, Right.ERASE)
    why = (await form_of(request, visitor)).get("why", "").strip()
    session = await service.session(visitor.principal, request.path_params["id"])
    if not why or len(why) > 500:
        return await _page(service, visitor, session.id, problem="Say why, in at most 500 characters", status=422)
    try:
        await erased_for(service, visitor.principal, session.id, why, request)
    except NotAllowed as refused:
        return await _page(service, visitor, session.id, problem=str(refused), status=409)
    return RedirectResponse(f"/sessions/{session.id}", 303, PAGE_HEADERS)


async def _replayed(service: Service, log: Sequence[Event], step: int | None) -> str:
    """What comes out when it is decided again from what came in: the same, or from where on it does not."""
    if await service.store.erased(log[0].session_id):
        return "Some of it is erased, so that it can't be decided again."
    if any(holds_sealed(event.payload) for event in log):
        return "Values of it are sealed: it is decided again by engine replay, where the key is."
    try:
        bundle = await service.engine.bundle(str(log[0].payload["bundle"]))
        beside = {one["bundle"] for event in log for one in event.payload.get("beside", ())}
        urgent = {digest: await service.engine.bundle(digest) for digest in sorted(beside)}
    except (BundleUnavailable, HttpProblem) as error:
        return f"It can't be decided again: {error}"
    again = partial(replay, list(log), bundle, urgent)
    found = await trio.to_thread.run_sync(again, limiter=service.readers)
    differs = found.difference
    seqs = {event.seq for event in log if step is None or event.step == step}
    of = "It" if step is None else f"Step {step}"
    if differs is None or differs.seq > max(seqs, default=0):
        return f"{of} was decided again from what came in, and every event of it follows."
    if differs.seq < min(seqs, default=0):
        return f"An event before it (number {differs.seq}) does not follow: {differs.why}"
    return f"Decided again, event {differs.seq} does not follow: {differs.why}"


async def _asked(service: Service, session_id: str) -> list[tuple[str, str, str]]:
    """What people were asked in a session: the request, in words, and how it stands."""
    rows = await service.store.requests(session_id=session_id, open_only=False)
    told = [await service.logged.listed(row) for row in rows]
    return [(row.id, words_of(row, await sentence_of(service, row)).sentence, request_status(row)) for row in told]
