"""What a request offers beside its turns, tools or the form of a decision, and how much of a prompt that is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.planner.answer_format import JSON_SCHEMA, AnswerForm
from engine.planner.turns import tokens

# the tool of the Messages API whose input is the decision, where a decision is asked for by its schema
DECIDE = "decide"


def to_completions(asked: AnswerForm) -> dict[str, Any]:
    """As a server of Chat Completions takes it."""
    if asked.mode == JSON_SCHEMA:
        shape = {"name": "decision", "schema": asked.schema(), "strict": asked.strict}
        return {"response_format": {"type": "json_schema", "json_schema": shape}}
    functions = [
        {"type": "function", "function": {"name": name, "description": text, "parameters": schema}}
        for name, text, schema in asked.functions()
    ]
    return {"tools": functions}


def to_messages(asked: AnswerForm) -> dict[str, Any]:
    """As a server of the Messages API takes it."""
    if asked.mode == JSON_SCHEMA:
        tool = {"name": DECIDE, "description": "Say what you decide.", "input_schema": asked.schema(one_form=True)}
        return {"tools": [tool], "tool_choice": {"type": "tool", "name": DECIDE}}
    tools = [{"name": name, "description": text, "input_schema": schema} for name, text, schema in asked.functions()]
    return {"tools": tools}


OFFERED = {"openai": to_completions, "anthropic": to_messages}


def overhead_tokens(kind: str, asked: AnswerForm, extra_body: Mapping[str, Any]) -> int:
    """About how many tokens a request of a kind has beside its turns: a server reads all of them with each question."""
    return as_sent({**OFFERED[kind](asked), **extra_body})


def as_sent(value: Any) -> int:
    """About how many tokens a value has as JSON."""
    return tokens(json.dumps(value, ensure_ascii=False))
