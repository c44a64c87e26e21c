"""The fields of a form that answers a question, made from the schema that the answer has to fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.language.value import NotJson, loads
from engine.web.problems import HttpProblem

PREFIX = "field."
_PLAIN = ("string", "number", "integer", "boolean")


@dataclass(frozen=True, slots=True)
class FormField:
    """A field: its name, what is said of it, its kind, and the values to choose among, if they are listed."""

    name: str
    told: str
    kind: str
    choices: tuple[str, ...]
    required: bool
    longest: int

    @property
    def input_name(self) -> str:
        """What it is called in the form."""
        return PREFIX + self.name


def fields_of(schema: Any) -> tuple[FormField, ...] | None:
    """The fields of an answer; None for a schema that no form can be made of."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return None
    found = []
    for name, of in (schema.get("properties") or {}).items():
        if not isinstance(of, Mapping) or of.get("type") not in _PLAIN:
            return None
        choices = tuple(map(str, of.get("enum") or ())) or (("true", "false") if of["type"] == "boolean" else ())
        told = str(of.get("description") or name.replace("_", " "))
        required = name in (schema.get("required") or ())
        found.append(FormField(name, told, of["type"], choices, required, int(of.get("maxLength") or 10_000)))
    return tuple(found) or None


def value_of(fields: tuple[FormField, ...], form: Mapping[str, str]) -> dict[str, Any]:
    """The answer that a form gives; raises HttpProblem for a number that is none.

    Whether it fits its schema is not said here: it is judged as any answer is.
    """
    found: dict[str, Any] = {}
    for field in fields:
        text = form.get(field.input_name, "")
        if text or (field.required and field.kind == "string"):
            found[field.name] = text if field.kind == "string" else _plain(field, text)
    return found


def _plain(field: FormField, text: str) -> Any:
    try:
        value = loads(text.strip())
    except (NotJson, ValueError):
        value = None
    if not isinstance(value, bool) if field.kind == "boolean" else isinstance(value, bool | str | None | list | dict):
        raise HttpProblem(422, "invalid", f"{field.told}: {text} is no {field.kind}")
    return value
