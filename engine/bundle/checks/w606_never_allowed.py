"""W606: tool can never run."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W606",
    title="tool can never run",
    what="An agent offers a write, or a sensitive read, that no rule of its policies can ever allow.",
    why="What no rule allows is denied: the planner is offered a tool that it can only fail with.",
    wrong="""\
tools: [refund_order]
policies: []
""",
    right="""\
tools: [refund_order]
policies: [refunds]         # has a rule that allows it
""",
    severity=Severity.WARNING,
)


def at(place: Place, tool: str) -> Diagnostic:
    """The tool in the agent."""
    return MANUAL.at(
        place,
        f"no rule can ever allow `{tool}`",
        help="write a rule with `effect: allow`, or do not offer the tool",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each write that an agent lists, against the rules that could allow it."""
    for document, agent in whole.each_agent():
        listed = document.node.get("tools")
        for item in (listed.items or ()) if listed is not None else ():
            rules = whole.guards[agent.name].get(str(item.value))
            if rules is not None and rules.needs_allow and not rules.can_allow():
                yield at(item.place, str(item.value))
