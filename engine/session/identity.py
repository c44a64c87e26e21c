"""What a call is known by: its digest, its idempotency key, and the scope that key is unique in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.value import NotJson, canonical, canonical_of_exact, digest
from engine.session.expression_names import key_names
from engine.session.state.state import State
from engine.spec.bundle import Tool


def call_digest(tool: Tool | None, name: str, input_: Mapping[str, Any]) -> str:
    """What an approval is bound to: the call and the tool's schema."""
    return digest({"tool": name, "input": input_, "schema": tool.digest if tool else None})


def call_key(state: State, tool: Tool, input_: Mapping[str, Any]) -> tuple[str | None, str]:
    """The idempotency key of a call in canonical form, or why it has none."""
    if tool.idempotency is None or not tool.idempotency.key:
        return None, ""
    names = key_names(state, input_)
    try:
        return canonical([expression.value(names) for expression in tool.idempotency.key]), ""
    except (EvaluationError, NotJson):
        return None, "its idempotency key has no value for this input"


def key_scope(state: State, tool: Tool) -> str:
    """Tenant, tool and connection: keys of different scopes never meet."""
    return canonical_of_exact([state.attributes.get("tenant"), tool.name, tool.connection])
