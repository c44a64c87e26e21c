"""Streamed calls are put together right for every server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made

FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))


def piece(index: Any = None, id_: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    found = {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}
    found["function"] = {key: value for key, value in found["function"].items() if value is not None}
    return {key: value for key, value in found.items() if value is not None}


def streams(pieces: Sequence[Any]) -> s.Act:
    """Each piece in an event of its own."""

    async def act(exchange: s.Exchange) -> None:
        deltas = [s.chunk({"tool_calls": part if isinstance(part, list) else [part]}) for part in pieces]
        await exchange.events(*deltas, s.chunk({}, "tool_calls", s.USAGE), "[DONE]")

    return act


async def calls_of(act: s.Act, *, kind: str = "openai") -> list[tuple[str, Any]]:
    """The calls that were made of a streamed answer."""
    last = FINISHED if kind == "openai" else s.message(None, ("z", "finish", {}))
    tools = ", answers: tools" if kind == "openai" else ""
    async with s.serving(act, last) as server:
        sessions = Sessions()
        await sessions.run(made(server.url, kind=kind, more=tools))
    assert sessions.statuses[0] == "ok", sessions.of(EventKind.MODEL_CALLED)[0]["message"]
    return [(call["tool"], dict(call["input"])) for call in sessions.of(EventKind.CALL_PROPOSED)]


BOTH = [("look", {"n": 1}), ("mail", {"n": 2})]
TWICE = [("look", {"n": 1}), ("look", {"n": 2})]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([piece(0, "a", "look", '{"n": 1}'), piece(0, "b", "mail", '{"n": 2}')], BOTH,
                     id="one-index-two-ids"),
        pytest.param([piece(0, "a", "look", '{"n": 1}'), piece(0, "b", "look", '{"n": 2}')], TWICE,
                     id="one-index-one-tool"),
        pytest.param([[piece(0, "a", "look", '{"n": 1}'), piece(0, "b", "mail", '{"n": 2}')]], BOTH,
                     id="one-index-one-event"),
        pytest.param([piece(0, "a", "look", '{"n"'), piece(0, None, None, ": 1}"), piece(0, "b", "mail", '{"n"'),
                      piece(0, None, None, ": 2}")], BOTH, id="one-index-in-pieces"),
        pytest.param([piece(0, "a", "look", '{"n"'), piece(0, "b", "mail", '{"n"'), piece(0, "a", None, ": 1}"),
                      piece(0, "b", None, ": 2}")], BOTH, id="one-index-ids-in-each-piece"),
        pytest.param([piece(0, "a", "look", ""), piece(0, "a", "look", '{"n": 1}')], BOTH[:1], id="name-repeated"),
        pytest.param([piece(0, "a", "look", '{"n"'), piece(0, "a", "look", ": 1"), piece(0, "a", "look", "}")],
                     BOTH[:1], id="all-repeated"),
        pytest.param([piece(0, "a", "look", '{"n"'), piece(0, "", "", ": 1}")], BOTH[:1], id="blank-later"),
        pytest.param([piece(0, None, "look", '{"n"'), piece(0, "a", None, ": 1}")], BOTH[:1], id="late-id"),
        pytest.param([piece(0, "a", "lo", ""), piece(0, None, "ok", '{"n": 1}')], BOTH[:1], id="name-in-pieces"),
        pytest.param([piece(None, "a", "look", '{"n": 1}'), piece(None, "b", "mail", '{"n": 2}')], BOTH,
                     id="no-index"),
        pytest.param([piece(None, "a", "look", '{"n"'), piece(None, None, None, ": 1}"),
                      piece(None, "b", "mail", '{"n"'), piece(None, None, None, ": 2}")], BOTH,
                     id="no-index-in-pieces"),
        pytest.param([piece(None, "a", "look", '{"n"'), piece(None, "a", None, ": 1}")], BOTH[:1],
                     id="no-index-same-id"),
        pytest.param([piece(None, None, "look", '{"n": 1}'), piece(None, None, "mail", '{"n": 2}')], BOTH,
                     id="no-index-no-id"),
        pytest.param([piece(0, None, "look", '{"n": 1}'), piece(0, None, "mail", '{"n": 2}')], BOTH,
                     id="one-index-no-id"),
        pytest.param([piece("0", "a", "look", '{"n": 1}'), piece("1", "b", "mail", '{"n": 2}')], BOTH,
                     id="index-as-text"),
        pytest.param([piece(0, 7, "look", '{"n": 1}'), piece(0, 8, "mail", '{"n": 2}')], BOTH, id="numeric-ids"),
        pytest.param([piece(0, "a", "look", {"n": 1}), piece(1, "b", "mail", {"n": 2})], BOTH, id="object"),
        pytest.param([piece(0, "a", "look", '{"n"'), piece(1, "b", "mail", '{"n"'), piece(0, None, None, ": 1}"),
                      piece(1, None, None, ": 2}")], BOTH, id="interleaved"),
        pytest.param([piece(0, "a", "look", '{"n"'), piece(1, "a", "mail", '{"n"'), piece(0, None, None, ": 1}"),
                      piece(1, None, None, ": 2}")], BOTH, id="two-indexes-one-id"),
    ],
)  # fmt: skip
async def test_pieces_of_calls_are_put_together_for_every_server(pieces: Sequence[Any], expected: Any) -> None:
    assert await calls_of(streams(pieces)) == expected


def blocks(*events: Any) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        usage = {"input_tokens": 100, "output_tokens": 20}
        await exchange.events(
            {"type": "message_start", "message": {"id": "m", "content": [], "usage": usage}}, *events,
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        )  # fmt: skip

    return act


def start(index: Any, **block: Any) -> dict[str, Any]:
    event = {"type": "content_block_start", "index": index, "content_block": block}
    return event if index is not None else {key: value for key, value in event.items() if key != "index"}


def delta(index: Any, text: str) -> dict[str, Any]:
    event = {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}}
    return event if index is not None else {key: value for key, value in event.items() if key != "index"}


def use(index: Any, name: str, input_: Any = None, id_: str = "t") -> dict[str, Any]:
    return start(index, type="tool_use", id=id_, name=name, input={} if input_ is None else input_)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([use(0, "look", {"n": 1})], BOTH[:1], id="input-within-the-start"),
        pytest.param([use(0, "look", {"n": 1}), delta(0, "")], BOTH[:1], id="input-within-the-start-and-a-blank"),
        pytest.param([use(0, "look", {"n": 1}), delta(0, '{"n": 1}')], BOTH[:1], id="input-told-twice"),
        pytest.param([use(0, "look", {"n": 1}, "a"), {"type": "content_block_stop", "index": 0},
                      use(0, "mail", {"n": 2}, "b")], BOTH, id="one-index"),
        pytest.param([use(0, "look", None, "a"), delta(0, '{"n": 1}'), {"type": "content_block_stop", "index": 0},
                      use(0, "mail", None, "b"), delta(0, '{"n": 2}')], BOTH, id="one-index-in-pieces"),
        pytest.param([use(None, "look", None, "a"), delta(None, '{"n": 1}'), use(None, "mail", None, "b"),
                      delta(None, '{"n": 2}')], BOTH, id="no-index"),
        pytest.param([use(0, "look", {"n": 1}, "a"), use(1, "mail", {"n": 2}, "a")], BOTH, id="one-id"),
    ],
)  # fmt: skip
async def test_blocks_of_a_streamed_message_are_put_together_for_every_server(events: Any, expected: Any) -> None:
    assert await calls_of(blocks(*events), kind="anthropic") == expected


async def test_text_within_the_start_of_a_block_is_said() -> None:
    act = blocks(
        start(0, type="text", text="Hello "),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "there"}},
        {"type": "content_block_stop", "index": 0},
        use(1, "look", {"n": 1}),
    )
    async with s.serving(act, s.message(None, ("z", "finish", {}))) as server:
        sessions = Sessions()
        await sessions.run(made(server.url, kind="anthropic"))
    assert sessions.of(EventKind.DECISION_RECORDED)[0]["message"] == "Hello there"


async def test_a_server_that_answers_at_once_where_a_stream_was_asked_is_understood() -> None:
    async def act(exchange: s.Exchange) -> None:
        await exchange.json(s.completion('{"message": "Bye", "tool_calls": [], "done": true}'))

    async with s.serving(act) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url))
    assert (sessions.statuses, state.told) == (["ok"], "Bye")


@pytest.mark.parametrize("ends", [("stop", "stop"), ("tool_calls", "tool_calls"), ("stop", "tool_calls")])
async def test_an_answer_whose_every_piece_ends_it_is_whole_if_the_last_piece_does(ends: tuple[str, str]) -> None:
    async def act(exchange: s.Exchange) -> None:
        first, second = piece(0, "a", "look", '{"n": 1}'), piece(1, "b", "mail", '{"n": 2}')
        await exchange.events(
            s.chunk({"tool_calls": [first]}, ends[0]), s.chunk({"tool_calls": [second]}, ends[1], s.USAGE), "[DONE]"
        )

    assert await calls_of(act) == BOTH
