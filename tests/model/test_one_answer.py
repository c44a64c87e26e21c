"""A server gives one answer, and all of it counts: one that begins anew is a fault, and what is left out is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h11
import pytest

from engine.planner.transport import replayed_from
from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made

LOOK = '{"n": 1}'


def sent(body: bytes, kind: str = "text/event-stream") -> s.Act:
    """These very bytes."""

    async def act(exchange: s.Exchange) -> None:
        await exchange.head(content_type=kind, content_length=str(len(body)))
        await exchange.send(h11.Data(data=body))
        await exchange.send(h11.EndOfMessage())

    return act


def stream(*events: Any) -> bytes:
    """Events as a server of either protocol writes them."""
    told = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
    return "".join(f"data: {one}\n\n" for one in told).encode()


async def came_of(body: bytes, kind: str = "openai", content: str = "text/event-stream", answers: str = "tools") -> Any:
    """The sessions' log, and how the session ended, where this is answered first and the end of the work then."""
    last = s.message(None, ("z", "finish", {"message": "Done."})) if kind == "anthropic" else s.calls_tools(
        ("z", "finish", '{"message": "Done."}'))  # fmt: skip
    last = last if answers == "tools" else s.decides("Done.")
    async with s.serving(sent(body, content), last) as server:
        sessions = Sessions()
        told = f", answers: {answers}, stream: {str('stream' in content).lower()}"
        state = await sessions.run(made(server.url, kind=kind, more=told))
    return sessions, state


def piece(id_: str | None = "x", *, finish: str | None = None, model: str | None = None, **delta: Any) -> Any:
    found = {"id": id_, "model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return {key: value for key, value in found.items() if value is not None}


def call(id_: str, arguments: str = LOOK, index: int = 0) -> list[Any]:
    return [{"index": index, "id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}}]


END = piece(finish="tool_calls")
ROLE = {"role": "assistant"}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([piece("x", **ROLE, tool_calls=call("a")), piece("y", **ROLE, tool_calls=call("b")),
                      piece("y", finish="tool_calls")], id="another-id-and-role"),
        pytest.param([piece("x", **ROLE, tool_calls=call("a")), piece("y", tool_calls=call("b")),
                      piece(None, finish="tool_calls")], id="another-id-at-the-same-index"),
        pytest.param([piece("x", **ROLE, tool_calls=call("a")), piece("y", tool_calls=call("b", index=1)),
                      piece("y", finish="tool_calls")], id="another-id-that-stays"),
        pytest.param([piece(**ROLE), piece(tool_calls=call("a")), piece(**ROLE), piece(tool_calls=call("b")), END],
                     id="the-role-once-more"),
        pytest.param([piece(model="m", tool_calls=call("a")), piece(model="n", tool_calls=call("b", index=1)), END],
                     id="another-model"),
        pytest.param([piece(tool_calls=call("a")), piece(tool_calls=call("b")), END], id="the-same-call-at-an-index"),
        pytest.param([piece(tool_calls=call("a")), piece(tool_calls=call("b", '{ "n":1 }')), END],
                     id="the-same-call-in-another-spelling"),
        pytest.param([piece(tool_calls=call("a")), piece(tool_calls=call("a", index=1)), END], id="the-same-id"),
        pytest.param([piece("x", **ROLE, content="You get it. "), piece("y", **ROLE, content="You do not."),
                      piece("y", finish="stop")], id="text"),
    ],
)  # fmt: skip
async def test_a_stream_of_completions_that_begins_anew_is_asked_for_again(events: list[Any]) -> None:
    sessions, state = await came_of(stream(*events, "[DONE]"))
    assert (sessions.statuses, state.told) == (["malformed", "ok"], "Done.")
    assert sessions.of(EventKind.CALL_PROPOSED) == []


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([piece(**ROLE, tool_calls=call("a")), piece(**ROLE, tool_calls=call("b", '{"n": 2}', 1)), END],
                     id="a-role-with-each"),
        pytest.param([piece("x", **ROLE), piece("y", tool_calls=call("a")),
                      piece("z", tool_calls=call("b", '{"n": 2}', 1)), piece("w", finish="tool_calls")],
                     id="an-id-of-its-own-for-each"),
        pytest.param([piece("", model="", **ROLE), piece("x", model="m", tool_calls=call("a")),
                      piece("x", model="m", tool_calls=call("b", LOOK, 1)), END], id="the-same-call-twice-meant"),
        pytest.param([piece(**ROLE, tool_calls=call("a")), piece(tool_calls=call("b", '{"n": 2}', 1)),
                      piece(**ROLE, content="", finish="tool_calls")], id="a-role-at-the-end"),
    ],
)  # fmt: skip
async def test_a_stream_of_completions_that_only_looks_so_is_one_answer(events: list[Any]) -> None:
    sessions, _ = await came_of(stream(*events, "[DONE]"))
    assert sessions.statuses == ["ok", "ok"]
    assert len(sessions.of(EventKind.CALL_PROPOSED)) == 2


