"""How the service logs: lines of text for people, or JSON for what collects them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from engine.diagnostic.visible import line as visible


def _with_fields(logger: Any, name: str, told: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What a record brings beside its text; a text of others must not steer a terminal, nor end a line."""
    record: logging.LogRecord = told["_record"]
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    told.update({key: visible(value) if isinstance(value, str) else value for key, value in fields.items()})
    told["event"] = visible(str(told.get("event", "")))
    return told


def set_up_logs(form: str, level: str, stream: TextIO | None = None) -> logging.Handler:
    """Have what the engine logs written to a stream, stderr unless given; the handler that does it."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty())
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
            processors=[_with_fields, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logger = logging.getLogger("engine")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    return handler
