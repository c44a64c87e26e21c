"""What a server told of its tokens is counted in full; what it did not tell is counted as reserved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made

# the reserved halves of a question: `max_prompt_tokens` and `max_answer_tokens` of `made`
RESERVED_IN, RESERVED_OUT = 16_000, 1_000

LOOK = [{"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))
NOTHING: dict[str, Any] = {}
FULL = {"prompt_tokens": 70_000, "completion_tokens": 5, "total_tokens": 70_005}


def at_once(usage: Any) -> s.Act:
    """A call of a completion, and this usage beside it."""

    async def act(exchange: s.Exchange) -> None:
        answer = s.completion(None, finish="tool_calls", calls=LOOK)
        await exchange.json({**answer, "usage": usage} if usage is not NOTHING else _without(answer, "usage"))

    return act


def _without(value: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != key}


def streamed(*events: Any) -> s.Act:
    """A call, then these events as they are."""

    async def act(exchange: s.Exchange) -> None:
        await exchange.events(s.chunk({"tool_calls": LOOK}), s.chunk({}, "tool_calls"), *events, "[DONE]")

    return act


async def counted(act: s.Act, *, kind: str = "openai", stream: bool = False, more: str = "") -> dict[str, Any]:
    """The first request's entry in the log."""
    last = FINISHED if kind == "openai" else s.message(None, ("z", "finish", {}))
    tools = ", answers: tools" if kind == "openai" else ""
    async with s.serving(act, last) as server:
        sessions = Sessions()
        told = f"{tools}, stream: {str(stream).lower()}{more}"
        state = await sessions.run(made(server.url, kind=kind, more=told, budgets="{model_tokens: 60000}"))
    call = sessions.of(EventKind.MODEL_CALLED)[0]
    if int(call["tokens_in"]) + int(call["tokens_out"]) >= 60_000:
        assert state.status.value == "out_of_budget"
    return call


