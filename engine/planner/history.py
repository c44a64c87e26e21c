"""The history that a model is told, as the log tells it and within a bound of tokens.

The newest steps are told whole; older ones in a line each, the oldest of all in one line together.  Whatever is left
out is said to be.  What tools that hold words of strangers gave is fenced and called data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from engine.policy.value import one_line
from engine.session.bundle import Agent, Tool
from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.gating import hidden_rules
from engine.session.sealed import shown
from engine.session.sensitive import hidden

MAX_TEXT = 8_000
NOT_DISCLOSED = "not_allowed"


def tokens(text: str) -> int:
    """About how many tokens a text has: a token for three bytes, which is rather too many than too few."""
    return -(-len(text.encode("utf-8", "replace")) // 3)


@dataclass(slots=True)
class _Part:
    """A step, or the messages before it: told whole, or in a line."""

    number: int
    lines: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    kept: bool = False

    @property
    def whole(self) -> str:
        return "\n".join(self.lines)

    @property
    def short(self) -> str:
        return f"Step {self.number}: {'; '.join(self.calls) or 'no calls'}."


def told(log: Iterable[Event], agent: Agent, tools: Mapping[str, Tool], most: int) -> str:
    """The history of a session, in at most about `most` tokens; what the customer said is always told."""
    secret = frozenset(rule for guard in agent.guards.values() for rule in hidden_rules(guard))
    parts = _parts(log, tools, secret)
    sizes = [tokens(part.whole) for part in parts]
    left = most - sum(size for size, part in zip(sizes, parts, strict=True) if part.kept)
    whole: set[int] = set()
    for index in reversed(range(len(parts))):
        if parts[index].kept:
            continue
        if sizes[index] > left and whole:
            break
        whole.add(index)
        left -= sizes[index]
    return "\n".join(_told(parts, whole, left))


def _told(parts: Sequence[_Part], whole: set[int], left: int) -> list[str]:
    """The parts in their order: older steps in a line each as far as there is room, the rest in one."""
    lines: list[str] = []
    older = [i for i, part in enumerate(parts) if not part.kept and i not in whole]
    alone: set[int] = set()
    for index in reversed(older):
        left -= tokens(parts[index].short)
        if left < 0:
            break
        alone.add(index)
    together = [parts[i] for i in older if i not in alone]
    said = False
    for index, part in enumerate(parts):
        if part.kept or index in whole:
            lines.append(part.whole)
        elif index in alone:
            lines.append(part.short)
        elif not said:
            said = True
            lines.append(_summary(together))
    return lines


def _summary(parts: Sequence[_Part]) -> str:
    ends = Counter(call.rsplit(" ", 1)[-1] for part in parts for call in part.calls)
    counted = ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) or "none"
    return f"Steps {parts[0].number} to {parts[-1].number} are left out here; their calls: {counted}."


def _parts(log: Iterable[Event], tools: Mapping[str, Tool], secret: frozenset[str]) -> list[_Part]:
    parts: list[_Part] = []
    untold: set[str] = set()
    for event in log:
        payload = shown(event.payload)
        if event.kind is K.MESSAGE_RECEIVED:
            parts.append(_Part(event.step, [f"Customer: {_cut(payload['text'])}"], kept=True))
        elif event.kind is K.STEP_STARTED:
            parts.append(_Part(payload["number"]))
        elif event.kind is K.DECISION_RECORDED:
            _step(parts, event.step).lines += _decision(payload, tools)
        elif event.kind is K.VERDICT:
            untold = untold | {payload["call_id"]} if undisclosed_beside(payload) else untold - {payload["call_id"]}
        elif event.kind is K.TOOL_RESULT and payload["final"]:
            step = _step(parts, event.step)
            undisclosed = payload["rule"] in secret or payload["call_id"] in untold
            step.lines.append(_result(payload, tools.get(payload["tool"]), undisclosed=undisclosed))
            step.calls.append(f"{payload['tool']} {payload['status']}")
    return [part for part in parts if part.lines]


def _step(parts: list[_Part], number: int) -> _Part:
    """The part of a step: a result may come long after it."""
    for part in reversed(parts):
        if part.number == number and not part.kept:
            return part
    parts.append(_Part(number))
    return parts[-1]


def _decision(payload: Mapping[str, Any], tools: Mapping[str, Tool]) -> list[str]:
    lines = [f"You: {_cut(payload['message'])}"] if payload["message"] else []
    for call in payload["tool_calls"]:
        given = hidden(call["input"], tools[call["name"]].input_schema) if call["name"] in tools else call["input"]
        lines.append(f"You called {call['name']} as {call['id']} with {_cut(one_line(given))}")
    return lines


def undisclosed_beside(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict is due to a rule of an urgent bundle that is not disclosed."""
    beside = verdict.get("beside", ())
    return any(one["rule"] == verdict["rule"] and not one["disclosed"] for one in beside)


def _result(payload: Mapping[str, Any], tool: Tool | None, *, undisclosed: bool) -> str:
    head = f"Result of {payload['call_id']} ({payload['tool']}): {payload['status']}"
    if payload["status"] == "ok":
        output = one_line(hidden(payload["output"], (tool.output_schema if tool else None) or {}))
        return f"{head} {fenced(output, payload['tool']) if tool is None or tool.trust != 'trusted' else _cut(output)}"
    if undisclosed:
        return f"{head} {NOT_DISCLOSED}: a policy does not allow it"
    said = payload["message"]
    stranger = payload["status"] != "blocked" and (tool is None or tool.trust != "trusted")
    return f"{head} {payload['reason']}: {fenced(said, payload['tool']) if stranger and said else _cut(said)}"


def fenced(text: str, source: str) -> str:
    """Text of strangers between marks that it can't hold itself."""
    cut = _cut(text)
    mark = sha256(cut.encode("utf-8", "replace")).hexdigest()[:8]
    return f'<untrusted from="{source}" id="{mark}">{cut}</untrusted id="{mark}">'


def _cut(text: str) -> str:
    """The text, or its beginning and how much more there is."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]} [... {len(text) - MAX_TEXT} more characters are left out here]"
