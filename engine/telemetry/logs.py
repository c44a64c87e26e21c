"""How the service logs: lines of text for people, or JSON for what collects them.

A thread of its own writes them: whoever reads them slowly, or not at all, keeps nobody waiting.  What does not fit into
its queue meanwhile is left out, and how much that was is told.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Any, TextIO

import structlog

from engine.diagnostic.visible import line as visible

# lines that wait to be written at the most, and seconds that the last of them have when the process ends
MOST_WAITING, AT_THE_END = 10_000, 2.0


class _LineQueue(QueueHandler):
    """Hands lines to the thread that writes them; one that finds no room is counted."""

    def __init__(self, queue: Queue[logging.LogRecord]) -> None:
        super().__init__(queue)
        self.left_out = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Wait for nobody."""
        try:
            if self.left_out:
                record.fields = {**getattr(record, "fields", {}), "left_out_before": self.left_out}
            self.queue.put_nowait(record)
            self.left_out = 0
        except Full:
            self.left_out += 1


def _empty(queue: Queue[logging.LogRecord]) -> None:
    """Let what waits be written, for a moment."""
    until = time.monotonic() + AT_THE_END
    while not queue.empty() and time.monotonic() < until:
        time.sleep(0.01)


def _with_fields(logger: Any, name: str, told: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What a record brings beside its text; a text of others must not steer a terminal, nor end a line."""
    record: logging.LogRecord = told["_record"]
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    told.update({key: visible(value) if isinstance(value, str) else value for key, value in fields.items()})
    told["event"] = visible(str(told.get("event", "")))
    return told


def set_up_logs(form: str, level: str, stream: TextIO | None = None) -> QueueListener:
    """Have what the engine logs written to a stream, stderr unless given; the thread that does it."""
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
    queue: Queue[logging.LogRecord] = Queue(MOST_WAITING)
    logger.handlers = [_LineQueue(queue)]
    listener = QueueListener(queue, handler)
    listener.start()
    atexit.register(_empty, queue)
    logger.setLevel(level.upper())
    logger.propagate = False
    return listener
