"""The `openai` planner's wire: Chat Completions, by any server that speaks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx2
import openai

from engine.language.value import one_line
from engine.planner.answer import FAR, Fault, ModelAnswer, word
from engine.planner.answer_format import TOOLS, AnswerForm
from engine.planner.call_pieces import OBJECT, Arguments, Calls, check_told_once, raw_call, text_of_id, text_of_name
from engine.planner.faults import faults_of
from engine.planner.finish import FinishReason, meaning, worse
from engine.planner.offer import to_completions
from engine.planner.prompt import Prompt
from engine.planner.reply_text import text_of_content
from engine.planner.server_json import entries, field_of, fields, parsed
from engine.planner.sse import read_events
from engine.planner.stream_restart import Beginning
from engine.planner.turns import MessageTurn, RuntimeNote, StepTurn, sendable
from engine.spec.planner_spec import ModelSpec

# what of a message is taken in, or is no word of the answer: whose it is, and what the model thinks
FIELDS = frozenset(
    {
        "role",
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "name",
        "usage",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "reasoning_text",
        "thinking",
        "thinking_blocks",
        "annotations",
        "extra_content",
        "provider_specific_fields",
        "token_ids",
    }
)


class OpenAIWire:
    """Asks a server for one completion after the other, through one client."""

    # cached tokens are told within those of the prompt
    cached_apart = False

    def __init__(self, spec: ModelSpec, http: httpx2.AsyncClient, reveal: Callable[[str], str]) -> None:
        self._spec = spec
        url, query = _split(spec.base_url or "https://api.openai.com/v1")
        self._client = openai.AsyncOpenAI(
            api_key=reveal(spec.api_key) if spec.api_key else "none",
            base_url=url,
            default_query=query,
            max_retries=0,
            timeout=None,
            http_client=http,
        )
        # the library takes further headers and accounts from the environment; a bundle says all that is sent
        self._client.organization = self._client.project = None
        self._client._custom_headers = {name: reveal(value) for name, value in spec.headers.items()}

    async def ask(self, prompt: Prompt, asked: AnswerForm, answer: ModelAnswer, heard: Callable[[], None]) -> None:
        """See `model.Wire`."""
        request: dict[str, Any] = {}
        with faults_of(openai, request, limits=True):
            request |= self._request(prompt, asked)
            if self._spec.stream:
                await self._streamed(request, answer, heard)
            else:
                await self._at_once(request, answer, heard)

    def _request(self, prompt: Prompt, asked: AnswerForm) -> dict[str, Any]:
        spec = self._spec
        request: dict[str, Any] = {
            "model": spec.model,
            "messages": list(self._messages(prompt, native=asked.mode == TOOLS)),
            spec.limit_key: spec.max_answer_tokens,
            **spec.sampling,
            **to_completions(asked),
        }
        if spec.stream:
            request["stream"] = True
            if spec.stream_usage:
                request["stream_options"] = {"include_usage": True}
        if spec.extra_body:
            request["extra_body"] = dict(spec.extra_body)
        return request

    def _messages(self, prompt: Prompt, *, native: bool) -> Iterator[dict[str, Any]]:
        yield {"role": "system", "content": prompt.system}
        found = [message for turn in prompt.turns for message in self._of_turn(turn, native=native)]
        if self._spec.tail_in_last and found:
            # servers that take no turn of the user behind one of theirs, or behind a tool's
            last = found[-1]
            yield from found[:-1]
            if last["role"] == "assistant":
                yield last
                yield {"role": "user", "content": prompt.tail}
            else:
                yield {**last, "content": f"{last['content']}\n\n{prompt.tail}"}
            return
        yield from found
        yield {"role": "user", "content": prompt.tail}

    def _of_turn(self, turn: MessageTurn | StepTurn | RuntimeNote, *, native: bool) -> Iterator[dict[str, Any]]:
        if isinstance(turn, MessageTurn):
            yield {"role": "user", "content": turn.fenced}
        elif isinstance(turn, RuntimeNote):
            yield {"role": "user", "content": "\n".join([turn.text, *(one.named for one in turn.results)])}
        elif native:
            yield self._decided(turn)
            for call in turn.calls:
                yield {"role": "tool", "tool_call_id": self._id(call.id), "content": turn.result_of(call).bare}
        else:
            yield {"role": "assistant", "content": turn.decision}
            if turn.calls:
                yield {"role": "user", "content": "\n".join(turn.result_of(call).named for call in turn.calls)}

    def _decided(self, turn: StepTurn) -> dict[str, Any]:
        if not turn.calls:
            return {"role": "assistant", "content": turn.message or "(done)"}
        calls = [
            {
                "id": self._id(call.id),
                "type": "function",
                "function": {"name": sendable(call.name), "arguments": one_line(call.input)},
                **self._spec.beside_calls,
            }
            for call in turn.calls
        ]
        return {"role": "assistant", "content": turn.message or None, "tool_calls": calls}

    def _id(self, call_id: str) -> str:
        """A call's id as the server takes it: some take nine letters and digits only."""
        return sha256(call_id.encode()).hexdigest()[:9] if self._spec.short_ids else call_id

    async def _at_once(self, request: dict[str, Any], answer: ModelAnswer, heard: Callable[[], None]) -> None:
        create: Any = self._client.chat.completions.with_raw_response.create
        raw = await create(**request)
        await self._whole(raw.content, raw.headers.get("x-request-id"), answer)
        heard()

    async def _whole(self, body: bytes, request_id: Any, answer: ModelAnswer) -> None:
        told = fields(await parsed(body), "the answer")
        answer.counts.hear(told)
        answer.request_id = word(request_id or told.get("id"))
        if told.get("error"):
            raise Fault("server_error", f"the server says: {told['error']}"[:FAR], retryable=True)
        choices = [fields(one, "a choice") for one in entries(told.get("choices"))]
        if not choices:
            raise ValueError("the answer has no `choices`")
        choice = next((one for one in choices if one.get("index", 0) == 0), choices[0])
        if len(choices) > 1:
            answer.repair("a choice that nobody asked for")
        said = fields(choice.get("message"), "the message")
        answer.finish = choice.get("finish_reason")
        _say(said, answer)
        for call in entries(said.get("tool_calls")):
            function = fields(fields(call, "a call").get("function"), "the function of a call")
            arguments = Arguments(answer, OBJECT)
            if "arguments" in function:
                arguments.add(function["arguments"])
            name = text_of_name(field_of(function, "name", "a call"))
            answer.add(raw_call(text_of_id(call.get("id"), answer), name, arguments))
        check_told_once((None, call) for call in answer.calls)

    async def _streamed(self, request: dict[str, Any], answer: ModelAnswer, heard: Callable[[], None]) -> None:
        create: Any = self._client.chat.completions.with_streaming_response.create
        calls, beginning = Calls(answer), Beginning(answer)

        def take(event: Any) -> None:
            answer.counts.hear(fields(event, "an event"))
            if event.get("error"):
                raise Fault("server_error", f"the server says: {event['error']}"[:FAR], retryable=True)
            answer.request_id = answer.request_id or word(event.get("id"))
            choices = [fields(one, "a choice") for one in entries(event.get("choices"))]
            beginning.check(event, choices)
            for choice in choices:
                _take(choice, answer, calls)
            heard()

        async with create(**request) as response:
            answer.request_id = word(response.headers.get("x-request-id"))
            if response.headers.get("content-type", "").startswith("application/json"):
                answer.repair("an answer at once where a stream was asked for")
                await self._whole(await response.read(), answer.request_id, answer)
                heard()
                return
            await read_events(response, take)
        answer.calls = calls.calls()


