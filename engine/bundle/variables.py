"""References to the environment, `${env:NAME}`: where one bundle meets the different worlds that it is deployed in.

They stand in URLs, paths and commands alone, and are filled in when a bundle is loaded, before anything is checked:
what is said of an address is said of the one that is asked.  The bundle's digest is of its files, which name them.
What is not set is filled with something that leads nowhere, so that a bundle can be checked and tested where it is not
deployed; whoever would run it finds out first (see `runtime.environment`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.bundle.checks import e206_constraint, w618_not_meant
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic
from engine.ports.resources import OWN_NAMES

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_ALMOST_REFERENCE = re.compile(r"\$\{\s*env\b[^}]*\}?")
_LONGEST = 4096
# of what expressions and references to secrets are made
_MADE_OF = ("{{", "}}", "{%", "%}", "${secret")

# what a planner of an agent names is kept under this, with both names
PLANNER = "planner"

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
        places = [found for path in _PLACES.get(kind, ()) for found in _nodes(node, path)]
        yield from _out_of_place(kind, node, {id(place) for _, place in places})
        if not any(isinstance(place.value, str) and _ALMOST_REFERENCE.search(place.value) for _, place in places):
            return
        shared = {one for one, count in Counter(_every(node)).items() if count > 1}
        name = node.get("name")
        for keys, place in places:
            if not isinstance(place.value, str):
                continue
            found: dict[str, str | None] = {}
            if id(place) in shared and _ALMOST_REFERENCE.search(place.value):
                # what decides would be filled as well
                message = "stands at another place too, by an alias: write it out"
                yield e206_constraint.at(place, "reference to the environment", message)
                continue
            yield from self._fill(place, found, keys[-1])
            if found and name is not None:
                self.by_document.setdefault((kind, str(name.value)), {}).update(found)
                if kind == "Agent":
                    # of a planner alone, which may never be asked
                    self.by_document.setdefault((PLANNER, f"{name.value} {keys[1]}"), {}).update(found)

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
            values = {name: usable(self._environment.get(name)) for name in names}
            filled = _REFERENCE.sub(lambda match: values[match[1]] or "", text)
            if any(filled.count(part) != text.count(part) for part in _MADE_OF):
                # with what stands around it a value would be an expression
                values = dict.fromkeys(names)
            found |= values
            node.fill(_REFERENCE.sub(lambda match: values[match[1]] or _nowhere(match, key), text))


def hidden(diagnostics: Iterable[Diagnostic], variables: Variables) -> tuple[Diagnostic, ...]:
    """Diagnostics without the values of variables, which may be read by others than who runs the engine."""
    values = sorted(((value, name) for name, value in variables.all().items() if value), key=lambda one: -len(one[0]))
    return tuple(_hidden(one, values) for one in diagnostics)


def _hidden(one: Diagnostic, values: Sequence[tuple[str, str]]) -> Diagnostic:
    message, note, help_ = one.message, one.note, one.help
    for value, name in values:
        shown = f"${{env:{name}}}"
        message, note, help_ = (text.replace(value, shown) for text in (message, note, help_))
    if (message, note, help_) == (one.message, one.note, one.help):
        return one
    return replace(one, message=message, note=note or "the value of a variable of the environment is meant", help=help_)


def usable(value: str | None) -> str | None:
    """A value of the environment, if it can stand in a document: one line, and nothing that is filled in itself."""
    if value is None or not 0 < len(value) <= _LONGEST or not value.isprintable() or value != value.strip():
        return None
    return None if any(part in value for part in ("{{", "{%", "${")) else value


def _nowhere(match: re.Match[str], key: str) -> str:
    """What stands for what is not set: a name that no host ever has, and hardly a file; a URL, a port, a database's."""
    before = match.string[: match.start()]
    if key in ("url", "base_url", "*") and re.search(r"[^:/]:\Z", before):
        return "1"
    text = f"{match[1].lower().replace('_', '-')}.unset.invalid"
    first = not before and key in ("url", "base_url")
    return f"https://{text}" if first else f"{text}.db" if key == "path" else text


def _nodes(node: Node, path: tuple[str, ...], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """The nodes at a path, each with the keys that lead to it."""
    if not path:
        yield at, node
        return
    first, *rest = path
    if first != "*":
        below = [(first, found) for found in (node.get(first),) if found is not None]
    elif node.entries is not None:
        below = [(key, value) for key, _, value in node.pairs()]
    else:
        below = [("*", item) for item in node.items or ()]
    for key, one in below:
        yield from _nodes(one, tuple(rest), (*at, str(key)))


def _out_of_place(kind: str, node: Node, places: Collection[int]) -> Iterator[Diagnostic]:
    """References where none is filled in; of tools and servers it is said elsewhere that they name no secret."""
    for one in _scalars(node) if kind not in ("Tool", "Server") and _ALMOST_REFERENCE.search(node.source.text) else ():
        found = _ALMOST_REFERENCE.search(one.value) if isinstance(one.value, str) else None
        if found is not None and id(one) not in places:
            message = "this stands here as it is written: a variable is named in URLs, paths and commands alone"
            yield w618_not_meant.at(one.within(*found.span()), message, "what decides is the same everywhere")


def _scalars(node: Node) -> Iterator[Node]:
    below = [*(node.items or ()), *(value for _, value in node.entries or ())]
    if not below:
        yield node
    for one in below:
        yield from _scalars(one)


def _every(node: Node) -> Iterator[int]:
    """Each node as often as it stands in a document: one that has an alias stands there again."""
    yield id(node)
    for one in [*(node.items or ()), *(value for _, value in node.entries or ())]:
        yield from _every(one)
