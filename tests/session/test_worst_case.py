"""How far an agent can go, from its limits alone."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spec.worst_case import least, plus, times, worst_case
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool

PAY = "{type: object, properties: {usd: {type: number}}, required: [usd]}"


def case(budgets: str) -> dict[str, Any]:
    made = bundle(
        agent("[look, pay]", policies="[rules]", budgets=budgets),
        policy(ALLOW),
        tool("look", more="retry: {attempts: 5, on: [timeout]}\nconcurrency: 2\ntimeout: 3s"),
        tool("pay", "write", input=PAY),
    )
    return worst_case(made, made.agents["bot"]).payload()


def test_every_limit_bounds_every_other() -> None:
    found = case("{steps: 4, calls: 9, calls_per_step: 3, calls_per_tool: {pay: 2}, retries_per_call: 2, repairs: 1}")
    assert {key: value for key, value in found.items() if key not in ("tools", "meters")} == {
        "agent": "bot", "steps": 4, "planner_questions": 5, "calls": 9, "attempts": 25, "fact_reads": 64,
        "calls_in_flight": 8, "running": "5m", "one_step": "1m", "after_a_cancel": "2s",
        "model_tokens": 0, "model_cost_usd": 0,
    }  # fmt: skip
    assert found["tools"] == [
        {"tool": "look", "effect": "read", "calls": 8, "attempts": 24, "at_once": 2, "time_per_attempt": "3s"},
        {"tool": "pay", "effect": "write", "calls": 2, "attempts": 2, "at_once": 1, "time_per_attempt": "30s"},
    ]


def test_what_is_unlimited_says_so() -> None:
    found = case("{steps: 3, calls: unlimited, calls_per_step: unlimited, calls_per_tool: {other: unlimited}}")
    assert (found["calls"], found["attempts"], found["tools"][0]["calls"]) == (None, None, None)
    assert found["calls_in_flight"] == 8


def test_meters_say_what_they_count_together() -> None:
    found = case(
        "{meters: {own: {sum: input.usd, over: [pay], limit: 5}, "
        "shared: {sum: input.usd, over: [pay], limit: 9, per: session.tenant, window: 24h}}}"
    )
    assert found["meters"] == [
        {"meter": "own", "limit": 5, "of": "one session"},
        {"meter": "shared", "limit": 9, "of": "all sessions with one `session.tenant` in 1d"},
    ]


@pytest.mark.parametrize(("found", "wanted"), [
    (least(None, 3, 2), 2), (least(None), None), (plus((1, None)), None), (plus((1, 2)), 3),
    (times(None, 0), 0), (times(0, None), 0), (times(2, None), None), (times(2, 3), 6),
])  # fmt: skip
def test_limits_that_may_be_unlimited_are_counted_with(found: int | None, wanted: int | None) -> None:
    assert found == wanted
