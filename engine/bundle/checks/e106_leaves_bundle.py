"""E106: path leaves the bundle."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E106",
    title="path leaves the bundle",
    what="A path is absolute, climbs with `..`, or follows a link out of the bundle's directory.",
    why="A bundle is reviewed, stored and moved as one directory; what lies outside is none of these.",
    wrong="init: [../shared/billing.sql]",
    right="init: [specs/databases/billing.sql]",
)


def at(node: Node, path: str = "") -> Diagnostic:
    """The path as it is written, or one that it matches."""
    return MANUAL.at(
        node.place,
        f"path `{path or node.value}` leaves the bundle",
        help="keep the file inside and name it from the bundle's root",
    )


def link(place: Place) -> Diagnostic:
    """A link in the place of a document, or of a folder of them."""
    return MANUAL.at(
        place, "this link leads out of the bundle, and what is behind it is not read", help="put a copy in its place"
    )
