"""E501: write without declared idempotency."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E501",
    title="write without declared idempotency",
    what="A tool with `effect: write` does not say how one write is told apart from another.",
    why=("After a crash, a time-out or a repeated proposal the runtime has to know whether acting again is safe."),
    wrong="""\
effect: write
# no idempotency
""",
    right="""\
effect: write
idempotency:
  key: [input.account_id, input.charge_id]
  honoured_by: tool
""",
)


def at(node: Node) -> Diagnostic:
    """The effect."""
    help_ = "add `idempotency: {key: [...], honoured_by: tool}`, or say plainly `idempotency: none`"
    return MANUAL.at(node.place, "a write must declare its idempotency", help=help_)