def _take(choice: Mapping[str, Any], answer: ModelAnswer, calls: Calls) -> None:
    """Take in what an event tells of a choice: only the first was asked for."""
    if choice.get("index", 0) != 0:
        answer.repair("a choice that nobody asked for")
        return
    delta = fields(choice.get("delta") or {}, "a piece")
    if choice.get("message"):
        # some servers tell the message once more as a whole, or only so
        whole = fields(choice["message"], "the message")
        answer.repair("a whole message within a stream")
        delta = delta if answer.size or delta else {**whole, **delta}
    parts = entries(delta.get("tool_calls"))
    if parts and answer.finish is not None and meaning(answer.finish) is FinishReason.WHOLE:
        # some servers end each piece: the answer is whole if the last one of them says so as well
        answer.repair("an end before the last call")
        answer.finish = None
    answer.finish = worse(answer.finish, choice.get("finish_reason"))
    _say(delta, answer)
    for part in parts:
        calls.add(fields(part, "a piece of a call"))


def _say(said: Mapping[str, Any], answer: ModelAnswer) -> None:
    """Take in the text and the refusal of a message, or of a piece of one."""
    answer.say(text_of_content(said.get("content"), answer))
    answer.refuse(text_of_content(said.get("refusal"), answer))
    if said.get("function_call"):
        raise ValueError("a call has a form that was not asked for (`function_call`)")
    if any(value for name, value in said.items() if name not in FIELDS):
        answer.repair("parts of a message that are neither text nor a call")


def _split(url: str) -> tuple[str, dict[str, str] | None]:
    """A URL without its query, and that: the library would append its paths to it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="")), dict(parse_qsl(parts.query)) or None
