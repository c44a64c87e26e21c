"""The `anthropic` planner's wire: the Messages API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx

from engine.planner.answer import JSON_SCHEMA, Answer, Asked, Fault, RawCall
from engine.planner.faults import fault_of_status, fault_of_wire, mangled
from engine.planner.prompt import Prompt
from engine.policy.value import canonical, exact
from engine.session.bundle import ModelSpec

# the tool whose input is the decision, where a decision is asked for by its schema
DECIDE = "decide"


class AnthropicWire:
    """Asks a server for one message after the other, through one client."""

    def __init__(self, spec: ModelSpec, http: httpx.AsyncClient, reveal: Callable[[str], str]) -> None:
        self._spec = spec
        self._client = anthropic.AsyncAnthropic(
            api_key=reveal(spec.api_key) if spec.api_key else "none",
            base_url=spec.base_url or "https://api.anthropic.com",
            default_headers={name: reveal(value) for name, value in spec.headers.items()},
            max_retries=0,
            timeout=None,
            http_client=http,  # type: ignore[arg-type]
        )

    async def ask(self, prompt: Prompt, asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        """See `model.Wire`."""
        try:
            request = self._request(prompt, asked)
            if self._spec.stream:
                await self._streamed(request, asked, answer, heard)
            else:
                await self._at_once(request, asked, answer, heard)
        except anthropic.APIStatusError as error:
            raise fault_of_status(error.status_code, error.response.headers, str(error.message)) from None
        except anthropic.APIConnectionError as error:
            raise fault_of_wire(error.__cause__ or error) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise fault_of_wire(error) from None
        except anthropic.AnthropicError as error:
            raise Fault("server_error", f"the server says: {error}"[:500], retryable=True) from None
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise mangled(error) from None

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
        told: Any = raw.parse()
        answer.request_id = raw.headers.get("request-id") or told.id
        answer.tokens_in, answer.tokens_out = _count(told.usage, "input_tokens"), _count(told.usage, "output_tokens")
        answer.finish = told.stop_reason
        for block in told.content:
            if block.type == "text":
                answer.text += block.text
            elif block.type == "tool_use":
                answer.calls.append(RawCall(block.id, block.name, canonical(exact(block.input))))
        _as_text(answer, asked)
        heard()

    async def _streamed(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        calls: dict[int, list[str]] = {}
        ended = False
        create: Any = self._client.messages.create
        async with await create(**request, stream=True) as stream:
            answer.request_id = stream.response.headers.get("request-id")
            async for event in stream:
                if event.type == "message_start":
                    answer.request_id = answer.request_id or event.message.id
                    answer.tokens_in = _count(event.message.usage, "input_tokens")
                elif event.type == "content_block_start" and event.content_block.type == "tool_use":
                    calls[event.index] = [event.content_block.id, event.content_block.name, ""]
                elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                    answer.text += event.delta.text
                elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                    calls[event.index][2] += event.delta.partial_json
                elif event.type == "message_delta":
                    answer.finish = event.delta.stop_reason or answer.finish
                    answer.tokens_out = _count(event.usage, "output_tokens")
                elif event.type == "message_stop":
                    ended = True
                answer.calls = [RawCall(*calls[index]) for index in sorted(calls)]
                _as_text(answer, asked)
                heard()
        if not ended or answer.finish is None:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


def _as_text(answer: Answer, asked: Asked) -> None:
    """Where the decision is a tool's input, its JSON is the answer's text."""
    if asked.mode == JSON_SCHEMA:
        answer.text = next((call.arguments for call in answer.calls if call.name == DECIDE), answer.text)


def _count(usage: Any, name: str) -> int | None:
    told = getattr(usage, name, None)
    return told if isinstance(told, int) and 0 <= told < 10**9 else None
