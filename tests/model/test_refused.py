"""What a server refuses is told with what to write in the planner: only what was sent can be what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made
from tests.model.test_cassettes import lay_out, shell

HINT = "; the server "


def refuses(said: Any, code: int = 400) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        await exchange.json(said, code)

    return act


async def told(said: Any, *, kind: str = "openai", more: str = "", code: int = 400) -> str:
    """What the log says of a request that is refused so."""
    async with s.serving(refuses(said, code)) as server:
        sessions = Sessions()
        await sessions.run(made(server.url, kind=kind, more=more))
    return str(sessions.of(EventKind.MODEL_CALLED)[0]["message"])


def error(message: str, **more: Any) -> Any:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("said", "more", "hint"),
    [
        (error("Use max_completion_tokens"), "", "answer_limit: max_completion_tokens"),
        (error("Use max_tokens"), ", answer_limit: max_completion_tokens", "answer_limit: max_tokens"),
        (error("Unsupported value", param="max_tokens"), "", "answer_limit: max_completion_tokens"),
        (error("max_tokens is too large: 1000. At most 500 can be asked for."), "", "smaller `max_answer_tokens`"),
        (error("temperature must be 1"), ", temperature: 0", "leave `temperature` out"),
        (error("stream is not supported"), "", "stream: false"),
        (error("Streaming is not supported"), "", "stream: false"),
        (error("unknown field stream_options"), "", "stream_usage: false"),
        (error("chat_template_kwargs is unknown"), ", extra_body: {chat_template_kwargs: {a: 1}}", "`extra_body`"),
        ({"detail": [{"loc": ["body", "max_tokens"], "msg": "extra"}]}, "", "answer_limit: max_completion_tokens"),
        ({"detail": "stream_options: unknown"}, "", "stream_usage: false"),
        ("max_tokens: unknown", "", "answer_limit: max_completion_tokens"),
    ],
)  # fmt: skip
async def test_what_was_sent_and_is_refused_is_told_with_what_to_write(said: Any, more: str, hint: str) -> None:
    message = await told(said, more=more)
    assert hint in message.partition(HINT)[2], message


@pytest.mark.parametrize(
    "said",
    [
        error("temperature must be 1; see the page on stream_options"), error("top_p is not what it should be"),
        error("it is strictly forbidden, and restricted by unlimited_tools"), error("no such model"),
    ],
)  # fmt: skip
async def test_what_was_not_sent_is_not_what_is_refused(said: Any) -> None:
    assert HINT not in await told(said, more=", answers: tools")


async def test_the_body_of_an_error_is_shown_whatever_its_shape() -> None:
    assert "extra fields" in await told({"detail": [{"loc": ["body", "n"], "msg": "extra fields"}]}, code=422)
    assert "extra fields" in await told({"detail": "extra fields"}, kind="anthropic", code=422)


async def test_the_messages_api_has_one_name_for_the_limit() -> None:
    message = await told(error("max_tokens: 1000 > 500, the maximum"), kind="anthropic")
    assert "smaller `max_answer_tokens`" in message
    assert "answer_limit" not in message


def takes(fits: Callable[[Any], bool], message: str) -> s.Act:
    """A server that answers what fits, and refuses all else with a message."""

    async def act(exchange: s.Exchange) -> None:
        if fits(exchange.asked.body):
            await s.decides()(exchange)
        else:
            await exchange.json(error(message), 400)

    return act


@pytest.mark.parametrize(
    ("fits", "message", "line"),
    [
        (lambda body: "max_tokens" not in body, "Use max_completion_tokens", "answer_limit: max_completion_tokens"),
        (lambda body: not body.get("stream"), "stream is not supported", "stream: false"),
        (lambda body: False, "temperature must be 1", ""),
        (lambda body: False, "max_tokens is too large", ""),
    ],
)
async def test_planners_check_asks_nothing_twice(tmp_path: Path, fits: Any, message: str, line: str) -> None:
    async with s.serving(takes(fits, message)) as server:
        await trio.to_thread.run_sync(lay_out, tmp_path, server.url)
        _, said = await shell(tmp_path, "planners", "check", MODEL_KEY="canary-key")
    bodies = [json.dumps(asked.body, sort_keys=True) for asked in server.asked]
    assert len(bodies) == len(set(bodies)) == (2 if line else 1)
    assert line in said
