"""A line for each request: who asked for what, what it came to, and how long that took; never a secret, nor a body."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any

from engine.random_bytes import random_hex
from engine.web.server.connection import Application

_log = logging.getLogger("engine.web.requests")
# what is behind these in a path lets somebody in
_SECRET = ("/login/", "/confirm/")


def with_request_log(application: Application) -> Application:
    """The application with an id for each request, which its answer tells too (`request-id`)."""

    async def logged(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        began, request_id, status = time.monotonic(), random_hex(8), 0
        scope.setdefault("state", {})["request_id"] = request_id

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"request-id", request_id.encode())]
            await send(message)

        try:
            await application(scope, receive, sent)
        finally:
            told = {
                "request_id": request_id, "method": scope["method"], "path": _shown(scope["path"]), "status": status,
                "ms": round((time.monotonic() - began) * 1000, 1), "principal": scope["state"].get("principal", ""),
            }  # fmt: skip
            _log.info("request", extra={"fields": told})

    return logged


def _shown(path: str) -> str:
    # also where somebody has written the address otherwise than it was given to them
    plain = re.sub("/+", "/", path.lower())
    for prefix in _SECRET:
        if plain.startswith(prefix):
            return f"{prefix}..."
    return path.encode("utf-8", "backslashreplace").decode()[:300]