def begins(id_: str = "m", *content: Any) -> Any:
    usage = {"input_tokens": 10, "output_tokens": 1}
    return {"type": "message_start", "message": {"id": id_, "role": "assistant", "content": content, "usage": usage}}


def use(index: int | None = 0, id_: str = "t", n: int = 1) -> Any:
    block = {"type": "tool_use", "id": id_, "name": "look", "input": {"n": n}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def stop(index: int = 0) -> Any:
    return {"type": "content_block_stop", "index": index}


def text(said: str, index: int = 0, kind: str = "text") -> list[Any]:
    return [{"type": "content_block_start", "index": index, "content_block": {"type": kind, "text": said}}, stop(index)]


def ends(reason: str = "tool_use") -> list[Any]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"}]  # fmt: skip


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([begins(), use(), stop(), begins("n"), use(id_="u"), stop(), *ends()], id="a-call"),
        pytest.param([begins(), use(), stop(), begins("n"), use(id_="u", n=2), stop(), *ends()], id="another-call"),
        pytest.param([begins(), use(), stop(), begins(), use(), stop(), *ends()], id="exactly-the-same"),
        pytest.param([begins(), begins(), use(), stop(), *ends()], id="before-anything-else"),
        pytest.param([use(), stop(), begins(), *ends()], id="behind-the-first-block"),
        pytest.param([begins(), *text("You get it. "), begins("n"), *text("You do not."), *ends("end_turn")],
                     id="text"),
        pytest.param([begins(), use(), use(id_="u", n=2), stop(), *ends()], id="a-block-that-has-not-ended"),
        pytest.param([begins(), use(), stop(), use(id_="u"), stop(), *ends()], id="the-same-call-at-an-index"),
        pytest.param([begins(), use(), stop(), use(1), stop(1), *ends()], id="the-same-id"),
    ],
)  # fmt: skip
async def test_a_message_that_begins_anew_is_asked_for_again(events: list[Any]) -> None:
    sessions, state = await came_of(stream(*events), "anthropic")
    assert (sessions.statuses, state.told) == (["malformed", "ok"], "Done.")
    assert sessions.of(EventKind.CALL_PROPOSED) == []


MARK = "\ufeff".encode()
SAYS = stream(piece(content="I could NOT "), piece(content="refund you."), piece(finish="stop"), "[DONE]")
CALLS = stream(piece(tool_calls=call("a")), END, "[DONE]")


async def test_a_byte_order_mark_before_a_stream_hides_nothing_of_it() -> None:
    _, state = await came_of(MARK + SAYS)
    assert state.told == "I could NOT refund you."
    sessions, _ = await came_of(MARK + CALLS)
    assert [one["tool"] for one in sessions.of(EventKind.CALL_PROPOSED)] == ["look"]
    sessions, _ = await came_of(MARK + stream(begins(), use(), stop(), *ends()), "anthropic")
    assert sessions.of(EventKind.MODEL_CALLED)[0]["tokens_in"] == 10


@pytest.mark.parametrize(
    "before",
    [MARK, b" ", b"x", b'{"error": "no"}\n', b"event: error\n", b"meta: 1\n", b"\n\n" + MARK],
)
async def test_a_line_that_belongs_to_no_event_hides_nothing(before: bytes) -> None:
    first, _, rest = SAYS.partition(b"\n\n")
    sessions, state = await came_of(first + b"\n\n" + before + rest)
    assert sessions.statuses[0] in ("malformed", "server_error")
    assert state.told == "Done."


async def test_comments_and_further_fields_of_events_are_none_of_the_answer() -> None:
    _, state = await came_of(b": OPENROUTER PROCESSING\n\nevent: message\nid: 7\nretry: 10\n" + SAYS)
    assert state.told == "I could NOT refund you."


async def test_what_the_start_of_a_message_holds_belongs_to_it() -> None:
    start = begins("m", {"type": "text", "text": "I could NOT "})
    sessions, state = await came_of(stream(start, *text("refund you."), *ends("end_turn")), "anthropic")
    assert state.told == "I could NOT refund you."
    assert sessions.of(EventKind.MODEL_CALLED)[0]["repairs"] == ["content in the start of a message"]
    sessions, _ = await came_of(stream(begins("m", use()["content_block"]), *ends()), "anthropic")
    assert [one["tool"] for one in sessions.of(EventKind.CALL_PROPOSED)] == ["look"]


