"""References to the environment, `${env:NAME}`: where one bundle meets the different worlds that it is deployed in.

They stand in URLs, paths and commands alone, and are filled in when a bundle is loaded, before anything is checked:
what is said of an address is said of the one that is asked.  The bundle's digest is of its files, which name them.
What is not set is filled with something that leads nowhere, so that a bundle can be checked and tested where it is not
deployed; whoever would run it finds out first (see `runtime.environment`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from engine.bundle.checks import e206_constraint
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic
from engine.ports.resources import OWN_NAMES

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_ALMOST_REFERENCE = re.compile(r"\$\{\s*env\b[^}]*\}?")
_LONGEST = 4096

# of each kind of document where they may stand; `*` is every key or item
_PLACES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Tool": (("adapter", "url"), ("adapter", "hosts", "*"), ("adapter", "argv", "*"), ("adapter", "directory")),
    "Agent": (("planners", "*", "base_url"),),
    "Database": (("path",),),
    "Server": (("url",), ("command", "*")),
}


class Variables:
    """The environment as a bundle sees it, and which of it each document names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.by_document: dict[tuple[str, str], dict[str, str | None]] = {}

    def of(self, kind: str, name: str) -> dict[str, str | None]:
        """The variables that a document names, with their values; None is what is not set, or can't be used."""
        return self.by_document.get((kind, name), {})

    def all(self) -> dict[str, str | None]:
        """Those of all documents."""
        return {name: value for found in self.by_document.values() for name, value in sorted(found.items())}

    def fill(self, kind: str, node: Node) -> Iterator[Diagnostic]:
        """Fill what a document names into it; gives what is wrong with how it is written."""
        found: dict[str, str | None] = {}
        for path in _PLACES.get(kind, ()):
            for place in _nodes(node, path):
                if isinstance(place.value, str):
                    yield from self._fill(place, found, path[-1])
        name = node.get("name")
        if found and name is not None:
            self.by_document[kind, str(name.value)] = found

    def _fill(self, node: Node, found: dict[str, str | None], key: str) -> Iterator[Diagnostic]:
        text = str(node.value)
        almost = _ALMOST_REFERENCE.search(_REFERENCE.sub(lambda match: " " * len(match[0]), text))
        if almost is not None:
            place, message = node.within(*almost.span()), "must look like `${env:NAME}`"
            yield e206_constraint.within(place, "reference to the environment", message)
            return
        names = dict.fromkeys(_REFERENCE.findall(text))
        if own := sorted(OWN_NAMES & names.keys()):
            message = f"can't name {own[0]}, the key of the log"
            yield e206_constraint.at(node, "reference to the environment", message)
            return
        if names:
            found |= {name: usable(self._environment.get(name)) for name in names}
            unset = {name: _nowhere(name, key, first=text.startswith(f"${{env:{name}}}")) for name in names}
            node.fill(_REFERENCE.sub(lambda match: found[match[1]] or unset[match[1]], text))


def usable(value: str | None) -> str | None:
    """A value of the environment, if it can stand in a document: one line, and nothing that is filled in itself."""
    if value is None or not 0 < len(value) <= _LONGEST or not value.isprintable() or value != value.strip():
        return None
    return None if any(part in value for part in ("{{", "{%", "${")) else value


def _nowhere(name: str, key: str, *, first: bool) -> str:
    """What stands for what is not set: a name that no host ever has, and hardly a file; a URL, or a database's."""
    text = f"{name.lower().replace('_', '-')}.unset.invalid"
    return f"https://{text}" if first and key in ("url", "base_url") else f"{text}.db" if key == "path" else text


def _nodes(node: Node, path: tuple[str, ...]) -> Iterator[Node]:
    if not path:
        yield node
        return
    first, *rest = path
    if first == "*":
        below = [value for _, _, value in node.pairs()] if node.entries is not None else node.items or []
    else:
        below = [one for one in (node.get(first),) if one is not None]
    for one in below:
        yield from _nodes(one, tuple(rest))
