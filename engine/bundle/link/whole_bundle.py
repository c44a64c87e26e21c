"""A bundle that has no errors, as the checks see it that need all of it: documents beside what they were linked to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.implication import Conditions, outvotes
from engine.bundle.node import Node
from engine.policy.rule import Effect, Guard, Rule
from engine.spec.bundle import Agent, Tool


class GuardRules:
    """The rules that judge the calls of one tool, each with its condition taken apart."""

    def __init__(self, guard: Guard) -> None:
        self.needs_allow = guard.needs_allow
        self.by_id: dict[str, list[tuple[Rule, Conditions]]] = {}
        self._denies: list[tuple[Rule, Conditions]] = []
        for policy in guard.policies:
            for rule in policy.rules:
                if rule.release is None:
                    one = rule, Conditions(rule.condition, policy, negated=rule.negated)
                    self.by_id.setdefault(rule.id, []).append(one)
                    if rule.effect is Effect.DENY:
                        self._denies.append(one)

    def outvoting(self, rule: Rule, conditions: Conditions) -> str | None:
        """A deny that matches whenever a rule does."""
        found = (deny.id for deny, own in self._denies if outvotes(own, conditions, rule.effect))
        return next(found, None)

    def can_allow(self) -> bool:
        """Whether some rule can allow a call that none of the others denies for sure."""
        return any(
            rule.effect is Effect.ALLOW and not conditions.never and self.outvoting(rule, conditions) is None
            for found in self.by_id.values()
            for rule, conditions in found
        )


@dataclass(frozen=True)
class WholeBundle:
    """What is broken has no meaning to judge, so nobody asks this of a bundle with errors."""

    documents: DocumentSet
    agents: Mapping[str, Agent]
    tools: Mapping[str, Tool]

    @cached_property
    def guards(self) -> Mapping[str, Mapping[str, GuardRules]]:
        """The rules of each agent's tools."""
        return {
            agent.name: {tool: GuardRules(guard) for tool, guard in agent.guards.items()}
            for agent in self.agents.values()
        }

    def of_kind(self, kind: str) -> Iterator[Document]:
        """The documents of a kind."""
        yield from self.documents.well_formed(kind)

    def each_agent(self) -> Iterator[tuple[Document, Agent]]:
        """Each agent's document, and the agent."""
        for document in self.of_kind("Agent"):
            yield document, self.agents[document.name]

    def listing(self, policy: Document) -> list[Agent]:
        """The agents that list a policy."""
        return [agent for document, agent in self.each_agent() if policy.name in document.plain.get("policies", ())]

    def rules_of(self, policy: Document) -> Iterator[Node]:
        """The rules that a policy writes."""
        yield from policy.node.at("rules").items or ()
