"""What a server of the Model Context Protocol lists and answers, read tool by tool: one bad one costs no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.language.value import NotJson, digest, exact

# the pins of today cover all that a server says of a tool; those of before covered its name and its schemas
PIN, OLD_PIN = "sha256-2-", "sha256-"


@dataclass(frozen=True, slots=True)
class ToolList:
    """A tool as its server lists it, each field exact; `annotations` are hints."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    read_only: bool | None = None
    title: str = ""
    annotations: Mapping[str, Any] | None = None

    @property
    def digest(self) -> str:
        """What a tool is pinned to: all that its server says of it."""
        hints = dict(self.annotations) if self.annotations is not None else None
        told = [self.name, self.title, self.description, hints, dict(self.input_schema), self.output_schema]
        return f"{PIN}{digest(told)[:32]}"

    def is_pinned_to(self, pin: str) -> bool:
        """Whether it is as it was when it was pinned."""
        if pin.startswith(PIN):
            return pin == self.digest
        return pin == f"{OLD_PIN}{digest([self.name, dict(self.input_schema), self.output_schema])[:32]}"

    def differences(self, before: ToolList) -> Iterator[str]:
        """What is otherwise than before, field by field."""
        fields = ("title", "description", "annotations", "input_schema", "output_schema")
        for field in fields:
            yield from _differences(field.removesuffix("_schema"), getattr(before, field), getattr(self, field))


class BadListing(ValueError):
    """A tool that can't be told from what a server lists; the message says why."""


def read_tool(raw: Any) -> ToolList:
    """A tool as a server's listing has it; raises BadListing."""
    if not isinstance(raw, Mapping):
        raise BadListing("it is no object")
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise BadListing("it has no name")
    for key, kind in (("description", str), ("title", str), ("annotations", Mapping), ("outputSchema", Mapping)):
        if raw.get(key) is not None and not isinstance(raw[key], kind):
            raise BadListing(f"`{key}` is no {'text' if kind is str else 'object'}")
    schema = raw.get("inputSchema")
    if not isinstance(schema, Mapping):
        raise BadListing("it has no `inputSchema`")
    hints = _exact("annotations", raw.get("annotations"))
    title = raw.get("title") or (hints or {}).get("title") or ""
    hint = (hints or {}).get("readOnlyHint")
    return ToolList(
        name,
        raw.get("description") or "",
        _exact("inputSchema", {"type": "object", **schema}),
        _exact("outputSchema", raw.get("outputSchema")),
        hint if isinstance(hint, bool) else None,
        title if isinstance(title, str) else "",
        hints,
    )


def _exact(place: str, value: Any) -> Any:
    """A value with exact numbers; raises BadListing with the place of what can't be one."""
    if isinstance(value, Mapping):
        return {_name(place, key): _exact(f"{place}.{key}", item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(f"{place}.{number}", item) for number, item in enumerate(value)]
    try:
        if isinstance(value, str):
            value.encode()
        return exact(value, depth=place.count("."))
    except (NotJson, UnicodeEncodeError) as error:
        said = "it holds half of a surrogate pair" if isinstance(error, UnicodeEncodeError) else str(error)
        raise BadListing(f"{place[:300]}: {said}") from None


def _name(place: str, key: Any) -> str:
    _exact(f"{place} (the name of a field)", key)
    return str(key)


def _differences(place: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _differences(f"{place}.{key}", before.get(key), after.get(key))
    else:
        yield f"{place}: {_value_text(before)} is {_value_text(after)} now"


def _value_text(value: Any) -> str:
    from engine.language.value import one_line

    text = one_line(value) if value is not None else "nothing"
    return text if len(text) <= 200 else f"{text[:200]}..."


def breaks(schema: Any, value: Any) -> bool:
    """Whether a value does not fit what a server itself promises; a schema that can't be used promises nothing."""
    if not isinstance(schema, Mapping):
        return False
    from jsonschema_rs import Draft202012Validator, RegexOptions

    plain = {key: one for key, one in schema.items() if key not in ("$schema", "$id")}
    try:
        checker = Draft202012Validator(plain, pattern_options=RegexOptions(size_limit=1_000_000), offline=True)
        return not checker.is_valid(value)
    except ValueError:
        return False
