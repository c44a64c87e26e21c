"""E302: tool is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E302",
    title="tool is not defined",
    what="A document refers to a tool that the bundle does not have.",
    why="An agent that counts on a tool that is not there fails in front of a customer.",
    wrong="""\
tools:
  - refnd
""",
    right="""\
tools:
  - open_refund_case
""",
)


def not_offered(place: Place, name: str, offered: Iterable[str]) -> Diagnostic:
    """A tool that is there, and that this agent does not list."""
    listed = ", ".join(f"`{n}`" for n in sorted(offered)) or "nothing"
    return MANUAL.at(
        place, f"tool `{name}` is not among this agent's tools", note=f"it lists {listed}", help="add it to `tools`"
    )


def at(place: Place, name: str, known: Iterable[str], help_: str = "") -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"tool `{name}` is not defined",
        note=f"tools are defined in specs/tools/*.yaml ({len(names)} found)",
        help=help_ or did_you_mean(name, names),
    )
