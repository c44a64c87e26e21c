"""A call judged after a given history, without a session: what `engine judge` asks the core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from engine.language.value import canonical
from engine.policy.bindings import FactNeed, Fresh
from engine.policy.gate import FactOutput, MissingFacts, judge, withheld
from engine.policy.rule import CUSTOMER, Effect
from engine.policy.verdict import Verdict
from engine.session.expression_names import gate_names
from engine.session.handles import Handles, handles_of
from engine.session.identity import call_digest
from engine.session.sensitivity import without
from engine.session.state.persistent import AppendOnlyList, SettlingMap
from engine.session.state.state import Call, State, Used
from engine.spec.bundle import WRITE, Agent, Bundle

CALL, FACT_READ, MESSAGE, CONFIRMED = "call", "read", "message", "user_confirmation"


@dataclass(frozen=True, slots=True)
class PriorEvent:
    """One thing that happened before: a call with what it gave, a read of the runtime's own, a message, or a yes.

    A read of the runtime's own is a fact and no call.  A yes is the customer's to the next write; one that names a
    tool and an input counts for that very call only.
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
class JudgedCall:
    """What the gate says; `ask_groups` are the groups that still have to be asked.

    An approval is `satisfied` once nobody has to be asked any more.  `needs` are the reads that the gate asks for and
    that were not recorded; what depends on their outputs is not known before they are.
    """

    verdict: str
    rules: tuple[str, ...]
    ask_groups: tuple[str, ...]
    errors: tuple[str, ...]
    satisfied: bool = False
    needs: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def payload(self) -> dict[str, Any]:
        """As JSON; `satisfied` of an approval, `needs` where there are some."""
        told: dict[str, Any] = {"verdict": self.verdict, "rules": list(self.rules), "approvers": list(self.ask_groups)}
        if self.verdict == Effect.REQUIRE_APPROVAL.value:
            told["satisfied"] = self.satisfied
        told["errors"] = list(self.errors)
        if self.needs:
            told["needs"] = [{"tool": tool, "args": dict(args)} for tool, args in self.needs]
        return told

    def shown(self, bundle: Bundle, handles: Handles | None) -> JudgedCall:
        """The same as people may see it."""
        if handles is None:
            return self
        needs = [(tool, handles.within(shown_input(bundle, tool, args))) for tool, args in self.needs]
        return replace(self, errors=tuple(map(handles.within, self.errors)), needs=tuple(needs))


def judge_after(
    bundle: Bundle,
    agent: Agent,
    past: Sequence[PriorEvent],
    attributes: Mapping[str, Any],
    tool_name: str,
    input_: Mapping[str, Any],
    now: datetime,
    output: Any = NOTHING_GIVEN,
) -> JudgedCall:
    """Judge a call of an agent; recorded reads are the facts, and what was not read can't be.

    With the `output` that a read gave it is also judged whether the planner may see it.
    """
    problems = agent.check_attributes(attributes)
    tool = bundle.tools.get(tool_name) if tool_name in agent.tools else None
    if tool is None:
        return JudgedCall("deny", (), (), (f"the agent has no tool {tool_name}", *problems))
    problems += tool.check_input(input_)
    if problems:
        return JudgedCall("deny", (), (), tuple(problems))
    step = 1 + sum(entry.event != FACT_READ for entry in past)
    call = Call("judged", tool.name, input_, step, tool.effect, now, call_digest(tool, tool.name, input_))
    state = past_state(bundle, agent, past, attributes, now, call)
    names, handles = gate_names(state, call, bundle), handles_of(state, bundle)
    guard, known = agent.guards[tool.name], _reads(past)
    reads = partial(_or_unreadable, bundle, known)
    first = judge(guard, names, known)
    needs = _named(first) if isinstance(first, MissingFacts) else ()
    verdict = judge(guard, names, reads)
    assert not isinstance(verdict, MissingFacts), "what was not read counts as unreadable"
    if verdict.effect is Effect.ALLOW and output is not NOTHING_GIVEN:
        kept = withheld(guard, names, output, reads)
        if kept is not None:
            errors = (f"{kept.rule}: {kept.error}",) if kept.error else ()
            return JudgedCall(Effect.DENY.value, (kept.rule,), (), errors, needs=needs).shown(bundle, handles)
    return _judged_call(verdict, needs, confirmed=_confirmed(bundle, past, tool.name, input_)).shown(bundle, handles)


