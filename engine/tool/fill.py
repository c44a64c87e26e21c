"""Templates of a tool's settings, filled with the values of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import trio

from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.value import NotJson, canonical, jsonable, loads, number_text
from engine.ports.external_work import outside
from engine.ports.tool import ToolError
from engine.spec.secret_refs import filled

# larger ones are read in a thread
LARGE = 50_000


async def parsed(raw: bytes) -> Any:
    """JSON that a peer has sent; raises NotJson."""
    try:
        with outside():
            if len(raw) < LARGE:
                return loads(raw)
            # a thread is left alone when the time is over
            return await trio.to_thread.run_sync(loads, raw, abandon_on_cancel=True)
    except UnicodeDecodeError as error:
        raise NotJson(f"it is not UTF-8: {error}") from None


def text(template: Template, names: Mapping[str, Any], encode: Callable[[str], str] = str) -> str:
    """The text of a template, each value encoded for where it stands; raises ToolError."""
    return "".join(part if isinstance(part, str) else encode(_plain(_value(part, names))) for part in template.parts)


def value(template: Template, names: Mapping[str, Any], reveal: Callable[[str], str]) -> Any:
    """The value of a template: one expression alone keeps its type; secrets are only in the author's own text."""
    parts = [part for part in template.parts if not isinstance(part, str) or part.strip()]
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return jsonable(_value(parts[0], names))
    return secret_text(template, names, reveal)


def secret_text(template: Template, names: Mapping[str, Any], reveal: Callable[[str], str]) -> str:
    """The text of a template with secrets: what a value holds is never taken for a reference."""
    return "".join(
        filled(part, reveal) if isinstance(part, str) else _plain(_value(part, names)) for part in template.parts
    )


def _value(expression: Expression, names: Mapping[str, Any]) -> Any:
    try:
        return expression.value(names)
    except EvaluationError as error:
        raise ToolError("template_error", f"`{expression.text}` has no value: {error}", acted=False) from None


def _plain(found: Any) -> str:
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    plain = jsonable(found)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, str):
        return plain
    return canonical(plain) if isinstance(plain, list | dict) else number_text(plain)
