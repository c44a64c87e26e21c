"""E317: nothing that is installed brings the kind."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E317",
    title="nothing that is installed brings the kind",
    what="An adapter or a planner is of a kind that is neither built in nor brought by a package that is installed.",
    why="The tool would have nothing that acts for it, and the planner nothing that proposes.",
    wrong="adapter: {kind: ledger, book: refunds}",
    right="adapter: {kind: http, method: POST, url: https://ledger.example/refunds}",
)


def at(node: Node, what: str, known: Iterable[str]) -> Diagnostic:
    """The kind; a stored bundle waits for somebody who has it."""
    return MANUAL.at(
        node.place,
        f"nothing that is installed here brings the {what} kind `{node.plain}`",
        note=f"the kinds that are here are {', '.join(known)}",
        help="install the package that brings it where the engine runs",
        on_entry=True,
    )


def unusable(node: Node, problem: str) -> Diagnostic:
    """The kind, whose package can't be used."""
    return MANUAL.at(
        node.place, problem, help="mend or update the package, in the environment of the engine", on_entry=True
    )
