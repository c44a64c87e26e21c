"""E101: file is not UTF-8."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, SourceFile

MANUAL = Manual(
    code="E101",
    title="file is not UTF-8",
    what="A file of the bundle holds bytes that are not UTF-8 text.",
    why=(
        "A bundle means the same on every machine only if its text does. Nothing of the file is read,"
        " so nothing in it is guessed."
    ),
    wrong="""\
# saved as Latin-1: the é is the single byte E9
description: Café refunds
""",
    right="""\
# saved as UTF-8
description: Café refunds
""",
)


def at(source: SourceFile, offset: int) -> Diagnostic:
    """The first byte that is not UTF-8, as its replacement stands in the source."""
    return MANUAL.at(source.place(offset, offset + 1), "file is not UTF-8 text", help="save it as UTF-8")
