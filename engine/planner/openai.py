"""The `openai` planner's wire: Chat Completions, by any server that speaks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import openai

from engine.planner.answer import JSON_SCHEMA, Answer, Asked, Fault, RawCall
from engine.planner.faults import fault_of_status, fault_of_wire, mangled
from engine.planner.prompt import Prompt
from engine.session.bundle import ModelSpec


class OpenAIWire:
    """Asks a server for one completion after the other, through one client."""

    def __init__(self, spec: ModelSpec, http: httpx.AsyncClient, reveal: Callable[[str], str]) -> None:
        self._spec = spec
        self._client = openai.AsyncOpenAI(
            api_key=reveal(spec.api_key) if spec.api_key else "none",
            base_url=spec.base_url or "https://api.openai.com/v1",
            default_headers={name: reveal(value) for name, value in spec.headers.items()},
            max_retries=0,
            timeout=None,
            http_client=http,  # type: ignore[arg-type]
        )

    async def ask(self, prompt: Prompt, asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        """See `model.Wire`."""
        try:
            if self._spec.stream:
                await self._streamed(self._request(prompt, asked), answer, heard)
            else:
                await self._at_once(self._request(prompt, asked), answer, heard)
        except openai.APIStatusError as error:
            raise fault_of_status(error.status_code, error.response.headers, _said(error)) from None
        except openai.APIConnectionError as error:
            raise fault_of_wire(error.__cause__ or error) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise fault_of_wire(error) from None
        except openai.OpenAIError as error:
            raise Fault("server_error", f"the server says: {error}"[:500], retryable=True) from None
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise mangled(error) from None

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
        answer.request_id = raw.headers.get("x-request-id")
        told: Any = raw.parse()
        if not getattr(told, "choices", None):
            raise mangled("there are no choices")
        choice = told.choices[0]
        _count(answer, told.usage)
        answer.request_id = answer.request_id or told.id
        answer.finish = choice.finish_reason
        answer.text = _text(choice.message.content)
        answer.refusal = _text(getattr(choice.message, "refusal", None))
        for call in choice.message.tool_calls or ():
            answer.calls.append(RawCall(_text(call.id), _text(call.function.name), _text(call.function.arguments)))
        heard()

    async def _streamed(self, request: dict[str, Any], answer: Answer, heard: Callable[[], None]) -> None:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        calls: dict[int, list[str]] = {}
        create: Any = self._client.chat.completions.create
        async with await create(**request, **options) as stream:
            answer.request_id = stream.response.headers.get("x-request-id")
            async for chunk in stream:
                answer.request_id = answer.request_id or chunk.id
                _count(answer, chunk.usage)
                for choice in chunk.choices or ():
                    answer.finish = choice.finish_reason or answer.finish
                    if choice.delta is None:
                        continue
                    answer.text += _text(choice.delta.content)
                    answer.refusal += _text(getattr(choice.delta, "refusal", None))
                    for part in choice.delta.tool_calls or ():
                        _add(calls, part)
                    answer.calls = [RawCall(*calls[index]) for index in sorted(calls)]
                    heard()
        if answer.finish is None:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


def _add(calls: dict[int, list[str]], part: Any) -> None:
    """A piece of a call: servers that number none send each call whole."""
    index = part.index if part.index is not None else len(calls)
    own = calls.setdefault(index, ["", "", ""])
    own[0] = _text(part.id) or own[0]
    if part.function is not None:
        own[1] += _text(part.function.name)
        own[2] += _text(part.function.arguments)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise mangled(f"text was expected, and here is {type(value).__name__}")
    return value


def _count(answer: Answer, usage: Any) -> None:
    if usage is None:
        return
    told_in, told_out = usage.prompt_tokens, usage.completion_tokens
    if not all(isinstance(n, int) and 0 <= n < 10**9 for n in (told_in, told_out)):
        return  # such a count can't be charged: it is counted for
    answer.tokens_in, answer.tokens_out = told_in, told_out


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return str(error.message)
