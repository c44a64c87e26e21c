"""A flip: a call that another bundle would have judged otherwise than it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from engine.policy.arithmetic import add, is_number
from engine.policy.flip_names import APPROVAL, STRICTNESS, word
from engine.policy.gate import NO_RULE_ALLOWS
from engine.policy.verdict import RuleTrace, Verdict
from engine.session.bundle import Tool

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


@dataclass(frozen=True, slots=True)
class Gist:
    """What counts of a verdict: what it says, who is asked, and the rule or the reason that it is due to."""

    said: str
    asked: frozenset[str]
    due: str


def gist(verdict: Verdict) -> Gist:
    """Of a verdict that falls now."""
    asked = frozenset(group for ask in verdict.asks for group in ask.approvers)
    return Gist(word(verdict.effect), asked, _due(verdict.rule, verdict.reason))


def recorded_gist(payload: Mapping[str, Any]) -> Gist:
    """Of a verdict in a log."""
    return Gist(word(payload["verdict"]), frozenset(payload["approvers"]), _due(payload["rule"], payload["reason"]))


def difference(was: Gist, now: Gist) -> tuple[str, bool] | None:
    """The rule that makes the difference and whether it loosens; None if nothing differs.

    Who is asked belongs to a verdict: it loosens if somebody is asked no more.
    """
    if was.said != now.said:
        looser = STRICTNESS[now.said] < STRICTNESS[was.said]
    elif now.said == APPROVAL and was.asked != now.asked:
        looser = not was.asked <= now.asked
    else:
        return None
    return (was if looser else now).due, looser


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