@pytest.mark.parametrize(
    ("usage", "least"),
    [
        pytest.param({"prompt_tokens": 50_000, "completion_tokens": None, "total_tokens": 50_005}, 50_005, id="half"),
        pytest.param({"prompt_tokens": 50_000}, 50_000 + RESERVED_OUT, id="only-the-prompt"),
        pytest.param({"completion_tokens": 50_000}, 50_000 + RESERVED_IN, id="only-the-answer"),
        pytest.param({"total_tokens": 90_000}, 90_000, id="only-the-total"),
        pytest.param({"prompt_tokens": None, "completion_tokens": 5, "total_tokens": 90_000}, 90_000, id="null-prompt"),
        # thinking that is in the total alone (Gemini)
        pytest.param({"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 90_000}, 90_000, id="more-in-all"),
        # parts that are larger than what they should be parts of: they stand beside it
        pytest.param(
            {"prompt_tokens": 3, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 80_000}},
            80_008, id="cached-beside",
        ),
        pytest.param(
            {"prompt_tokens": 4, "completion_tokens": 5, "cache_read_input_tokens": 80_000,
             "cache_creation_input_tokens": 20_000}, 100_009, id="names-of-the-other-wire",
        ),
        pytest.param({"input_tokens": 70_000, "output_tokens": 5}, 70_005, id="input-and-output"),
        pytest.param({"prompt_tokens": 70_000.0, "completion_tokens": 5}, 70_005, id="a-float"),
        pytest.param({"prompt_tokens": 10**9, "completion_tokens": 5}, 10**9, id="enormous"),
        pytest.param({"prompt_tokens": 10**15, "completion_tokens": 5}, 10**12, id="beyond-what-is-counted"),
        pytest.param({"prompt_tokens": "50000", "completion_tokens": "9000.0"}, 59_000, id="as-texts"),
        pytest.param({"prompt_tokens": 50_000.5, "completion_tokens": 5}, 50_006, id="a-fraction"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 5,
                      "completion_tokens_details": {"reasoning_tokens": 50_000}}, 50_015, id="thought-beside"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 50_000}, 50_015,
                     id="thought-outside-of-details"),
        pytest.param({"prompt_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 50_000}}, 50_010,
                     id="thought-alone"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 30_000,
                      "completion_tokens_details": {"reasoning_tokens": 29_000, "audio_tokens": 21_000}}, 50_010,
                     id="parts-add-up"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 5,
                      "prompt_tokens_details": {"text_tokens": 20_000, "image_tokens": 30_000}}, 50_005, id="kinds"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 5, "input_tokens": 50_000, "output_tokens": 9_000},
                     59_000, id="by-two-names"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 5, "citation_tokens": 50_000}, 50_000,
                     id="by-a-name-that-nobody-knows"),
        pytest.param({"promptTokenCount": 50_000, "completionTokenCount": 5}, 50_005, id="in-another-spelling"),
        pytest.param({"input_tokens": 10, "output_tokens": 5, "iterations": [
            {"input_tokens": 30_000, "output_tokens": 10}, {"input_tokens": 20_000, "output_tokens": 10}]}, 50_020,
                     id="in-steps"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_server_of_completions_told_is_counted_in_full(usage: Any, least: int, stream: bool) -> None:
    event = {"id": "cmpl-1", "choices": [], "usage": usage}
    call = await counted(streamed(event) if stream else at_once(usage), stream=stream)
    assert call["status"] == "ok"
    assert call["tokens_in"] + call["tokens_out"] >= least


@pytest.mark.parametrize("usage", [NOTHING, None, {}, 7, {"prompt_tokens": -5, "completion_tokens": True}, "many"])
async def test_what_a_server_did_not_tell_is_counted_as_it_was_reserved(usage: Any) -> None:
    call = await counted(at_once(usage))
    assert (call["tokens_in"], call["tokens_out"]) == (RESERVED_IN, RESERVED_OUT)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"total_tokens": 1}, (RESERVED_IN, RESERVED_OUT)),
        ({"total_tokens": RESERVED_IN + 5_000}, (RESERVED_IN + 4_000, RESERVED_OUT)),
        ({"total_tokens": 900, "completion_tokens": 100}, (800, 100)),
        ({"total_tokens": 100, "completion_tokens": 100}, (RESERVED_IN, 100)),
        ({"total_tokens": 900, "prompt_tokens": 800}, (800, 100)),
        ({"total_tokens": 800, "prompt_tokens": 800}, (800, RESERVED_OUT)),
    ],
)
async def test_a_total_tells_a_part_only_beside_the_other_one(usage: Any, counts: tuple[int, int]) -> None:
    call = await counted(at_once(usage))
    assert (call["tokens_in"], call["tokens_out"]) == counts


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        pytest.param({**FULL, "input_tokens": 70_000, "output_tokens": 5}, (70_000, 5), id="two-names"),
        pytest.param({**FULL, "completion_tokens_details": {"reasoning_tokens": 4, "text_tokens": 1}}, (70_000, 5),
                     id="thoughts-within"),
        pytest.param({**FULL, "cache_read_input_tokens": 9_000, "prompt_tokens_details": {"cached_tokens": 9_000}},
                     (70_000, 5), id="cached-twice"),
        pytest.param({**FULL, "prompt_cache_hit_tokens": 60_000, "prompt_cache_miss_tokens": 10_000}, (70_000, 5),
                     id="hit-and-miss"),
        pytest.param({**FULL, "max_tokens": 900_000, "tokens_per_second": 90_000}, (70_000, 5), id="bounds-and-speeds"),
        pytest.param({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 315,
                      "completion_tokens_details": {"reasoning_tokens": 300}}, (10, 305), id="thoughts-in-the-total"),
    ],
)  # fmt: skip
async def test_what_is_told_twice_is_counted_once(usage: Any, counts: tuple[int, int]) -> None:
    call = await counted(at_once(usage))
    assert (call["tokens_in"], call["tokens_out"]) == counts


async def test_cached_tokens_are_within_the_prompt_tokens_of_completions() -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 900}}
    call = await counted(at_once(usage))
    assert (call["tokens_in"], call["tokens_out"]) == (1_000, 5)


ZERO = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([{"choices": [], "usage": FULL}, {"choices": [], "usage": None}], id="null-after"),
        pytest.param([{"choices": [], "usage": FULL}, {"choices": [], "usage": ZERO}], id="zero-after"),
        pytest.param([{"choices": [], "usage": {"prompt_tokens": 70_000}},
                      {"choices": [], "usage": {"completion_tokens": 5}}], id="in-halves"),
        pytest.param([{"choices": [], "x_groq": {"id": "req", "usage": FULL}}], id="x_groq"),
        pytest.param([{"choices": [{"index": 0, "delta": {}, "usage": FULL}]}], id="within-the-choice"),
        pytest.param([{"choices": [{"index": 0, "delta": {"usage": FULL}}]}], id="within-the-piece"),
        pytest.param([{"choices": [{"index": 1, "delta": {}, "usage": FULL}]}], id="within-another-choice"),
    ],
)  # fmt: skip
async def test_usage_that_comes_in_other_events_is_counted(events: Sequence[Any]) -> None:
    call = await counted(streamed(*events), stream=True)
    assert (call["tokens_in"], call["tokens_out"]) == (70_000, 5)