def _confirmed(bundle: Bundle, past: Sequence[PriorEvent], tool_name: str, input_: Mapping[str, Any]) -> bool:
    """Whether the customer said yes to this call and it was not used: by name, or to the write that comes next."""
    next_write = True
    for entry in reversed(past):
        tool = bundle.tools.get(entry.tool) if entry.event == CALL else None
        this = (entry.tool, entry.input or {}) == (tool_name, input_)
        if entry.event == CONFIRMED and (this if entry.tool else next_write):
            return True
        if tool is not None and tool.effect is WRITE:
            next_write = False
            if this:
                return False
    return False


def _named(missing: MissingFacts) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """The reads that are missing, each once, by tool and input."""
    named = {(need.tool, canonical(need.input)): need.input for need in missing.needs}
    return tuple((tool, named[tool, text]) for tool, text in sorted(named))


def _judged_call(verdict: Verdict, needs: tuple[tuple[str, Mapping[str, Any]], ...], *, confirmed: bool) -> JudgedCall:
    deciding = [trace for trace in verdict.rules if trace.matched and trace.effect is verdict.effect]
    open_ = [ask for ask in verdict.asks if not (confirmed and CUSTOMER in ask.approvers and ask.people == 1)]
    asked = {group for ask in open_ for group in ask.approvers}
    errors = tuple(f"{trace.rule}: {trace.error}" for trace in verdict.rules if trace.error)
    rules = tuple(trace.rule for trace in deciding)
    satisfied = verdict.effect is Effect.REQUIRE_APPROVAL and not open_
    return JudgedCall(verdict.effect.value, rules, tuple(sorted(asked)), errors, satisfied, needs)


def past_state(
    bundle: Bundle, agent: Agent, past: Sequence[PriorEvent], attributes: Mapping[str, Any], now: datetime, judged: Call
) -> State:
    """A session in which all of that has happened, each call in a step of its own, and the call is proposed."""
    moments = [entry.at or now - (len(past) - number) * _MICRO for number, entry in enumerate(past)]
    told = sorted(zip(moments, past, strict=True), key=lambda pair: pair[0])
    good = [
        (entry, {"input": entry.input or {}, "output": entry.output, "at": at})
        for at, entry in told
        if entry.event in (CALL, FACT_READ) and entry.error is None
    ]
    bad = [
        (
            entry,
            {
                "status": "terminal_error",
                "input": entry.input or {},
                "message": entry.error,
                "reason": "",
                "id": "",
                "output": None,
            },
        )
        for entry in past
        if entry.event == CALL and entry.error is not None
    ]
    texts = tuple(entry.text for entry in past if entry.event == MESSAGE)
    calls = [judged.name, *(entry.tool for entry in past if entry.event == CALL)]
    reads = sum(entry.event == FACT_READ for entry in past)
    used = Used(steps=judged.step, calls=len(calls), calls_per_tool=Counter(calls), fact_reads=reads)
    return State(
        "judged",
        1,
        now,
        agent.name,
        agent.planner,
        bundle.digest,
        "",
        attributes,
        None,
        agent.limits,
        step=judged.step,
        calls=SettlingMap({judged.id: judged}),
        seen=_by_tool(good),
        resulted=_by_tool(bad),
        succeeded=_by_tool((entry, told) for entry, told in good if entry.event == CALL),
        messages=texts,
        used=used,
    )


_MICRO = timedelta(microseconds=1)


def _by_tool(told: Iterable[tuple[PriorEvent, Mapping[str, Any]]]) -> dict[str, AppendOnlyList[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry, one in told:
        found.setdefault(entry.tool, []).append(one)
    return {tool: AppendOnlyList(entries) for tool, entries in found.items()}


def _reads(past: Sequence[PriorEvent]) -> Fresh:
    """The newest recorded output of the same read, whoever read it; None if there is none."""
    known = {
        (entry.tool, canonical(entry.input or {})): FactOutput(entry.output, entry.error)
        for entry in past
        if entry.event in (CALL, FACT_READ)
    }
    return lambda need: known.get((need.tool, canonical(need.input)))


def _or_unreadable(bundle: Bundle, known: Fresh, need: FactNeed) -> FactOutput:
    """What was recorded of a read; one that was not can't be read."""
    told = canonical(shown_input(bundle, need.tool, need.input))
    return known(need) or FactOutput(problem=f"{need.tool} {told} was not read before")


def shown_input(bundle: Bundle, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a read is given, as its tool's schema lets people see it; a meter's has none."""
    found: Mapping[str, Any] = without(dict(given), bundle.tools[name].input_schema) if name in bundle.tools else given
    return found
