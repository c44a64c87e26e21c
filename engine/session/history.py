"""A call judged after a given history, without a session: what `engine judge` asks the core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.policy.gate import Missing, Reading, judge, withheld
from engine.policy.rule import CUSTOMER, Effect
from engine.policy.value import canonical
from engine.policy.verdict import Verdict
from engine.policy.words import FactNeed
from engine.session.bundle import WRITE, Agent, Bundle
from engine.session.identity import call_digest
from engine.session.names import gate_names
from engine.session.persistent import Kept, Log
from engine.session.state import Call, State, Used

CALL, CONFIRMED, MESSAGE = "call", "user_confirmation", "message"


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that happened before: a call with what it gave, a message, or the customer's yes to the next write.

    A yes that names a tool and an input counts for that very call only.
    """

    event: str
    tool: str = ""
    input: Mapping[str, Any] | None = None
    output: Any = None
    error: str | None = None
    text: str = ""
    at: datetime | None = None


NOTHING_GIVEN = object()


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
    output: Any = NOTHING_GIVEN,
) -> Judged:
    """Judge a call of an agent; recorded reads are the facts, and what was not read can't be.

    With the `output` that a read gave it is also judged whether the planner may see it.
    """
    problems = agent.check_attributes(attributes)
    tool = bundle.tools.get(tool_name) if tool_name in agent.tools else None
    if tool is None:
        return Judged("deny", (), (), (f"the agent has no tool {tool_name}", *problems))
    problems += tool.check_input(input_)
    if problems:
        return Judged("deny", (), (), tuple(problems))
    step = len(past) + 1
    call = Call("judged", tool.name, input_, step, tool.effect, now, call_digest(tool, tool.name, input_))
    names = gate_names(past_state(bundle, agent, past, attributes, now, call), call, bundle)
    guard, reads = agent.guards[tool.name], _reads(past)
    verdict = judge(guard, names, reads)
    assert not isinstance(verdict, Missing), "what was not read counts as unreadable"
    if verdict.effect is Effect.ALLOW and output is not NOTHING_GIVEN:
        kept = withheld(guard, names, output, reads)
        if kept is not None:
            errors = (f"{kept.rule}: {kept.error}",) if kept.error else ()
            return Judged(Effect.DENY.value, (kept.rule,), (), errors)
    return _told(verdict, confirmed=_confirmed(bundle, past, tool.name, input_))


def _confirmed(bundle: Bundle, past: Sequence[Past], tool_name: str, input_: Mapping[str, Any]) -> bool:
    """Whether the customer said yes to this call and it was not used: by name, or to the write that comes next."""
    next_write = True
    for entry in reversed(past):
        tool = bundle.tools.get(entry.tool) if entry.event == CALL else None
        this = (entry.tool, entry.input or {}) == (tool_name, input_)
        if entry.event == CONFIRMED and (this if entry.tool else next_write):
            return True
        if tool is not None and tool.effect == WRITE:
            next_write = False
            if this:
                return False
    return False


def _told(verdict: Verdict, *, confirmed: bool) -> Judged:
    deciding = [trace for trace in verdict.rules if trace.matched and trace.effect is verdict.effect]
    open_ = [ask for ask in verdict.asks if not (confirmed and CUSTOMER in ask.approvers)]
    asked = {group for ask in open_ for group in ask.approvers}
    errors = tuple(f"{trace.rule}: {trace.error}" for trace in verdict.rules if trace.error)
    return Judged(verdict.effect.value, tuple(trace.rule for trace in deciding), tuple(sorted(asked)), errors)


def past_state(
    bundle: Bundle, agent: Agent, past: Sequence[Past], attributes: Mapping[str, Any], now: datetime, judged: Call
) -> State:
    """A session in which all of that has happened, each in a step of its own, and the call is proposed."""
    done: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
    names = [judged.name]
    for number, entry in enumerate(past):
        if entry.event != CALL:
            continue
        names.append(entry.tool)
        if entry.error is None:
            at = entry.at or now - (len(past) - number) * timedelta(microseconds=1)
            told = {"input": entry.input or {}, "output": entry.output, "at": at}
            done.setdefault(entry.tool, []).append((at, told))
    failed: dict[str, Log[Mapping[str, Any]]] = {}
    for entry in past:
        if entry.event == CALL and entry.error is not None:
            told = {"status": "terminal_error", "input": entry.input or {}, "message": entry.error, "reason": "",
                    "id": "", "output": None}  # fmt: skip
            failed[entry.tool] = (failed.get(entry.tool) or Log()).with_one(told)
    succeeded = {
        tool: Log(told for _, told in sorted(entries, key=lambda pair: pair[0])) for tool, entries in done.items()
    }
    texts = tuple(entry.text for entry in past if entry.event == MESSAGE)
    used = Used(steps=judged.step, calls=len(names), calls_per_tool=Counter(names))
    return State(
        "judged", 1, now, agent.name, agent.planner, bundle.digest, "", attributes, None, agent.limits,
        step=judged.step, calls=Kept({judged.id: judged}), succeeded=succeeded, seen=succeeded, resulted=failed,
        messages=texts, used=used,
    )  # fmt: skip


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
