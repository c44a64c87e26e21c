"""W605: rule is about a tool that no agent has."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.rule_coverage import covered
from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W605",
    title="rule is about a tool that no agent has",
    what=(
        "A rule names a tool that none of the agents offers that list its policy, or covers `reads` or `writes` and "
        "they have none."
    ),
    why=(
        "Whoever reads the rule believes that something is guarded which can never be called; often a name was "
        "meant that is alike."
    ),
    wrong="""\
tools: [find_order]         # of the only agent
rules:
  - {id: no-refund, tools: [refund_order], effect: deny}
""",
    right="""\
tools: [find_order, refund_order]
rules:
  - {id: no-refund, tools: [refund_order], effect: deny}
""",
    severity=Severity.WARNING,
)


def at(place: Place, tool: str) -> Diagnostic:
    """The tool in the rule."""
    return MANUAL.at(
        place,
        f"no agent that lists this policy has the tool `{tool}`",
        help="offer it, or leave it out of the rule",
    )


def of_kind(place: Place, rule: str) -> Diagnostic:
    """The `tools` of a rule that are a word for many."""
    return MANUAL.at(
        place,
        f"no agent that lists this policy has a tool that rule `{rule}` covers",
        help="offer one, or drop the rule",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each rule's tools, against those of the agents that list its policy."""
    for policy in whole.of_kind("Policy"):
        # a policy that no agent lists yet is about all of them
        offered = {tool for agent in whole.listing(policy) or whole.agents.values() for tool in agent.tools}
        for rule in whole.rules_of(policy):
            tools = rule.at("tools")
            if tools.items is None and not offered & set(covered(rule, whole.tools)):
                yield of_kind(tools.place, str(rule.at("id").value))
            for item in tools.items or ():
                if item.value in whole.tools and item.value not in offered:
                    yield at(item.place, str(item.value))