def messages(*, start: Any, deltas: Sequence[Any]) -> s.Act:
    """A streamed call of the Messages API, its usage as it is given."""

    async def act(exchange: s.Exchange) -> None:
        events: list[Any] = [
            {"type": "message_start", "message": {"id": "m", "content": [], "usage": start}},
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "tool_use", "id": "t", "name": "look", "input": {}}},
            {"type": "content_block_stop", "index": 0},
        ]  # fmt: skip
        reason: dict[str, Any] = {"stop_reason": "tool_use"}
        for usage in deltas:
            events.append({"type": "message_delta", "delta": reason, "usage": usage})
            reason = {}
        await exchange.events(*events, {"type": "message_stop"})

    return act


CACHED = {"input_tokens": 4, "cache_creation_input_tokens": 20_000, "cache_read_input_tokens": 80_000}


@pytest.mark.parametrize(
    ("start", "deltas", "expected"),
    [
        pytest.param({"input_tokens": 10, "output_tokens": 1}, [{"output_tokens": 70_000}, None], (10, 70_000),
                     id="null-after"),
        pytest.param({"input_tokens": 10, "output_tokens": 1}, [{"output_tokens": 70_000}, {"output_tokens": 0}],
                     (10, 70_000), id="zero-after"),
        pytest.param({**CACHED, "output_tokens": 1}, [{"output_tokens": 5}], (100_004, 5), id="cached"),
        pytest.param({"input_tokens": 0, "output_tokens": 0}, [{**CACHED, "output_tokens": 5}], (100_004, 5),
                     id="told-at-the-end"),
        pytest.param(None, [{"input_tokens": 70_000, "output_tokens": 5}], (70_000, 5), id="only-at-the-end"),
        # cumulative counts are told twice and are counted once
        pytest.param({**CACHED, "output_tokens": 1}, [{**CACHED, "output_tokens": 5}], (100_004, 5), id="told-twice"),
        pytest.param({"input_tokens": 4, "output_tokens": 1,
                      "cache_creation": {"ephemeral_5m_input_tokens": 30_000, "ephemeral_1h_input_tokens": 40_000}},
                     [{"output_tokens": 5}], (70_004, 5), id="by-their-life"),
        pytest.param({"input_tokens": 10, "output_tokens": 9}, [None], (10, RESERVED_OUT), id="no-end"),
    ],
)  # fmt: skip
async def test_a_streamed_message_is_counted_with_all_that_was_told(start: Any, deltas: Any, expected: Any) -> None:
    call = await counted(messages(start=start, deltas=deltas), kind="anthropic", stream=True)
    assert call["status"] == "ok"
    assert (call["tokens_in"], call["tokens_out"]) == expected


BIG = {"input_tokens": 50_000, "output_tokens": 9_000}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ping", "usage": BIG},
        {"type": "content_block_stop", "index": 0, "usage": BIG},
        {"type": "message_delta", "delta": {"usage": BIG}},
        {"type": "a kind of next year", "message": {"usage": BIG}},
        {"type": "message_stop", "usage": BIG},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 50_000,
                                                                     "outputTokenCount": 9_000}},
    ],
)  # fmt: skip
async def test_usage_that_comes_in_any_event_of_a_message_is_counted(event: dict[str, Any]) -> None:
    async def act(exchange: s.Exchange) -> None:
        usage = {"input_tokens": 10, "output_tokens": 1}
        await exchange.events(
            {"type": "message_start", "message": {"id": "m", "content": [], "usage": usage}},
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "tool_use", "id": "t", "name": "look", "input": {}}},
            *([event] if event["type"] != "message_stop" else []),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 20}},
            event if event["type"] == "message_stop" else {"type": "message_stop"},
        )  # fmt: skip

    call = await counted(act, kind="anthropic", stream=True)
    assert (call["status"], call["tokens_in"], call["tokens_out"]) == ("ok", 50_000, 9_000)


