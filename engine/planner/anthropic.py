"""The `anthropic` planner's wire: the Messages API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import anthropic
import httpx2

from engine.language.value import canonical, loads
from engine.planner.answer import FAR, Fault, ModelAnswer, RawCall, word
from engine.planner.answer_format import JSON_SCHEMA, AnswerForm
from engine.planner.call_pieces import ANEW, Arguments, check_told_once, raw_call, text_of_id, text_of_name
from engine.planner.faults import faults_of
from engine.planner.finish import FinishReason, meaning, worse
from engine.planner.offer import DECIDE, to_messages
from engine.planner.prompt import Prompt
from engine.planner.server_json import MOST_ENTRIES, entries, field_of, fields, parsed
from engine.planner.sse import read_events
from engine.planner.turns import MessageTurn, RuntimeNote, StepTurn, sendable
from engine.spec.planner_spec import ModelSpec

_CALL, _THOUGHT = "tool_use", "thinking"

# pieces that say where a text comes from, and nothing of it
_NOTES = frozenset({"citations_delta"})

# to blocks of which kinds a piece may belong; a server's own calls are told as calls of a longer name
_BELONGS = {"text_delta": "text", "input_json_delta": _CALL, "thinking_delta": _THOUGHT, "signature_delta": _THOUGHT}

# how many characters the start of a block has, of which nothing is kept
_BARE = 200

Block = dict[str, Any]


class AnthropicWire:
    """Asks a server for one message after the other, through one client."""

    # cached tokens are told beside those of the prompt
    cached_apart = True

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

    async def ask(self, prompt: Prompt, asked: AnswerForm, answer: ModelAnswer, heard: Callable[[], None]) -> None:
        """See `model.Wire`."""
        request: dict[str, Any] = {}
        with faults_of(anthropic, request):
            request |= self._request(prompt, asked)
            if self._spec.stream:
                await self._streamed(request, asked, answer, heard)
            else:
                await self._at_once(request, asked, answer, heard)

    def _request(self, prompt: Prompt, asked: AnswerForm) -> dict[str, Any]:
        spec = self._spec
        request: dict[str, Any] = {
            "model": spec.model,
            "system": prompt.system,
            "messages": list(_messages(prompt, native=asked.mode != JSON_SCHEMA)),
            "max_tokens": spec.max_answer_tokens,
            **to_messages(asked),
        }
        if spec.stream:
            request["stream"] = True
        # the library has no words of its own for how a model chooses its words
        further = {**spec.sampling, **spec.extra_body}
        if further:
            request["extra_body"] = further
        return request

    async def _at_once(
        self, request: dict[str, Any], asked: AnswerForm, answer: ModelAnswer, heard: Callable[[], None]
    ) -> None:
        create: Any = self._client.messages.with_raw_response.create
        raw = await create(**request)
        told = fields(await parsed(await raw.read()), "the answer")
        answer.request_id = word(raw.headers.get("request-id") or told.get("id"))
        answer.counts.hear(told)
        answer.finish = told.get("stop_reason")
        content = entries(field_of(told, "content", "the answer"))
        read = [_Block(fields(block, "a block"), answer) for block in content]
        _read(read, answer, asked)
        heard()

    async def _streamed(
        self, request: dict[str, Any], asked: AnswerForm, answer: ModelAnswer, heard: Callable[[], None]
    ) -> None:
        create: Any = self._client.messages.with_streaming_response.create
        blocks = _Blocks(answer)
        ended = False

        def take(event: Any) -> None:
            nonlocal ended
            kind = field_of(event, "type", "an event")
            answer.counts.hear(event, last=kind in ("message_delta", "message_stop"))
            if kind == "error":
                raise Fault("server_error", f"the server says: {event.get('error')}"[:FAR], retryable=True)
            if kind in ("content_block_start", "content_block_delta") and (ended or answer.finish is not None):
                raise ValueError("the server goes on behind the end of its answer")
            if kind == "message_start":
                blocks.begin(fields(event.get("message"), "the message"))
            elif kind == "content_block_start":
                blocks.start(event.get("index"), fields(event.get("content_block"), "a block"))
            elif kind == "content_block_delta":
                blocks.of(event.get("index")).add(fields(event.get("delta"), "a piece"))
            elif kind == "content_block_stop":
                blocks.open.discard(event.get("index"))
            elif kind == "message_delta":
                answer.finish = worse(answer.finish, fields(event.get("delta"), "a piece").get("stop_reason"))
            elif kind not in ("message_stop", "ping"):
                answer.repair("an event of an unknown kind")
            ended = ended or kind == "message_stop"
            heard()

        async with create(**request) as response:
            answer.request_id = word(response.headers.get("request-id"))
            await read_events(response, take)
        answer.pieces = []
        _read(blocks.all, answer, asked)
        if not ended:
            raise Fault("cut_off", "the stream ended before the answer did", retryable=True)


class _Block:
    """A block of a message, and what comes of it in pieces."""

    def __init__(self, block: Mapping[str, Any], answer: ModelAnswer, index: Any = None) -> None:
        self._block = block
        self.index = index
        self._answer = answer
        self._pieces: dict[str, list[str]] = {}
        kind = field_of(block, "type", "a block")
        if not isinstance(kind, str):
            raise ValueError("the type of a block is no text")
        self.kind: str = kind
        self.arguments = Arguments(answer)
        if self.kind.endswith(_CALL) and "input" in block:
            self.arguments.add(block["input"])

    def add(self, delta: Mapping[str, Any]) -> None:
        """Add a piece; raises ValueError for one that belongs elsewhere."""
        kind = field_of(delta, "type", "a piece")
        if not self.kind.endswith(_BELONGS.get(kind, "")):
            raise ValueError(f"a piece ({kind}) that does not belong to its block ({self.kind})")
        if kind == "input_json_delta":
            self.arguments.add(field_of(delta, "partial_json", "a piece"))
        elif kind in _BELONGS:
            name = kind.removesuffix("_delta")
            piece = field_of(delta, name, "a piece")
            if not isinstance(piece, str):
                raise ValueError(f"the {name} of a piece is no text")
            self._pieces.setdefault(name, []).append(piece)
            self._answer.size += len(piece)
            if name == "text":
                self._answer.pieces.append(piece)
        elif kind not in _NOTES:
            self._answer.repair("a piece of an unknown kind")

    @property
    def text(self) -> str:
        """The text of one that is a text."""
        return "".join([self._block.get("text") or "", *self._pieces.get("text", ())])

    @property
    def call(self) -> RawCall:
        """The call of one that is a call."""
        name = text_of_name(field_of(self._block, "name", "a call"))
        return raw_call(text_of_id(self._block.get("id"), self._answer), name, self.arguments)

    @property
    def plain(self) -> Block:
        """The block as it is sent back; raises ValueError for what can't be."""
        whole = {name: "".join([self._block.get(name) or "", *more]) for name, more in self._pieces.items()}
        if self.kind.endswith(_CALL):
            whole["input"] = loads(self.arguments.text or "{}")
        return dict(json.loads(canonical({**self._block, **whole})))


