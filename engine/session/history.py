"""A call judged after a given history, without a session: what `engine judge` asks the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.policy.gate import Missing, Reading, judge
from engine.policy.rule import CUSTOMER
from engine.policy.value import canonical
from engine.policy.verdict import Verdict
from engine.policy.words import FactNeed
from engine.session.bundle import Agent, Bundle
from engine.session.identity import call_digest
from engine.session.limits import Limits
from engine.session.names import gate_names
from engine.session.state import Call, Phase, Result, State

CALL, CONFIRMED, MESSAGE = "call", "user_confirmation", "message"


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that happened before: a call with what it gave, a message, or the customer's yes to the next write."""

    event: str
    tool: str = ""
    input: Mapping[str, Any] | None = None
    output: Any = None
    error: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate says; `asked` are the groups that still have to be asked."""

    verdict: str
    rules: tuple[str, ...]
    asked: tuple[str, ...]
    errors: tuple[str, ...]

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "verdict": self.verdict,
            "rules": list(self.rules),
            "approvers": list(self.asked),
            "errors": list(self.errors),
        }


def judge_after(
    bundle: Bundle,
    agent: Agent,
    past: Sequence[Past],
    attributes: Mapping[str, Any],
    tool_name: str,
    input_: Mapping[str, Any],
    now: datetime,
) -> Judged:
    """Judge a call of an agent; recorded reads are the facts, and what was not read can't be."""
    problems = agent.check_attributes(attributes)
    tool = bundle.tools.get(tool_name) if tool_name in agent.tools else None
    if tool is None:
        return Judged("deny", (), (), (f"the agent has no tool {tool_name}", *problems))
    problems += tool.check_input(input_)
    if problems:
        return Judged("deny", (), (), tuple(problems))
    state = _state(bundle, agent, past, attributes, now)
    call = Call("judged", tool.name, input_, 1, tool.effect, now, call_digest(tool, tool.name, input_))
    verdict = judge(agent.guards[tool.name], gate_names(state, call), _reads(past))
    assert not isinstance(verdict, Missing), "what was not read counts as unreadable"
    return _told(verdict, confirmed=bool(past) and past[-1].event == CONFIRMED)


def _told(verdict: Verdict, *, confirmed: bool) -> Judged:
    deciding = [trace for trace in verdict.rules if trace.matched and trace.effect is verdict.effect]
    open_ = [ask for ask in verdict.asks if not (confirmed and ask.approvers == (CUSTOMER,))]
    asked = {group for ask in open_ for group in ask.approvers}
    errors = tuple(f"{trace.rule}: {trace.error}" for trace in verdict.rules if trace.error)
    return Judged(verdict.effect.value, tuple(trace.rule for trace in deciding), tuple(sorted(asked)), errors)


def _state(bundle: Bundle, agent: Agent, past: Sequence[Past], attributes: Mapping[str, Any], now: datetime) -> State:
    """A session in which all of that has happened, in one step."""
    state = State("judged", 1, now, agent.name, agent.planner, bundle.digest, "", attributes, None, Limits(), step=1)
    calls: dict[str, Call] = {}
    for number, entry in enumerate(past):
        if entry.event == CALL:
            tool = bundle.tools.get(entry.tool)
            status = "ok" if entry.error is None else "terminal_error"
            result = Result(status, "", entry.error or "", entry.output, None, now)
            calls[f"past-{number}"] = Call(
                f"past-{number}", entry.tool, entry.input or {}, 1, tool.effect if tool else "unknown", now, "",
                phase=Phase.ENDED, started_at=now, result=result,
            )  # fmt: skip
    texts = tuple(entry.text for entry in past if entry.event == MESSAGE)
    return replace(state, calls=calls, messages=texts)


def _reads(past: Sequence[Past]) -> Any:
    """The newest recorded output of the same read."""
    known: dict[tuple[str, str], Past] = {}
    for entry in past:
        if entry.event == CALL:
            known[entry.tool, canonical(entry.input or {})] = entry

    def fresh(need: FactNeed) -> Reading:
        entry = known.get((need.tool, canonical(need.input)))
        if entry is None:
            return Reading(problem=f"{need.tool} {canonical(need.input)} was not read before")
        return Reading(entry.output, entry.error)

    return fresh
