"""All that a question is sent with counts as its prompt: schemas of tools and the form of an answer among it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.session.state.event import EventKind
from engine.spec.bundle import Bundle
from tests.model import server as s
from tests.model.acting import Sessions, made

# about 7,000 tokens, as tools of servers that describe each of their fields have them
WIDE = {
    "type": "object",
    "properties": {f"field_{n}": {"type": "string", "description": "what it is " * 8} for n in range(150)},
}
KINDS = [("openai", "tools"), ("openai", "json_schema"), ("anthropic", "tools"), ("anthropic", "json_schema")]


def described(url: str, kind: str, answers: str, most: int, more: str = "") -> Bundle:
    """An agent one of whose tools takes many fields."""
    told = f", answers: {answers}, stream: false, max_prompt_tokens: {most}, history_tokens: 900{more}"
    found = made(url, kind=kind, more=told, budgets="{model_tokens: 60000}")
    return replace(found, tools={**found.tools, "look": replace(found.tools["look"], input_schema=WIDE)})


async def asked(kind: str, answers: str, most: int, more: str = "") -> tuple[Sessions, s.ModelServer, Any]:
    last = s.message(None, ("z", "finish", {})) if kind == "anthropic" else s.calls_tools(("z", "finish", "{}"))
    async with s.serving(last) as server:
        sessions = Sessions()
        state = await sessions.run(described(server.url, kind, answers, most, more))
    return sessions, server, state


@pytest.mark.parametrize(("kind", "answers"), KINDS)
async def test_a_prompt_that_only_its_schemas_make_too_long_is_never_sent(kind: str, answers: str) -> None:
    sessions, server, state = await asked(kind, answers, 5_000)
    assert server.asked == []
    assert (state.status.value, state.used.model_tokens) == ("failed", 0)
    problem = sessions.of(EventKind.PLANNER_FAILED)[0]["problems"][0]
    assert "schemas" in problem
    assert "max_prompt_tokens (5000)" in problem


@pytest.mark.parametrize(("kind", "answers"), KINDS)
async def test_a_prompt_that_is_within_its_bound_with_its_schemas_is_sent(kind: str, answers: str) -> None:
    _, server, _ = await asked(kind, answers, 12_000)
    assert len(json.dumps(server.asked[0].body)) > 20_000


async def test_what_is_sent_in_a_body_of_its_own_counts() -> None:
    _, server, _ = await asked("openai", "tools", 9_000)
    assert server.asked != []
    further = ", extra_body: {documents: ['" + "word " * 2_000 + "']}"
    _, server, state = await asked("openai", "tools", 9_000, further)
    assert (server.asked, state.status.value) == ([], "failed")


async def test_a_turn_that_pauses_goes_on_only_within_the_bound() -> None:
    async def act(exchange: s.Exchange) -> None:
        content = [{"type": "text", "text": "so far " * 1_000}]
        usage = {"input_tokens": 10, "output_tokens": 10}
        await exchange.json({"id": "m", "content": content, "stop_reason": "pause_turn", "usage": usage})

    last = s.message(None, ("z", "finish", {}))
    async with s.serving(act, last) as server:
        sessions = Sessions()
        more = ", stream: false, max_prompt_tokens: 2500, history_tokens: 900"
        await sessions.run(made(server.url, kind="anthropic", more=more))
    assert sessions.statuses[0] == "too_large"
    assert all("so far" not in json.dumps(one.body) for one in server.asked)
