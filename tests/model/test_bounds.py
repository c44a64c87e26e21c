"""Every answer of a model's server is bounded: in bytes, however they are encoded, in parts, and in time."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import h11
import pytest

from engine.planner.reply_text import without_thoughts
from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made
from tests.model.test_pieces import blocks, delta, piece, start

FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))
BOMB = gzip.compress(b'{"choices": "' + b"x" * 30_000_000, 9)


def encoded(raw: bytes, coding: str, kind: str = "application/json") -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        await exchange.head(content_type=kind, content_encoding=coding, content_length=str(len(raw)))
        await exchange.send(h11.Data(data=raw))
        await exchange.send(h11.EndOfMessage())

    return act


def streamed(*events: Any) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        await exchange.events(*events)

    return act


async def status_of(act: s.Act, last: s.Act = FINISHED, **more: Any) -> str:
    kind = more.get("kind", "openai")
    told = ", answers: tools" if kind == "openai" else ""
    stream = str(more.get("stream", True)).lower()
    async with s.serving(act, last) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, kind=kind, more=f"{told}, stream: {stream}"))
        assert server.asked[0].headers["accept-encoding"] == "identity"
    assert state.status.value == "done"
    assert sessions.of(EventKind.CALL_PROPOSED) == []
    return sessions.statuses[0]


STREAM = "text/event-stream; charset=punycode"


@pytest.mark.parametrize(
    ("raw", "coding", "kind", "status"),
    [
        pytest.param(BOMB, "gzip", "application/json", "too_large", id="gzip"),
        pytest.param(gzip.compress(BOMB), "gzip, gzip", "application/json", "too_large", id="twice"),
        pytest.param(zlib.compress(b"x" * 30_000_000), "deflate", "application/json", "too_large", id="deflate"),
        pytest.param(gzip.compress(b"data: " + b"x" * 30_000_000), "gzip", STREAM, "too_large", id="a-line"),
        pytest.param(gzip.compress(b"data: x\n" * 3_000_000), "gzip", STREAM, "too_large", id="an-event"),
        pytest.param(gzip.compress(b"data: {}\n\n" * 2_500_000), "gzip", STREAM, "too_large", id="a-stream"),
        pytest.param(gzip.compress(b"") * 2_000, "gzip", "application/json", "cut_off", id="members"),
        pytest.param(BOMB, "br", "application/json", "cut_off", id="brotli"),
        pytest.param(BOMB, ", ".join(["gzip"] * 50), "application/json", "cut_off", id="fifty-times"),
    ],
)
async def test_no_answer_unpacks_to_more_than_may_be_taken(raw: bytes, coding: str, kind: str, status: str) -> None:
    assert await status_of(encoded(raw, coding, kind), stream=kind == STREAM) == status


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_was_encoded_unasked_is_read_all_the_same(coding: str) -> None:
    raw = json.dumps(s.completion("Bye.")).encode()
    packed = gzip.compress(raw) if coding == "gzip" else zlib.compress(raw)
    async with s.serving(encoded(packed, coding), FINISHED) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, more=", answers: tools, stream: false"))
    assert (sessions.statuses, state.told) == (["ok"], "Bye.")


MANY = [{"index": n, "id": f"c{n}", "function": {"name": "look", "arguments": "{}"}} for n in range(45_000)]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([s.chunk({"tool_calls": MANY})], id="calls-of-an-event"),
        pytest.param([s.chunk({"tool_calls": [call]}) for call in MANY[:200]], id="calls"),
        pytest.param([s.chunk({"content": [{"type": "text", "text": "a"}] * 2_000})], id="parts-of-a-text"),
        pytest.param([{"choices": [{"index": n, "delta": {}} for n in range(2_000)]}], id="choices"),
        pytest.param([s.chunk({"content": "x" * 500_000})], id="text"),
        pytest.param([s.chunk({"tool_calls": [piece(0, "a", "look", {"n": "x" * 500_000})]})], id="object"),
        pytest.param([s.chunk({"tool_calls": [piece(0, "a", "look", ["[]" * 2_100_000])]})], id="event"),
    ],
)
async def test_an_answer_of_too_many_parts_is_too_large(events: list[Any]) -> None:
    assert await status_of(streamed(*events, s.chunk({}, "tool_calls", s.USAGE), "[DONE]")) == "too_large"


async def test_a_name_without_end_is_none() -> None:
    events = [s.chunk({"tool_calls": [piece(0, "a", "ab" * 300, "")]}),
              s.chunk({"tool_calls": [piece(0, None, "ba" * 300, "")]})]  # fmt: skip
    assert await status_of(streamed(*events, s.chunk({}, "tool_calls", s.USAGE), "[DONE]")) == "broken_arguments"


async def test_an_answer_at_once_has_no_more_calls_either() -> None:
    calls = [{key: value for key, value in call.items() if key != "index"} for call in MANY[:200]]
    assert await status_of(s.raw(json.dumps(s.completion(None, calls=calls))), stream=False) == "too_large"


async def test_a_decision_has_no_more_calls_either() -> None:
    async with s.serving(s.decides("", *[("look", {})] * 200), s.decides("Done.")) as server:
        sessions = Sessions()
        await sessions.run(made(server.url))
    assert sessions.statuses == ["too_large", "ok"]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([start(n, type="text", text="") for n in range(2_000)], id="blocks"),
        pytest.param([start(n, type="tool_use", id=f"t{n}", name="look", input={}) for n in range(200)], id="calls"),
        pytest.param([start(0, type="redacted_thinking", data="x" * 500_000)], id="a-start"),
        pytest.param([start(0, type="tool_use", id="t", name="look", input={}), delta(0, '"' + "x" * 500_000)],
                     id="an-input"),
    ],
)  # fmt: skip
async def test_a_message_of_too_many_parts_is_too_large(events: list[Any]) -> None:
    last = s.message(None, ("z", "finish", {"message": "Done."}))
    assert await status_of(blocks(*events), last, kind="anthropic") == "too_large"


async def test_a_number_with_a_huge_exponent_is_never_written_out() -> None:
    usage = '{"prompt_tokens": 1e999999999, "completion_tokens": 5}'
    body = json.dumps(s.completion("Bye.", usage={"usage": 1})).replace('{"usage": 1}', usage)
    async with s.serving(s.raw(body)) as server:
        sessions = Sessions()
        await sessions.run(made(server.url, more=", answers: tools, stream: false, max_prompt_tokens: 7000"))
    # what is no count is not told, and counts as it was reserved
    assert sessions.of(EventKind.MODEL_CALLED)[0]["tokens_in"] == 7_000


def test_thoughts_one_behind_the_other_are_left_out_whatever_letters_they_hold() -> None:
    notes: dict[str, None] = {}
    text = "<think>İİİ</THINK> <thinking>so</thinking>Hello, İ <think>there</think>"
    assert without_thoughts(text, lambda note: notes.setdefault(note)) == "Hello, İ <think>there</think>"
    assert list(notes) == ["a thought before the message"]
