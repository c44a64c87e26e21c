"""Arguments that are no object are no call, however a server tells them; and nothing of an answer is dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.opening import Opening
from engine.session.state.event import EventKind
from tests.bundle_texts import tool
from tests.model import server as s
from tests.model.acting import Sessions, made
from tests.model.test_pieces import blocks, delta, piece, streams, use

FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))
ENDED = s.message(None, ("z", "finish", {"message": "Done."}))

# as they stand in the server's JSON
NO_OBJECTS = [
    "[1]", "[]", "5", "0", "1e2", "true", "false", "null", '"null"', '"5"', '"[]"', r'"\"look\""', "NaN",
    '{"n": NaN}', '{"n": 1, "n": 2}', '{"n": {"a": 1, "a": 1}}', '{"n": [-Infinity]}', '{"n": 1e99999999}',
    '{"n": 1e-99999999}', '{"n": ' + "9" * 5_000 + "}", '{"n": ' + "[" * 80 + "]" * 80 + "}",
    r'{"n": "\ud800"}', r'{"\udfff": 1}', r'"{\"n\": \"\\ud800\"}"', r'"{\"n\": 1, \"n\": 1}"',
]  # fmt: skip


async def came_of(act: s.Act, *, kind: str = "openai", stream: bool = True) -> Sessions:
    async with s.serving(act, FINISHED if kind == "openai" else ENDED) as server:
        sessions = Sessions()
        tools = ", answers: tools" if kind == "openai" else ""
        await sessions.run(made(server.url, kind=kind, more=f"{tools}, stream: {str(stream).lower()}"))
    return sessions


def completion(arguments: str) -> s.Act:
    """A call whose arguments stand so in the body, or in one event."""

    async def act(exchange: s.Exchange) -> None:
        call = f'{{"index": 0, "id": "a", "function": {{"name": "look", "arguments": {arguments}}}}}'
        if exchange.asked.body.get("stream"):
            said = f'{{"choices": [{{"index": 0, "delta": {{"tool_calls": [{call}]}}}}]}}'
            await exchange.events(said, s.chunk({}, "tool_calls", s.USAGE), "[DONE]")
            return
        choice = f'{{"index": 0, "message": {{"tool_calls": [{call}]}}, "finish_reason": "tool_calls"}}'
        await exchange.json(f'{{"id": "c", "choices": [{choice}], "usage": {json.dumps(s.USAGE)}}}')

    return act


def message(given: str) -> s.Act:
    """The same of the Messages API."""

    async def act(exchange: s.Exchange) -> None:
        block = f'{{"type": "tool_use", "id": "t", "name": "look", "input": {given}}}'
        if exchange.asked.body.get("stream"):
            said = f'{{"type": "content_block_start", "index": 0, "content_block": {block}}}'
            await blocks(said)(exchange)
            return
        usage = '{"input_tokens": 10, "output_tokens": 5}'
        await exchange.json(f'{{"id": "m", "content": [{block}], "stop_reason": "tool_use", "usage": {usage}}}')

    return act


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("kind", "act"), [("openai", completion), ("anthropic", message)])
@pytest.mark.parametrize("arguments", NO_OBJECTS, ids=lambda text: text[:24])
async def test_arguments_that_are_no_object_are_no_call(arguments: str, kind: str, act: Any, stream: bool) -> None:
    sessions = await came_of(act(arguments), kind=kind, stream=stream)
    assert sessions.statuses == ["broken_arguments", "ok"]
    assert sessions.of(EventKind.CALL_PROPOSED) == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("kind", "act"), [("openai", completion), ("anthropic", message)])
@pytest.mark.parametrize("arguments", ['""', '" "', "{}"])
async def test_blank_arguments_are_none(arguments: str, kind: str, act: Any, stream: bool) -> None:
    sessions = await came_of(act(arguments), kind=kind, stream=stream)
    assert [(call["tool"], call["input"]) for call in sessions.of(EventKind.CALL_PROPOSED)] == [("look", {})]


BEGUN = '{"amount": 2'


@pytest.mark.parametrize("between", [5, 0, ["5"], [], True, False, {"n": 5}, {}], ids=repr)
async def test_a_piece_of_arguments_that_is_no_text_breaks_them(between: Any) -> None:
    act = streams([piece(0, "a", "pay", BEGUN), {"index": 0, "function": {"arguments": between}},
                   piece(0, None, None, "00}")])  # fmt: skip
    sessions = await came_of(act)
    # an object that says nothing is none
    assert sessions.statuses[0] == ("ok" if between == {} else "broken_arguments")
    assert [call["input"] for call in sessions.of(EventKind.CALL_PROPOSED)] == (
        [{"amount": 200}] if between == {} else []
    )


async def test_nothing_between_the_pieces_of_arguments_is_nothing() -> None:
    act = streams([piece(0, "a", "pay", BEGUN), {"index": 0, "function": {"arguments": None}},
                   piece(0, None, None, "00}")])  # fmt: skip
    sessions = await came_of(act)
    assert [call["input"] for call in sessions.of(EventKind.CALL_PROPOSED)] == [{"amount": 200}]


async def test_two_objects_as_arguments_of_one_call_are_none() -> None:
    sessions = await came_of(streams([piece(0, "a", "look", {"n": 1}), piece(0, "a", None, {"n": 2})]))
    assert sessions.statuses[0] == "broken_arguments"


async def test_a_name_that_is_no_text_is_none() -> None:
    sessions = await came_of(streams([piece(0, "a", ["look"], "{}")]))
    assert sessions.statuses[0] == "broken_arguments"


@pytest.mark.parametrize(
    ("events", "status"),
    [
        pytest.param([use(0, "pay"), delta(0, BEGUN), delta(7, "5"), delta(0, "00}")], "malformed", id="elsewhere"),
        pytest.param([delta(0, "{}"), use(0, "pay")], "malformed", id="before-it-begins"),
        pytest.param([use(0, "pay"), delta(0, BEGUN), delta(0, 5), delta(0, "00}")],  # type: ignore[arg-type]
                     "broken_arguments", id="number"),
        pytest.param([use(0, "pay", {"amount": 1}), delta(0, '{"amount": 2}')], "broken_arguments", id="told-anew"),
        pytest.param([use(0, "pay"), {"type": "content_block_delta", "index": 0,
                                      "delta": {"type": "text_delta", "text": "no"}}], "malformed", id="text-of-a-call"),
        pytest.param([{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "I pay."}},
                      delta(0, '{"amount": 2}')], "malformed", id="input-of-a-text"),
    ],
)  # fmt: skip
async def test_no_piece_of_a_message_is_dropped(events: list[Any], status: str) -> None:
    sessions = await came_of(blocks(*events), kind="anthropic")
    assert sessions.statuses == [status, "ok"]
    assert sessions.of(EventKind.CALL_PROPOSED) == []


PAY = s.chunk({"tool_calls": [piece(0, "a", "pay", '{"amount": 2}')]})


@pytest.mark.parametrize(
    ("events", "status"),
    [
        pytest.param([s.chunk({"content": "Bye."}, "stop", s.USAGE), PAY, "[DONE]"], "cut_off", id="its-reason"),
        pytest.param([s.chunk({"content": "Bye."}, "stop", s.USAGE), "[DONE]", PAY], "malformed", id="done"),
        pytest.param([PAY, s.chunk({}, "tool_calls", s.USAGE), PAY, "[DONE]"], "cut_off", id="a-call-anew"),
        pytest.param([PAY, "[DONE]", s.chunk({}, "tool_calls", s.USAGE)], "malformed", id="its-reason-behind-done"),
    ],
)
async def test_what_comes_behind_the_end_of_an_answer_is_no_call(events: list[Any], status: str) -> None:
    async def act(exchange: s.Exchange) -> None:
        await exchange.events(*events)

    sessions = await came_of(act)
    assert sessions.statuses == [status, "ok"]
    assert sessions.of(EventKind.CALL_PROPOSED) == []


@pytest.mark.parametrize("last", [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
                                  {"type": "message_stop"}])  # fmt: skip
async def test_what_comes_behind_the_end_of_a_message_is_no_call(last: Any) -> None:
    sessions = await came_of(blocks(last, use(0, "pay", {"amount": 2})), kind="anthropic")
    assert sessions.statuses == ["malformed", "ok"]
    assert sessions.of(EventKind.CALL_PROPOSED) == []


async def test_a_call_in_the_form_of_old_is_not_dropped() -> None:
    async def act(exchange: s.Exchange) -> None:
        old = {"name": "pay", "arguments": '{"amount": 2}'}
        await exchange.json(s.completion("I pay.", finish="function_call", function_call=old))

    sessions = await came_of(act, stream=False)
    assert sessions.statuses == ["malformed", "ok"]


async def test_a_body_that_says_a_key_twice_says_nothing() -> None:
    body = json.dumps(s.completion("Bye."))
    sessions = await came_of(s.raw(body.replace('"choices"', '"choices": [], "choices"', 1)), stream=False)
    assert sessions.statuses == ["malformed", "ok"]


async def test_what_is_beside_the_answer_may_be_anything() -> None:
    body = json.dumps(s.completion("Bye.")).replace('"created": 1', '"created": 1e999999999, "x": {"a": 1, "a": NaN}')
    assert (await came_of(s.raw(body), stream=False)).statuses[0] == "ok"


@pytest.mark.parametrize(
    "given", [{"to": "\ud800"}, {"to": {"a": ["x\udfff"]}}, {"\udc00": 1}], ids=["value", "nested", "key"]
)
async def test_a_decision_with_half_of_a_surrogate_pair_calls_nothing(given: Any) -> None:
    listed = [{"name": "send", "input": given}]
    said = json.dumps({"message": "", "tool_calls": listed, "done": False})
    async with s.serving(s.says(said), s.decides("Done.")) as server:
        sessions = Sessions()
        free = tool("send", input="{type: object}", more="trust: trusted")
        await sessions.run(made(server.url, tools="[send]", policies=[free]))
    assert [(result["status"], result["reason"]) for result in sessions.of(EventKind.TOOL_RESULT)] == [
        ("blocked", "invalid_input")
    ]


@pytest.mark.parametrize("given", [5, ["x"], {"message": 5}, {"message": None}, {"message": ["Bye"]}], ids=repr)
async def test_last_words_that_are_no_text_end_nothing(given: Any) -> None:
    sessions = await came_of(streams([piece(0, "a", "finish", json.dumps(given))]))
    assert sessions.statuses == ["broken_arguments", "ok"]


@pytest.mark.parametrize("answers", ["tools", "json_schema"])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_half_of_a_surrogate_pair_in_what_somebody_says_stops_no_session(kind: str, answers: str) -> None:
    said = {"message": "\ud800 hi", "tool_calls": [], "done": False}
    if kind == "anthropic":
        act = s.message("\ud800 hi") if answers == "tools" else s.message(None, ("t", "decide", said))
    else:
        act = s.calls_tools(content="\ud800 hi") if answers == "tools" else s.says(json.dumps(said))
    async with s.serving(act) as server:
        sessions = Sessions()
        async with sessions.engine as engine:
            bundle = made(server.url, kind=kind, more=f", answers: {answers}")
            state = await engine.run(bundle, Opening("bot", "Hello \udfff", {"tenant": "acme"}), Path("."))
            await engine.send(state.session_id, "And \udc80?")
            state = await engine.drive(state.session_id)
    assert (sessions.statuses, state.status.value) == (["ok", "ok"], "awaiting_message")
    assert "And \ufffd?" in json.dumps(server.asked[1].body, ensure_ascii=False)
