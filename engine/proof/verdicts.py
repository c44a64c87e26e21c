"""The gate as formulas: when it allows a call, when it asks and whom, when it denies, when a result is withheld."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy import types as t
from engine.policy.demand import Groups
from engine.policy.rule import Effect, Guarantee, PolicyRules, Rule
from engine.policy.schema import of_schema
from engine.proof.encode import Encoder
from engine.proof.forms import spelt_out
from engine.proof.terms import BOOLEAN, GROUPS, LIST, NO, RECORD, TEXT, Value, World, both, either, no
from engine.session.bundle import Agent, Bundle, Tool


@dataclass(frozen=True, slots=True)
class Judged:
    """When a verdict falls: `asks` says when which groups are asked together; `withheld` is about a result.

    `rules` say of each rule when it matches.
    """

    deny: Any
    ask: Any
    asks: Mapping[Groups, Any]
    withheld: Any
    rules: Mapping[str, Any]

    @property
    def allow(self) -> Any:
        """When it is allowed."""
        return both(no(self.deny), no(self.ask))

    def of(self, effect: Effect) -> Any:
        """When that is the verdict."""
        return {Effect.ALLOW: self.allow, Effect.REQUIRE_APPROVAL: self.ask, Effect.DENY: self.deny}[effect]


class Gate:
    """The gate of one agent for the calls of one tool, over a world that it may share with another bundle's."""

    def __init__(
        self,
        world: World,
        bundle: Bundle,
        agent: Agent,
        tool: Tool,
        more: Mapping[str, Value] | None = None,
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

    def judged(self) -> Judged:
        """When which verdict falls."""
        matches: dict[str, Any] = {}
        by_effect: dict[Effect, list[Any]] = {effect: [] for effect in Effect}
        asks: dict[Groups, list[Any]] = {}
        withheld: list[Any] = []
        for policy in self._guard.policies:
            for rule in policy.rules:
                matched = self._matches(policy, rule)
                if rule.release is not None:
                    withheld.append(both(matched, self._kept(policy, rule)))
                    matches[rule.id] = withheld[-1]
                    continue
                matches[rule.id] = matched
                by_effect[rule.effect].append(matched)
                if rule.effect is Effect.REQUIRE_APPROVAL:
                    asks.setdefault(frozenset(rule.approvers), []).append(matched)
        unallowed = no(either(*by_effect[Effect.ALLOW])) if self._guard.needs_allow else NO
        deny = either(*by_effect[Effect.DENY], unallowed)
        ask = both(no(deny), either(*by_effect[Effect.REQUIRE_APPROVAL]))
        asked = {groups: both(no(deny), either(*found)) for groups, found in asks.items()}
        return Judged(deny, ask, asked, either(*withheld), matches)

    def broken(self, promise: Guarantee, policy: PolicyRules, judged: Judged) -> Any:
        """When a guarantee does not hold of a verdict; one without a value is not broken."""
        encoder = self._made(policy, self._about(judged))
        holds, error = encoder.truth(promise.never)
        return both(holds, no(error))

    def guarantees(self) -> Iterator[tuple[Guarantee, PolicyRules]]:
        """What is promised of these calls."""
        for policy in (*self._guard.policies, *self._guard.promising):
            for promise in policy.guarantees:
                yield promise, policy

    def _encoder(self, policy: PolicyRules) -> Encoder:
        if policy.name not in self._encoders:
            self._encoders[policy.name] = self._made(policy, {})
        return self._encoders[policy.name]

    def _made(self, policy: PolicyRules, more: Mapping[str, Value]) -> Encoder:
        known = {**self._more, **more}
        return Encoder(self.world, self._bundle, self._agent, self._tool, policy, known, self._input)

    def _matches(self, policy: PolicyRules, rule: Rule) -> Any:
        if rule.condition is None:
            return z3.BoolVal(True)
        holds, error = self._encoder(policy).truth(rule.condition)
        held = both(no(error), no(holds) if rule.negated else holds)
        return held if rule.effect is Effect.ALLOW else either(error, held)

    def _kept(self, policy: PolicyRules, rule: Rule) -> Any:
        """When a rule keeps a result: unless its condition holds, and where that has no value."""
        assert rule.release is not None, "asked of rules about results only"
        schema = self._tool.output_schema
        output = self.world.symbol("output", of_schema(schema) if schema is not None else t.UNKNOWN, spelt_out(schema))
        encoder = self._made(policy, {"output": output})
        holds, error = encoder.truth(rule.release)
        return either(error, no(holds))

    def _about(self, judged: Judged) -> dict[str, Value]:
        """What guarantees see of a verdict."""
        text = self.world.text
        verdict = z3.If(
            judged.deny, text(Effect.DENY.value),
            z3.If(judged.ask, text(Effect.REQUIRE_APPROVAL.value), text(Effect.ALLOW.value)),
        )  # fmt: skip

        def asked(group: str) -> Value:
            return Value(BOOLEAN, term=either(*(when for groups, when in judged.asks.items() if group in groups)))

        groups = Value(GROUPS, fields=asked)
        return {"verdict": Value(TEXT, term=verdict), "approvers": groups}


def past_allowed(world: World, bundle: Bundle, agent: Agent) -> Any:
    """When no call of the session's past that a small world speaks of would have been denied as the first one."""
    nothing = Value(RECORD, fields=lambda tool: Value(LIST, items=(), length=z3.IntVal(0)))
    found: list[Any] = []
    for name in agent.tools:
        known = world.symbols.get(f"calls.{name}")
        for at, item in enumerate(known.items or () if known is not None else ()):
            gate = Gate(
                world, bundle, agent, bundle.tools[name], {"calls": nothing, "seen": nothing},
                f"calls.{name}[{at}].input",
            )  # fmt: skip
            found.append(either(no(item.there), no(gate.judged().deny)))
    return both(*found)
