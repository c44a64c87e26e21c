"""An agent's `let`: names for expressions, which rows of decision tables, stop conditions and texts may read."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.bundle.checks import e312_reserved_name, e513_cycle
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.expressions import Scope, expression
from engine.bundle.link.word_nodes import LET, MOST_PARTS, RESERVED, entries, names_in
from engine.bundle.node import Node
from engine.language import types
from engine.language.expression import Expression
from engine.language.functions import FUNCTIONS
from engine.language.type_context import TypeContext

RESERVED = RESERVED | FUNCTIONS.keys()


@dataclass(slots=True)
class AgentLets:
    """The lets of an agent: their expressions, their types, and those of which nobody knows what they mean."""

    expressions: dict[str, Expression] = field(default_factory=dict)
    let_types: dict[str, types.Type] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)

    @property
    def around(self) -> TypeContext:
        """What is around the expressions that may read them."""
        return TypeContext(lets=self.expressions, doubtful=self.doubtful)


def link_lets(documents: DocumentSet, document: Document, scope: Scope) -> AgentLets:
    """The lets of an agent over the names of `scope` and over each other, in whichever order they are written.

    What is wrong with one is said where it is written, and nothing about who reads it.
    """
    linker = _LetLinker(documents, scope, {name: (key, value) for name, key, value in entries(document, LET)})
    for name, (key, _) in linker.nodes.items():
        if name in RESERVED:
            documents.say(e312_reserved_name.at(key, "a let"))
            linker.doubt(name)
    for name in sorted(linker.nodes.keys() - RESERVED):
        linker.need(name)
    return linker.found


class _LetLinker:
    """Links each let behind those that it reads."""

    def __init__(self, documents: DocumentSet, scope: Scope, nodes: dict[str, tuple[Node, Node]]) -> None:
        self._documents = documents
        self._scope = scope
        self._open: list[str] = []
        self.nodes = nodes
        self.found = AgentLets()

    def doubt(self, name: str) -> None:
        """Say nothing of who reads a let that has no meaning."""
        self.found.doubtful.add(name)
        if name not in self._scope:
            self.found.let_types[name] = types.UNKNOWN

    def need(self, name: str) -> None:
        found, (key, node) = self.found, self.nodes[name]
        if name in self._open:
            if name not in found.doubtful:
                self._documents.say(e513_cycle.at(key.place, [*self._open[self._open.index(name) :], name]))
            self.doubt(name)
        if name in found.let_types:
            return
        self._open.append(name)
        for other in sorted(names_in(node) & self.nodes.keys() - RESERVED):
            self.need(other)
        self._open.pop()
        made = expression(self._documents, node, {**self._scope, **found.let_types}, around=found.around)
        # lets that stand twice in the next one double their type each time
        typed = made is not None and types.parts(made.type, MOST_PARTS) <= MOST_PARTS
        found.let_types[name] = made.type if made is not None and typed else types.UNKNOWN
        if made is None or name in found.doubtful:
            found.doubtful.add(name)
        else:
            found.expressions[name] = made
