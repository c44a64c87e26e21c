"""The `openai` planner's wire: Chat Completions, by any server that speaks them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import trio

from engine.planner.answer import FAR, JSON_SCHEMA, Answer, Asked, Fault, RawCall, is_count, word
from engine.planner.faults import faults_of, mangled
from engine.planner.prompt import Prompt
from engine.planner.sse import read_events
from engine.session.bundle import ModelSpec


class OpenAIWire:
    """Asks a server for one completion after the other, through one client."""

    def __init__(self, spec: ModelSpec, http: httpx2.AsyncClient, reveal: Callable[[str], str]) -> None:
        self._spec = spec
        self._client = openai.AsyncOpenAI(
            api_key=reveal(spec.api_key) if spec.api_key else "none",
            base_url=spec.base_url or "https://api.openai.com/v1",
            max_retries=0,
            timeout=None,
            http_client=http,
        )
        # the library takes further headers and accounts from the environment; a bundle says all that is sent
        self._client.organization = self._client.project = None
        self._client._custom_headers = {name: reveal(value) for name, value in spec.headers.items()}

    async def ask(self, prompt: Prompt, asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        """See `model.Wire`."""
        with faults_of(openai, _said):
            if self._spec.stream:
                await self._streamed(self._request(prompt, asked), answer, heard)
            else:
                await self._at_once(self._request(prompt, asked), answer, heard)

    def _request(self, prompt: Prompt, asked: Asked) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._spec.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.question},
            ],
            "max_tokens": self._spec.max_answer_tokens,
        }
        if self._spec.temperature is not None:
            request["temperature"] = float(self._spec.temperature)
        if asked.mode == JSON_SCHEMA:
            shape = {"name": "decision", "schema": asked.schema(strict=self._spec.strict), "strict": self._spec.strict}
            request["response_format"] = {"type": "json_schema", "json_schema": shape}
        else:
            request["tools"] = [
                {"type": "function", "function": {"name": name, "description": text, "parameters": schema}}
                for name, text, schema in asked.functions()
            ]
        return request

    async def _at_once(self, request: dict[str, Any], answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.chat.completions.with_raw_response.create
        raw = await create(**request)
        told = await trio.to_thread.run_sync(json.loads, raw.text)
        choice = told["choices"][0]
        said = choice["message"]
        _count(answer, told.get("usage"))
        answer.request_id = word(raw.headers.get("x-request-id") or told.get("id"))
        answer.finish = word(choice.get("finish_reason"))
        answer.say(_text(said.get("content")))
        answer.refuse(_text(said.get("refusal")))
        for call in said.get("tool_calls") or ():
            function = call["function"]
            answer.calls.append(
                RawCall(_text(call.get("id")), _text(function["name"]), _text(function.get("arguments")))
            )
        heard()

    async def _streamed(self, request: dict[str, Any], answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.chat.completions.with_streaming_response.create
        calls: dict[int, list[list[str]]] = {}

        def take(event: Any) -> None:
            if event.get("error"):
                raise Fault("server_error", f"the server says: {event['error']}"[:FAR], retryable=True)
            answer.request_id = answer.request_id or word(event.get("id"))
            _count(answer, event.get("usage"))
            for choice in event.get("choices") or ():
                answer.finish = word(choice.get("finish_reason")) or answer.finish
                delta = choice.get("delta") or {}
                answer.say(_text(delta.get("content")))
                answer.refuse(_text(delta.get("refusal")))
                for part in delta.get("tool_calls") or ():
                    answer.size += _add(calls, part)
            heard()

        async with create(**request, stream=True, stream_options={"include_usage": True}) as response:
            answer.request_id = word(response.headers.get("x-request-id"))
            await read_events(response, take)
        answer.calls = [RawCall(*("".join(part) for part in calls[index])) for index in sorted(calls)]
        if answer.finish is None:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


def _add(calls: dict[int, list[list[str]]], part: Any) -> int:
    """Take in a piece of a call, and give its size: servers that number none send each call whole."""
    index, function = part.get("index"), part.get("function") or {}
    id_, name, arguments = calls.setdefault(len(calls) if index is None else index, [[], [], []])
    if not id_:
        id_.append(_text(part.get("id")))
    name.append(_text(function.get("name")))
    arguments.append(_text(function.get("arguments")))
    return len(name[-1]) + len(arguments[-1])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise mangled(f"text was expected, and here is {type(value).__name__}")
    return value


def _count(answer: Answer, usage: Any) -> None:
    if not isinstance(usage, dict):
        return
    told_in, told_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if is_count(told_in) and is_count(told_out):
        # any other count can't be charged: it is counted for
        answer.tokens_in, answer.tokens_out = told_in, told_out


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return str(error.message)