class _Blocks:
    """The blocks of a streamed message: each start is a new one, and what comes goes to the newest of its index."""

    def __init__(self, answer: ModelAnswer) -> None:
        self._answer = answer
        self._newest: dict[Any, _Block] = {}
        self._begun = False
        self.all: list[_Block] = []
        self.open: set[Any] = set()

    def begin(self, message: Mapping[str, Any]) -> None:
        """Begin the message, with what of it is told at once; raises ValueError for one that begins anew."""
        if self._begun or self.all or self._answer.finish is not None:
            raise ValueError(ANEW)
        self._begun = True
        self._answer.request_id = self._answer.request_id or word(message.get("id"))
        for block in entries(message.get("content")):
            self._answer.repair("content in the start of a message")
            self.start(("in the start", len(self.all)), fields(block, "a block"))
        self._answer.finish = message.get("stop_reason") or None

    def start(self, index: Any, block: Mapping[str, Any]) -> None:
        """Begin a block; raises Fault for one too many, ValueError for one that has begun and not ended."""
        if index in self.open:
            raise ValueError(ANEW)
        if index is not None and index in self._newest:
            self._answer.repair("blocks that share an index")
        self.open |= {index} - {None}
        if len(self.all) >= MOST_ENTRIES:
            raise Fault("too_large", f"the answer has more than {MOST_ENTRIES} blocks")
        self._answer.size += max(len(json.dumps(block, default=str)) - _BARE, 0)
        self._newest[index] = self._newest[None] = found = _Block(block, self._answer, index)
        self.all.append(found)
        if found.kind == "text":
            self._answer.say(block.get("text") or "")

    def of(self, index: Any) -> _Block:
        """The block that a piece belongs to; raises ValueError where there is none."""
        if index not in self._newest:
            raise ValueError("a piece of a block that has not begun")
        return self._newest[index]


