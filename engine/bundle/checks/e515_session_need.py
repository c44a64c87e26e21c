"""E515: agent lacks what a policy needs."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E515",
    title="agent lacks what a policy needs",
    what="A policy needs an attribute of the session that the agent does not declare, or declares otherwise.",
    why="Every call that the policy judges would fail closed.",
    wrong="""\
# the vocabulary says session: {customer_id: string}
attributes: {type: object, properties: {}}
""",
    right="""\
attributes:
  type: object
  properties: {customer_id: {type: string}}
  required: [customer_id]
""",
)


def at(place: Place, message: str, note: str) -> Diagnostic:
    """The policy in the agent."""
    return MANUAL.at(place, message, note=note)
