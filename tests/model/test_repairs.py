"""Harmless deviations of servers are repaired by us, and logged as repaired."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made

FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))
# what an event of a request had before repairs were logged
KNOWN = frozenset({
    "planner", "model", "status", "attempt", "prompt_digest", "request_id", "tokens_in", "tokens_out", "cost_usd",
    "seconds", "finish_reason", "message", "retry_in",
})  # fmt: skip


def repaired(call: Mapping[str, Any]) -> bool:
    """Whether a request's event tells of a repair, under whatever name."""
    return bool(call["message"]) or any(
        value and not isinstance(value, int | float) for name, value in call.items() if name not in KNOWN
    )


def gives(message: Mapping[str, Any], finish: str) -> s.Act:
    """A message, whole or as one piece of a stream."""

    async def act(exchange: s.Exchange) -> None:
        if exchange.asked.body.get("stream"):
            delta = dict(message)
            if "tool_calls" in delta:
                delta["tool_calls"] = [{"index": n, **call} for n, call in enumerate(delta["tool_calls"])]
            await exchange.events(s.chunk(delta), s.chunk({}, finish, s.USAGE), "[DONE]")
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
        await exchange.json({"id": "c", "choices": [choice], "usage": s.USAGE})

    return act


def call(id_: Any, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


async def taken(act: s.Act, *, answers: str, stream: bool, kind: str = "openai") -> tuple[Sessions, Any]:
    last = s.message(None, ("z", "finish", {})) if kind == "anthropic" else FINISHED
    last = last if answers == "tools" else s.decides("Done.")
    async with s.serving(act, last) as server:
        sessions = Sessions()
        more = f", answers: {answers}, stream: {str(stream).lower()}"
        state = await sessions.run(made(server.url, kind=kind, more=more))
    first = sessions.of(EventKind.MODEL_CALLED)[0]
    assert first["status"] == "ok", first["message"]
    return sessions, state


LOOK, MAIL = ("look", {"n": 1}), ("mail", {"n": 2})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param([call("a", "look", '{"n": 1}'), call("a", "mail", '{"n": 2}')], [LOOK, MAIL], id="one-id"),
        pytest.param([call("a", "look", {"n": 1})], [LOOK], id="object"),
        pytest.param([call(7, "look", '{"n": 1}')], [LOOK], id="numeric-id"),
        pytest.param([call(7, "look", '{"n": 1}'), call(7, "mail", '{"n": 2}')], [LOOK, MAIL], id="one-numeric-id"),
        pytest.param([call("a", "look", " \n")], [("look", {})], id="blank"),
        pytest.param([call("a", "look", '\ufeff{"n": 1}')], [LOOK], id="bom"),
    ],
)
async def test_calls_that_deviate_are_made_and_the_log_says_so(calls: Any, expected: Any, stream: bool) -> None:
    sessions, _ = await taken(gives({"tool_calls": calls}, "tool_calls"), answers="tools", stream=stream)
    assert [(c["tool"], dict(c["input"])) for c in sessions.of(EventKind.CALL_PROPOSED)] == expected
    assert repaired(sessions.of(EventKind.MODEL_CALLED)[0])


async def test_an_answer_that_needs_no_repair_says_so_too() -> None:
    sessions, _ = await taken(gives({"tool_calls": [call("a", "look", "{}")]}, "tool_calls"), answers="tools",
                              stream=False)  # fmt: skip
    assert not repaired(sessions.of(EventKind.MODEL_CALLED)[0])


async def test_a_message_with_two_calls_of_one_id_makes_both() -> None:
    act = s.message(None, ("a", "look", {"n": 1}), ("a", "mail", {"n": 2}))
    sessions, _ = await taken(act, answers="tools", stream=False, kind="anthropic")
    assert [(c["tool"], dict(c["input"])) for c in sessions.of(EventKind.CALL_PROPOSED)] == [LOOK, MAIL]


async def test_a_decision_with_two_calls_of_one_id_makes_both() -> None:
    listed = [{"id": "a", "name": "look", "input": {"n": 1}}, {"id": "a", "name": "mail", "input": {"n": 2}}]
    act = s.says(json.dumps({"message": "", "tool_calls": listed, "done": False}))
    sessions, _ = await taken(act, answers="json_schema", stream=False)
    assert [(c["tool"], dict(c["input"])) for c in sessions.of(EventKind.CALL_PROPOSED)] == [LOOK, MAIL]


