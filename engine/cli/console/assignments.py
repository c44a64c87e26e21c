"""`FIELD=VALUE` arguments, read as the field's schema means them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from engine.diagnostic import did_you_mean
from engine.language.value import NotJson, loads


def assignments(given: Iterable[str], schema: Mapping[str, Any], option: str) -> dict[str, Any]:
    """The fields that `FIELD=VALUE` arguments set; raises click.UsageError."""
    properties = schema.get("properties", {})
    found: dict[str, Any] = {}
    for argument in given:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} takes FIELD=VALUE, and not `{argument}`")
        if properties and name not in properties and schema.get("additionalProperties") is False:
            hint = did_you_mean(name, properties) or f"known: {', '.join(properties)}"
            raise click.UsageError(f"{option} {name}: there is no such field; {hint}")
        found[name] = typed(text, properties.get(name, {}))
    return found


def typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A text as the value that its schema means: text stays text where it may, else it is read as JSON."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds or isinstance(schema.get("const"), str):
        return text
    if any(isinstance(choice, str) and choice == text for choice in schema.get("enum", ())):
        return text
    try:
        return loads(text)
    except NotJson:
        return text
