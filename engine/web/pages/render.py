"""Pages from templates."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from engine.access.rights import Right
from engine.web.pages.browser import Visitor
from engine.web.pages.card import InboxRow
from engine.web.problems import HttpProblem
from engine.web.responses import PAGE_HEADERS

_templates = Environment(
    loader=PackageLoader("engine.web.pages", "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, auto_reload=False,
)  # fmt: skip


def shown(template: str, status: int = 200, **values: Any) -> Response:
    """A page."""
    html = _templates.get_template(template).render(visitor=values.pop("visitor", None), **values)
    return HTMLResponse(html, status, PAGE_HEADERS)


@lru_cache(maxsize=2_000)
def row_shown(row: InboxRow) -> str:
    """A row of the inbox as HTML: the same are shown over and over, and change by the minute."""
    return _templates.get_template("inbox_row.html").render(row=row)


def need(visitor: Visitor, right: Right) -> None:
    """Raise HttpProblem 403 for who may not."""
    if not visitor.principal.may(right):
        told = f"a token of the role {visitor.principal.role} may not {right.value.replace('_', ' ')}"
        raise HttpProblem(403, "not_permitted", told)
