"""E509: input does not fit the tool."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E509",
    title="input does not fit the tool",
    what=(
        "A fact or a decision table gives a tool an input that its schema refuses, or a fixture speaks of a call with "
        "one: a field is missing, unknown, or of another type."
    ),
    why="The call would be blocked every time, and the fact unreadable; a stub for such a call is never met.",
    wrong="""\
facts:
  account: {tool: lookup_billing_account, input: {acount_id: input.account_id}}
""",
    right="""\
facts:
  account: {tool: lookup_billing_account, input: {account_id: input.account_id}}
""",
)


def at(place: Place, message: str, help_: str = "") -> Diagnostic:
    """The field, or the input that lacks one."""
    return MANUAL.at(place, message, help=help_)


def on_entry(place: Place, message: str, help_: str = "") -> Diagnostic:
    """The field, which was let through once."""
    return MANUAL.at(place, message, help=help_, on_entry=True)
