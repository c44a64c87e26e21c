"""An answer is whole only for a finish reason that is known to mean so."""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made

FINISHED = s.calls_tools(("z", "finish", '{"message": "Done."}'))
HALF = "Your refund of"

CUT = ["length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded"]
REFUSED = ["content_filter", "content_filter: SAFETY", "refusal"]
OTHER = ["error", "abort", "insufficient_system_resource", "repetition", "network_error", "malformed_function_call",
         "load", "sensitive", "a word of next year", "", None, 7, ["stop"], {"type": "stop"}]  # fmt: skip


def says(finish: Any, *, call: bool) -> s.Act:
    """Half a sentence, or a call, and this finish reason."""
    calls = [{"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    delta: dict[str, Any] = {"tool_calls": calls} if call else {"content": HALF}

    async def act(exchange: s.Exchange) -> None:
        if exchange.asked.body.get("stream"):
            end = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": s.USAGE}
            await exchange.events(s.chunk(delta), end, "[DONE]")
            return
        message = {"role": "assistant", "content": None, **delta}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        await exchange.json({"id": "c", "choices": [choice], "usage": s.USAGE})

    return act


async def came_of(act: s.Act, last: s.Act, *, kind: str, stream: bool) -> tuple[str, Sessions, Any, s.ModelServer]:
    async with s.serving(act, last) as server:
        sessions = Sessions()
        tools = ", answers: tools" if kind == "openai" else ""
        state = await sessions.run(made(server.url, kind=kind, more=f"{tools}, stream: {str(stream).lower()}"))
    return sessions.statuses[0], sessions, state, server


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("call", [True, False], ids=["call", "text"])
@pytest.mark.parametrize("finish", [*CUT, *REFUSED, *OTHER], ids=str)
async def test_no_completion_is_whole_for_any_other_reason(finish: Any, call: bool, stream: bool) -> None:
    status, sessions, state, _ = await came_of(says(finish, call=call), FINISHED, kind="openai", stream=stream)
    assert status != "ok"
    if finish in CUT:
        assert status == "truncated"
    if finish in REFUSED:
        assert status == "refused"
    assert not [e for e in sessions.of(EventKind.DECISION_RECORDED) if HALF in e["message"]]
    assert sessions.of(EventKind.TOOL_RESULT) == []
    assert state.told == "Done."


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call"])
async def test_a_call_is_whole_for_each_reason_that_says_so(finish: str, stream: bool) -> None:
    # Gemini's compatible endpoint says `stop` beside calls that it streams
    status, sessions, _, _ = await came_of(says(finish, call=True), FINISHED, kind="openai", stream=stream)
    assert (status, len(sessions.of(EventKind.TOOL_RESULT))) == ("ok", 1)


async def test_a_reason_that_was_told_is_not_taken_back_by_a_later_event() -> None:
    async def act(exchange: s.Exchange) -> None:
        await exchange.events(s.chunk({"content": HALF}, "length"), s.chunk({}, "stop", s.USAGE), "[DONE]")

    status, _, _, _ = await came_of(act, FINISHED, kind="openai", stream=True)
    assert status == "truncated"


@pytest.mark.parametrize("stream", [True, False])
async def test_another_choice_is_not_part_of_the_answer(stream: bool) -> None:
    first, second = {"content": HALF}, {"content": " everything to mallory"}

    async def act(exchange: s.Exchange) -> None:
        if stream:
            both = [{"index": 0, "delta": first, "finish_reason": "length"},
                    {"index": 1, "delta": second, "finish_reason": "stop"}]  # fmt: skip
            await exchange.events({"id": "c", "choices": both, "usage": s.USAGE}, "[DONE]")
            return
        both = [{"index": 1, "message": second, "finish_reason": "stop"},
                {"index": 0, "message": first, "finish_reason": "length"}]  # fmt: skip
        await exchange.json({"id": "c", "choices": both, "usage": s.USAGE})

    status, _, _, _ = await came_of(act, FINISHED, kind="openai", stream=stream)
    assert status == "truncated"


MESSAGES_OTHER = ["model_context_window_exceeded", "compaction", "pause_run", "a word of next year", "", None, 7]
DONE = s.message(None, ("z", "finish", {"message": "Done."}))


def stops(reason: Any) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        block = {"type": "text", "text": HALF}
        usage = {"input_tokens": 100, "output_tokens": 20}
        if not exchange.asked.body.get("stream"):
            await exchange.json({"id": "m", "content": [block], "stop_reason": reason, "usage": usage})
            return
        await exchange.events(
            {"type": "message_start", "message": {"id": "m", "content": [], "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": HALF}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        )

    return act


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reason", MESSAGES_OTHER, ids=str)
async def test_no_message_is_whole_for_any_other_reason(reason: Any, stream: bool) -> None:
    status, sessions, state, _ = await came_of(stops(reason), DONE, kind="anthropic", stream=stream)
    assert status != "ok"
    if reason == "model_context_window_exceeded":
        assert status == "truncated"
    assert not [e for e in sessions.of(EventKind.DECISION_RECORDED) if HALF in e["message"]]
    assert state.told == "Done."


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_that_pauses_goes_on_where_it_was(stream: bool) -> None:
    end = s.message(" 40 dollars is on its way.", ("z", "finish", {"message": "Done."}))
    _, sessions, state, server = await came_of(stops("pause_turn"), end, kind="anthropic", stream=stream)
    again = server.asked[1].body["messages"]
    assert again[-1]["role"] == "assistant"
    assert HALF in str(again[-1]["content"])
    assert not [e for e in sessions.of(EventKind.DECISION_RECORDED) if e["message"] == HALF]
    assert sessions.of(EventKind.DECISION_REJECTED) == []
    assert sum(call["tokens_in"] for call in sessions.of(EventKind.MODEL_CALLED)) == 200
    assert state.status.value == "done"


async def test_a_turn_that_never_ends_its_pauses_is_given_up() -> None:
    _, _, state, server = await came_of(stops("pause_turn"), stops("pause_turn"), kind="anthropic", stream=False)
    assert state.status.value in ("failed", "out_of_budget")
    assert len(server.asked) < 50


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_that_pauses_calls_no_tool(stream: bool) -> None:
    act = s.message("I look.", ("t", "look", {"n": 1}), stop="pause_turn")
    status, sessions, _, _ = await came_of(act, DONE, kind="anthropic", stream=stream)
    assert (status, sessions.of(EventKind.CALL_PROPOSED)) == ("malformed", [])
