"""Why a call is asked about: the rules with their text and place, what they saw, and where its values are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.diagnostic.visible import line as visible
from engine.explain.nearest import nearest
from engine.language.arithmetic import EvaluationError
from engine.language.value import jsonable, one_line
from engine.policy.rule import Rule
from engine.replay.judgements import Judgement, judgements
from engine.session.expression_names import origins_of
from engine.session.state.event import Event, EventKind
from engine.session.state.state import Call, Request, State
from engine.spec.bundle import Bundle, Tool
from engine.web.pages.span import span_told

# what a person reads of an origin (see `engine.language.provenance`)
ORIGINS: Mapping[str, str] = {
    "session": "whoever started the session",
    "customer": "the customer's own words",
    "trusted": "a system that is trusted",
    "untrusted": "what strangers may have written",
    "model": "the model: nothing that was read says it",
}
LONGEST = 300


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule that asks: its place, what it says, and what it compared."""

    id: str
    place: str
    text: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FactShown:
    """A read that the rules went by, and how old it is."""

    name: str
    value: str
    age: str


@dataclass(frozen=True, slots=True)
class RequestEvidence:
    """All of it; `origins` by field of the call, `near` the least changes that nobody would be asked about."""

    says: str = ""
    rules: tuple[RuleShown, ...] = ()
    origins: Mapping[str, str] | None = None
    facts: tuple[FactShown, ...] = ()
    near: tuple[str, ...] = ()
    people: str = ""
    edits: Mapping[str, Any] | None = None


def evidence_of(
    log: Sequence[Event],
    state: State,
    request: Request,
    bundle: Bundle,
    now: datetime,
    urgent: Mapping[str, Bundle] | None = None,
) -> RequestEvidence:
    """What is known of a request about a call; it takes a while, and belongs into a thread.

    `urgent` are those that judged beside the session's own bundle, by their digests.

    Of a session with sealed values only what its rules say is told: nobody can tell what the others would be.
    """
    call = state.calls.get(request.call_id or "")
    agent = bundle.agents.get(state.agent)
    tool = bundle.tools.get(call.name) if call is not None else None
    if call is None or agent is None or tool is None:
        return RequestEvidence()
    seal = agent.seal is not None
    moment = None if seal else _moment(log, call)
    return RequestEvidence(
        rules=tuple(_rules(call, request, bundle, state.agent, urgent or {})),
        origins=None if seal else _origins(state, call, bundle),
        facts=tuple(_facts(log, state, call, now)),
        near=tuple(str(one) for one in nearest(moment, bundle)[:3]) if moment is not None else (),
        people=_people(state, request),
        edits=None if seal else tool.input_schema,
    )


def says(tool: Tool, input_: Mapping[str, Any]) -> str:
    """What a call does, in the words of its tool over the stored input; empty where it has none that fit."""
    if tool.says is None:
        return ""
    try:
        return visible(tool.says.render({"input": input_}))
    except EvaluationError:
        return ""


def _moment(log: Sequence[Event], call: Call) -> Judgement | None:
    found = [
        one
        for one in judgements(log)
        if isinstance(one, Judgement) and one.call.id == call.id and "beside" not in one.event.payload
    ]
    return found[-1] if found else None


def urgent_bundles(request: Request, state: State) -> list[str]:
    """The digests of the urgent bundles that ask for what a request is about."""
    call = state.calls.get(request.call_id or "")
    return list(dict.fromkeys(_asked_beside(call).values())) if call is not None else []


def _asked_beside(call: Call) -> dict[str, str]:
    """By rule the urgent bundle that asks by it, where it is not the session's own."""
    beside = (call.asked or {}).get("beside", ())
    return {name: one["bundle"] for one in beside for name in one.get("asks", ())}


def _rules(call: Call, request: Request, bundle: Bundle, agent: str, urgent: Mapping[str, Bundle]) -> list[RuleShown]:
    asked, beside = call.asked or {}, _asked_beside(call)
    found = []
    for name in request.rules:
        asking = urgent.get(beside[name]) if name in beside else bundle
        rule = _rule(asking, agent, call.name, name.removesuffix(" (urgent)") if name in beside else name)
        text = "what it says is not known here"
        if rule is not None:
            text = rule.condition.text if rule.condition is not None else "always"
        whose = f"the urgent bundle {beside[name][:12]}" if name in beside else ""
        place = f"{whose}, {rule.place}" if whose and rule is not None else rule.place if rule is not None else whose
        values = asked.get("asks", {}).get(name, {})
        found.append(RuleShown(name, place, " ".join(text.split()), _pairs(values)))
    return found


def _rule(bundle: Bundle | None, agent: str, tool: str, name: str) -> Rule | None:
    guard = bundle.guard(agent, tool) if bundle is not None else None
    rules = [rule for policy in (guard.policies if guard else ()) for rule in policy.rules]
    return next((rule for rule in rules if rule.id == name), None)


def _origins(state: State, call: Call, bundle: Bundle) -> dict[str, str]:
    origins = origins_of(state, call, bundle)
    return {visible(str(name)): ORIGINS[origins.origin(value)] for name, value in call.input.items()}


def _facts(log: Sequence[Event], state: State, call: Call, now: datetime) -> list[FactShown]:
    waited = [event.payload["facts"] for event in log if event.kind is EventKind.GATE_PENDING and event.payload]
    wanted = {fact["key"]: fact["fact"] for facts in waited for fact in facts}
    read = [(wanted.get(key, ""), reading) for key, reading in state.readings.items() if reading.at >= call.proposed_at]
    ages = [span_told(now - reading.at) for _, reading in read]
    return [
        FactShown(visible(name) or "a read", _short(reading.problem or reading.output), age)
        for (name, reading), age in zip(read, ages, strict=True)
    ]


def _people(state: State, request: Request) -> str:
    """Whose yes is there already, and whose is needed beside it."""
    same = [one for one in state.requests.values() if one.call_id == request.call_id and one.closed is None]
    call = state.calls[request.call_id or ""]
    said = list(dict.fromkeys(yes.by for yes in call.approvals if yes.digest == call.digest))
    later = [str(one.delayed["by"]) for one in same if one.open and one.delayed is not None]
    left = sum(one.open for one in same) - len(later)
    if len(same) < 2:
        return ""
    given = f"{', '.join(said)} said yes; " if said else ""
    given += f"{', '.join(later)} said a yes that does not count yet; " if later else ""
    shared = any(set(one.rules) & set(request.rules) for one in same if one.id != request.id)
    other = ", each of another person" if request.distinct or shared else ""
    return visible(f"{given}{left} more {'yes is' if left == 1 else 'yeses are'} needed{other}")


def _pairs(values: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, Mapping):
        return (("", _short(values)),)
    return tuple((visible(str(name)), _short(value)) for name, value in values.items())


def _short(value: Any) -> str:
    text = visible(value if isinstance(value, str) else one_line(jsonable(value)))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
