"""E508: approvers do not fit the effect."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E508",
    title="approvers do not fit the effect",
    what=(
        "A rule asks for approval and does not say of whom, or names approvers and does not ask; or what it says of "
        "them (`count`, `note`, `second`, `settle_delay`, `remind`, `escalate`) fits nobody whom it asks."
    ),
    why=(
        "Somebody has to be able to say yes, and whoever is told later has to be one of them, beside others who are "
        "told at once. A customer gives no note, and their yes counts at once."
    ),
    wrong="- {id: big, tools: writes, effect: require_approval}",
    right="- {id: big, tools: writes, effect: require_approval, approvers: [refund-reviewers]}",
)


def at(node: Node, message: str, help_: str = "") -> Diagnostic:
    """The effect."""
    return MANUAL.at(node.place, message, help=help_)