THOUGHT = "the customer is probably lying"
OPEN = "Your order is open."


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"content": [{"type": "text", "text": "Your order "}, {"type": "text", "text": "is open."}]},
                     id="parts"),
        pytest.param({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                                  {"type": "text", "text": OPEN}]}, id="thinking-part"),
        pytest.param({"content": [{"type": "reasoning", "text": THOUGHT}, {"type": "text", "text": OPEN}]},
                     id="reasoning-part"),
        pytest.param({"content": ["Your order ", "is open."]}, id="texts"),
        pytest.param({"content": f"<think>{THOUGHT}</think>{OPEN}"}, id="think"),
        pytest.param({"content": f"\n<think>\n{THOUGHT}\n</think>\n\n{OPEN}"}, id="think-lines"),
        pytest.param({"content": f"<think></think>{OPEN}"}, id="empty-think"),
        pytest.param({"content": f"{THOUGHT}\n</think>\n\n{OPEN}"}, id="opened-by-the-template"),
        pytest.param({"content": f"<thinking>{THOUGHT}</thinking>{OPEN}"}, id="thinking"),
        pytest.param({"content": OPEN, "reasoning_content": THOUGHT}, id="reasoning_content"),
        pytest.param({"content": OPEN, "reasoning": THOUGHT}, id="reasoning"),
    ],
)  # fmt: skip
async def test_what_a_model_thinks_is_kept_apart_from_what_it_says(message: Any, stream: bool) -> None:
    sessions, state = await taken(gives(message, "stop"), answers="tools", stream=stream)
    assert state.told == OPEN
    assert not any(THOUGHT in text or "think" in text for text in sessions.partial)


@pytest.mark.parametrize("answers", ["tools", "json_schema"])
async def test_a_thought_that_never_ends_is_no_message(answers: str) -> None:
    last = FINISHED if answers == "tools" else s.decides("Done.")
    async with s.serving(gives({"content": f"<think>{THOUGHT}"}, "stop"), last) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, more=f", answers: {answers}"))
    assert sessions.statuses[0] != "ok"
    assert state.told == "Done."
    assert not any(THOUGHT in text for text in sessions.partial)


async def test_a_word_of_thought_within_a_sentence_is_what_the_model_says() -> None:
    text = "Write <think>so</think> in the form, please."
    _, state = await taken(gives({"content": text}, "stop"), answers="tools", stream=False)
    assert state.told == text


DECIDED = json.dumps({"message": "Bye", "tool_calls": [], "done": True})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"```json\n{DECIDED}\n```", id="fence"),
        pytest.param(f"```JSON\n{DECIDED}\n```", id="capitals"),
        pytest.param(f"```\r\n{DECIDED}\r\n```\r\n", id="carriage-returns"),
        pytest.param(f"~~~json\n{DECIDED}\n~~~", id="tildes"),
        pytest.param(f"\ufeff{DECIDED}", id="bom"),
        pytest.param(f"\ufeff```json\n{DECIDED}\n```", id="bom-and-fence"),
        pytest.param(f"Here is my decision:\n\n```json\n{DECIDED}\n```", id="sentence"),
        pytest.param(f"<think>{THOUGHT}: {{}}</think>\n{DECIDED}", id="think"),
        pytest.param(f"<think>{THOUGHT}</think>\nHere it is:\n```json\n{DECIDED}\n```\n", id="think-and-sentence"),
        pytest.param(f"{THOUGHT}</think>{DECIDED}", id="opened-by-the-template"),
    ],
)
async def test_a_decision_is_read_from_what_stands_around_it(content: str, stream: bool) -> None:
    _, state = await taken(s.says(content), answers="json_schema", stream=stream)
    assert (state.status.value, state.told) == ("done", "Bye")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"I was told to say this:\n```json\n{DECIDED}\n```\nInstead I ask you.", id="text-after"),
        pytest.param(f"```json\n{DECIDED}\n```\n```json\n{DECIDED}\n```", id="two-fences"),
        pytest.param(f"{DECIDED}\n{DECIDED}", id="two-decisions"),
        pytest.param(f"One. Two.\n\nThree:\n\n```json\n{DECIDED}\n```", id="much-before"),
        pytest.param(f"<think>```json\n{DECIDED}\n```", id="within-a-thought-that-never-ends"),
        pytest.param(f"<think>```json\n{DECIDED}\n```</think>", id="within-a-thought"),
    ],
)
async def test_what_is_not_clearly_the_decision_is_none(content: str) -> None:
    async with s.serving(s.says(content), s.decides("Done.")) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url))
    assert sessions.statuses[0] != "ok"
    assert state.told == "Done."
