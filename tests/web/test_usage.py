"""What sessions used, by day, tenant and agent, and the overview that is made of it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from engine.ports.records import RequestRow
from engine.session.state.event import Event, EventKind
from engine.telemetry.usage import UsageCounts, UsageKey
from engine.web.pages.overview import overview_of
from tests.web.service import Service, opening

START = datetime(2026, 11, 3, 23, 59, tzinfo=UTC)
K = EventKind
Entry = tuple[EventKind, dict[str, Any], int]


def log(*entries: Entry, session_id: str = "s") -> list[Event]:
    return [
        Event(session_id, seq, 1, kind, payload, START + timedelta(seconds=after))
        for seq, (kind, payload, after) in enumerate(entries, 1)
    ]


def opened(id_: str, after: int = 0) -> Entry:
    payload = {"request_id": id_, "request_kind": "approval", "rules": ["big"], "groups": ["leads"]}
    return K.REQUEST_OPENED, payload, after


def said(id_: str, action: str, after: int, **more: Any) -> Entry:
    return K.REQUEST_ANSWERED, {"request_id": id_, "action": action} | more, after


BEGUN: Entry = (K.SESSION_STARTED, {"agent": "support"}, 0)


def test_what_a_session_used_stands_under_the_day_on_which_it_did() -> None:
    counts = UsageCounts()
    model = {"tokens_in": 10, "tokens_out": 2, "cost_usd": Decimal("0.10")}
    events = log(
        BEGUN, (K.STEP_STARTED, {"step": 1}, 1), (K.MODEL_CALLED, model, 2), (K.CALL_STARTED, {"attempt": 1}, 3),
        (K.CALL_STARTED, {"attempt": 2}, 4), (K.MODEL_CALLED, model | {"cost_usd": None}, 120),
        (K.LIMIT_CROSSED, {"limit": "steps", "crossing": "end"}, 121),
        (K.STATE_TRANSITION, {"state": "out_of_budget"}, 122), (K.STATE_TRANSITION, {"state": "out_of_budget"}, 123),
    )  # fmt: skip
    counts.add(events[:4], "acme")
    counts.add(events[4:], None)  # further events: whose it is was said with the first
    third, fourth = (counts.days[UsageKey(START.date() + timedelta(days=n), "acme", "support")] for n in (0, 1))
    assert (third.started, third.steps, third.calls, third.model_calls) == (1, 1, 1, 1)
    assert (third.cost_usd, third.tokens_in, dict(third.ended)) == (Decimal("0.10"), 10, {})
    assert (fourth.model_calls, fourth.cost_usd, dict(fourth.budget_stops)) == (1, Decimal(0), {"steps": 1})
    assert fourth.ended == {"out_of_budget": 1}
    assert len(counts.days) == 2


def test_answers_are_told_apart_by_what_became_of_the_call() -> None:
    counts = UsageCounts()
    counts.add(
        log(BEGUN, *(opened(f"s.{n}") for n in range(1, 6)), said("s.1", "approve", 30),
            said("s.2", "approve", 60, edited=True), said("s.3", "deny", 90),
            (K.REQUEST_CLOSED, {"request_id": "s.4", "how": "expired"}, 99),
            (K.REQUEST_CLOSED, {"request_id": "s.5", "how": "withdrawn"}, 99),
            said("s.9", "approve", 100)),
        None,
    )  # fmt: skip
    usage = counts.days[UsageKey(START.date(), None, "support")]
    asked = usage.asked["big", "leads"]
    assert (asked.asked, asked.unchanged, asked.edited, asked.denied, asked.unanswered) == (5, 1, 1, 1, 1)
    assert asked.seconds == [30, 60, 90]
    assert usage.holds == 5


def test_events_of_an_erased_session_count_for_nothing() -> None:
    counts = UsageCounts()
    counts.add([Event("s", 1, 0, K.SESSION_STARTED, {}, START), Event("s", 2, 1, K.STEP_STARTED, {}, START)], None)
    assert counts.days == {}


@pytest.mark.parametrize(
    ("denied", "hint"), [(0, "does it have to ask"), (10, "could it deny by itself"), (3, "")], ids=str
)
def test_the_overview_says_what_the_answers_say_about_a_rule(denied: int, hint: str) -> None:
    counts = UsageCounts()
    answers = [said(f"s.{n}", "deny" if n < denied else "approve", n) for n in range(20)]
    counts.add(log(BEGUN, *(opened(f"s.{n}") for n in range(20)), *answers), None)
    told = overview_of([], [], list(counts.days.items()), START, 30)
    assert hint in told.asked[0].hint
    assert bool(told.asked[0].hint) == bool(hint)
    assert (told.asked[0].usual_wait, told.asked[0].long_wait) == ("9 s", "18 s")


def test_the_oldest_of_what_a_group_is_asked_leads_to_its_card() -> None:
    rows = [
        RequestRow(f"s.{n}", "approval", "s", "open", START - timedelta(hours=n), None, {"groups": ["leads"]})
        for n in (1, 3, 2)
    ]
    (group,) = overview_of([], rows, [], START, 7).open
    assert (group.open, group.oldest, group.request_id) == (3, "3 h 0 min", "s.3")


def test_bars_stand_within_the_drawing_and_count_all_that_ended() -> None:
    counts = UsageCounts()
    for number, state in enumerate(("done", "done", "failed", "timed_out", "cancelled")):
        counts.add(log(BEGUN, (K.STATE_TRANSITION, {"state": state}, number), session_id=f"s{number}"), None)
    drawing = overview_of([], [], list(counts.days.items()), START, 7).drawing
    assert drawing.most == 5
    assert Counter(block.state for block in drawing.blocks) == {"done": 1, "failed": 1, "timed_out": 1, "cancelled": 1}
    for block in drawing.blocks:
        assert 0 <= block.x <= block.x + block.width <= drawing.width
        assert 0 <= block.y <= block.y + block.height <= drawing.height


def used(client: httpx2.Client, **query: str) -> list[dict[str, Any]]:
    answer = client.get("/v1/usage", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_usage_is_told_by_tenant_and_to_nobody_else(service: Service) -> None:
    with service.client("all-ops", "operator") as ops:
        for tenant in ("acme", "umb"):
            made = ops.post("/v1/sessions", json=opening("acct_1001", tenant)).json()
            service.waits(ops, made["id"], "done")
    with service.client("acme-ops", "operator", "--tenant", "acme") as mine:
        made = mine.post("/v1/sessions", json=opening("acct_1002", "acme")).json()
        service.waits(mine, made["id"], "awaiting_human_review")
        (row,) = used(mine)
        assert tuple(row[name] for name in ("tenant", "agent", "started", "holds")) == ("acme", "support-triage", 1, 1)
        page = mine.get("/overview", headers={"accept": "text/html"})
        assert page.status_code == 401, "a token is no browser"
    with service.client("umb-ops", "operator", "--tenant", "umb") as other:
        assert used(other) == []
    with service.client("all-ops", "operator") as ops:
        rows = used(ops)
        assert {row["tenant"] for row in rows} == {None, "acme"}
        first = ops.get("/v1/usage", params={"limit": 1}).json()
        second = ops.get("/v1/usage", params={"limit": 1, "cursor": first["next_cursor"]}).json()
        assert first["items"] + second["items"] == rows[:2]
        assert used(ops, **{"from": "2020-01-01", "to": "2020-01-31"}) == []


@pytest.mark.parametrize(
    "query", [{"from": "yesterday"}, {"from": "9999-12-31"}, {"from": "2026-01-02", "to": "2026-01-01"},
              {"from": "2020-01-01", "to": "2026-01-01"}, {"to": "0001-01-01"}, {"limit": "0"}], ids=str,
)  # fmt: skip
def test_a_period_that_is_none_is_refused(service: Service, query: dict[str, str]) -> None:
    with service.client("all-ops", "operator") as ops:
        assert ops.get("/v1/usage", params=query).status_code == 422
