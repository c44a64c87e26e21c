"""Documents whose adapters or planners are of kinds that installed packages bring: their schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from engine.bundle.node import Node
from engine.bundle.schema_files import schema
from engine.ports.kinds import (
    ADAPTER_GROUP,
    ADAPTERS,
    PLANNER_GROUP,
    PLANNERS,
    AnyKind,
    UnusableKind,
    adapter_kind,
    installed_names,
    planner_kind,
)

Found = Callable[[str], AnyKind | None]

# by kind of document: what its kinds are of, where their choice stands in its schema, and how one is found
_PLACES: Mapping[str, tuple[str, tuple[str, ...], Found, str, Mapping[str, Any]]] = {
    "Tool": ("adapter", ("properties", "adapter"), adapter_kind, ADAPTER_GROUP, ADAPTERS),
    "Agent": ("planner", ("properties", "planners", "additionalProperties"), planner_kind, PLANNER_GROUP, PLANNERS),
}


def what_is_of(kind: str, path: tuple[str | int, ...]) -> str | None:
    """`adapter` or `planner` where a document's `kind` at a path is that of one."""
    place = _PLACES.get(kind)
    return place[0] if place is not None and path[:1] in (("adapter",), ("planners",)) else None


def kinds_here(kind: str) -> tuple[str, ...]:
    """The names of the kinds that a document of this kind can use here."""
    _, _, _, group, built_in = _PLACES[kind]
    return (*built_in, *installed_names(group))


def problem_of(kind: str, name: str) -> str:
    """Why a kind that a package brings can't be used; empty if nothing brings it."""
    try:
        _PLACES[kind][2](name)
    except UnusableKind as error:
        return str(error)
    return ""


def names_in(root: Node, kind: str) -> frozenset[str]:
    """The kinds in a document that packages bring."""
    if kind not in _PLACES:
        return frozenset()
    _, _, find, _, built_in = _PLACES[kind]
    return frozenset(name for name in _named(root, kind) if name not in built_in and _is_there(find, name))


def _named(root: Node, kind: str) -> Iterator[str]:
    settings = [root.get("adapter")] if kind == "Tool" else []
    planners = root.get("planners")
    settings += [value for _, _, value in planners.pairs()] if kind == "Agent" and planners is not None else []
    for node in settings:
        name = node.get("kind") if node is not None else None
        if name is not None and isinstance(name.value, str):
            yield name.value


def _is_there(find: Found, name: str) -> bool:
    try:
        return find(name) is not None
    except UnusableKind:
        return False


@cache
def schema_with(kind: str, names: frozenset[str]) -> dict[str, Any]:
    """The schema of a kind of document that also takes the settings of these kinds."""
    if not names:
        return schema(kind)
    _, path, find, _, _ = _PLACES[kind]
    made = deepcopy(schema(kind))
    choice = made
    for part in path:
        choice = choice[part]
    for name in sorted(names):
        found = find(name)
        if found is None:
            continue
        definition = f"kind:{name}"
        made["$defs"] |= _settings(definition, name, found.load_settings().model_json_schema())
        choice["oneOf"].append({"$ref": f"#/$defs/{definition}"})
        choice["discriminator"]["mapping"][name] = f"#/$defs/{definition}"
    return made


def _settings(definition: str, name: str, own: dict[str, Any]) -> dict[str, Any]:
    """The schema of a kind's settings and what it refers to, as definitions of the document's own."""
    parts = {f"{definition}.{part}": _moved(content, definition) for part, content in own.pop("$defs", {}).items()}
    whole = _moved(own, definition)
    properties = {**whole.get("properties", {}), "kind": {"const": name, "type": "string"}}
    required = [*(one for one in whole.get("required", ()) if one != "kind"), "kind"]
    # a key that nobody reads is a mistake that nobody would see
    return {
        **parts,
        definition: {
            **whole,
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "required": required,
        },
    }


def _moved(content: Any, definition: str) -> Any:
    if isinstance(content, dict):
        return {
            key: value.replace("#/$defs/", f"#/$defs/{definition}.", 1)
            if key == "$ref" and isinstance(value, str)
            else _moved(value, definition)
            for key, value in content.items()
        }
    return [_moved(item, definition) for item in content] if isinstance(content, list) else content