@pytest.mark.parametrize("kind", ["mcp_tool_use", "server_tool_use", "web_search_tool_result", "of next year"])
async def test_a_block_beside_a_text_is_told_of(kind: str) -> None:
    events = [begins(), *text("", 0, kind), *text("Bye.", 1), *ends("end_turn")]
    sessions, state = await came_of(stream(*events), "anthropic")
    assert state.told == "Bye."
    assert sessions.of(EventKind.MODEL_CALLED)[0]["repairs"] == ["blocks that are neither text nor a call"]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "of next year", "text": "not"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "of_next_year", "text": "not"}},
    ],
)
async def test_an_event_that_nobody_knows_is_told_of(event: Any) -> None:
    opened, closed = text("Bye.")
    sessions, state = await came_of(stream(begins(), opened, event, closed, *ends("end_turn")), "anthropic")
    assert state.told == "Bye."
    assert len(sessions.of(EventKind.MODEL_CALLED)[0]["repairs"]) == 1


async def test_a_part_of_a_completion_that_nobody_knows_is_told_of() -> None:
    sessions, state = await came_of(stream(piece(content="Bye.", audio={"data": "x"}), piece(finish="stop")))
    assert state.told == "Bye."
    assert len(sessions.of(EventKind.MODEL_CALLED)[0]["repairs"]) == 1


async def test_a_message_that_a_stream_tells_as_a_whole_is_said() -> None:
    whole = {"choices": [{"index": 0, "message": {"content": "Bye."}, "finish_reason": "stop"}]}
    sessions, state = await came_of(stream(whole, "[DONE]"))
    assert (state.told, len(sessions.of(EventKind.MODEL_CALLED)[0]["repairs"])) == ("Bye.", 1)
    _, state = await came_of(stream(piece(content="Bye."), whole, "[DONE]"))
    assert state.told == "Bye."


BROKEN = b"b\xffb"


@pytest.mark.parametrize("content", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_call_of_bytes_that_are_no_text_is_never_made(kind: str, content: str) -> None:
    calls = call("a", '{"n": 1, "to": "BROKEN"}')
    block = {**use()["content_block"], "input": {"to": "BROKEN"}}
    whole: Any = {"id": "m", "content": [block], "stop_reason": "tool_use"}
    if kind == "openai":
        whole = {"id": "x", "choices": [{"index": 0, "message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
    events = [piece(tool_calls=calls), END, "[DONE]"] if kind == "openai" else [begins("m", block), *ends()]
    body = stream(*events) if "stream" in content else json.dumps(whole).encode()
    sessions, _ = await came_of(body.replace(b"BROKEN", BROKEN), kind, content)
    assert sessions.statuses == ["malformed", "ok"]
    assert "UTF-8" in sessions.of(EventKind.MODEL_CALLED)[0]["message"]
    assert sessions.of(EventKind.CALL_PROPOSED) == []


@pytest.mark.parametrize(
    "body",
    [
        "[]", "null", "7", '"x"', '{"id": 1, "id": 2}', '{"choices": [7]}', '{"choices": [{}]}', '{"choices": {}}',
        '{"choices": [{"message": []}]}', '{"choices": [{"message": {"tool_calls": [7]}}]}',
        '{"choices": [{"message": {"tool_calls": [{"function": {}}]}}]}', '{"content": [{}]}', '{"content": [7]}',
        '{"content": [{"type": "tool_use"}]}', '{"content": [{"type": 7}]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("content", ["text/event-stream", "application/json"])
async def test_an_answer_of_another_shape_is_told_in_plain_words(body: str, kind: str, content: str) -> None:
    sessions, _ = await came_of(stream(body) if "stream" in content else body.encode(), kind, content)
    first = sessions.of(EventKind.MODEL_CALLED)[0]
    assert first["status"] in ("malformed", "cut_off", "broken_arguments")
    assert not any(word in first["message"] for word in ("attribute", "subscript", "tuple", "NoneType", "Unfit"))
    assert len(first["message"]) > 30


async def test_two_decisions_are_none() -> None:
    block = {"type": "tool_use", "name": "decide", "input": {"message": "Bye.", "tool_calls": [], "done": True}}
    whole = {"id": "m", "content": [{**block, "id": "a"}, {**block, "id": "b"}], "stop_reason": "tool_use"}
    body = json.dumps(whole).encode()
    async with s.serving(sent(body, "application/json")) as server:
        sessions = Sessions()
        await sessions.run(made(server.url, kind="anthropic", more=", answers: json_schema, stream: false"))
    assert sessions.statuses[0] == "malformed"


async def test_bytes_that_are_no_text_are_no_call_in_a_recording_either(tmp_path: Path) -> None:
    body = stream(piece(tool_calls=call("a", '{"n": 1, "to": "BROKEN"}')), END, "[DONE]").replace(b"BROKEN", BROKEN)
    last = s.calls_tools(("z", "finish", '{"message": "Done."}'))
    async with s.serving(sent(body), last) as server:
        made_for = made(server.url, more=", answers: tools")
        await Sessions(record=tmp_path / "kept").run(made_for)
    played = Sessions(traffic=replayed_from(tmp_path / "kept"))
    await played.run(made_for)
    assert played.statuses[0] != "ok"
    assert played.of(EventKind.CALL_PROPOSED) == []
