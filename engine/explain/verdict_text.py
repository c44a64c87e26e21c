"""A verdict in words: for the reviewer who decides, for the model that proposed, for the auditor who asks later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.explain.nearest import NearestChange
from engine.language.value import jsonable, one_line, timestamp
from engine.planner.turns import undisclosed_by_overlays
from engine.policy.approvals import groups_asked
from engine.policy.rule import Rule
from engine.replay.judgements import Judgement
from engine.session.decide.gate_calls import hidden_rules
from engine.spec.bundle import Bundle

REVIEWER, MODEL, AUDITOR = "reviewer", "model", "auditor"

_EFFECT_TEXT = {"allow": "is allowed", "require_approval": "needs approval", "deny": "is denied"}


def _asked_text(rule: Rule, people: int) -> str:
    """Whom one rule asks: of any of its groups one person, or so many, or one who answers for nothing else."""
    of = f"{people} different people of " if people > 1 else "another person of " if rule.distinct else ""
    return of + " or ".join(sorted(groups_asked(rule.approvers, rule.people_by_text)))


@dataclass(frozen=True, slots=True)
class VerdictText:
    """One verdict, and the changes that would flip it; None where its bundle can't be had."""

    moment: Judgement
    bundle: Bundle | None
    near: tuple[NearestChange, ...]

    def lines(self, audience: str) -> list[str]:
        """What an audience is told."""
        return list({REVIEWER: self._reviewer, MODEL: self._model, AUDITOR: self._auditor}[audience]())

    @property
    def _payload(self) -> Any:
        return self.moment.event.payload

    def _head(self) -> str:
        p = self._payload
        satisfied = ", and everybody who was asked has said yes" if p["satisfied"] else ""
        asked = f" by {self._approver_text()}" if p["approvers"] else ""
        return f"{p['call_id']} {p['tool']} {_EFFECT_TEXT[p['verdict']]}{asked}{satisfied}"

    def _approver_text(self) -> str:
        """Who has to say yes: of one rule any group, and of several rules one each."""
        p = self._payload
        guard = self.moment.guard(self.bundle) if self.bundle is not None else None
        rules = [rule for policy in (guard.policies if guard is not None else ()) for rule in policy.rules]
        asking = [rule for rule in rules if rule.id in p["asks"]]
        if len({rule.id for rule in rules} & set(p["asks"])) != len(p["asks"]):
            # an urgent bundle asks too
            return ", ".join(p["approvers"])
        demands = p.get("demands", {})
        people = {rule.id: demands.get(rule.id, {}).get("people", rule.people) for rule in asking}
        return " and by ".join(sorted({_asked_text(rule, people[rule.id]) for rule in asking}))

    def _reviewer(self) -> Iterator[str]:
        """The rules that decide, where they stand, what they compared, and the nearest change that flips it."""
        p = self._payload
        yield self._head()
        if p["message"]:
            yield f"  {p['message']}"
        deciding = [rule for rule in p["rules"] if rule["matched"] and rule["effect"] == p["verdict"]]
        for rule in deciding:
            yield f"  {rule['rule']} ({rule['place']}){_error(rule)}"
            yield from (f"    {chain} = {_short(value)}" for chain, value in rule["values"].items())
        if not deciding:
            yield "  no rule allows it" if p["verdict"] == "deny" else "  no rule stands against it"
        yield from (f"  {near}" for near in self.near)

    def _model(self) -> Iterator[str]:
        """Only what the policy discloses: messages of disclosed rules, and changes of the input that they compare."""
        p = self._payload
        hidden = self._undisclosed() | ({p["rule"]} if undisclosed_by_overlays(p) else set())
        satisfied = ", and has it" if p["satisfied"] else ""
        yield f"{p['tool']} {_EFFECT_TEXT[p['verdict']]}{satisfied}"
        if p["message"] and p["rule"] not in hidden:
            yield f"  {p['message']}"
        near = [one for one in self.near if one.about_input and one.rule not in hidden]
        # where it ends may be due to a rule that is not disclosed
        yield from (f"  {one.in_words(ends=False)}" for one in near)

    def _undisclosed(self) -> set[str]:
        guard = self.moment.guard(self.bundle) if self.bundle is not None else None
        if guard is None:
            # what nobody can look up is disclosed to nobody
            return {rule["rule"] for rule in self._payload["rules"]}
        return hidden_rules(guard)

    def _auditor(self) -> Iterator[str]:
        """Everything: the call, every rule with what it saw, the facts with when they were read, the yes of people."""
        moment, p = self.moment, self._payload
        state, call = moment.state, moment.call
        yield self._head()
        yield f"  session {state.session_id}, event {moment.event.seq} at {timestamp(moment.event.at)}"
        yield f"  bundle {state.bundle}"
        yield f"  input {_short(call.input)}"
        if p["message"] or p["reason"]:
            yield f"  {': '.join(part for part in (p['reason'], p['message']) if part)}"
        for rule in p["rules"]:
            mark = "matched" if rule["matched"] else "did not match"
            yield f"  {rule['effect']:<16} {rule['rule']} {mark} ({rule['place']}){_error(rule)}"
            yield from (f"    {chain} = {_short(value)}" for chain, value in rule["values"].items())
        for want in call.wants:
            reading = state.readings.get(want["key"])
            if reading is not None:
                said = reading.problem or _short(reading.output)
                yield f"  fact {want['fact']} read at {timestamp(reading.at)}: {said}"
        for approval in call.approvals:
            yield f"  yes of {approval.by} for {', '.join(sorted(approval.rules))}"
        yield from (f"  {near}" for near in self.near)


def _error(rule: Any) -> str:
    return f": error: {rule['error']}" if rule.get("error") else ""


def _short(value: Any) -> str:
    text = one_line(jsonable(value))
    return text if len(text) <= 300 else f"{text[:297]}..."
