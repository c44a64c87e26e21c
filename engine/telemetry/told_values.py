"""The few values of calls that traces hold: those of fields whose schema says `x-telemetry: true`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from engine.diagnostic.visible import line as visible
from engine.session.sealed_tokens import shown
from engine.session.sensitivity import is_marked

MARK = "x-telemetry"
# of a text no more is told
LONGEST = 200


def told_values(side: str, value: Any, schema: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """The attributes of the marked fields of an input or output: texts, numbers and booleans at its top.

    What is sensitive is told by no mark, and what is sealed is no value that anybody may read.
    """
    properties = (schema or {}).get("properties")
    if not isinstance(value, Mapping) or not isinstance(properties, Mapping):
        return
    for name, of in properties.items():
        if not isinstance(of, Mapping) or of.get(MARK) is not True or is_marked(of):
            continue
        one = value.get(name)
        plain = float(one) if isinstance(one, Decimal) else one
        if isinstance(plain, str | int | float) and shown(plain) == plain:
            yield f"steadyhand.{side}.{name}", visible(plain)[:LONGEST] if isinstance(plain, str) else plain
