"""What the engine writes as YAML: it reads back as itself under the engine's own reader, for every value.

A text is written plainly only where the reader takes it for just that text; every other one stands in quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml

from engine.bundle.yaml_reader import MAX_DEPTH, plain_scalar
from engine.language.value import NotJson, number_text

WIDTH = 110

_STR, _PLAIN = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"


class NotWritable(ValueError):
    """A value that no YAML document of the engine can hold; the message says why."""


def written(value: Any, *, flow: bool | None = None) -> str:
    """A value as a document, its keys in their order; raises NotWritable."""
    _check(value, 0)
    if (
        flow is None
        and isinstance(value, Mapping)
        and not any(isinstance(one, Mapping | list) for one in value.values())
    ):
        # the document itself is never in braces
        flow = False
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=flow
    )
    return text.removesuffix("...\n").rstrip("\n") + "\n"


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotWritable(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise NotWritable("a text holds half of a surrogate pair")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check(key, depth + 1)
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)


class _Dumper(yaml.SafeDumper):
    """Writes scalars as our reader reads them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is written once for several places."""
        return True

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """What a scalar is without a tag: text in quotes, and plainly what was meant."""
        if kind is yaml.ScalarNode:
            return _STR if implicit == (False, True) or _reads_as(value) else _PLAIN
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def text(self, value: str) -> yaml.ScalarNode:
        plain = _reads_as(value) and value == value.strip() and not value.startswith(("- ", "? ", ": "))
        style = None if plain and value.isprintable() else '"'
        if style and "\n" in value and _in_block(value):
            style = "|"
        return self.represent_scalar(_STR, value, style=style)

    def number(self, value: int | Decimal | float) -> yaml.ScalarNode:
        exact = Decimal(repr(value)) if isinstance(value, float) else value
        return self.represent_scalar(_PLAIN, number_text(exact))

    def constant(self, value: bool | None) -> yaml.ScalarNode:
        return self.represent_scalar(_PLAIN, {None: "null", True: "true", False: "false"}[value])

    def mapping(self, value: Mapping[str, Any]) -> yaml.MappingNode:
        return self.represent_mapping("tag:yaml.org,2002:map", list(value.items()))

    def listing(self, value: list[Any]) -> yaml.SequenceNode:
        return self.represent_sequence("tag:yaml.org,2002:seq", value)


def _reads_as(value: str) -> bool:
    """Whether a text that is written plainly is read as that text."""
    try:
        found = plain_scalar(value)
    except NotJson:
        return False
    return isinstance(found, str) and found == value


def _in_block(value: str) -> bool:
    """Whether a text of several lines reads well, and back, as a literal block."""
    lines = value.removesuffix("\n").split("\n")
    whole = all(line.isprintable() and line == line.rstrip() for line in lines)
    return whole and not lines[0].startswith(" ") and bool(lines[0]) and bool(lines[-1])


_WRITERS: dict[type, Any] = {
    str: _Dumper.text,
    bool: _Dumper.constant,
    type(None): _Dumper.constant,
    int: _Dumper.number,
    float: _Dumper.number,
    Decimal: _Dumper.number,
    dict: _Dumper.mapping,
    list: _Dumper.listing,
    tuple: _Dumper.listing,
}
for _kind, _write in _WRITERS.items():
    _Dumper.add_representer(_kind, _write)
