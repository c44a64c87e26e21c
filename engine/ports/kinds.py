"""The kinds of tool adapters and of planners: the built-in ones, and those that installed packages bring.

A kind is three things under one name: the model of its settings, how they are linked, and what acts.  Each is named by
where it stands and loaded when it is needed, so that a bundle can be checked without the libraries it runs on.  A
package brings all three in one class, under an entry point:

    [project.entry-points."engine.adapters"]
    ledger = "acme_ledger:LedgerAdapter"

A bundle names a kind and never a module: what it can use is what whoever runs the engine has installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from engine.errors import EngineError
from engine.spec.planner_spec import NO_USAGE, Usage, usage_problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class UnusableKind(EngineError):
    """A package brings a kind, and can't be used; the message names both and says why."""


@dataclass(frozen=True, slots=True)
class BuiltInKind:
    """One kind; `settings`, `link` and `acts` are `module:name`.  `extra` brings the library that it needs."""

    name: str
    settings: str
    link: str
    acts: str = ""
    extra: str = ""

    def load_settings(self) -> Any:
        """The pydantic model of its settings."""
        return _loaded(self.settings)

    def load_link(self) -> Callable[[Any], Any]:
        """What turns a document's settings into linked ones."""
        found: Callable[[Any], Any] = _loaded(self.link)
        return found

    def load(self) -> Callable[..., Any]:
        """What acts, made with its resources; raises ImportError where its library is not there."""
        found: Callable[..., Any] = _loaded(self.acts)
        return found


@dataclass(frozen=True, slots=True)
class InstalledKind:
    """A kind that a package brings: one class with its `Settings`, its `link` and what acts."""

    name: str
    brought_by: str
    kind_class: Any

    def load_settings(self) -> Any:
        """The pydantic model of its settings."""
        return self.kind_class.Settings

    def load_link(self) -> Callable[[Any], Any]:
        """What turns a document's settings into linked ones: they are as they stand unless the class has a `link`."""
        link = getattr(self.kind_class, "link", None)

        def linked(linker: Any) -> Any:
            try:
                made = link(linker) if link is not None else linker.settings
            except BROKEN as error:
                raise UnusableKind(f"{self._who} can't be linked: {error_line(error)}") from error
            if not isinstance(made, Mapping):
                raise UnusableKind(f"{self._who} links to no mapping of settings")
            return made

        return linked

    def load(self) -> Callable[..., Any]:
        """What acts, made with its resources; making it raises UnusableKind where it can't be made."""

        def make(*resources: Any) -> Any:
            try:
                return self.kind_class(*resources)
            except EngineError:
                raise
            except BROKEN as error:
                raise UnusableKind(f"{self._who} can't be made: {error_line(error)}") from error

        return make

    def most(self, settings: Mapping[str, Any]) -> Usage:
        """The most that one question to a planner takes: none, unless the class has a `most` that says it."""
        try:
            found: Usage = self.kind_class.most(settings) if hasattr(self.kind_class, "most") else NO_USAGE
        except BROKEN as error:
            raise UnusableKind(f"{self._who} can't say what a question takes: {error_line(error)}") from error
        if wrong := usage_problem(found):
            raise UnusableKind(f"{self._who} says what a question takes, and {wrong}")
        return found

    @property
    def _who(self) -> str:
        return f"`{self.name}`, which {self.brought_by} brings,"


AnyKind = BuiltInKind | InstalledKind

ADAPTERS: Mapping[str, BuiltInKind] = {
    kind.name: kind
    for kind in (
        BuiltInKind(
            "sql",
            "engine.bundle.documents.tool:SqlAdapter",
            "engine.bundle.link.sql_adapter:link_sql",
            "engine.tool.sql:SqlAdapter",
        ),
        BuiltInKind(
            "python",
            "engine.bundle.documents.tool:PythonAdapter",
            "engine.bundle.link.python_adapter:link_python",
            "engine.tool.python:PythonAdapter",
        ),
        # a person acts: there is nothing to run
        BuiltInKind(
            "handoff", "engine.bundle.documents.tool:HandoffAdapter", "engine.bundle.link.handoff:link_handoff"
        ),
        BuiltInKind(
            "http",
            "engine.bundle.documents.tool:HttpAdapter",
            "engine.bundle.link.http:link_http",
            "engine.tool.http:HttpAdapter",
        ),
        BuiltInKind(
            "mcp",
            "engine.bundle.documents.tool:McpAdapter",
            "engine.bundle.link.command_and_mcp:link_mcp",
            "engine.tool.mcp:McpAdapter",
            extra="mcp",
        ),
        BuiltInKind(
            "command",
            "engine.bundle.documents.tool:CommandAdapter",
            "engine.bundle.link.command_and_mcp:link_command",
            "engine.tool.command:CommandAdapter",
        ),
    )
}

