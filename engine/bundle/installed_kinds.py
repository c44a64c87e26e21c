"""Documents whose adapters or planners are of kinds that installed packages bring: their schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from engine.bundle.node import Node
from engine.bundle.schema_files import schema
from engine.ports.kinds import (
    ADAPTER_GROUP,
    ADAPTERS,
    BROKEN,
    PLANNER_GROUP,
    PLANNERS,
    AnyKind,
    InstalledKind,
    UnusableKind,
    adapter_kind,
    error_line,
    installed_names,
    planner_kind,
)


@dataclass(frozen=True, slots=True)
class KindPlace:
    """What kinds in a document are of, where its schema has their choice, how one is found, which are built in."""

    what: str
    path: tuple[str, ...]
    find: Callable[[str], AnyKind | None]
    group: str
    built_in: Mapping[str, Any]


_PLACES: Mapping[str, KindPlace] = {
    "Tool": KindPlace("adapter", ("properties", "adapter"), adapter_kind, ADAPTER_GROUP, ADAPTERS),
    "Agent": KindPlace(
        "planner", ("properties", "planners", "additionalProperties"), planner_kind, PLANNER_GROUP, PLANNERS
    ),
}


def what_is_of(kind: str, path: tuple[str | int, ...]) -> str | None:
    """`adapter` or `planner` where a document's `kind` at a path is that of one."""
    place = _PLACES.get(kind)
    there = path == ("adapter",) or (path[:1] == ("planners",) and len(path) == 2)
    return place.what if place is not None and there else None


def kinds_here(kind: str) -> tuple[str, ...]:
    """The names of the kinds that a document of this kind can use here."""
    return (*_PLACES[kind].built_in, *installed_names(_PLACES[kind].group))


def problem_of(kind: str, name: str) -> str:
    """Why a kind that a package brings can't be used; empty if nothing brings it."""
    try:
        _definitions(kind, name)
    except UnusableKind as error:
        return str(error)
    return ""


def names_in(root: Node, kind: str) -> frozenset[str]:
    """The kinds in a document that packages bring, and that can be used."""
    if kind not in _PLACES:
        return frozenset()
    built_in = _PLACES[kind].built_in
    return frozenset(name for name in _named(root, kind) if name not in built_in and _is_there(kind, name))


def _named(root: Node, kind: str) -> Iterator[str]:
    settings = [root.get("adapter")] if kind == "Tool" else []
    planners = root.get("planners")
    settings += [value for _, _, value in planners.pairs()] if kind == "Agent" and planners is not None else []
    for node in settings:
        name = node.get("kind") if node is not None else None
        if name is not None and isinstance(name.value, str):
            yield name.value


def _is_there(kind: str, name: str) -> bool:
    try:
        return _definitions(kind, name) is not None
    except UnusableKind:
        return False


@cache
def schema_with(kind: str, names: frozenset[str]) -> dict[str, Any]:
    """The schema of a kind of document that also takes the settings of these kinds."""
    if not names:
        return schema(kind)
    made = deepcopy(schema(kind))
    choice = made
    for part in _PLACES[kind].path:
        choice = choice[part]
    for name in sorted(names):
        definitions = _definitions(kind, name)
        if definitions is not None:
            made["$defs"] |= definitions
            choice["oneOf"].append({"$ref": f"#/$defs/{_PREFIX}{name}"})
            choice["discriminator"]["mapping"][name] = f"#/$defs/{_PREFIX}{name}"
    return made


_PREFIX = "kind:"
_MODEL = "they must be a model with fields"


@cache
def _definitions(kind: str, name: str) -> dict[str, Any] | None:
    """What a document's schema has to define for a kind; None if nothing brings it.  Raises UnusableKind."""
    found = _PLACES[kind].find(name)
    if not isinstance(found, InstalledKind):
        return None
    try:
        definitions = _settings(f"{_PREFIX}{name}", name, found.load_settings().model_json_schema())
        # a reference that leads out of it would be fetched, and a pattern that is none be found at every document
        wrong = next(iter(_foreign(definitions)), "") or _broken(definitions, name)
    except UnusableKind as error:
        wrong = str(error)
    except BROKEN as error:
        wrong = error_line(error)
    if wrong:
        raise UnusableKind(f"`{name}`, which {found.brought_by} brings, has settings that can't be used: {wrong}")
    return definitions


def _broken(definitions: dict[str, Any], name: str) -> str:
    """Why a schema can't be held against anything, if it can't."""
    from jsonschema import Draft202012Validator
    from jsonschema_rs import Draft202012Validator as LinearValidator

    whole = {"$defs": definitions, "$ref": f"#/$defs/{_PREFIX}{name}"}
    Draft202012Validator.check_schema(whole)
    LinearValidator(whole)
    return ""


def _foreign(content: Any) -> Iterator[str]:
    """References that lead out of the schema."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str) and not value.startswith("#/$defs/"):
                yield f"`{key}: {value}` leads out of them"
            yield from _foreign(value)
    elif isinstance(content, list):
        for item in content:
            yield from _foreign(item)


def _settings(definition: str, name: str, own: dict[str, Any]) -> dict[str, Any]:
    """The schema of a kind's settings and what it refers to, as definitions of the document's own."""
    inner = own.get("$defs", {})
    root = own.get("$ref", "").removeprefix("#/$defs/")
    # of a model that refers to itself, the schema is a reference to one of its parts
    top = inner[root] if root in inner else {key: value for key, value in own.items() if key != "$defs"}
    if top.get("type") != "object" or "kind" in top.get("properties", {}):
        raise UnusableKind(f"{_MODEL}, none of which is called `kind`")
    parts = {f"{definition}.{part}": _closed(_moved(content, definition)) for part, content in inner.items()}
    whole = _closed(_moved(top, definition))
    properties = {**whole.get("properties", {}), "kind": {"const": name, "type": "string"}}
    return {**parts, definition: {**whole, "properties": properties, "required": [*whole.get("required", ()), "kind"]}}


def _closed(content: Any) -> Any:
    """With no further keys in any map with fields, unless it says that it takes them: nobody would see a mistake."""
    if isinstance(content, list):
        return [_closed(item) for item in content]
    if not isinstance(content, dict):
        return content
    inner = {key: _closed(value) for key, value in content.items()}
    return {"additionalProperties": False, **inner} if isinstance(content.get("properties"), dict) else inner


def _moved(content: Any, definition: str) -> Any:
    """With references to its own parts by their new names, in discriminators too."""
    if isinstance(content, dict):
        return {key: _moved(value, definition) for key, value in content.items()}
    if isinstance(content, list):
        return [_moved(item, definition) for item in content]
    if isinstance(content, str) and content.startswith("#/$defs/"):
        return content.replace("#/$defs/", f"#/$defs/{definition}.", 1)
    return content
