"""The JSON Schemas of everything that crosses the border, generated from the models."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from engine.bundle.documents.agent import Agent
from engine.bundle.documents.fixture import Fixture
from engine.bundle.documents.policy import Policy, Reviewers, Vocabulary
from engine.bundle.documents.prices import Prices
from engine.bundle.documents.server import Server
from engine.bundle.documents.service import Access, Notification, Schedule, Service, Webhook
from engine.bundle.documents.tool import Database, Tool
from engine.session.wire_models import Decision, Event, ToolCall, ToolOutcome, ToolResult, Verdict

DOCUMENTS: tuple[type[BaseModel], ...] = (
    Agent,
    Tool,
    Database,
    Server,
    Prices,
    Policy,
    Vocabulary,
    Reviewers,
    Fixture,
    Service,
    Access,
    Webhook,
    Notification,
    Schedule,
)
CONTRACT: dict[str, type[BaseModel]] = {
    "decision": Decision,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
    "outcome": ToolOutcome,
    "event": Event,
    "verdict": Verdict,
}


def schemas() -> dict[str, str]:
    """Every schema as JSON text, by its file name."""
    models = {model.__name__.lower(): model for model in DOCUMENTS} | CONTRACT
    return {f"{name}.schema.json": _text(model) for name, model in sorted(models.items())}


def _text(model: type[BaseModel]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": model.__name__,
        **_tidy(model.model_json_schema(by_alias=True)),
    }
    return json.dumps(schema, indent=2) + "\n"


def _tidy(schema: Any) -> Any:
    """Without the titles that pydantic makes of field names, and without null for what may be left out."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    alternatives = tidy.get("anyOf")
    if isinstance(alternatives, list) and tidy.get("default", 0) is None:
        rest = [a for a in alternatives if a != {"type": "null"}]
        if len(rest) == 1 and len(rest) < len(alternatives):
            del tidy["anyOf"], tidy["default"]
            tidy = {**rest[0], **tidy}
    return tidy
