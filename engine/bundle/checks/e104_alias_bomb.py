"""E104: alias can't be resolved."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, SourceFile

MANUAL = Manual(
    code="E104",
    title="alias can't be resolved",
    what=("An alias names no anchor, stands inside the value it names, or aliases stand for more than 10,000 values."),
    why=("A few lines of nested aliases can stand for billions of values and bring down whatever reads them."),
    wrong="""\
a: &a [x, x, x]
b: &b [*a, *a, *a]
c: &c [*b, *b, *b]  # and so on
""",
    right="a: [x, x, x]",
)


def at(source: SourceFile, start: int, end: int, problem: str, help_: str = "") -> Diagnostic:
    """The alias at which reading stopped."""
    return MANUAL.at(source.place(start, end), problem, help=help_ or "write the value out")
