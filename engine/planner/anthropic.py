"""The `anthropic` planner's wire: the Messages API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import anthropic
import httpx2
import trio

from engine.planner.answer import FAR, Answer, Fault, RawCall, word
from engine.planner.asked import JSON_SCHEMA, Asked
from engine.planner.faults import faults_of
from engine.planner.finish import worse
from engine.planner.prompt import Prompt
from engine.planner.sse import read_events
from engine.planner.turns import Decided, Noted, Said, sendable
from engine.policy.value import canonical
from engine.session.bundle import ModelSpec

# the tool whose input is the decision, where a decision is asked for by its schema
DECIDE = "decide"

# the text of the arguments is what counts: nothing of them may be rounded
_loads = partial(json.loads, parse_float=Decimal)

Block = dict[str, Any]


class AnthropicWire:
    """Asks a server for one message after the other, through one client."""

    # cached tokens are told beside those of the prompt
    cached_beside = True

    def __init__(self, spec: ModelSpec, http: httpx2.AsyncClient, reveal: Callable[[str], str]) -> None:
        self._spec = spec
        self._client = anthropic.AsyncAnthropic(
            api_key=reveal(spec.api_key) if spec.api_key else "none",
            base_url=spec.base_url or "https://api.anthropic.com",
            max_retries=0,
            timeout=None,
            http_client=http,
        )
        # the library takes further headers and tokens from the environment; a bundle says all that is sent
        self._client.auth_token = None
        self._client._custom_headers = {name: reveal(value) for name, value in spec.headers.items()}

    async def ask(self, prompt: Prompt, asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        """See `model.Wire`."""
        with faults_of(anthropic, _said):
            request = self._request(prompt, asked)
            if self._spec.stream:
                await self._streamed(request, asked, answer, heard)
            else:
                await self._at_once(request, asked, answer, heard)

    def _request(self, prompt: Prompt, asked: Asked) -> dict[str, Any]:
        spec = self._spec
        native = asked.mode != JSON_SCHEMA
        request: dict[str, Any] = {
            "model": spec.model,
            "system": prompt.system,
            "messages": list(_messages(prompt, native=native)),
            "max_tokens": spec.max_answer_tokens,
        }
        if native:
            request["tools"] = [
                {"name": name, "description": text, "input_schema": schema} for name, text, schema in asked.functions()
            ]
        else:
            tool = {"name": DECIDE, "description": "Say what you decide.", "input_schema": asked.schema(one_form=True)}
            request |= {"tools": [tool], "tool_choice": {"type": "tool", "name": DECIDE}}
        # the library has no words of its own for how a model chooses its words
        further = {**spec.sampling, **spec.extra_body}
        if further:
            request["extra_body"] = further
        return request

    async def _at_once(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.messages.with_raw_response.create
        raw = await create(**request)
        text = await raw.text()
        told = await trio.to_thread.run_sync(_loads, text)
        answer.request_id = word(raw.headers.get("request-id") or told.get("id"))
        answer.counts.take(told.get("usage"))
        answer.finish = told.get("stop_reason")
        answer.blocks = [dict(block) for block in told["content"]]
        _read(answer, asked)
        heard()

    async def _streamed(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.messages.with_streaming_response.create
        blocks = _Blocks(answer)
        ended = False

        def take(event: Any) -> None:
            nonlocal ended
            kind = event["type"]
            if kind == "error":
                raise Fault("server_error", f"the server says: {event.get('error')}"[:FAR], retryable=True)
            if kind == "message_start":
                answer.request_id = answer.request_id or word(event["message"].get("id"))
                answer.counts.take(event["message"].get("usage"), last=False)
            elif kind == "content_block_start":
                blocks.start(event.get("index"), event["content_block"])
            elif kind == "content_block_delta":
                blocks.add(event.get("index"), event["delta"])
            elif kind == "message_delta":
                answer.finish = worse(answer.finish, event["delta"].get("stop_reason"))
                answer.counts.take(event.get("usage"))
            ended = ended or kind == "message_stop"
            heard()

        async with create(**request, stream=True) as response:
            answer.request_id = word(response.headers.get("request-id"))
            await read_events(response, take)
        answer.blocks = blocks.made()
        answer.pieces = []
        _read(answer, asked)
        if not ended:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


class _Blocks:
    """The blocks of a streamed message: each start is a new one, and what comes goes to the newest of its index."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._blocks: list[tuple[Any, Block, list[str]]] = []

    def start(self, index: Any, block: Block) -> None:
        self._blocks.append((index, dict(block), []))
        if block.get("type") == "text":
            self._answer.say(block.get("text") or "")

    def add(self, index: Any, delta: Block) -> None:
        found = next((one for one in reversed(self._blocks) if index is None or one[0] == index), None)
        if found is None:
            return
        _, block, parts = found
        match delta["type"]:
            case "text_delta":
                block["text"] = (block.get("text") or "") + delta["text"]
                self._answer.say(delta["text"])
            case "input_json_delta":
                parts.append(delta["partial_json"])
                self._answer.size += len(delta["partial_json"])
            case "thinking_delta":
                block["thinking"] = (block.get("thinking") or "") + delta["thinking"]
                self._answer.size += len(delta["thinking"])
            case "signature_delta":
                block["signature"] = (block.get("signature") or "") + delta["signature"]
            case _:
                return

    def made(self) -> list[Block]:
        """The blocks as they are when the message is over; an input in pieces that is no JSON stays text."""
        for _, block, parts in self._blocks:
            text = "".join(parts)
            if text.strip():
                block["input"] = _loads(text) if _is_json(text) else text
        return [block for _, block, _ in self._blocks]


