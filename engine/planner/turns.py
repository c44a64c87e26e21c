"""The history that a model is told, as turns: nobody's words stand in the place of another's.

A turn is what the customer said, what the planner decided with what its calls came to, or what the runtime tells.
What the log tells first of a call is its result for good; what becomes of it later is a turn of its own.  The newest
turns are told whole; of older ones what the customer said is as long as there is room, and the rest is left out in
large steps, so that what a model was told before stays as it was.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from engine.language.value import canonical, one_line, whole_text
from engine.session.decide.gate_calls import hidden_rules
from engine.session.handles import Handles
from engine.session.sensitivity import is_marked
from engine.session.state.event import Event, EventKind
from engine.spec.bundle import Agent, Tool

MAX_TEXT = 8_000
NOT_DISCLOSED = "not_allowed"
NOT_SHOWN = "what the tool said is not shown, since it may hold what is sensitive"
NO_SCHEMA: Mapping[str, Any] = {}

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")

# of the steps that are left out, how many are still told in a line each
LINES = 20


@dataclass(frozen=True, slots=True)
class MessageTurn:
    """What the customer said; nobody could foresee the `mark`."""

    text: str
    mark: str

    @property
    def fenced(self) -> str:
        """The text between marks that it can't hold itself: outside of such marks nothing is the customer's."""
        return f'<customer id="{self.mark}">{self.text}</customer id="{self.mark}">'


@dataclass(frozen=True, slots=True)
class TurnCall:
    """A call as it was proposed."""

    id: str
    name: str
    input: Any


@dataclass(frozen=True, slots=True)
class ResultTurn:
    """What is told of a call: its status and what belongs to it, and the body, which is another's words.

    `mark` was drawn after the result came back; `stranger` says that the body is data from strangers.
    """

    call_id: str
    tool: str
    head: str
    body: str
    mark: str
    stranger: bool

    @property
    def bare(self) -> str:
        """As it stands in a turn of its own: only strangers' words are fenced."""
        if not self.body:
            return self.head
        return f"{self.head} {self.fenced if self.stranger else self.body}"

    @property
    def named(self) -> str:
        """As it stands in a turn that others could have written: with the call it belongs to, and fenced."""
        return f"{self.tool} ({self.call_id}): {self.head} {self.fenced}".rstrip()

    @property
    def fenced(self) -> str:
        """The body between marks that it can't hold itself."""
        word = "untrusted" if self.stranger else "result"
        return f'<{word} from="{self.tool}" id="{self.mark}">{self.body}</{word} id="{self.mark}">' if self.body else ""


@dataclass(slots=True)
class StepTurn:
    """A step: what was decided, and what is told of each call."""

    step: int
    message: str
    calls: tuple[TurnCall, ...]
    done: bool
    results: dict[str, ResultTurn] = field(default_factory=dict)

    def result_of(self, call: TurnCall) -> ResultTurn:
        """The result of a call; one that has none yet is still under way."""
        return self.results.get(call.id) or ResultTurn(call.id, call.name, "it has not ended yet", "", "", False)

    @property
    def decision(self) -> str:
        """The decision as JSON."""
        calls = [{"name": call.name, "input": call.input} for call in self.calls]
        return canonical({"message": self.message, "tool_calls": calls, "done": self.done})


@dataclass(frozen=True, slots=True)
class RuntimeNote:
    """What the runtime tells."""

    text: str
    results: tuple[ResultTurn, ...] = ()


Turn = MessageTurn | StepTurn | RuntimeNote


def sendable(name: str) -> str:
    """A tool's name that servers take, also where a model had made one up that they do not."""
    return _NO_NAME.sub("_", name)[:64] or "_"


