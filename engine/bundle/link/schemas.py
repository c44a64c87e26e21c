"""JSON Schemas of users, checked at load: what keeps one from being used, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.bundle.checks import e208_schema, w614_value_never_fits, w619_idle_keyword
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.circles import circles
from engine.bundle.link.foreign_keywords import foreign_keywords
from engine.bundle.link.idle_keywords import idle_keywords
from engine.bundle.link.misfits import misfit_text
from engine.bundle.link.patterns import pattern_problem
from engine.bundle.link.validators import DIALECT, FORMATS, checker
from engine.bundle.node import Node
from engine.diagnostic import did_you_mean, nearest
from engine.language.schema_types import resolve_reference, subschemas
from engine.session.sensitivity import astray, unreached

Path = tuple[str | int, ...]

# the keywords of draft 2020-12; anything else in a schema says nothing, unless it begins with `x-`
KEYWORDS = frozenset(
    {
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
        "items",
        "prefixItems",
        "contains",
        "minContains",
        "maxContains",
        "minItems",
        "maxItems",
        "uniqueItems",
        "unevaluatedItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "$ref",
        "$dynamicRef",
        "$defs",
        "$schema",
        "$id",
        "$anchor",
        "$dynamicAnchor",
        "$comment",
        "$vocabulary",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
    }
)

# the engine's own keywords, and what they take
OWN = {
    "x-sensitive": (bool, "true or false"),
    "x-telemetry": (bool, "true or false"),
    "x-unit": (str, "a text, such as USD"),
}

TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_TYPES = {
    **dict.fromkeys(("str", "text", "varchar", "char", "uuid", "email"), "write `string`"),
    **dict.fromkeys(("int", "int32", "int64", "long", "bigint"), "write `integer`"),
    **dict.fromkeys(("float", "double", "decimal", "numeric", "money"), "write `number`"),
    **dict.fromkeys(("bool",), "write `boolean`"),
    **dict.fromkeys(("list", "tuple", "set"), "write `array`"),
    **dict.fromkeys(("dict", "map", "record", "struct", "json"), "write `object`"),
    **dict.fromkeys(("none", "nil", "void"), "write `'null'`"),
    **dict.fromkeys(("date",), "write `string` and `format: date`"),
    **dict.fromkeys(("datetime", "timestamp", "date-time"), "write `string` and `format: date-time`"),
    **dict.fromkeys(("any", "unknown"), "leave `type` out"),
}

# what older dialects said otherwise, and what says it now
_OLDER = {
    "definitions": "`$defs`",
    "dependencies": "`dependentRequired` or `dependentSchemas`",
    "additionalItems": "`items` beside `prefixItems`",
    "id": "`$id`",
    "$recursiveRef": "`$dynamicRef`",
    "$recursiveAnchor": "`$dynamicAnchor`",
    "nullable": "`type: [..., 'null']`",
    "example": "`examples`",
}


def schema(
    documents: DocumentSet, node: Node | None, *, about_object: bool = True
) -> tuple[dict[str, Any] | None, bool]:
    """A user's schema and whether it is usable; what is wrong with it is said."""
    if node is None:
        return None, True
    plain: dict[str, Any] = node.plain
    broken = no_schema(plain)
    if broken is not None:
        documents.say(e208_schema.at(node.at(*broken[0]), broken[1]))
        return None, False
    problems = _problems(plain, about_object)
    for path, problem in problems:
        documents.say(e208_schema.at(node.at(*path), problem))
    if astray(plain):
        told = "marks something `x-sensitive`, and refers by another way than `#/...` to a schema within it"
        documents.say(e208_schema.on_entry(node, told))
    for path, problem in (*_marks(plain), *_stricter(plain, ()), *circles(plain)):
        documents.say(e208_schema.on_entry(node.at(*path), problem))
    for path, problem, help_ in () if problems else (*idle_keywords(plain), *foreign_keywords(plain, _is_told)):
        documents.say(w619_idle_keyword.at(_key(node, path).place, problem, help_))
    for path, value in _never_fitting(plain, ()):
        documents.say(w614_value_never_fits.at(node.at(*path).place, value))
    return (None, False) if problems else (plain, True)


def usable(plain: Any) -> bool:
    """Whether a schema about an object can be used: of one that can't nothing follows."""
    return no_schema(plain) is None and not _problems(plain, about_object=True)


def _problems(plain: Any, about_object: bool) -> list[tuple[Path, str]]:
    """What keeps a schema that is one from being used, each with its path."""
    problems = list(_references(plain, plain, ()))
    if about_object and not (isinstance(plain, Mapping) and plain.get("type") == "object"):
        problems.append(((), "it must have `type: object`"))
    return problems


def _key(node: Node, path: Path) -> Node:
    """The key at the end of a path, or the entry of a list."""
    owner, last = node.at(*path[:-1]), path[-1]
    return (owner.key(last) if isinstance(last, str) else None) or node.at(*path)


def no_schema(plain: Any) -> tuple[Path, str] | None:
    """What keeps it from being a schema, with its place, or None."""
    # a dialect that the schema names itself would be fetched
    from jsonschema_rs import ValidationError, meta

    try:
        meta.validate({**plain, "$schema": DIALECT} if isinstance(plain, dict) else plain)
    except ValidationError as error:
        return tuple(error.instance_path), _of_metaschema(plain, error)
    except ValueError as error:
        return (), str(error)
    return None


