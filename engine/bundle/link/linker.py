"""What links the settings of an adapter or of a planner: the place where they stand, and what they may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.bundle.checks import e206_constraint, e317_kind
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import Scope, expression, template
from engine.bundle.link.secrets import check_references, texts
from engine.bundle.node import Node
from engine.language import types
from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.type_context import NOTHING, TypeContext
from engine.ports.kinds import AnyKind, InstalledKind, UnusableKind
from engine.spec.bundle import Tool, ToolEffect
from engine.spec.planner_spec import Price

Path = str | int


@dataclass(frozen=True)
class SettingsLinker:
    """Settings at a place of a document.  A path, such as `"headers", "X-Team"`, leads from them to a value.

    What is wrong is said at its place and linking goes on, so that an author sees all of it at once.
    """

    documents: DocumentSet
    node: Node
    scope: Scope
    around: TypeContext = field(default=NOTHING, kw_only=True)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON, without their kind; a new copy, to be filled and kept."""
        return {key: value for key, value in self.node.plain.items() if key != "kind"}

    def expression(self, *path: Path, names: Mapping[str, types.Type] | None = None) -> Expression | None:
        """The expression at a path, typed over the scope and over further names; None where there is none."""
        found = self._find(path)
        if found is None:
            return None
        return expression(self.documents, found, {**self.scope, **(names or {})}, around=self.around)

    def template(self, *path: Path, names: Mapping[str, types.Type] | None = None) -> Template:
        """The text at a path with its `{{ expression }}`s, typed as they are; empty where there is none."""
        return template(self.documents, self._find(path), {**self.scope, **(names or {})}, self.around)

    def problem(self, message: str, *path: Path, help: str = "") -> None:
        """Say what is wrong with the value at a path, in words that go on after its name: `must be even`."""
        what = next((str(part) for part in reversed(path) if isinstance(part, str)), "settings")
        self.documents.say(e206_constraint.at(self._find(path) or self.node, what, message, help))

    def _find(self, path: Sequence[Path]) -> Node | None:
        found: Node | None = self.node
        for part in path:
            if found is None:
                return None
            if isinstance(part, int):
                found = found.items[part] if found.items is not None and part < len(found.items) else None
            else:
                found = found.get(part) if found.entries is not None else None
        return found


@dataclass(frozen=True)
class AdapterLinker(SettingsLinker):
    """The `adapter:` of a tool.  Its scope has `input` and `session`."""

    tool: Node
    effect: ToolEffect
    input_schema: Mapping[str, Any] | None
    output_schema: Mapping[str, Any] | None


@dataclass(frozen=True)
class PlannerLinker(SettingsLinker):
    """A planner of an agent: the tools that it is offered, all of them or as far as they are `whole`."""

    offered: tuple[str, ...]
    whole: bool
    tools: Mapping[str, Tool]
    prices: Mapping[str, Price]


def linked(linker: SettingsLinker, find: Callable[[str], AnyKind | None]) -> tuple[Any, AnyKind | None]:
    """What the kind of some settings makes of them, and the kind: as they stand, where nothing here brings it.

    That is said already, and where it is a stored bundle's, whoever would run it finds out before it does.
    """
    node = linker.node.at("kind")
    try:
        kind = find(str(node.value))
        if isinstance(kind, InstalledKind):
            # whatever its package makes of them, a reference to a secret is well formed and names none of the engine's
            check_references(linker.documents, texts(linker.node))
        return (kind.load_link()(linker), kind) if kind is not None else (linker.settings, None)
    except UnusableKind as error:
        if not any(one.place == node.place for one in linker.documents.diagnostics):
            linker.documents.say(e317_kind.unusable(node, str(error)))
        return linker.settings, None
