"""The gate as formulas: when it allows a call, when it asks and whom, when it denies, when a result is withheld."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language import types
from engine.language.schema_types import of_schema
from engine.language.value import digest, jsonable
from engine.policy.approvals import CUSTOMER_ALONE, Demand, groups_asked
from engine.policy.fingerprint import meaning
from engine.policy.rule import Effect, Guarantee, PolicyRules, Rule
from engine.proof.encode import Encoder
from engine.proof.forms import spelt_out
from engine.proof.node_table import encoder as encoder_for
from engine.proof.term import BOOLEAN, GROUPS, LIST, NO, NUMBER, RECORD, TEXT, YES, Term, both, either, no
from engine.proof.terms import SymbolTable
from engine.spec.bundle import Agent, Bundle, Tool


@dataclass(frozen=True, slots=True)
class RuleWhen:
    """When a rule matches, and when it does so since its condition has no value; with whom it asks."""

    rule: str
    effect: Effect
    matches: Any
    broken: Any
    demand: Demand
    groups: frozenset[str]
    reads: bool


@dataclass(frozen=True, slots=True)
class VerdictFormula:
    """When a verdict falls; `withheld` is about a result.

    `rules` are those that judge a call, in the order in which the gate lets them speak.
    """

    deny: Any
    ask: Any
    withheld: Any
    rules: tuple[RuleWhen, ...]

    @property
    def allow(self) -> Any:
        """When it is allowed."""
        return both(no(self.deny), no(self.ask))

    def of(self, effect: Effect) -> Any:
        """When that is the verdict."""
        return {Effect.ALLOW: self.allow, Effect.REQUIRE_APPROVAL: self.ask, Effect.DENY: self.deny}[effect]

    def by(self, effect: Effect) -> Mapping[str, RuleWhen]:
        """The rules of an effect."""
        return {rule.rule: rule for rule in self.rules if rule.effect is effect}

    @property
    def asks(self) -> Mapping[Demand, Any]:
        """When which people are asked."""
        found: dict[Demand, list[Any]] = {}
        for rule in self.by(Effect.REQUIRE_APPROVAL).values():
            found.setdefault(rule.demand, []).append(rule.matches)
        return {demand: both(no(self.deny), either(*when)) for demand, when in found.items()}

    @property
    def people(self) -> Any:
        """The least number of different people whose yes is needed (see `policy.approvals.people_needed`)."""
        apart, together, others, customer = z3.IntVal(0), z3.IntVal(0), z3.IntVal(0), z3.IntVal(0)
        for rule in self.by(Effect.REQUIRE_APPROVAL).values():
            needed = z3.If(both(no(self.deny), rule.matches), rule.demand.people, 0)
            if rule.demand.distinct:
                apart = apart + needed
                continue
            together = z3.If(needed > together, needed, together)
            if "customer" not in rule.demand.groups:
                others = z3.If(needed > others, needed, others)
            elif rule.demand.groups == CUSTOMER_ALONE:
                customer = z3.If(needed > customer, 1, customer)
        # the customer is in no group
        together = z3.If(others + customer > together, others + customer, together)
        return apart + together

    def speaker(self, effect: Effect) -> Mapping[str, Any]:
        """When a rule is the one that a verdict names: those that read nothing come first, then those without error."""
        found: dict[str, Any] = {}
        before = NO
        for reads in (False, True):
            own = [rule for rule in self.by(effect).values() if rule.reads is reads or effect is not Effect.DENY]
            for broken in (False, True):
                for rule in own:
                    now = rule.broken if broken else both(rule.matches, no(rule.broken))
                    found[rule.rule] = either(found.get(rule.rule, NO), both(now, no(before)))
                    before = either(before, now)
        return found


class GateFormulas:
    """The gate of one agent for the calls of one tool, over a world that it may share with another bundle's."""

    def __init__(
        self,
        world: SymbolTable,
        bundle: Bundle,
        agent: Agent,
        tool: Tool,
        more: Mapping[str, Term] | None = None,
        input_name: str = "input",
    ) -> None:
        self.world = world
        self._more = dict(more or {})
        self._input = input_name
        self._bundle = bundle
        self._agent = agent
        self._tool = tool
        self._guard = agent.guards[tool.name]
        self._encoders: dict[str, Encoder] = {}

    def judged(self) -> VerdictFormula:
        """When which verdict falls."""
        rules: list[RuleWhen] = []
        withheld: list[Any] = []
        for policy in sorted(self._guard.policies, key=lambda policy: policy.name):
            for rule in sorted(policy.rules, key=lambda rule: rule.id):
                matched, error = self._matches(policy, rule)
                if rule.release is not None:
                    withheld.append(both(matched, self._withholds(policy, rule)))
                    continue
                asked = groups_asked(rule.approvers, _people_by_meaning(rule, policy))
                demand = Demand(asked, rule.people, rule.distinct, rule.note, rule.second, rule.settle_delay)
                groups = frozenset(rule.approvers)
                rules.append(RuleWhen(rule.id, rule.effect, matched, error, demand, groups, bool(rule.facts)))
        by = {effect: either(*(rule.matches for rule in rules if rule.effect is effect)) for effect in Effect}
        unallowed = no(by[Effect.ALLOW]) if self._guard.needs_allow else NO
        deny = either(by[Effect.DENY], unallowed)
        ask = both(no(deny), by[Effect.REQUIRE_APPROVAL])
        return VerdictFormula(deny, ask, either(*withheld), tuple(rules))

    def broken(self, promise: Guarantee, policy: PolicyRules, judged: VerdictFormula) -> Any:
        """When a guarantee does not hold of a verdict; one without a value is not broken."""
        encoder = self._encoder_for(policy, self._about(judged))
        holds, error = encoder.truth(promise.never)
        return both(holds, no(error))

    def spoken_of(self, promise: Guarantee, policy: PolicyRules) -> Any:
        """When some verdict would break a guarantee, whatever the rules say; only one that asks has groups."""
        text = self.world.text
        verdict = z3.Int("some verdict")
        asking = verdict == text(Effect.REQUIRE_APPROVAL.value)

        def asked(group: str) -> Term:
            return Term(BOOLEAN, term=both(asking, z3.Bool(f"some verdict asks {group}")))

        people = z3.Int("people some verdict asks")
        about = {
            "verdict": Term(TEXT, term=verdict),
            "approvers": Term(GROUPS, fields=asked),
            "people_asked": Term(NUMBER, term=z3.ToReal(z3.If(asking, z3.If(people < 1, 1, people), 0))),
        }
        holds, error = self._encoder_for(policy, about).truth(promise.never)
        return both(either(*(verdict == text(effect.value) for effect in Effect)), holds, no(error))

    def guarantees(self) -> Iterator[tuple[Guarantee, PolicyRules]]:
        """What is promised of these calls."""
        for policy in (*self._guard.policies, *self._guard.promising):
            for promise in policy.guarantees:
                yield promise, policy

    def _encoder(self, policy: PolicyRules) -> Encoder:
        if policy.name not in self._encoders:
            self._encoders[policy.name] = self._encoder_for(policy, {})
        return self._encoders[policy.name]

    def _encoder_for(self, policy: PolicyRules, more: Mapping[str, Term]) -> Encoder:
        known = {**self._more, **more}
        return encoder_for(self.world, self._bundle, self._agent, self._tool, policy, known, self._input)

    def _matches(self, policy: PolicyRules, rule: Rule) -> tuple[Any, Any]:
        """When a rule matches, and when it does so without a value."""
        if rule.condition is None:
            return YES, NO
        holds, error = self._encoder(policy).truth(rule.condition)
        held = both(no(error), no(holds) if rule.negated else holds)
        return (held, NO) if rule.effect is Effect.ALLOW else (either(error, held), error)

    def _withholds(self, policy: PolicyRules, rule: Rule) -> Any:
        """When a rule keeps a result: unless its condition holds, and where that has no value."""
        assert rule.release is not None, "asked of rules about results only"
        schema = self._tool.output_schema
        output = self.world.symbol(
            "output", of_schema(schema) if schema is not None else types.UNKNOWN, spelt_out(schema)
        )
        encoder = self._encoder_for(policy, {"output": output})
        holds, error = encoder.truth(rule.release)
        return either(error, no(holds))

    def _about(self, judged: VerdictFormula) -> dict[str, Term]:
        """What guarantees see of a verdict."""
        text = self.world.text
        verdict = z3.If(
            judged.deny,
            text(Effect.DENY.value),
            z3.If(judged.ask, text(Effect.REQUIRE_APPROVAL.value), text(Effect.ALLOW.value)),
        )

        def asked(group: str) -> Term:
            asking = [rule.matches for rule in judged.by(Effect.REQUIRE_APPROVAL).values() if group in rule.groups]
            return Term(BOOLEAN, term=both(no(judged.deny), either(*asking)))

        return {
            "verdict": Term(TEXT, term=verdict),
            "approvers": Term(GROUPS, fields=asked),
            "people_asked": Term(NUMBER, term=z3.ToReal(judged.people)),
        }


def _people_by_meaning(rule: Rule, policy: PolicyRules) -> dict[str, tuple[str, ...]]:
    """By group what names the people of it: its text, and a digest of all that the text means."""
    named = {group: (expression, meaning(expression.tree, policy)) for group, expression in rule.names_of}
    return {
        group: (f"{ast.unparse(expression.tree)} {digest(jsonable(told))[:8]}",)
        for group, (expression, told) in named.items()
    }


def past_allowed(world: SymbolTable, bundle: Bundle, agent: Agent) -> Any:
    """When no call of the session's past that a small world speaks of would have been denied as the first one."""
    nothing = Term(RECORD, fields=lambda tool: Term(LIST, items=(), length=z3.IntVal(0)))
    found: list[Any] = []
    for name in agent.tools:
        known = world.symbols.get(f"calls.{name}")
        for at, item in enumerate(known.items or () if known is not None else ()):
            gate = GateFormulas(
                world,
                bundle,
                agent,
                bundle.tools[name],
                {"calls": nothing, "seen": nothing},
                f"calls.{name}[{at}].input",
            )
            found.append(either(no(item.there), no(gate.judged().deny)))
    return both(*found)