def _read(blocks: Sequence[_Block], answer: ModelAnswer, asked: AnswerForm) -> None:
    """Take the text and the calls from the blocks; where the decision is a tool's input, its JSON is the text."""
    for one in blocks:
        if one.kind == "text":
            answer.say(one.text)
        elif one.kind == _CALL:
            answer.add(one.call)
        elif not one.kind.endswith(_THOUGHT):
            answer.repair("blocks that are neither text nor a call")
    calls = [one for one in blocks if one.kind == _CALL]
    check_told_once(zip([one.index for one in calls], answer.calls, strict=True))
    if meaning(answer.finish) is FinishReason.PAUSED:
        answer.blocks = [one.plain for one in blocks]
    if asked.mode == JSON_SCHEMA:
        _decided(answer)


def _decided(answer: ModelAnswer) -> None:
    """The input of the one call that was asked for is the text of the answer; raises ValueError for two of it."""
    decided = [call for call in answer.calls if call.name == DECIDE]
    if len(decided) > 1:
        raise ValueError("it holds two decisions")
    if decided:
        if decided[0].broken:
            raise Fault("invalid_json", f"the decision can't be read: {decided[0].broken}")
        if answer.text.strip():
            answer.repair("a text beside the decision")
        answer.pieces = [decided[0].arguments]
    answer.calls = [call for call in answer.calls if call.name != DECIDE]


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


def _of_turn(turn: MessageTurn | StepTurn | RuntimeNote, *, native: bool) -> Iterator[tuple[str, list[Block]]]:
    if isinstance(turn, MessageTurn):
        yield "user", [_text(turn.fenced)]
    elif isinstance(turn, RuntimeNote):
        yield "user", [_text("\n".join([turn.text, *(one.named for one in turn.results)]))]
    elif native and turn.calls:
        said = [_text(turn.message)] if turn.message.strip() else []
        uses = [
            {"type": "tool_use", "id": call.id, "name": sendable(call.name), "input": _input_object(call.input)}
            for call in turn.calls
        ]
        yield "assistant", [*said, *uses]
        yield (
            "user",
            [{"type": "tool_result", "tool_use_id": c.id, "content": turn.result_of(c).bare} for c in turn.calls],
        )
    elif native:
        yield "assistant", [_text(turn.message.rstrip() or "(done)")]
    else:
        yield "assistant", [_text(turn.decision)]
        if turn.calls:
            yield "user", [_text("\n".join(turn.result_of(call).named for call in turn.calls))]


def _text(text: str) -> Block:
    return {"type": "text", "text": text or "(nothing)"}


def _input_object(value: Any) -> Any:
    """An input as the library encodes it; what is no object is told as one."""
    found = json.loads(canonical(value))
    return found if isinstance(found, dict) else {"value": found}