async def test_what_a_message_thinks_beside_its_answer_is_counted() -> None:
    deltas = [{"output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 50_000}}]
    call = await counted(messages(start={"input_tokens": 10}, deltas=deltas), kind="anthropic", stream=True)
    assert (call["tokens_in"], call["tokens_out"]) == (10, 50_020)


async def test_what_is_cached_alone_does_not_say_how_long_the_prompt_was() -> None:
    call = await counted(at_once({"completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 900}}))
    assert (call["tokens_in"], call["cached"]) == (RESERVED_IN, 900)


async def test_a_message_at_once_is_counted_with_its_cached_tokens() -> None:
    async def act(exchange: s.Exchange) -> None:
        block = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
        usage = {**CACHED, "output_tokens": 5}
        await exchange.json({"id": "m", "content": [block], "stop_reason": "tool_use", "usage": usage})

    call = await counted(act, kind="anthropic")
    assert (call["tokens_in"], call["tokens_out"]) == (100_004, 5)


@pytest.mark.parametrize("act", [s.hangs, s.hangs_in_the_stream, s.cuts])
async def test_a_request_that_was_sent_and_never_counted_is_counted_as_it_was_reserved(act: s.Act) -> None:
    async with s.serving(act, s.decides()) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, timeout="60s" if act is s.cuts else "3s"))
    call = sessions.of(EventKind.MODEL_CALLED)[0]
    assert (call["tokens_in"], call["tokens_out"]) == (RESERVED_IN, RESERVED_OUT)
    assert state.used.model_tokens == RESERVED_IN + RESERVED_OUT + 120


@pytest.mark.parametrize("code", [400, 401, 429, 503])
async def test_a_request_that_a_server_refused_costs_nothing(code: int) -> None:
    async with s.serving(s.status(code), s.decides()) as server:
        sessions = Sessions()
        await sessions.run(made(server.url))
    call = sessions.of(EventKind.MODEL_CALLED)[0]
    assert (call["tokens_in"], call["tokens_out"]) == (0, 0)


def priced(url: str, price: str, more: str) -> Any:
    from engine.bundle.files import BundleFiles
    from engine.bundle.load import load
    from engine.diagnostic.render import full
    from tests.bundle_texts import CODE, agent, tool

    path, text = agent("[look]")
    planner = f"  model: {{kind: anthropic, model: m, base_url: '{url}', api_key: '${{secret:MODEL_KEY}}'{more}}}\n"
    text = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{planner}")
    files = dict([(path, text), tool("look"), ("specs/tools/code.py", CODE),
                  ("specs/prices/all.yaml", f"kind: Prices\nname: all\nmodels: {{m: {{{price}}}}}\n")])  # fmt: skip
    loaded = load(BundleFiles({name: text.encode() for name, text in files.items()}))
    assert loaded.bundle is not None, full(loaded.diagnostics, loaded.sources)
    return loaded.bundle


# the names are the issue's own; if they get the suffix of their neighbours, this line changes
PRICES = "input_usd: 3, output_usd: 15, cached_input: 0.3, cache_write: 3.75"


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_each_part_of_a_message_has_its_own_price(stream: str) -> None:
    usage = {"input_tokens": 1_000_000, "cache_creation_input_tokens": 1_000_000, "cache_read_input_tokens": 1_000_000}

    async def act(exchange: s.Exchange) -> None:
        if exchange.asked.body.get("stream"):
            await messages(start={**usage, "output_tokens": 1}, deltas=[{"output_tokens": 1_000_000}])(exchange)
            return
        block = {"type": "tool_use", "id": "t", "name": "finish", "input": {}}
        told = {**usage, "output_tokens": 1_000_000}
        await exchange.json({"id": "m", "content": [block], "stop_reason": "tool_use", "usage": told})

    async with s.serving(act) as server:
        sessions = Sessions()
        await sessions.run(priced(server.url, PRICES, f", stream: {stream}"))
    assert str(sessions.of(EventKind.MODEL_CALLED)[0]["cost_usd"]) == "22.05"


async def test_a_part_without_a_price_of_its_own_costs_no_less_than_input() -> None:
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 1_000_000, "cache_read_input_tokens": 1_000_000,
             "output_tokens": 0}  # fmt: skip

    async def act(exchange: s.Exchange) -> None:
        block = {"type": "tool_use", "id": "t", "name": "finish", "input": {}}
        await exchange.json({"id": "m", "content": [block], "stop_reason": "tool_use", "usage": usage})

    async with s.serving(act) as server:
        sessions = Sessions()
        await sessions.run(priced(server.url, "input_usd: 3, output_usd: 15", ", stream: false"))
    assert sessions.of(EventKind.MODEL_CALLED)[0]["cost_usd"] >= 6