def _is_json(text: str) -> bool:
    try:
        _loads(text)
    except ValueError:
        return False
    return True


def _read(answer: Answer, asked: Asked) -> None:
    """Take the text and the calls from the blocks; where the decision is a tool's input, its JSON is the text."""
    for block in answer.blocks:
        if block["type"] == "text":
            answer.say(block.get("text") or "")
        elif block["type"] == "tool_use":
            given = block.get("input")
            arguments = given if isinstance(given, str) else canonical(given if given is not None else {})
            answer.calls.append(RawCall(str(block.get("id") or ""), block["name"], arguments))
    if asked.mode == JSON_SCHEMA:
        answer.pieces = [next((call.arguments for call in answer.calls if call.name == DECIDE), answer.text)]


def _messages(prompt: Prompt, *, native: bool) -> Iterator[dict[str, Any]]:
    """The turns: those of one side that stand behind each other are one, each part a block of its own."""
    parts = [part for turn in prompt.turns for part in _of_turn(turn, native=native)]
    parts.append(("user", [_text(prompt.tail)]))
    if parts[0][0] != "user":
        parts.insert(0, ("user", [_text("(the session begins)")]))
    role, blocks = parts[0]
    for further, more in parts[1:]:
        if further == role:
            blocks = [*blocks, *more]
            continue
        yield {"role": role, "content": blocks}
        role, blocks = further, more
    yield {"role": role, "content": blocks}
    if prompt.paused:
        yield {"role": "assistant", "content": list(prompt.paused)}


def _of_turn(turn: Said | Decided | Noted, *, native: bool) -> Iterator[tuple[str, list[Block]]]:
    if isinstance(turn, Said):
        yield "user", [_text(turn.text)]
    elif isinstance(turn, Noted):
        yield "user", [_text("\n".join([turn.text, *(one.named for one in turn.results)]))]
    elif native and turn.calls:
        said = [_text(turn.message)] if turn.message.strip() else []
        uses = [
            {"type": "tool_use", "id": call.id, "name": sendable(call.name), "input": _given(call.input)}
            for call in turn.calls
        ]
        yield "assistant", [*said, *uses]
        yield (
            "user",
            [{"type": "tool_result", "tool_use_id": c.id, "content": turn.told(c).bare} for c in turn.calls],
        )
    elif native:
        yield "assistant", [_text(turn.message.rstrip() or "(done)")]
    else:
        yield "assistant", [_text(turn.decision)]
        if turn.calls:
            yield "user", [_text("\n".join(turn.told(call).named for call in turn.calls))]


def _text(text: str) -> Block:
    return {"type": "text", "text": text or "(nothing)"}


def _given(value: Any) -> Any:
    """An input as the library encodes it; what is no object is told as one."""
    found = json.loads(canonical(value))
    return found if isinstance(found, dict) else {"value": found}


def _said(error: anthropic.APIStatusError) -> str:
    return str(error.message)