PLANNERS: Mapping[str, BuiltInKind] = {
    kind.name: kind
    for kind in (
        BuiltInKind(
            "rules",
            "engine.bundle.documents.agent:RulesPlanner",
            "engine.bundle.link.planners:link_rules",
            "engine.planner.rules:RulesPlanner",
        ),
        BuiltInKind(
            "scripted",
            "engine.bundle.documents.agent:ScriptedPlanner",
            "engine.bundle.link.planners:link_script",
            "engine.planner.script:ScriptedPlanner",
        ),
        BuiltInKind(
            "client",
            "engine.bundle.documents.agent:ClientPlanner",
            "engine.bundle.link.planners:link_client",
            "engine.planner.client:ClientPlanner",
        ),
        BuiltInKind(
            "openai",
            "engine.bundle.documents.agent:OpenAIPlanner",
            "engine.bundle.link.models:link_model",
            "engine.planner.model:ModelPlanner",
            extra="openai",
        ),
        BuiltInKind(
            "anthropic",
            "engine.bundle.documents.agent:AnthropicPlanner",
            "engine.bundle.link.models:link_model",
            "engine.planner.model:ModelPlanner",
            extra="anthropic",
        ),
    )
}

# what a package raises that foresaw nothing
BROKEN = (Exception, SystemExit, GeneratorExit)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")

ADAPTER_GROUP, PLANNER_GROUP, STORE_GROUP = "engine.adapters", "engine.planners", "engine.stores"


def adapter_kind(name: str) -> AnyKind | None:
    """The kind of adapter that has this name; None if nothing here brings it.  Raises UnusableKind."""
    return ADAPTERS.get(name) or _installed(ADAPTER_GROUP, name, "run")


def planner_kind(name: str) -> AnyKind | None:
    """The kind of planner that has this name; None if nothing here brings it.  Raises UnusableKind."""
    return PLANNERS.get(name) or _installed(PLANNER_GROUP, name, "propose")


def store_opener(scheme: str) -> Callable[..., Any] | None:
    """What opens the stores whose URLs have this scheme; None if no package brings it.  Raises UnusableKind."""
    found = _loaded_entry(STORE_GROUP, scheme)
    return found[1] if found is not None else None


def installed_names(group: str) -> tuple[str, ...]:
    """The names of the kinds that packages bring; nothing of them is loaded."""
    return tuple(sorted({found.name for found in _entries(group)}))


def _entries(group: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


@cache
def _installed(group: str, name: str, acts_by: str) -> InstalledKind | None:
    entry = _loaded_entry(group, name)
    if entry is None:
        return None
    brought_by, found = entry
    if not callable(getattr(getattr(found, "Settings", None), "model_json_schema", None)):
        raise UnusableKind(f"`{name}`, which {brought_by} brings, has no pydantic model `Settings`")
    if not callable(getattr(found, acts_by, None)):
        raise UnusableKind(f"`{name}`, which {brought_by} brings, has no method `{acts_by}`")
    if not _NAME.match(name):
        raise UnusableKind(f"`{name}`, which {brought_by} brings, is no name of letters, digits, `_` and `-`")
    return InstalledKind(name, brought_by, found)


def _loaded_entry(group: str, name: str) -> tuple[str, Any] | None:
    """The package that brings a name, and what it brings."""
    entries = [found for found in _entries(group) if found.name == name]
    if not entries:
        return None
    brought_by = " and ".join(sorted({found.dist.name if found.dist else found.value for found in entries}))
    if len(entries) > 1:
        # which of them would act must not hang on the order that they were installed in
        raise UnusableKind(f"`{name}` is brought by more than one package: {brought_by}")
    try:
        found = entries[0].load()
    except BROKEN as error:
        raise UnusableKind(f"`{name}`, which {brought_by} brings, can't be loaded: {error_line(error)}") from error
    return brought_by, found


def error_line(error: BaseException) -> str:
    """An error of code that is not the engine's, in a line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _loaded(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
