"""Tools' schemas as servers of models take them: in one place, with references that resolve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.language.schema_types import subschemas
from engine.spec.bundle import Tool
from engine.strict_schema import mapped, strict


def plain(schema: Any) -> Any:
    """A schema as JSON that every encoder takes: exact numbers become plain ones, our own keywords are left out."""
    return mapped(schema, lambda inner: {key: inner[key] for key in inner if not key.startswith("x-")})


def object_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with just these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class Shapes:
    """The inputs of tools as parts of one schema: what they define is gathered in `definitions`."""

    def __init__(self, strict: bool, most_text: int | None) -> None:
        self._strict = strict
        self._most_text = most_text
        self.definitions: dict[str, Any] = {}

    def text(self) -> dict[str, Any]:
        """The schema of a message."""
        found: dict[str, Any] = {"type": "string"}
        return found if self._most_text is None else {**found, "maxLength": self._most_text}

    def input(self, tool: Tool) -> dict[str, Any]:
        """The schema of a tool's input, each reference leading to the root's definitions."""
        schema = plain(tool.input_schema)
        if self._most_text is not None:
            schema = _bounded(schema, self._most_text)
        if self._strict:
            schema = strict(schema)
        if not _refers(schema):
            return _without_definitions(schema)
        prefix = tool.name
        for name, inner in schema.get("$defs", {}).items():
            self.definitions[f"{prefix}.{name}"] = _moved(inner, prefix)
        whole = _moved(_without_definitions(schema), prefix)
        self.definitions[prefix] = whole
        return {"$ref": f"#/$defs/{_pointed(prefix)}"}


def _bounded(schema: Any, most: int) -> Any:
    """A schema whose texts are no longer than that: a small model fills whatever room there is."""

    def bounded(inner: dict[str, Any]) -> dict[str, Any]:
        if inner.get("type") == "string" and "enum" not in inner:
            return {**inner, "maxLength": min(inner.get("maxLength", most), most)}
        return inner

    return mapped(schema, bounded)


def _without_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("$defs", "$schema", "$id")}


def _moved(schema: Any, prefix: str) -> Any:
    """A schema whose local references lead to what the root has of it under a prefix."""

    def moved(inner: dict[str, Any]) -> dict[str, Any]:
        ref = inner.get("$ref")
        if not isinstance(ref, str):
            return inner
        own = "#/$defs/"
        if ref.startswith(own):
            return {**inner, "$ref": f"{own}{_pointed(prefix)}.{ref.removeprefix(own)}"}
        return {**inner, "$ref": f"{own}{_pointed(prefix)}{ref.removeprefix('#')}"}

    return mapped(schema, moved)


def _refers(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return False
    return "$ref" in schema or any(_refers(inner) for _, inner in subschemas(schema))


def _pointed(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
