"""A flip: a call that another bundle would have judged otherwise than it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from engine.policy.arithmetic import add, is_number
from engine.policy.flip_names import ALLOW, APPROVAL, DENY, STRICTNESS
from engine.policy.gate import NO_RULE_ALLOWS
from engine.policy.rule import Effect
from engine.policy.verdict import RuleTrace, Verdict
from engine.session.bundle import Tool

NOT_OFFERED, INVALID_INPUT = "not_offered", "invalid_input"

# an effect is its own text, and is found by it
_WORDS: Mapping[str, str] = {Effect.ALLOW: ALLOW, Effect.REQUIRE_APPROVAL: APPROVAL, Effect.DENY: DENY}
_CURRENCIES = frozenset(
    {
        "aud", "brl", "cad", "chf", "cny", "czk", "dkk", "eur", "gbp", "hkd", "huf", "inr", "jpy", "krw", "mxn",
        "nok", "nzd", "pln", "sek", "sgd", "try", "usd", "zar",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flip:
    """One call that is judged otherwise.

    `rule` is the rule that makes the difference, `money` what the call is about by unit, `values` what the deciding
    rules compared, `why` what is not known if `after` is `unknown`.  `later` flips follow on an earlier one.
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
            "session_id": self.session_id, "seq": self.seq, "call_id": self.call_id, "tool": self.tool,
            "rule": self.rule, "flip": self.kind, "before": self.before, "after": self.after,
            "loosens": self.loosens, "money": dict(self.money), "values": dict(self.values), "why": self.why,
            "later": self.later,
        }  # fmt: skip


def word(effect: Effect | str) -> str:
    """A verdict in the words of a flip."""
    return _WORDS[effect]


def difference(recorded: Mapping[str, Any], now: Verdict) -> tuple[str, str, str, bool] | None:
    """What was, what would be, the rule that makes the difference and whether it loosens; None if nothing differs.

    Who is asked belongs to a verdict: it loosens if somebody is asked no more.
    """
    before, after = word(recorded["verdict"]), word(now.effect)
    asked, asks = set(recorded["approvers"]), {group for ask in now.asks for group in ask.approvers}
    if before != after:
        looser = STRICTNESS[after] < STRICTNESS[before]
        rule = _stricter(recorded["rule"], recorded["reason"]) if looser else _stricter(now.rule, now.reason)
        return before, after, rule, looser
    if after != APPROVAL or asked == asks:
        return None
    looser = not asked <= asks
    return before, after, _stricter(recorded["rule"] if looser else now.rule, ""), looser


def _stricter(rule: str | None, reason: str) -> str:
    """The rule that a stricter verdict is due to; where none allows, it is due to none."""
    return rule or (NO_RULE_ALLOWS if reason in ("", NO_RULE_ALLOWS) else reason)


def unknown_loosens(before: str) -> bool:
    """Whether a verdict that nobody knows may be less strict than one that was."""
    return STRICTNESS[before] > 0


def compared(traces: Iterable[RuleTrace], rule: str) -> dict[str, Any]:
    """The values that a rule compared."""
    return next((dict(trace.values) for trace in traces if trace.rule == rule), {})


def money(tool: Tool, input_: Mapping[str, Any]) -> dict[str, Any]:
    """The amounts in a call's input by their unit: what its schema says, or a field's name such as `amount_usd`."""
    properties = tool.input_schema.get("properties")
    found: dict[str, Any] = {}
    for name, schema in properties.items() if isinstance(properties, Mapping) else ():
        value = input_.get(name)
        unit = _unit(name, schema)
        if unit and is_number(value):
            found[unit] = add(found.get(unit, 0), value)
    return found


def _unit(name: str, schema: Any) -> str:
    declared = schema.get("x-unit") if isinstance(schema, Mapping) else None
    last = name.rsplit("_", 1)[-1].lower()
    written = declared.lower() if isinstance(declared, str) else last
    return written.upper() if written in _CURRENCIES else ""


def sum_money(flips: Iterable[Flip]) -> dict[str, int | Decimal]:
    """All of it by unit."""
    found: dict[str, Any] = {}
    for flip in flips:
        for unit, amount in flip.money.items():
            found[unit] = add(found.get(unit, 0), amount)
    return dict(sorted(found.items()))
