"""The rules of a bundle in a list: what each asks for, of which tools, when, and who is asked."""

from __future__ import annotations

from dataclasses import dataclass

from engine.diagnostic.visible import line as visible
from engine.policy.rule import Effect, Rule
from engine.spec.bundle import Bundle

_VERBS = {Effect.ALLOW: "allows", Effect.REQUIRE_APPROVAL: "asks", Effect.DENY: "denies"}


@dataclass(frozen=True, slots=True)
class RuleTold:
    """One rule for all the tools that it speaks of."""

    id: str
    does: str
    tools: tuple[str, ...]
    when: str
    message: str
    place: str


def rules_of(bundle: Bundle) -> list[RuleTold]:
    """All of them, in the order in which the files have them."""
    tools: dict[tuple[str, str], set[str]] = {}
    rules: dict[tuple[str, str], Rule] = {}
    for agent in bundle.agents.values():
        for tool, guard in agent.guards.items():
            for rule in (rule for policy in guard.policies for rule in policy.rules):
                rules[rule.policy, rule.id] = rule
                tools.setdefault((rule.policy, rule.id), set()).add(tool)
    told = [_told(rule, tools[name]) for name, rule in rules.items()]
    return sorted(told, key=lambda one: _in_file(one.place))


def _told(rule: Rule, tools: set[str]) -> RuleTold:
    text = " ".join(rule.condition.text.split()) if rule.condition is not None else "always"
    parts = rule.message.parts if rule.message is not None else ()
    message = "".join(one if isinstance(one, str) else f"{{{{ {one.text} }}}}" for one in parts)
    when = f"unless {text}" if rule.negated else text
    return RuleTold(
        visible(rule.id), visible(_does(rule)), tuple(sorted(tools)), visible(when), visible(message), rule.place
    )


def _does(rule: Rule) -> str:
    if rule.release is not None:
        return "withholds results"
    if rule.effect is not Effect.REQUIRE_APPROVAL:
        return _VERBS[rule.effect]
    people = f"{rule.people} people of " if rule.people > 1 else ""
    return f"asks {people}{' or '.join(rule.approvers)}"


def _in_file(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line) if line.isdecimal() else 0
