"""Words in a schema that no schema has, so that nothing is checked, and what they probably mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.bundle.link.validators import FORMATS
from engine.diagnostic import nearest
from engine.language.schema_types import subschemas

Path = tuple[str | int, ...]

_KEYWORD_HELP: Mapping[str, str] = {
    **dict.fromkeys(("min", "gte", "ge", "atleast", "min_value", "minvalue"), "write `minimum`"),
    **dict.fromkeys(("max", "lte", "le", "atmost", "max_value", "maxvalue"), "write `maximum`"),
    **dict.fromkeys(("gt",), "write `exclusiveMinimum`"),
    **dict.fromkeys(("lt",), "write `exclusiveMaximum`"),
    **dict.fromkeys(("values", "options", "choices", "allowed", "one_of", "among"), "write `enum`"),
    **dict.fromkeys(("regex", "regexp", "match", "matches"), "write `pattern`"),
    **dict.fromkeys(("length", "size"), "write `minLength` and `maxLength`, or `minItems` and `maxItems`"),
    **dict.fromkeys(("optional", "mandatory"), "what is required is listed under `required`, beside `properties`"),
    **dict.fromkeys(("fields", "attributes"), "write `properties`"),
    **dict.fromkeys(("of", "elements", "item_type"), "write `items`"),
    **dict.fromkeys(("unit", "units", "currency"), "write `x-unit`"),
    **dict.fromkeys(("sensitive", "secret", "pii", "private"), "write `x-sensitive: true`"),
    **dict.fromkeys(("value", "equals"), "write `const`"),
}

# what OpenAPI has beside the keywords: they tell readers something, and never were checks
_TELLING = frozenset({"discriminator", "xml", "externalDocs"})
_WIDTHS = frozenset({"int32", "int64", "float", "double", "byte", "binary", "password"})
_STROKES = re.compile(r"/(.*)/[a-z]*\Z", re.DOTALL)


def foreign_keywords(schema: Any, known: Callable[[str], bool], path: Path = ()) -> Iterator[tuple[Path, str, str]]:
    """Each with its place, what is wrong, and what to do; `known` ones have a meaning, or are told elsewhere."""
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        if key == "format" and isinstance(value, str) and value not in _WIDTHS and nearest(value, FORMATS) is None:
            message = f"no format is called `{value}`, so that nothing is checked"
            yield (*path, key), message, "write a `pattern`, or remove it"
        elif key == "pattern" and isinstance(value, str) and (strokes := _STROKES.match(value)):
            message = "the strokes around this pattern are part of it"
            yield (*path, key), message, f"write `{strokes[1]}`"
        elif not key.startswith("x-") and key not in _TELLING and not known(key):
            message = f"`{key}` is no keyword of a schema, so that nothing is checked"
            yield (
                (*path, key),
                message,
                _KEYWORD_HELP.get(key.lower().replace("-", "_"), "remove it, or call it `x-...`"),
            )
    for below, inner in subschemas(schema):
        yield from foreign_keywords(inner, known, (*path, *below))
