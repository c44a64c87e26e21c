"""A flip: a call that another bundle would have judged otherwise than it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import add, is_number
from engine.language.schema_types import resolve_reference
from engine.policy.approvals import Demand, Groups, groups_asked, people_needed, uncovered
from engine.policy.flip_names import APPROVAL, STRICTNESS, word
from engine.policy.gate import NO_RULE_ALLOWS
from engine.policy.rule import CUSTOMER
from engine.policy.verdict import RuleTrace, Verdict
from engine.session.sensitivity import replaced
from engine.session.state.event import Event, EventKind
from engine.spec.bundle import Tool

_CURRENCIES = frozenset(
    {
        "aud",
        "brl",
        "cad",
        "chf",
        "cny",
        "czk",
        "dkk",
        "eur",
        "gbp",
        "hkd",
        "huf",
        "inr",
        "jpy",
        "krw",
        "mxn",
        "nok",
        "nzd",
        "pln",
        "sek",
        "sgd",
        "try",
        "usd",
        "zar",
    }
)
# currencies that are words as well, as in `first_try`: only a schema can say that they are meant
_WORDS = frozenset({"try"})


@dataclass(frozen=True, slots=True)
class Flip:
    """One call that is judged otherwise.

    `rule` is the rule that makes the difference, `money` what the call is about by unit, `values` what the deciding
    rules compared, `why` what is not known if `after` is `unknown`.  `later` flips follow on an earlier one; those that
    are `supposed` were judged in the state that was recorded, since nobody knows how it would have come to them.
    """

    session_id: str
    seq: int
    call_id: str
    tool: str
    before: str
    after: str
    rule: str
    loosens: bool
    money: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    later: bool = False
    supposed: bool = False

    @property
    def kind(self) -> str:
        """Such as `allow→deny`."""
        return f"{self.before}→{self.after}"

    @property
    def name(self) -> str:
        """What it is acknowledged by: `refund-threshold:approval→allow`."""
        return f"{self.rule}:{self.kind}"

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "session_id": self.session_id,
            "seq": self.seq,
            "call_id": self.call_id,
            "tool": self.tool,
            "rule": self.rule,
            "flip": self.kind,
            "before": self.before,
            "after": self.after,
            "loosens": self.loosens,
            "money": dict(self.money),
            "values": dict(self.values),
            "why": self.why,
            "later": self.later,
            "supposed": self.supposed,
        }


@dataclass(frozen=True, slots=True)
class VerdictKey:
    """What counts of a verdict: what it says, who is asked by which rule, and the rule or the reason it is due to."""

    effect_text: str
    asks: tuple[tuple[Demand, str], ...]
    due: str


def gist(verdict: Verdict) -> VerdictKey:
    """Of a verdict that falls now."""
    asks = tuple((ask.demand, ask.rule) for ask in verdict.asks)
    return VerdictKey(word(verdict.effect), asks, _due(verdict.rule, verdict.reason))


def recorded_gist(payload: Mapping[str, Any], asked: AskedGroups) -> VerdictKey:
    """Of a verdict in a log; who was asked about its call, rule by rule, is in the requests."""
    known = {rule: asked[call, rule] for call, rule in asked if call == payload["call_id"]}
    # what a customer had confirmed before was not asked for
    others = frozenset(payload["approvers"]).difference(*known.values()) | {CUSTOMER}
    demands = payload.get("demands", {})
    named = payload.get("names", {})
    asks = tuple(
        (Demand.recorded(groups_asked(known.get(rule, others), named.get(rule, {})), demands.get(rule, {})), rule)
        for rule in payload["asks"]
    )
    return VerdictKey(word(payload["verdict"]), asks, _due(payload["rule"], payload["reason"]))


# who was asked about a call for a rule
AskedGroups = Mapping[tuple[str, str], Groups]


def asked_of(log: Iterable[Event]) -> AskedGroups:
    """Who was asked about which call for which rule."""
    return {
        (event.payload["call_id"], rule): frozenset(event.payload["groups"])
        for event in log
        if event.kind is EventKind.REQUEST_OPENED and event.payload["request_kind"] == "approval"
        for rule in event.payload["rules"]
    }


def difference(was: VerdictKey, now: VerdictKey) -> tuple[str, bool] | None:
    """The rule that makes the difference and whether it loosens; None if nothing differs.

    Who is asked belongs to a verdict: it loosens if those who are asked now may say yes without anybody whose yes
    was needed, be it that a rule asks no more or that it asks others as well, any of whom will do.
    """
    if was.effect_text != now.effect_text:
        looser = STRICTNESS[now.effect_text] < STRICTNESS[was.effect_text]
        return (was if looser else now).due, looser
    if now.effect_text != APPROVAL:
        return None
    before, after = ([demand for demand, _ in one.asks] for one in (was, now))
    fewer, more = uncovered(before, after), uncovered(after, before)
    if fewer or people_needed(before) > people_needed(after):
        return _rule_of(was, fewer), True
    return (_rule_of(now, more), False) if more or people_needed(after) > people_needed(before) else None


def _rule_of(verdict: VerdictKey, demands: list[Demand]) -> str:
    """The rule that a demand is due to; where none is left and more people are needed, one that needs several."""
    if demands:
        return next(rule for demand, rule in verdict.asks if demand == demands[0])
    several = (rule for demand, rule in verdict.asks if demand.distinct or demand.people > 1)
    return next(several, verdict.asks[0][1])


def _due(rule: str | None, reason: str) -> str:
    """The rule that a stricter verdict is due to; where none allows, it is due to none."""
    return rule or (NO_RULE_ALLOWS if reason in ("", NO_RULE_ALLOWS) else reason)


def unknown_loosens(before: str) -> bool:
    """Whether a verdict that nobody knows may be less strict than one that was."""
    return STRICTNESS[before] > 0


def compared(traces: Iterable[RuleTrace], rule: str) -> dict[str, Any]:
    """The values that a rule compared."""
    return next((dict(trace.values) for trace in traces if trace.rule == rule), {})


def money(tool: Tool, input_: Mapping[str, Any]) -> dict[str, Any]:
    """The amounts in a call's input by their unit: what its schema says, or a field's name such as `amount_usd`.

    Those that are marked sensitive are not among them.
    """
    found: dict[str, Any] = {}
    told = replaced(input_, tool.input_schema, lambda value: None)
    for unit, amount in _amounts(tool.input_schema, tool.input_schema, told):
        found[unit] = add(found.get(unit, 0), amount)
    return found


def _amounts(whole: Any, schema: Any, value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each number with a unit, however deep it lies."""
    if isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        schema = resolve_reference(whole, schema["$ref"])
    if not isinstance(schema, Mapping):
        return
    if isinstance(value, Mapping):
        fields = schema.get("properties")
        for key, inner in fields.items() if isinstance(fields, Mapping) else ():
            yield from _amounts(whole, inner, value.get(key), key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _amounts(whole, schema.get("items"), item, name)
    elif is_number(value) and (unit := _unit(name, schema)):
        yield unit, value


def _unit(name: str, schema: Mapping[str, Any]) -> str:
    declared = schema.get("x-unit")
    if isinstance(declared, str):
        return declared.upper() if declared.lower() in _CURRENCIES else ""
    last = name.rsplit("_", 1)[-1].lower()
    return last.upper() if last in _CURRENCIES - _WORDS else ""


def sum_money(flips: Iterable[Flip]) -> dict[str, int | Decimal]:
    """All of it by unit."""
    found: dict[str, Any] = {}
    for flip in flips:
        for unit, amount in flip.money.items():
            found[unit] = add(found.get(unit, 0), amount)
    return dict(sorted(found.items()))
