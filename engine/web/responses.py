"""Answers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from engine.language.value import compact, jsonable
from engine.session.sealed_tokens import has_marks, shown

NOTHING: Mapping[str, str] = {}

# on every page; a form may lead to ourselves alone, and nothing runs but our own file, which asks ourselves alone
PAGE_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}


def answered(
    value: Any, status: int = 200, headers: dict[str, str] | None = None, plain: Mapping[str, str] = NOTHING
) -> Response:
    """A JSON response: what is sensitive stands as `[sensitive]`, but for what is `plain`, as a handle may be."""
    # a line, as whoever reads it in a terminal expects
    body = compact(jsonable(value))
    if has_marks(body):
        body = compact(jsonable({**shown(value), **plain} if plain else shown(value)))
    body += "\n"
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, "application/json")
