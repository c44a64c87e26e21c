"""A model's answer: the shape that it is asked for, and what it says as a decision."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.policy.value import NotJson, loads
from engine.session.bundle import Tool

JSON_SCHEMA, TOOLS = "json_schema", "tools"
FINISH = "finish"

MAX_ANSWER = 400_000

# far beyond what the log keeps of a message: a secret that is cut in two could not be masked any more
FAR = 4_000


class Fault(Exception):
    """What went wrong with one request to a model's server.

    `status` names it for the log; `retryable` if asking again may help, not before `retry_after` seconds; `final` if
    nothing but another planner can; neither if the model itself may do better.
    """

    def __init__(
        self,
        status: str,
        message: str,
        *,
        retryable: bool = False,
        final: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retryable = retryable
        self.final = final
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class RawCall:
    """A tool call as a server tells it: the arguments are still text."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class Answer:
    """What a server has answered so far, in pieces; tokens are None where it does not count them."""

    pieces: list[str] = field(default_factory=list)
    refusal: str = ""
    calls: list[RawCall] = field(default_factory=list)
    size: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    request_id: str | None = None
    finish: str | None = None

    @property
    def text(self) -> str:
        """What it says, put together."""
        return "".join(self.pieces)

    def say(self, piece: str) -> None:
        """Add to the text."""
        if piece:
            self.pieces.append(piece)
            self.size += len(piece)

    def refuse(self, piece: str) -> None:
        """Add to the refusal."""
        self.refusal += piece
        self.size += len(piece)


@dataclass(frozen=True, slots=True)
class Asked:
    """How a model is asked: by which shape, for which tools, with how many calls and characters of a text at most."""

    mode: str
    tools: tuple[Tool, ...]
    most_calls: int
    most_text: int | None

    @property
    def rules(self) -> str:
        """How to answer, in words."""
        if self.mode == TOOLS:
            return (
                "Call tools to act; what you write beside calls is a note for the log. Without calls, what you write "
                f"goes to the customer. When the work is done, call `{FINISH}` alone, with your last words to them."
            )
        return (
            'Answer with one JSON object: {"message": text, "tool_calls": [{"name": ..., "input": {...}}], "done": '
            "true or false}. Beside calls the message is a note for the log; without calls it goes to the customer. "
            "Never set done to true beside calls."
        )

    def schema(self, *, strict: bool) -> dict[str, Any]:
        """The JSON Schema of a decision: it acts, or it is done; servers that are strict take one form only."""
        message: dict[str, Any] = {"type": "string"}
        inputs = [(tool.name, plain(tool.input_schema)) for tool in self.tools]
        if self.most_text is not None:
            most = self.most_text
            message, inputs = _bounded(message, most), [(name, _bounded(schema, most)) for name, schema in inputs]
        forms = [_object({"name": {"type": "string", "enum": [name]}, "input": schema}) for name, schema in inputs]
        calls: dict[str, Any] = {"type": "array", "maxItems": 0, "items": {}}
        acting: dict[str, Any]
        acting = {"type": "array", "items": {"anyOf": forms}} if forms else calls
        if forms and not strict:
            acting["maxItems"] = self.most_calls
        if strict:
            return _object({"message": message, "tool_calls": acting, "done": {"type": "boolean"}})
        done = _object({"message": message, "tool_calls": calls, "done": {"type": "boolean", "const": True}})
        goes_on = _object({"message": message, "tool_calls": acting, "done": {"type": "boolean", "const": False}})
        return {"anyOf": [goes_on, done]}

    def functions(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Each tool's name, description and input, and the way to be done."""
        for tool in self.tools:
            yield tool.name, tool.description, plain(tool.input_schema)
        words = {"message": {"type": "string", "description": "Your last words to the customer."}}
        yield FINISH, "The work is done: say your last words to the customer.", _object(words)


def plain(value: Any) -> Any:
    """A schema as JSON that every encoder takes: exact numbers become plain ones, our own keywords are left out."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if not key.startswith("x-")}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, str | bool | int) else float(value)


def _bounded(schema: Any, most: int) -> Any:
    """A schema whose texts are no longer than that: a small model fills whatever room there is."""
    if isinstance(schema, list):
        return [_bounded(item, most) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _bounded(value, most) for key, value in schema.items()}
    if found.get("type") == "string" and "enum" not in found:
        found["maxLength"] = min(found.get("maxLength", most), most)
    return found


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def decision(answer: Answer, asked: Asked, ask: int) -> dict[str, Any]:
    """The decision that an answer says, its calls numbered anew; raises Fault."""
    if answer.refusal or answer.finish in ("content_filter", "refusal"):
        raise Fault("refused", f"the model refused: {answer.refusal or answer.text or answer.finish}"[:FAR])
    if answer.finish in ("length", "max_tokens"):
        raise Fault("truncated", "the answer was cut at its longest: say less, or raise max_answer_tokens")
    return _of_calls(answer, ask) if asked.mode == TOOLS else _of_json(answer.text, ask)


def _of_json(text: str, ask: int) -> dict[str, Any]:
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare.removeprefix("```").removeprefix("json").removesuffix("```")
    found = _parsed(bare, "invalid_json", "the answer")
    if not isinstance(found, dict):
        raise Fault("invalid_json", "the answer is no JSON object")
    calls = found.get("tool_calls", [])
    if isinstance(calls, list):
        _unique([call.get("id") for call in calls if isinstance(call, dict) and call.get("id") is not None])
        calls = [
            {**call, "id": f"call-{ask}-{number}"} if isinstance(call, dict) else call
            for number, call in enumerate(calls, 1)
        ]
    return {**found, "tool_calls": calls}


def _of_calls(answer: Answer, ask: int) -> dict[str, Any]:
    _unique([call.id for call in answer.calls if call.id])
    calls: list[dict[str, Any]] = []
    for number, call in enumerate(answer.calls, 1):
        given = _parsed(call.arguments or "{}", "broken_arguments", f"the arguments of {call.name}")
        if not isinstance(given, dict):
            raise Fault("broken_arguments", f"the arguments of {call.name} are no object")
        calls.append({"id": f"call-{ask}-{number}", "name": call.name, "input": given})
    names = [call.name for call in answer.calls]
    if names == [FINISH]:
        said = calls[0]["input"].get("message")
        return {"message": said if isinstance(said, str) else answer.text, "tool_calls": [], "done": True}
    if FINISH in names:
        raise Fault("broken_arguments", f"`{FINISH}` is called alone, when nothing else is to be done")
    return {"message": answer.text, "tool_calls": calls, "done": False}


def _unique(ids: list[Any]) -> None:
    counted = Counter(str(id_) for id_ in ids)
    twice = next((id_ for id_, times in counted.items() if times > 1), None)
    if twice is not None:
        raise Fault("duplicate_ids", f"two calls have the id `{twice[:100]}`")


def _parsed(text: str, status: str, what: str) -> Any:
    try:
        return loads(text)
    except NotJson as error:
        raise Fault(status, f"{what} can't be read: {error}") from None


_MESSAGE = re.compile(r'\A\s*\{\s*"message"\s*:\s*"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')


def message_so_far(text: str) -> str:
    """As much of a decision's message as the beginning of its JSON text holds."""
    found = _MESSAGE.match(text)
    try:
        return str(json.loads(f'"{found[1]}"', strict=False)) if found else ""
    except ValueError:
        return ""


def word(value: Any) -> str | None:
    """A server's short text, as far as it is one."""
    return value[:200] if isinstance(value, str) and value else None


def is_count(value: Any) -> bool:
    """Whether a value can be a number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
