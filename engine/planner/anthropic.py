"""The `anthropic` planner's wire: the Messages API."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import anthropic
import httpx2
import trio

from engine.planner.answer import FAR, JSON_SCHEMA, Answer, Asked, Fault, RawCall, is_count, word
from engine.planner.faults import faults_of
from engine.planner.prompt import Prompt
from engine.planner.sse import read_events
from engine.policy.value import canonical, loads
from engine.session.bundle import ModelSpec

# the tool whose input is the decision, where a decision is asked for by its schema
DECIDE = "decide"


class AnthropicWire:
    """Asks a server for one message after the other, through one client."""

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
        request: dict[str, Any] = {
            "model": self._spec.model,
            "system": prompt.system,
            "messages": [{"role": "user", "content": prompt.question}],
            "max_tokens": self._spec.max_answer_tokens,
        }
        if self._spec.temperature is not None:
            request["temperature"] = float(self._spec.temperature)
        if asked.mode == JSON_SCHEMA:
            tool = {"name": DECIDE, "description": "Say what you decide.", "input_schema": asked.schema(strict=True)}
            request |= {"tools": [tool], "tool_choice": {"type": "tool", "name": DECIDE}}
        else:
            request["tools"] = [
                {"name": name, "description": text, "input_schema": schema} for name, text, schema in asked.functions()
            ]
        return request

    async def _at_once(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.messages.with_raw_response.create
        raw = await create(**request)
        text = await raw.text()
        told = await trio.to_thread.run_sync(partial(json.loads, text, parse_float=str))
        answer.request_id = word(raw.headers.get("request-id") or told.get("id"))
        usage = told.get("usage")
        answer.tokens_in, answer.tokens_out = _count(usage, "input_tokens"), _count(usage, "output_tokens")
        answer.finish = word(told["stop_reason"])
        # the text of the arguments is what counts: nothing of them may be rounded
        for block in loads(text)["content"]:
            if block["type"] == "text":
                answer.say(block["text"])
            elif block["type"] == "tool_use":
                answer.calls.append(RawCall(block["id"], block["name"], canonical(block["input"])))
        _as_text(answer, asked)
        heard()

    async def _streamed(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.messages.with_streaming_response.create
        calls: dict[int, list[str]] = {}
        ended = False

        def take(event: Any) -> None:
            nonlocal ended
            kind = event["type"]
            if kind == "error":
                raise Fault("server_error", f"the server says: {event.get('error')}"[:FAR], retryable=True)
            if kind == "message_start":
                answer.request_id = answer.request_id or word(event["message"].get("id"))
                answer.tokens_in = _count(event["message"].get("usage"), "input_tokens")
            elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
                calls[event["index"]] = [event["content_block"]["id"], event["content_block"]["name"]]
            elif kind == "content_block_delta" and event["delta"]["type"] == "text_delta":
                answer.say(event["delta"]["text"])
            elif (
                kind == "content_block_delta"
                and event["delta"]["type"] == "input_json_delta"
                and event["index"] in calls
            ):
                calls[event["index"]].append(event["delta"]["partial_json"])
                answer.size += len(event["delta"]["partial_json"])
            elif kind == "message_delta":
                answer.finish = word(event["delta"].get("stop_reason")) or answer.finish
                answer.tokens_out = _count(event.get("usage"), "output_tokens")
            ended = ended or kind == "message_stop"
            heard()

        async with create(**request, stream=True) as response:
            answer.request_id = word(response.headers.get("request-id"))
            await read_events(response, take)
        answer.calls = [RawCall(id_, name, "".join(parts)) for _, (id_, name, *parts) in sorted(calls.items())]
        _as_text(answer, asked)
        if not ended or answer.finish is None:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


def _as_text(answer: Answer, asked: Asked) -> None:
    """Where the decision is a tool's input, its JSON is the answer's text."""
    if asked.mode == JSON_SCHEMA:
        answer.pieces = [next((call.arguments for call in answer.calls if call.name == DECIDE), answer.text)]


def _count(usage: Any, name: str) -> int | None:
    told = usage.get(name) if isinstance(usage, dict) else None
    return told if is_count(told) else None


def _said(error: anthropic.APIStatusError) -> str:
    return str(error.message)
