"""W608: stop condition can't fire."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.document_set import Document
from engine.bundle.link.countable_conditions import always_holds, beyond_reach
from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.language import types
from engine.spec.bundle import Agent

MANUAL = Manual(
    code="W608",
    title="stop condition can't fire",
    what=(
        "A condition that is never true, that comes behind one which always holds, or that counts calls of a tool "
        "that the agent does not have."
    ),
    why="The outcome looks declared, and no session ever ends with it.",
    wrong="""\
tools: [find_order]
stop:
  - {outcome: refunded, when: len(calls.refund_order) > 0, message: Done}
""",
    right="""\
tools: [find_order, refund_order]
stop:
  - {outcome: refunded, when: len(calls.refund_order) > 0, message: Done}
""",
    severity=Severity.WARNING,
)


def at(place: Place, outcome: str, why: str) -> Diagnostic:
    """The outcome."""
    return MANUAL.at(
        place,
        f"the outcome `{outcome}` can't come about: {why}",
        help="mend its condition, or drop it",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each stop condition, against those before it and against what the agent's limits permit."""
    for document, agent in whole.each_agent():
        yield from _stops(document, agent)


def _stops(document: Document, agent: Agent) -> Iterator[Diagnostic]:
    items = document.node.at("stop").items or ()
    always: dict[str, str] = {}
    seen: dict[tuple[str, str], str] = {}
    for node, rule in zip(items, agent.stop, strict=False):
        outcome = node.at("outcome")
        if rule.on in always:
            yield at(outcome.place, rule.outcome, f"`{always[rule.on]}` before it always holds")
            continue
        if rule.when is None or always_holds(rule.when.tree, agent):
            always[rule.on] = rule.outcome
            continue
        text = " ".join(rule.when.text.split())
        why = ""
        if types.NEVER in rule.when.if_true.values() or text == "false":
            why = "its condition is never true"
        elif (rule.on, text) in seen:
            why = f"`{seen[rule.on, text]}` before it has the same condition"
        else:
            why = beyond_reach(rule.when.tree, agent)
        if why:
            yield at(outcome.place, rule.outcome, why)
        seen.setdefault((rule.on, text), rule.outcome)