def _of_metaschema(plain: Any, error: Any) -> str:
    at: Any = plain
    for part in error.instance_path:
        at = at[part]
    older = _draft_07(error.instance_path, at)
    if older:
        return older
    if error.instance_path and error.instance_path[-1] == "type" and isinstance(at, str):
        return f"`{at}` is no type: {_TYPES.get(at.lower(), did_you_mean(at, TYPES))}"
    if error.instance_path and error.instance_path[-1] == "type" and isinstance(at, list) and None in at:
        return "the type of nothing is a word in quotes: write `'null'`"
    if at in TYPES:
        return f"a schema is a map: write `{{type: {at}}}`"
    return (
        f"`{at}` {misfit_text(error, named=KEYWORDS, plainly=True)}"
        if _short(at)
        else misfit_text(error, named=KEYWORDS)
    )


def _draft_07(path: list[str | int], at: Any) -> str:
    """What an older dialect meant by a value that today's has no meaning for."""
    keyword = path[-1] if path else ""
    if keyword == "items" and isinstance(at, list):
        return "a list of schemas, one for each place, is written `prefixItems`"
    if keyword in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(at, bool):
        return f"`{keyword}` is the bound itself, a number"
    if keyword == "required" and isinstance(at, bool):
        return "`required` is a list of names, beside `properties`"
    return ""


def _short(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= 40


def _marks(plain: Any) -> Iterator[tuple[Path, str]]:
    if unreached(plain):
        where = "properties, items, additionalProperties, $defs and what combines them"
        yield (), f"`x-sensitive` can stand under {where} only"


def _references(schema: Any, root: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """References that the metaschema lets through and a check would stumble over."""
    if not isinstance(schema, Mapping):
        return
    for key in ("$ref", "$dynamicRef"):
        value = schema.get(key)
        if isinstance(value, str) and not value.startswith("#"):
            yield (*path, key), f"`{value}` refers to something outside of it"
        elif isinstance(value, str) and resolve_reference(root, value) is None:
            yield (*path, key), f"`{value}` refers to nothing"
    for below, inner in subschemas(schema):
        yield from _references(inner, root, (*path, *below))


def _stricter(schema: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """What a bundle may not enter with: patterns beyond linear time, keywords and formats that say nothing."""
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            problem = pattern_problem(value)
            if problem:
                yield (*path, key), problem
        elif key == "patternProperties" and isinstance(value, Mapping):
            yield from (((*path, key, name), problem) for name in value if (problem := pattern_problem(name)))
        elif key == "format" and isinstance(value, str) and value not in FORMATS:
            near = nearest(value, FORMATS)
            if near is not None:
                yield (*path, key), f"`{value}` is no format, so that nothing would be checked: did you mean `{near}`?"
        elif key in OWN:
            kind, takes = OWN[key]
            if not isinstance(value, kind):
                yield (*path, key), f"`{key}` takes {takes}, and nothing else"
        elif key not in KEYWORDS:
            yield from _no_keyword(key, path)
    for below, inner in subschemas(schema):
        yield from _stricter(inner, (*path, *below))


def _is_told(key: str) -> bool:
    """Whether a key has a meaning in a schema, or is complained of as one that has none."""
    return key in KEYWORDS or any(_no_keyword(key, ()))


def _no_keyword(key: str, path: Path) -> Iterator[tuple[Path, str]]:
    if key in _OLDER:
        yield (*path, key), f"`{key}` says nothing in this dialect (2020-12): write {_OLDER[key]}"
    else:
        own = nearest(key.lower().replace("_", "-"), OWN)
        near = own if own is not None or key.startswith("x-") else nearest(key, KEYWORDS)
        if near is not None:
            yield (*path, key), f"`{key}` is no keyword, so that nothing would be checked: did you mean `{near}`?"


def _never_fitting(schema: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Values that are never let through: of `enum` and `const` by the `type` beside them, examples by the whole."""
    if not isinstance(schema, Mapping):
        return
    yield from (((*path, *at), value) for at, value in _shown(schema))
    if "type" in schema:
        fits = checker({"type": schema["type"]}).is_valid
        listed: list[tuple[Path, Any]] = [(("enum", n), value) for n, value in enumerate(schema.get("enum", ()))]
        listed += [(("const",), schema["const"])] if "const" in schema else []
        yield from (((*path, *at), value) for at, value in listed if not fits(value))
    for below, inner in subschemas(schema):
        yield from _never_fitting(inner, (*path, *below))


def _shown(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """A default and examples that do not fit what they are of; what refers to elsewhere is not looked into."""
    examples = schema.get("examples")
    listed: list[tuple[Path, Any]] = [(("default",), schema["default"])] if "default" in schema else []
    listed += [(("examples", n), one) for n, one in enumerate(examples)] if isinstance(examples, list) else []
    if not listed or not {"$ref", "$dynamicRef"}.isdisjoint(_keywords(schema)):
        return
    try:
        fits = checker(schema).is_valid
        yield from [(at, value) for at, value in listed if not fits(value)]
    except ValueError:
        # a pattern that no engine matches in bounded time is told where it stands
        return


def _keywords(schema: Any) -> set[str]:
    """All keywords of a schema and of those within it."""
    found, left = set[str](), [schema]
    while left:
        here = left.pop()
        if isinstance(here, Mapping):
            found |= here.keys()
            left += [inner for _, inner in subschemas(here)]
    return found
