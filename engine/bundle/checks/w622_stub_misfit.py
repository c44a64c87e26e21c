"""W622: stub gives what its tool can't."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W622",
    title="stub gives what its tool can't",
    what="The output of a fixture's stub does not fit the tool's `output` schema.",
    why=(
        "A stub's output is held against the schema as the tool's own is: the call fails, and the fixture tries out "
        "another pathway than the one it is written for."
    ),
    wrong="""\
# output: {type: object, properties: {found: {type: boolean}}, required: [found]}
stubs:
  find_order: {output: {found: "yes"}}
""",
    right="""\
stubs:
  find_order: {output: {found: true}}
""",
    severity=Severity.WARNING,
)


def at(place: Place, tool: str, problem: str) -> Diagnostic:
    """The output."""
    return MANUAL.at(place, f"`{tool}` can't give this: {problem}", help="mend it, or say what fails with `error: ...`")