def tokens(text: str) -> int:
    """About how many tokens a text has: a token for three bytes, which is rather too many than too few."""
    return -(-len(text.encode("utf-8", "replace")) // 3)


def size(turn: Turn) -> int:
    """About how many tokens a turn has."""
    return tokens("\n".join(texts_of(turn)))


def texts_of(turn: Turn) -> list[str]:
    """All that a turn says."""
    match turn:
        case MessageTurn():
            return [turn.fenced]
        case RuntimeNote():
            return [turn.text, *(result.named for result in turn.results)]
        case StepTurn():
            return [turn.decision, *(turn.result_of(call).bare for call in turn.calls)]


def flat(text: str) -> str:
    """A text on one line: what it holds can't begin a line of its own."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def turns(
    log: Iterable[Event], agent: Agent, tools: Mapping[str, Tool], most: int, handles: Handles | None
) -> tuple[Turn, ...]:
    """The history of a session, in about `most` tokens at most; the newest message and the newest turn are told whole.

    `handles` stand in the place of what is sensitive.
    """
    secret = frozenset(rule for guard in agent.guards.values() for rule in hidden_rules(guard))
    return _shortened(_History(tools, secret, handles).of(log), most)


class _History:
    """Turns one after the other."""

    def __init__(self, tools: Mapping[str, Tool], secret: frozenset[str], handles: Handles | None) -> None:
        self._tools = tools
        self._secret = secret
        self._handles = handles
        self._key = ""
        self._untold: set[str] = set()
        self._turns: list[Turn] = []
        self._by_call: dict[str, StepTurn] = {}

    def of(self, log: Iterable[Event]) -> list[Turn]:
        for event in log:
            payload = event.payload
            if event.kind is EventKind.SESSION_STARTED:
                self._key = payload.get("handle_key", "")
            elif event.kind is EventKind.MESSAGE_RECEIVED:
                self._turns.append(MessageTurn(cut(self._shown(payload["text"])), self._mark_of_message(event)))
            elif event.kind is EventKind.DECISION_RECORDED:
                self._decided(event.step, payload)
            elif event.kind is EventKind.VERDICT:
                known = self._untold.add if undisclosed_by_overlays(payload) else self._untold.discard
                known(payload["call_id"])
            elif event.kind is EventKind.TOOL_RESULT:
                self._result(event, payload)
        return self._turns

    def _mark_of_message(self, event: Event) -> str:
        """Made under the session's secret; sessions of earlier versions have none, and no text can hold its digest."""
        if not self._key:
            return _digest([event.session_id, event.seq, event.payload["text"]])
        return hmac.new(self._key.encode(), f"message\0{event.seq}".encode(), sha256).hexdigest()[:24]

    def _decided(self, step: int, payload: Mapping[str, Any]) -> None:
        calls = tuple(
            TurnCall(call["id"], call["name"], self._own_input(call["name"], call["input"]))
            for call in payload["tool_calls"]
        )
        turn = StepTurn(step, cut(self._own(payload["message"])), calls, payload["done"])
        self._turns.append(turn)
        self._by_call |= {call.id: turn for call in calls}

    def _own(self, text: str) -> str:
        return text if self._handles is None else self._handles.own(text)

    def _own_input(self, name: str, given: Any) -> Any:
        schema = self._tools[name].input_schema if name in self._tools else NO_SCHEMA
        return given if self._handles is None else self._handles.own_input(given, schema)

    def _shown(self, given: Any, schema: Mapping[str, Any] = NO_SCHEMA) -> Any:
        return given if self._handles is None else self._handles.hidden(given, schema)

    def _result(self, event: Event, payload: Mapping[str, Any]) -> None:
        found = self._result_turn(event, payload)
        turn = self._by_call.get(found.call_id)
        if turn is not None and found.call_id not in turn.results:
            turn.results[found.call_id] = found
        else:
            self._turns.append(RuntimeNote("A call of an earlier turn has ended.", (found,)))

    def _result_turn(self, event: Event, payload: Mapping[str, Any]) -> ResultTurn:
        call_id, name, status = payload["call_id"], payload["tool"], payload["status"]
        tool = self._tools.get(name)
        stranger = tool is None or tool.trust != "trusted"
        mark = payload.get("fence_mark") or _mark_of(event, payload)
        if status == "ok":
            output = one_line(self._shown(payload["output"], (tool.output_schema if tool else None) or {}))
            return ResultTurn(call_id, name, "ok", cut(output), mark, stranger)
        if payload["rule"] in self._secret or call_id in self._untold:
            return ResultTurn(call_id, name, f"{status} {NOT_DISCLOSED}: a policy does not allow it", "", mark, False)
        if status != "blocked" and self._may_repeat(tool):
            return ResultTurn(call_id, name, f"{status} {payload['reason']}: {NOT_SHOWN}", "", mark, False)
        said = cut(flat(self._failed(payload)))
        ours = status == "blocked" or not stranger
        return ResultTurn(call_id, name, f"{status} {payload['reason']}:".removesuffix(" :"), said, mark, not ours)

    def _may_repeat(self, tool: Tool | None) -> bool:
        """Whether a tool that fails may repeat, in whatever form, what nobody is to be shown."""
        return self._handles is not None and tool is not None and is_marked([tool.input_schema, tool.output_schema])

    def _failed(self, payload: Mapping[str, Any]) -> str:
        # what is made of a schema, which the planner knows, holds no value, and is no test of one
        own = payload["reason"] == "invalid_input"
        return str(payload["message"] if own else self._shown(payload["message"]))


def _mark_of(event: Event, payload: Mapping[str, Any]) -> str:
    """The mark of a result for which none was drawn: of an earlier version, or one that no tool has just given."""
    return _digest([event.session_id, event.seq, payload["output"], payload["message"]])


def _digest(told: Any) -> str:
    return sha256(f"fence mark\0{canonical(told)}".encode("utf-8", "replace")).hexdigest()[:24]


def undisclosed_by_overlays(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict is due to a rule of an urgent bundle that is not disclosed."""
    traces = verdict.get("beside", ())
    return any(one["rule"] == verdict["rule"] and not one["disclosed"] for one in traces)


def cut(text: str) -> str:
    """The text as it can be sent, or its beginning and how much more there is."""
    # no request could hold half of a character
    text = whole_text(text)
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]} [... {len(text) - MAX_TEXT} more characters are left out here]"


# -- within a bound


def _shortened(found: list[Turn], most: int) -> tuple[Turn, ...]:
    """The turns from some step on, and before it what the customer said; both cuts move on when there is no room.

    Steps go first, and messages only where they take more than a quarter of it; the newest message and turn stay.
    What is told of what is left out takes a quarter at most.
    """
    first = said_first = total = said = 0
    newest, sizes = 0, [size(turn) for turn in found]
    for index, turn in enumerate(found):
        total += sizes[index]
        if isinstance(turn, MessageTurn):
            said, newest = said + sizes[index], index
        if total <= (most - most // 4 if first else most):
            continue
        while first < index and total > most // 2:
            total -= 0 if isinstance(found[first], MessageTurn) else sizes[first]
            first += 1
        while said_first < newest and total > most // 2 and said > most // 4:
            less = sizes[said_first] if isinstance(found[said_first], MessageTurn) else 0
            total, said, said_first = total - less, said - less, said_first + 1
    gone = sum(isinstance(turn, MessageTurn) for turn in found[:said_first])
    kept = [turn for turn in found[said_first:first] if isinstance(turn, MessageTurn)]
    older = [turn for turn in found[:first] if not isinstance(turn, MessageTurn)]
    return (
        *([RuntimeNote(f"The first messages of the customer, {gone} of them, are left out here.")] if gone else ()),
        *kept,
        *([RuntimeNote(_left_out(older, most // 4))] if older else ()),
        *found[first:],
    )


def _left_out(older: Sequence[Turn], most: int) -> str:
    """What is told of steps that are left out: the newest of them in a line each, the others together."""
    steps = [turn for turn in older if isinstance(turn, StepTurn)]
    lines: list[str] = []
    for turn in reversed(steps[-LINES:]):
        line = f"Step {turn.step}: {'; '.join(_ends(turn)) or 'no calls'}."
        most -= tokens(line)
        if most < 0:
            break
        lines.insert(0, line)
    together = steps[: len(steps) - len(lines)]
    if together:
        ends = Counter(end.rsplit(" ", 1)[-1] for turn in together for end in _ends(turn))
        counted = ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) or "none"
        span = f"Steps {together[0].step} to {together[-1].step}"
        lines.insert(0, f"{span} are left out here; their calls: {counted}.")
    return "\n".join(lines) or "Earlier turns are left out here."


def _ends(turn: StepTurn) -> list[str]:
    return [f"{flat(call.name)} {turn.result_of(call).head.split(' ', 1)[0]}" for call in turn.calls]
