"""What is said of a policy once for each tool: one diagnostic, which names the tools that it is about."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from engine.bundle.document_set import DocumentSet
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Place

_MISSED = re.compile(r"`input` has no field `(?P<field>[^`]+)`|let `(?P<let>[^`]+)` has no entry for the tool")

Covering = Collection[tuple[Node, set[str]]]


class PerToolDiagnostics:
    """Collects what is said while a policy is linked for one tool after the other."""

    def __init__(self, documents: DocumentSet, covering: Covering) -> None:
        self._documents = documents
        self._covering = covering
        self._start = len(documents.diagnostics)
        self._found: dict[tuple[str, Place, str], tuple[Diagnostic, list[str]]] = {}
        self._tools: set[str] = set()

    def linked(self, tool: str) -> None:
        """Take what was said since the last one."""
        self._tools.add(tool)
        said = self._documents.diagnostics[self._start :]
        del self._documents.diagnostics[self._start :]
        for diagnostic in said:
            key = diagnostic.code, diagnostic.place, diagnostic.message
            _, tools = self._found.setdefault(key, (diagnostic, []))
            if tool not in tools:
                tools.append(tool)

    def say(self) -> None:
        """Say each once."""
        self._documents.diagnostics += self._diagnostics()

    def _diagnostics(self) -> Iterator[Diagnostic]:
        for diagnostic, tools in self._found.values():
            others = self._covered_tools(diagnostic.place) - set(tools)
            having = sorted(others & self._having(diagnostic))
            if having:
                note = f"for calls of {_listed(sorted(tools))}, not of {_listed(having)}"
                yield replace(diagnostic, note=note, help=_asking(having))
            elif others and not diagnostic.note:
                yield replace(diagnostic, note=f"for calls of {_listed(sorted(tools))}")
            else:
                yield diagnostic

    def _having(self, diagnostic: Diagnostic) -> set[str]:
        """The tools for which there is what a diagnostic misses: a field of the input, or a let's own entry."""
        found = _MISSED.search(diagnostic.message)
        if found is None:
            return set()
        if found["field"]:
            tools = self._documents.of("Tool").items()
            return {name for name, tool in tools if tool.node.at("input", "properties").get(found["field"]) is not None}
        documents = (*self._documents.well_formed("Policy"), *self._documents.well_formed("Vocabulary"))
        lets = (let.get(found["let"]) for document in documents if (let := document.node.get("let")) is not None)
        return {tool for let in lets if let is not None for tool, _, _ in let.pairs()}

    def _covered_tools(self, place: Place) -> set[str]:
        """The tools that the rule at a place covers; all that were linked where no rule stands there."""
        for rule, tools in self._covering:
            whole = rule.source.place(rule.start, rule.end)
            if place.file == whole.file and (whole.line, whole.column) <= (place.line, place.column) <= (
                whole.end_line,
                whole.end_column,
            ):
                return tools
        return self._tools


def _asking(tools: list[str]) -> str:
    if len(tools) == 1:
        return f"ask for the tool first: `call.name == '{tools[0]}' and ...`"
    return f"ask for the tool first: `call.name in [{', '.join(map(repr, tools[:3]))}{', ...' if tools[3:] else ''}]`"


def _listed(tools: list[str]) -> str:
    shown = [f"`{tool}`" for tool in tools[:3]]
    if len(tools) > 3:
        return f"{', '.join(shown)} and {len(tools) - 3} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
