"""The `anthropic` planner's wire: the Messages API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anthropic
import httpx2

from engine.planner.answer import FAR, Answer, Fault, RawCall, word
from engine.planner.asked import JSON_SCHEMA, Asked
from engine.planner.faults import faults_of
from engine.planner.finish import End, meaning, worse
from engine.planner.offered import DECIDE, to_messages
from engine.planner.pieces import Arguments, raw_call, text_of_id, text_of_name
from engine.planner.prompt import Prompt
from engine.planner.server_json import MOST_ENTRIES, entries, parsed
from engine.planner.sse import read_events
from engine.planner.turns import Decided, Noted, Said, sendable
from engine.policy.value import canonical, loads
from engine.session.bundle import ModelSpec

_CALL, _THOUGHT = "tool_use", "thinking"

# to blocks of which kinds a piece may belong; a server's own calls are told as calls of a longer name
_BELONGS = {"text_delta": "text", "input_json_delta": _CALL, "thinking_delta": _THOUGHT, "signature_delta": _THOUGHT}

# how many characters the start of a block has, of which nothing is kept
_BARE = 200

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
        request: dict[str, Any] = {
            "model": spec.model,
            "system": prompt.system,
            "messages": list(_messages(prompt, native=asked.mode != JSON_SCHEMA)),
            "max_tokens": spec.max_answer_tokens,
            **to_messages(asked),
        }
        # the library has no words of its own for how a model chooses its words
        further = {**spec.sampling, **spec.extra_body}
        if further:
            request["extra_body"] = further
        return request

    async def _at_once(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.messages.with_raw_response.create
        raw = await create(**request)
        told = await parsed(await raw.read())
        answer.request_id = word(raw.headers.get("request-id") or told.get("id"))
        answer.counts.hear(told)
        answer.finish = told.get("stop_reason")
        read = [_Block(dict(block), answer) for block in entries(told["content"])]
        _read(read, answer, asked)
        heard()

    async def _streamed(self, request: dict[str, Any], asked: Asked, answer: Answer, heard: Callable[[], None]) -> None:
        create: Any = self._client.messages.with_streaming_response.create
        blocks = _Blocks(answer)
        ended = False

        def take(event: Any) -> None:
            nonlocal ended
            kind = event["type"]
            answer.counts.hear(event, last=kind in ("message_delta", "message_stop"))
            if kind == "error":
                raise Fault("server_error", f"the server says: {event.get('error')}"[:FAR], retryable=True)
            if kind in ("content_block_start", "content_block_delta") and (ended or answer.finish is not None):
                raise ValueError("the server goes on behind the end of its answer")
            if kind == "message_start":
                answer.request_id = answer.request_id or word(event["message"].get("id"))
            elif kind == "content_block_start":
                blocks.start(event.get("index"), event["content_block"])
            elif kind == "content_block_delta":
                blocks.of(event.get("index")).add(event["delta"])
            elif kind == "message_delta":
                answer.finish = worse(answer.finish, event["delta"].get("stop_reason"))
            ended = ended or kind == "message_stop"
            heard()

        async with create(**request, stream=True) as response:
            answer.request_id = word(response.headers.get("request-id"))
            await read_events(response, take)
        answer.pieces = []
        _read(blocks.all, answer, asked)
        if not ended:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


class _Block:
    """A block of a message, and what comes of it in pieces."""

    def __init__(self, block: Block, answer: Answer) -> None:
        self._block = block
        self._answer = answer
        self._pieces: dict[str, list[str]] = {}
        self.kind: str = block["type"]
        self.arguments = Arguments(answer)
        if self.kind.endswith(_CALL) and "input" in block:
            self.arguments.add(block["input"])

    def add(self, delta: Block) -> None:
        """Add a piece; raises ValueError for one that belongs elsewhere."""
        kind = delta["type"]
        if not self.kind.endswith(_BELONGS.get(kind, "")):
            raise ValueError(f"a piece ({kind}) that does not belong to its block ({self.kind})")
        if kind == "input_json_delta":
            self.arguments.add(delta["partial_json"])
        elif kind in _BELONGS:
            name = kind.removesuffix("_delta")
            self._pieces.setdefault(name, []).append(delta[name])
            self._answer.size += len(delta[name])
            if name == "text":
                self._answer.pieces.append(delta[name])

    @property
    def text(self) -> str:
        """The text of one that is a text."""
        return "".join([self._block.get("text") or "", *self._pieces.get("text", ())])

    @property
    def call(self) -> RawCall:
        """The call of one that is a call."""
        id_, name = text_of_id(self._block.get("id"), self._answer), text_of_name(self._block["name"])
        return raw_call(id_, name, self.arguments)

    @property
    def plain(self) -> Block:
        """The block as it is sent back; raises ValueError for what can't be."""
        whole = {name: "".join([self._block.get(name) or "", *more]) for name, more in self._pieces.items()}
        if self.kind.endswith(_CALL):
            whole["input"] = loads(self.arguments.text or "{}")
        return dict(json.loads(canonical({**self._block, **whole})))


class _Blocks:
    """The blocks of a streamed message: each start is a new one, and what comes goes to the newest of its index."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._newest: dict[Any, _Block] = {}
        self.all: list[_Block] = []

    def start(self, index: Any, block: Block) -> None:
        """Begin a block; raises Fault for one too many."""
        if len(self.all) >= MOST_ENTRIES:
            raise Fault("too_large", f"the answer has more than {MOST_ENTRIES} blocks")
        self._answer.size += max(len(json.dumps(block, default=str)) - _BARE, 0)
        self._newest[index] = self._newest[None] = found = _Block(dict(block), self._answer)
        self.all.append(found)
        if found.kind == "text":
            self._answer.say(block.get("text") or "")

    def of(self, index: Any) -> _Block:
        """The block that a piece belongs to; raises ValueError where there is none."""
        if index not in self._newest:
            raise ValueError("a piece of a block that has not begun")
        return self._newest[index]


def _read(blocks: Sequence[_Block], answer: Answer, asked: Asked) -> None:
    """Take the text and the calls from the blocks; where the decision is a tool's input, its JSON is the text."""
    for one in blocks:
        if one.kind == "text":
            answer.say(one.text)
        elif one.kind == _CALL:
            answer.add(one.call)
        elif not one.kind.endswith((_CALL, _THOUGHT, "tool_result")):
            answer.repair("blocks that are neither text nor a call")
    if meaning(answer.finish) is End.PAUSED:
        answer.blocks = [one.plain for one in blocks]
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
        yield "user", [_text(turn.fenced)]
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
