"""W611: tool is not used."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W611",
    title="tool is not used",
    what="No agent offers the tool, and no fact or probe reads it.",
    why="It is loaded, reviewed and kept, and can never run.",
    wrong="""\
# specs/tools/greet.yaml is in no agent's tools
""",
    right="""\
tools: [find_order, greet]
""",
    severity=Severity.WARNING,
)


def at(place: Place, tool: str) -> Diagnostic:
    """The name of the tool."""
    return MANUAL.at(
        place,
        f"no agent offers `{tool}`, and no fact or probe reads it",
        help="offer it, or drop it",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each tool that no agent lists, no probe asks and no fact reads."""
    used = {tool for agent in whole.agents.values() for tool in agent.tools}
    used |= {tool.probe.tool for tool in whole.tools.values() if tool.probe is not None}
    policies = [policy for policy in whole.of_kind("Policy") if whole.listing(policy)]
    for document in (*policies, *whole.of_kind("Vocabulary")):
        facts = document.node.get("facts")
        used |= {str(fact.at("tool").value) for _, _, fact in (facts.pairs() if facts is not None else ())}
    for document in whole.of_kind("Tool"):
        if document.name not in used:
            yield at(document.node.at("name").place, document.name)
