"""What is wrong with a value under a schema, in words that hold nothing of the value.

A line has the path, what is asked for, and the keyword that asks: `amount_usd: must be at most 500 (maximum)`.
Only names that the schema itself speaks of are shown in a path; any other key is data, and `*` stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.value import NotJson, canonical, exact, number_text

LONGEST = 300

# whether nothing may be told of the value at a path
Hides = Callable[[Sequence[str | int]], bool]

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "null",
}


def misfit_text(error: Any, *, named: Set[str], plainly: bool = False, hides: Hides = lambda path: False) -> str:
    """One complaint of the checker; `names` are the names that may be shown, `plainly` leaves out path and keyword.

    Of a value at a path that `hides` only the keyword is told: what is asked for would tell it apart from others.
    """
    hidden = hides(error.instance_path)
    if error.kind.name in ("anyOf", "oneOf") and not hidden:
        nearest = _nearest(error)
        if nearest is not None:
            return misfit_text(nearest, named=named, plainly=plainly, hides=hides)
    words = _other if hidden else _WORDS.get(error.kind.name, _other)
    said = words(error.kind.as_dict(), named)
    if plainly:
        return said[:LONGEST]
    where = ".".join(str(part) if isinstance(part, int) or part in named else "*" for part in error.instance_path)
    keyword = next((str(part) for part in reversed(error.schema_path) if isinstance(part, str)), error.kind.name)
    keyword = error.kind.name if keyword in named else keyword
    line = f"{said} (`{keyword}`)"
    return (f"{where}: {line}" if where else line)[:LONGEST]


def _nearest(error: Any) -> Any:
    """The complaint of the one alternative that was meant: whose type the value has, if that is just one."""
    branches: list[list[Any]] = error.kind.as_dict()["context"]
    here = len(error.instance_path)
    meant = [
        branch
        for branch in branches
        if branch
        and not any(
            one.kind.name in ("type", "constant", "const", "enum") and len(one.instance_path) <= here for one in branch
        )
    ]
    if len(branches) == 1 and branches[0]:
        return branches[0][0]
    return meant[0][0] if len(meant) == 1 else None


def _value(value: Any) -> str:
    """A value of the schema; of numbers the checker tells some as floats."""
    try:
        value = exact(value)
    except NotJson:
        return "what the schema says"
    return number_text(value) if is_number(value) else canonical(value)


def _listed(values: Iterable[Any]) -> str:
    shown = [f"`{value}`" if isinstance(value, str) else _value(value) for value in values]
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")


def _bound(words: str) -> Callable[[Mapping[str, Any], Set[str]], str]:
    return lambda said, named: words.format(_value(said["limit"]))


def _type(said: Mapping[str, Any], named: Set[str]) -> str:
    return "must be " + " or ".join(_TYPES.get(name, name) for name in said["types"])


def _unknown(said: Mapping[str, Any], named: Set[str]) -> str:
    count = len(said["unexpected"])
    what = "a field" if count == 1 else f"{count} fields"
    known = f"; it names {_listed(sorted(named))}" if named else ""
    return f"has {what} that the schema does not name{known}"


def _required(said: Mapping[str, Any], named: Set[str]) -> str:
    return f"`{said['property']}` is missing"


def _names(said: Mapping[str, Any], named: Set[str]) -> str:
    return "has a field whose name does not fit"


def _other(said: Mapping[str, Any], named: Set[str]) -> str:
    return "does not fit"


_WORDS: Mapping[str, Callable[[Mapping[str, Any], Set[str]], str]] = {
    "type": _type,
    "enum": lambda said, named: f"must be one of {_listed(said['options'])}",
    "const": lambda said, named: f"must be {_listed([said['expected_value']])}",
    "required": _required,
    "additionalProperties": _unknown,
    "unevaluatedProperties": _unknown,
    "additionalItems": lambda said, named: "has more entries than the schema names",
    "unevaluatedItems": lambda said, named: "has entries that the schema does not name",
    "falseSchema": lambda said, named: "must not be there",
    "propertyNames": _names,
    "pattern": lambda said, named: f"must match `{said['pattern']}`",
    "format": lambda said, named: f"must have the form `{said['format']}`",
    "minimum": _bound("must be at least {}"),
    "maximum": _bound("must be at most {}"),
    "exclusiveMinimum": _bound("must be more than {}"),
    "exclusiveMaximum": _bound("must be less than {}"),
    "multipleOf": lambda said, named: f"must be a multiple of {_value(said['multiple_of'])}",
    "minLength": _bound("must have at least {} characters"),
    "maxLength": _bound("must have at most {} characters"),
    "minItems": _bound("must have at least {} entries"),
    "maxItems": _bound("must have at most {} entries"),
    "minProperties": _bound("must have at least {} fields"),
    "maxProperties": _bound("must have at most {} fields"),
    "uniqueItems": lambda said, named: "must not have an entry twice",
    "contains": lambda said, named: "has too few or too many entries of the asked kind",
    "anyOf": lambda said, named: "fits none of the alternatives",
    "oneOf": lambda said, named: "must fit exactly one of the alternatives",
    "not": lambda said, named: "is what must not be",
}
